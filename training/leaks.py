"""The leak check: no patient on both sides, and no image twice, whatever its name, format or brightness."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.errors import UnreadablePixelsError
from training.annotations import AnnotatedImage
from training.errors import LeakError, TrainingError
from training.images import read_image
from training.split import Split, patient_key

HASH_SIDE = 16
COARSE_SIDE = 64
SAME_BITS = 10
"""Of 240 bits: a re-encoded copy differs in a few, the two views of a breast in far more."""
SAME_CORRELATION = 0.985
"""Of the two pictures at 64 x 64, without their mean: what the hash suspects is only then called the same."""

Fingerprint = tuple[NDArray[np.bool_], NDArray[np.float32]]


def fingerprint(path: Path) -> Fingerprint:
    """Difference hash (dHash) and small picture of one image file; left and right mirrored views stay different."""
    values = read_image(path).values
    small = cv2.resize(values, (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    picture = cv2.resize(values, (COARSE_SIDE, COARSE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    picture -= picture.mean()
    length = float(np.linalg.norm(picture)) or 1.0
    return (np.diff(small, axis=1) > 0).ravel(), (picture / length).ravel()


def check_images(images: Sequence[AnnotatedImage], progress: Callable[[int, int], None]) -> dict[Path, Fingerprint]:
    """Fingerprints of all images that can be read. Raises LeakError: one picture belongs to two patients."""
    fingerprints: dict[Path, Fingerprint] = {}
    for index, image in enumerate(images):
        try:
            fingerprints[image.path] = fingerprint(image.path)
        except (TrainingError, UnreadablePixelsError):
            continue  # it is skipped, with its reason, where samples are cut
        finally:
            progress(index + 1, len(images))
    known = [image for image in images if image.path in fingerprints]
    for image, others in ((image, known[index + 1 :]) for index, image in enumerate(known)):
        strangers = [other for other in others if patient_key(other) != patient_key(image)]
        twins = same_pictures(strangers, [image], fingerprints)
        if twins:
            raise LeakError(
                f"Leak: {twins[0][0].name} and {twins[0][1].name} are one picture of two patients. Remove the "
                "copy, or give both one patient_id."
            )
    return fingerprints


def check_split(split: Split, fingerprints: Mapping[Path, Fingerprint]) -> None:
    """Raises LeakError: a patient, a file, or one picture under two names stands on both sides."""
    shared = {patient_key(image) for image in split.train} & {patient_key(image) for image in split.test}
    if shared:
        raise LeakError(
            f"Leak: {len(shared)} patient(s) stand in both training and test. Split by patient_id, and check that it "
            "names the patient, not the image."
        )
    train, test = (tuple(i for i in side if i.path in fingerprints) for side in (split.train, split.test))
    twins = same_pictures(train, test, fingerprints)
    if twins:
        names = "; ".join(f"{first.name} = {second.name}" for first, second in twins[:5])
        raise LeakError(
            f"Leak: {len(twins)} image(s) of the test side are also in training, under another name or patient: "
            f"{names}. Remove the copies, or give them one patient_id."
        )


def same_pictures(
    train: Sequence[AnnotatedImage], test: Sequence[AnnotatedImage], fingerprints: Mapping[Path, Fingerprint]
) -> list[tuple[Path, Path]]:
    """Pairs (train, test) that are one picture."""
    if not train or not test:
        return []
    bits = np.stack([fingerprints[image.path][0] for image in train]).astype(np.float32)
    pictures = np.stack([fingerprints[image.path][1] for image in train])
    twins = []
    for image in test:
        own_bits, own_picture = fingerprints[image.path]
        own = own_bits.astype(np.float32)
        different = bits.sum(axis=1) + own.sum() - 2 * (bits @ own)
        same = (different <= SAME_BITS) & (pictures @ own_picture >= SAME_CORRELATION)
        twins += [(other.path, image.path) for other, is_same in zip(train, same, strict=True) if is_same]
    return twins
