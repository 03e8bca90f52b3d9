"""What a network said of one image, beside what is known of it: all figures are made from these."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.dense import scan_densely
from inference.results import Module
from inference.scorer import Scorer
from inference.windows import Window, candidates
from training.annotations import AnnotatedImage
from training.figures import Mark, Scores
from training.images import PlacedLesion, PreparedImage
from training.labels import NODULE_SHARE, Label, label_of, share_inside
from training.split import patient_key

MARK_DISTANCE = 0.5
"""Centres of two marks of one image are at least this share of a window apart."""
MOST_MARKS = 10


@dataclass(frozen=True)
class Record:
    """One image: labels and scores of its scanned windows, and its marks."""

    image: AnnotatedImage
    module: Module
    labels: tuple[Label, ...]
    scores: NDArray[np.float32]
    marks: tuple[Mark, ...]
    reached: tuple[bool, ...]
    """For each located malignant lesion of the module: whether a scanned window holds it."""

    @property
    def score(self) -> float:
        """The image's score: that of its worst window."""
        return float(self.scores.max(initial=0.0))

    @property
    def patient(self) -> str:
        """Whose image it is."""
        return patient_key(self.image)

    @property
    def malignant(self) -> bool:
        """Whether a malignant lesion of the module is on it."""
        return self.image.has(self.module, "malignant")

    @property
    def benign(self) -> bool:
        """Whether benign lesions of the module are on it, and none that is not."""
        return self.image.has(self.module, "benign") and not (
            self.malignant or self.image.has(self.module, "unknown")
        )

    @property
    def top_on_lesion(self) -> bool | None:
        """Whether the worst window holds a malignant lesion; None where there is none to be found."""
        if not self.reached or not len(self.scores):
            return None
        return self.labels[int(self.scores.argmax())] is Label.CASE


def unscored(image: AnnotatedImage, module: Module) -> Record:
    """What is known of an image before anything has looked at it."""
    return Record(image, module, (), np.zeros(0, np.float32), (), ())


def scan_image(scorer: Scorer, prepared: PreparedImage) -> Record:
    """Scan one image as inference does. Raises DeviceError: the device has too little memory."""
    normalised = prepared.normalised
    pixels = scorer.place(normalised.pixels)
    if scorer.recipe.scan == "dense":
        scored = scan_densely(scorer, pixels, normalised.breast)
    else:
        scored = scorer.score(pixels, candidates(normalised, scorer.recipe))
    return record_of(prepared.annotated, prepared.lesions, scored.windows, scored.scores, scorer.recipe.module)


def record_of(
    image: AnnotatedImage,
    lesions: Sequence[PlacedLesion],
    windows: Sequence[Window],
    scores: NDArray[np.float32],
    module: Module,
) -> Record:
    """Put scores of windows (normalised pixels) beside the lesions."""
    malignant = [p for p in lesions if p.lesion.module is module and p.lesion.pathology == "malignant"]
    needed = NODULE_SHARE if module is Module.NODULE else 0.999
    return Record(
        image=image,
        module=module,
        labels=tuple(label_of(window, lesions, module) for window in windows),
        scores=scores,
        marks=_marks(windows, scores, malignant),
        reached=tuple(any(share_inside(p.outline, window) >= needed for window in windows) for p in malignant),
    )


def _marks(
    windows: Sequence[Window], scores: NDArray[np.float32], malignant: Sequence[PlacedLesion]
) -> tuple[Mark, ...]:
    """The worst windows that lie apart, as a reader would get them; each with the lesions it points at."""
    if not windows:
        return ()
    centres = np.array([(window.x + window.size / 2, window.y + window.size / 2) for window in windows])
    left = scores.astype(float).copy()
    marks: list[Mark] = []
    while len(marks) < MOST_MARKS and left.max() >= 0:
        best = int(left.argmax())
        marks.append((float(scores[best]), _lesions_under(centres[best], windows[best].size, malignant)))
        left[np.hypot(*(centres - centres[best]).T) < MARK_DISTANCE * windows[best].size] = -1
    return tuple(marks)


def _lesions_under(centre: NDArray[np.float64], size: int, malignant: Sequence[PlacedLesion]) -> tuple[int, ...]:
    """The lesions whose box, or a quarter window around its middle, holds the centre of the mark.

    Several where outlines overlap: a mass and its spicules, the lesion as two readers drew it.
    """
    hit = []
    for number, placed in enumerate(malignant):
        low, high = placed.outline.min(axis=0), placed.outline.max(axis=0)
        reach = np.maximum((high - low) / 2, size / 4)
        if (np.abs(centre - (low + high) / 2) <= reach).all():
            hit.append(number)
    return tuple(hit)


def window_scores(records: Iterable[Record], negatives: frozenset[Label]) -> Scores:
    """Windows: cases against `negatives`."""
    return Scores.of(
        [
            (float(score), label is Label.CASE, record.patient)
            for record in records
            for label, score in zip(record.labels, record.scores, strict=True)
            if label is Label.CASE or label in negatives
        ]
    )


def healthy_scores(records: Iterable[Record]) -> Scores:
    """Images: malignant against healthy; benign ones are left out (the paper's protocol).

    Only data sets that have both are compared, where any has: else the film would tell the answer.
    """
    known = [record for record in records if record.malignant or record.image.healthy]
    kinds: dict[str, set[bool]] = {}
    for record in known:
        kinds.setdefault(record.image.dataset, set()).add(record.malignant)
    both = {dataset for dataset, own in kinds.items() if len(own) == 2} or set(kinds)
    return Scores.of([(r.score, r.malignant, r.patient) for r in known if r.image.dataset in both])


def all_scores(records: Iterable[Record]) -> Scores:
    """Images: malignant against all others, those with benign lesions among them, as a site sees them.

    Left out is what may be malignant, or is so for the other module.
    """
    known = (r for r in records if r.malignant or {lesion.pathology for lesion in r.image.lesions} <= {"benign"})
    return Scores.of([(r.score, r.malignant, r.patient) for r in known])


def benign_scores(records: Iterable[Record]) -> Scores:
    """Images: malignant against those with a benign lesion only (the harder protocol)."""
    return Scores.of([(r.score, r.malignant, r.patient) for r in records if r.malignant or r.benign])
