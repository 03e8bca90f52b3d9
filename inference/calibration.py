"""From a score to a probability, only where somebody has measured that it is one."""

from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import model_validator

from inference.results import Frozen


class Calibration(Frozen):
    """What scores of one module stand for in one population, measured on patients kept out of training.

    `temperature`: logit(p) = logit(score) / temperature + bias. `isotonic`: linear between the knots
    (`scores`, `probabilities`), constant beyond them. `prevalence` is the share of cases in `population`
    (a probability is true only where it is about the same); `unit` says what was counted.
    """

    kind: Literal["temperature", "isotonic"]
    temperature: float = 1.0
    bias: float = 0.0
    scores: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    population: str
    prevalence: float
    unit: str = "image by module"

    @model_validator(mode="after")
    def sensible(self) -> "Calibration":
        if not 0 < self.prevalence < 1:
            raise ValueError("prevalence must lie between 0 and 1")
        if self.kind == "temperature" and self.temperature <= 0:
            raise ValueError("temperature must be above 0")
        if self.kind == "isotonic":
            _check_knots(self.scores, self.probabilities)
        return self

    def probability(self, score: float) -> float:
        """Probability, 0 to 1, of a malignant lesion for a score of 0 to 1."""
        if self.kind == "isotonic":
            return float(np.interp(score, self.scores, self.probabilities))
        edge = 1e-7  # beyond it float32 scores are 0 or 1 and have no logit
        kept = min(max(score, edge), 1 - edge)
        logit = np.log(kept / (1 - kept)) / self.temperature + self.bias
        return float(1 / (1 + np.exp(-logit)))


def _check_knots(scores: tuple[float, ...], probabilities: tuple[float, ...]) -> None:
    if len(scores) != len(probabilities) or len(scores) < 2:
        raise ValueError("isotonic needs as many scores as probabilities, two or more")
    if any(b <= a for a, b in pairwise(scores)):
        raise ValueError("isotonic scores must rise")
    if any(b < a for a, b in pairwise(probabilities)):
        raise ValueError("isotonic probabilities must not fall")
    if probabilities[0] < 0 or probabilities[-1] > 1:
        raise ValueError("isotonic probabilities must lie within 0 and 1")
