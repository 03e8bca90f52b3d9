"""Splits by patient: nobody, and no image, on both sides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.results import Module
from training.annotations import AnnotatedImage
from training.errors import TooFewError

TEST_SHARE = 0.2
"""Paper, 'Statistical analysis': 80 % train, 20 % test, the prevalence of each class kept."""


@dataclass(frozen=True)
class Split:
    """Two sides of one division."""

    train: tuple[AnnotatedImage, ...]
    test: tuple[AnnotatedImage, ...]


def patient_strata(images: Sequence[AnnotatedImage], module: Module) -> dict[str, str]:
    """Each patient's stratum: data set and worst thing known of her for this module."""
    strata: dict[str, tuple[int, str]] = {}
    for image in images:
        rank = 2 if image.has(module, "malignant") else 1 if not image.healthy else 0
        key = f"{image.dataset}:{image.patient_id}"
        strata[key] = max(strata.get(key, (-1, "")), (rank, f"{image.dataset} {rank}"))
    return {patient: stratum for patient, (_, stratum) in strata.items()}


def patient_key(image: AnnotatedImage) -> str:
    """A patient's name in every split: ids of different data sets do not mix."""
    return f"{image.dataset}:{image.patient_id}"


def assign_folds(images: Sequence[AnnotatedImage], module: Module, folds: int, seed: int) -> dict[str, int]:
    """The fold of each patient; each stratum is spread evenly over the folds.

    Raises TooFewError: fewer than `folds` patients with a malignant lesion of the module, or without one.
    """
    strata = patient_strata(images, module)
    malignant = {patient_key(image) for image in images if image.has(module, "malignant")}
    others = set(strata) - malignant
    if min(len(malignant), len(others)) < folds:
        raise TooFewError(
            f"{len(malignant)} patients have a malignant {module.value} and {len(others)} have none: {folds} parts "
            f"by patient need {folds} of each. Add annotated patients, or use fewer folds."
        )
    random = np.random.default_rng(seed)
    assigned: dict[str, int] = {}
    start = 0
    for stratum in sorted(set(strata.values())):
        members = sorted(patient for patient, own in strata.items() if own == stratum)
        for index, place in enumerate(random.permutation(len(members))):
            assigned[members[place]] = (start + index) % folds
        start += len(members)  # so that remainders do not all fall into the first fold
    return assigned


def split_once(images: Sequence[AnnotatedImage], module: Module, seed: int) -> Split:
    """The paper's 80/20 by patient. Raises TooFewError, as `assign_folds`."""
    return split_fold(images, assign_folds(images, module, round(1 / TEST_SHARE), seed), 0)


def split_fold(images: Sequence[AnnotatedImage], folds: dict[str, int], fold: int) -> Split:
    """The patients of one fold as test, all others as train."""
    test = tuple(image for image in images if folds[patient_key(image)] == fold)
    train = tuple(image for image in images if folds[patient_key(image)] != fold)
    return Split(train, test)
