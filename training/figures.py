"""Figures with intervals: ROC, FROC, tables at the cuts, calibration. Intervals resample patients, not images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import TooFewError

Floats = NDArray[np.float64]
Mark = tuple[float, tuple[int, ...]]
"""Score of a mark, and which malignant lesions of its image it lies on."""
RESAMPLES = 1000
LEAST_PATIENTS = 4
"""Of each class: with fewer an interval says nothing."""


@dataclass(frozen=True)
class Scores:
    """Scores with their truth (1 malignant) and patient, for windows, images or studies."""

    scores: Floats
    truth: NDArray[np.int64]
    patients: NDArray[np.str_]

    @classmethod
    def of(cls, rows: Sequence[tuple[float, bool, str]]) -> "Scores":
        """From (score, malignant, patient) rows."""
        scores = np.array([row[0] for row in rows], float)
        return cls(scores, np.array([int(row[1]) for row in rows]), np.array([row[2] for row in rows], np.str_))

    @property
    def cases(self) -> int:
        """How many are malignant."""
        return int(self.truth.sum())

    @property
    def controls(self) -> int:
        """How many are not."""
        return len(self.truth) - self.cases

    def check(self, what: str) -> None:
        """Raises TooFewError: one class only, or too few patients for an interval."""
        malignant = len(set(self.patients[self.truth == 1]))
        others = len(set(self.patients[self.truth == 0]))
        if min(malignant, others) < LEAST_PATIENTS:
            raise TooFewError(
                f"{what}: {malignant} patient(s) with and {others} without a malignant lesion; at least "
                f"{LEAST_PATIENTS} of each are needed for a figure with an interval."
            )


def auc(scores: Scores) -> float:
    """Area under the ROC curve. Raises TooFewError: one class only."""
    if not scores.cases or not scores.controls:
        raise TooFewError("An AUC needs both classes.")
    return WeightedAuc(scores)(np.ones(len(scores.truth)))


class WeightedAuc:
    """The AUC of scores that count as often as their weights say; sorted once for many weights."""

    def __init__(self, scores: Scores) -> None:
        self._order = np.argsort(scores.scores, kind="stable")
        ordered = scores.scores[self._order]
        self._starts = np.flatnonzero(np.append([True], np.diff(ordered) > 0))  # ties are one step
        self._truth = scores.truth[self._order].astype(float)

    def __call__(self, weights: Floats) -> float:
        """`weights` (n,); NaN where one class has no weight."""
        ordered = weights[self._order]
        positive = np.add.reduceat(ordered * self._truth, self._starts)
        negative = np.add.reduceat(ordered * (1 - self._truth), self._starts)
        below = np.cumsum(negative) - negative
        pairs = positive.sum() * negative.sum()
        return float((positive * (below + negative / 2)).sum() / pairs) if pairs else np.nan


def auc_with_interval(scores: Scores, seed: int = 1) -> dict[str, object] | None:
    """{"auc", "ci", "cases", "controls"}, or None where the data cannot say."""
    try:
        scores.check("AUC")
    except TooFewError:
        return None
    low, high = interval(scores, WeightedAuc(scores), seed)
    return {
        "auc": round(auc(scores), 4),
        "ci": [round(low, 4), round(high, 4)],
        "cases": scores.cases,
        "controls": scores.controls,
    }


def interval(scores: Scores, figure: Callable[[Floats], float], seed: int = 1) -> tuple[float, float]:
    """95 % percentile bootstrap by patient: `figure` gets how often each score was drawn.

    Resamples that cannot give the figure (NaN: one class only) are left out.
    """
    random = np.random.default_rng(seed)
    patients, of_patient = np.unique(scores.patients, return_inverse=True)
    drawn = np.full(RESAMPLES, np.nan)
    for number in range(RESAMPLES):
        counts = np.bincount(random.integers(0, len(patients), len(patients)), minlength=len(patients))
        drawn[number] = figure(counts[of_patient].astype(float))
    low, high = np.percentile(drawn[np.isfinite(drawn)], [2.5, 97.5])
    return float(low), float(high)


def roc_points(scores: Scores) -> tuple[Floats, Floats]:
    """False and true positive rates, threshold falling, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores.scores, kind="stable")
    truth = scores.truth[order]
    last = np.append(np.diff(scores.scores[order]) != 0, [True])  # ties are one step
    true_rate = np.append([0.0], np.cumsum(truth)[last] / max(scores.cases, 1))
    false_rate = np.append([0.0], np.cumsum(1 - truth)[last] / max(scores.controls, 1))
    return false_rate, true_rate


def at_cut(scores: Scores, threshold: float, weights: Floats | None = None) -> dict[str, float | None]:
    """Sensitivity, specificity, PPV and NPV where `threshold` and above is positive; None where nothing is."""
    counted = np.ones(len(scores.truth)) if weights is None else weights
    cell = np.bincount(2 * scores.truth + (scores.scores >= threshold), weights=counted, minlength=4)
    rejected, false, misses, hits = (float(count) for count in cell)

    def share(part: float, whole: float) -> float | None:
        return part / whole if whole else None

    return {
        "sensitivity": share(hits, hits + misses),
        "specificity": share(rejected, rejected + false),
        "ppv": share(hits, hits + false),
        "npv": share(rejected, rejected + misses),
    }


def brier(probabilities: Floats, truth: NDArray[np.int64]) -> float:
    """Mean squared difference of probability and truth: 0 is perfect."""
    return float(np.mean((probabilities - truth) ** 2))


def reliability(probabilities: Floats, truth: NDArray[np.int64], bins: int = 10) -> list[dict[str, float]]:
    """Predicted against observed share of malignant, in bins of equal size."""
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, max(1, len(order) // 5))) if len(part)]
    return [
        {
            "predicted": float(probabilities[part].mean()),
            "observed": float(truth[part].mean()),
            "count": float(len(part)),
        }
        for part in parts
    ]


def froc(marks: Sequence[Sequence[Mark]], lesions: int, controls: Sequence[bool]) -> list[dict[str, float]]:
    """Share of lesions marked against false marks per control image, as the threshold falls.

    `marks` of each image; `controls` says which images count for false marks.
    """
    count = max(sum(controls), 1)
    everything = sorted({score for image in marks for score, _ in image}, reverse=True)
    if not lesions or not everything:
        return []
    chosen = [everything[int(place)] for place in np.linspace(0, len(everything) - 1, min(40, len(everything)))]
    points = []
    for threshold in chosen:
        hit = {
            (number, lesion)
            for number, image in enumerate(marks)
            for score, under in image
            for lesion in under
            if score >= threshold
        }
        false = sum(
            score >= threshold and not under
            for image, control in zip(marks, controls, strict=True)
            if control
            for score, under in image
        )
        points.append(
            {"threshold": float(threshold), "lesions": len(hit) / lesions, "false_marks_per_image": false / count}
        )
    return points
