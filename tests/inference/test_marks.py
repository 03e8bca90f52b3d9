"""What of a module's lesions is marked, what is not and why, and what is none at all."""

import numpy as np
import pytest

from inference import marks
from inference.activation import ScoredWindows
from inference.findings import Lesion
from inference.geometry import Affine
from inference.marks import Judgement, judge_module
from inference.results import ImageResult, Module, ModuleResult, ModuleStatus
from inference.windows import Window
from phantoms import told_study
from phantoms.weights import POINTS

JUDGEMENT = Judgement(Module.NODULE, "0" * 64, POINTS, None, mark_grade=4, maximum_marks=3)
ONE = ScoredWindows((Window(0, 0, 40),), np.array([0.95], np.float32), np.zeros((1, 2, 2), np.float32))
CANVAS = np.zeros((10, 10), np.float32)


def lesion(score: float) -> Lesion:
    square = np.array([(1.0, 1.0), (5.0, 1.0), (5.0, 5.0), (1.0, 5.0)])
    return Lesion(score=score, outline=square, center=(3.0, 3.0))


def judged(monkeypatch: pytest.MonkeyPatch, scores: list[float]) -> ModuleResult:
    image: ImageResult = told_study.image(1, "R", "CC")
    monkeypatch.setattr(marks, "find_lesions", lambda *_: [lesion(score) for score in scores])
    return judge_module(JUDGEMENT, ONE, CANVAS, image, Affine((1.0, 1.0)))


def test_lesions_beyond_the_most_marks_are_counted_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = judged(monkeypatch, [0.99, 0.98, 0.97, 0.96, 0.6, 0.35])
    assert [finding.grade for finding in result.findings] == [6, 6, 6]
    assert (result.unmarked, result.beyond, result.beyond_grade) == (3, 2, 6)


def test_lesions_below_the_cut_are_not_beyond_it(monkeypatch: pytest.MonkeyPatch) -> None:
    result = judged(monkeypatch, [0.99, 0.35])
    assert (result.unmarked, result.beyond, result.beyond_grade) == (1, 0, None)


def test_an_image_of_which_nothing_could_be_scored_has_failed() -> None:
    nothing = ScoredWindows((), np.empty(0, np.float32), np.empty((0, 2, 2), np.float32))
    result = judge_module(JUDGEMENT, nothing, CANVAS, told_study.image(1, "R", "CC"), Affine((1.0, 1.0)))
    assert (result.status, result.score, result.grade) == (ModuleStatus.FAILED, None, None)
    assert result.reason is not None
    assert result.reason.code == "no-window"
