"""The paper's four grade thresholds from an image ROC, and a calibration of its scores.

| grade | range |
|---|---|
| 6 | specificity above 99 % |
| 5 | specificity 95 to 99 % |
| 4 | specificity below 95 % and sensitivity below 95 % |
| 3 | sensitivity 95 to 99 % |
| 1 | sensitivity above 99 % |
"""

from collections import Counter
from dataclasses import dataclass
from math import ceil, inf, nextafter

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from inference.calibration import Calibration
from inference.grades import empty_grades
from inference.results import Grade, OperatingPoint
from training.figures import Floats, Scores, at_cut, interval

SPECIFICITIES: dict[Grade, float] = {6: 0.99, 5: 0.95}
SENSITIVITIES: dict[Grade, float] = {4: 0.95, 3: 0.99}
"""Grade 4 ends where sensitivity reaches 95 %: below it a score is grade 3."""
LEAST_CASES = 20
"""Fewer malignant images cannot carry a sensitivity of 95 %: their cut is the lowest of them, wherever it lies."""
THIN_SPECIFICITY = 0.8
"""Where grade 4, and with it marking, then begins; grade 3 keeps the lowest case, so that it gets no negative."""


@dataclass(frozen=True)
class Thresholds:
    """The points, from grade 6 down; `empty` grades no score can get, since the cuts cross.

    `thin`: fewer than LEAST_CASES malignant images, so grade 4 begins at a specificity of THIN_SPECIFICITY.
    """

    points: tuple[OperatingPoint, ...]
    empty: tuple[Grade, ...]
    thin: bool


def thresholds_from(scores: Scores) -> Thresholds:
    """Cuts of the image ROC, with intervals. Raises TooFewError: one class only, or too few patients."""
    scores.check("Thresholds")
    thin = scores.cases < LEAST_CASES
    cuts = _cuts(scores, np.ones(len(scores.truth)), thin)
    points = tuple(_point(grade, cut, scores, thin) for grade, cut in cuts.items())
    return Thresholds(points, empty_grades(points), thin)


def _cuts(scores: Scores, weights: Floats, thin: bool) -> dict[Grade, float]:
    """The lower limit of each grade where every score counts as often as its weight says."""
    cuts = {grade: _cut_at_specificity(scores, weights, wanted) for grade, wanted in SPECIFICITIES.items()}
    cuts |= {grade: _cut_at_sensitivity(scores, weights, wanted) for grade, wanted in SENSITIVITIES.items()}
    if thin:
        cuts[4] = max(cuts[4], _cut_at_specificity(scores, weights, THIN_SPECIFICITY))
    return cuts


def _cut_at_specificity(scores: Scores, weights: Floats, wanted: float) -> float:
    """The lowest score such that at least `wanted` of the controls lie below it."""
    highest = _quantile(scores.scores, np.where(scores.truth == 0, weights, 0), wanted)
    return min(float(nextafter(highest, inf)), 1.0)  # 1: scores are saturated there


def _cut_at_sensitivity(scores: Scores, weights: Floats, wanted: float) -> float:
    """The highest score that at least `wanted` of the cases reach."""
    return -_quantile(-scores.scores, np.where(scores.truth == 1, weights, 0), wanted)


def _quantile(values: Floats, weights: Floats, share: float) -> float:
    """The lowest value up to which at least `share` of the weight lies; NaN where there is no weight."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    if cumulated[-1] == 0:
        return np.nan
    return float(values[order][np.searchsorted(cumulated, ceil(round(share * cumulated[-1], 9)))])


def _point(grade: Grade, cut: float, scores: Scores, thin: bool) -> OperatingPoint:
    figures = at_cut(scores, cut)
    intervals = {
        f"{name}_interval": _interval_at(scores, cut, name) for name, value in figures.items() if value is not None
    }
    return OperatingPoint.model_validate(
        {
            "grade": grade,
            "threshold": cut,
            "threshold_interval": interval(scores, lambda weights: _cuts(scores, weights, thin)[grade]),
            **figures,
            **intervals,
        }
    )


def table_with_intervals(points: tuple[OperatingPoint, ...], scores: Scores) -> list[dict[str, object]]:
    """The paper's Table 1 or 2 for these scores at these cuts, each figure with its 95 % interval by patient."""
    rows: list[dict[str, object]] = []
    for point in points:
        figures = at_cut(scores, point.threshold)
        row: dict[str, object] = {"grade": point.grade, "threshold": point.threshold, **figures}
        for name, value in figures.items():
            if value is not None:
                row[f"{name}_ci"] = [round(edge, 4) for edge in _interval_at(scores, point.threshold, name)]
        rows.append(row)
    return rows


def _interval_at(scores: Scores, threshold: float, name: str) -> tuple[float, float]:
    def figure(weights: Floats) -> float:
        value = at_cut(scores, threshold, weights)[name]
        return np.nan if value is None else value

    return interval(scores, figure)


def calibration_from(scores: Scores, population: str, unit: str = "image by module") -> Calibration:
    """Temperature and bias that fit the truth of held-out patients best (Platt scaling of the logit).

    Raises TooFewError: one class only, or too few patients.
    """
    scores.check("Calibration")
    clipped = np.clip(scores.scores, 1e-6, 1 - 1e-6)
    logits = np.log(clipped / (1 - clipped))
    truth = scores.truth

    def cost(parameters: NDArray[np.float64]) -> float:
        slope, bias = np.exp(parameters[0]), parameters[1]
        z = np.clip(slope * logits + bias, -50, 50)
        return float(np.mean(np.log1p(np.exp(z)) - truth * z) + 1e-4 * parameters[0] ** 2)

    best = minimize(cost, np.array([0.0, 0.0]), method="Nelder-Mead", options={"maxiter": 2000})
    return Calibration(
        kind="temperature",
        temperature=float(np.exp(-best.x[0])),
        bias=float(best.x[1]),
        population=population,
        prevalence=scores.cases / len(truth),
        unit=unit,
    )


def population_of(scores: Scores) -> str:
    """Whom thresholds and calibration were measured on: images of each data set."""
    counts = Counter(str(patient).split(":")[0] for patient in scores.patients)
    return ", ".join(f"{name} ({count} images)" for name, count in sorted(counts.items()))
