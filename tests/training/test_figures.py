"""Figures in exact numbers, and thresholds that cross."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from inference.grades import grade_of
from inference.results import Module
from inference.windows import Window
from training.annotations import AnnotatedImage, Lesion, Pathology, box_outline
from training.errors import TooFewError
from training.evaluate import study_specificity
from training.figures import Scores, WeightedAuc, at_cut, auc, auc_with_interval, brier, froc, reliability, roc_points
from training.images import PlacedLesion
from training.records import Record, all_scores, record_of, unscored
from training.thresholds import calibration_from, table_with_intervals, thresholds_from


def scores_of(cases: list[float], controls: list[float]) -> Scores:
    rows = [(score, True, f"m{n}") for n, score in enumerate(cases)]
    return Scores.of(rows + [(score, False, f"h{n}") for n, score in enumerate(controls)])


def test_auc_is_scikit_learns_with_ties_and_weights() -> None:
    random = np.random.default_rng(4)
    drawn = Scores(random.integers(0, 20, 300) / 20, random.integers(0, 2, 300), np.arange(300).astype(str))
    weights = random.integers(0, 4, 300).astype(float)
    assert auc(drawn) == pytest.approx(roc_auc_score(drawn.truth, drawn.scores))
    expected = roc_auc_score(drawn.truth, drawn.scores, sample_weight=weights)
    assert WeightedAuc(drawn)(weights) == pytest.approx(expected)


def test_roc_points_of_four_scores() -> None:
    false_rate, true_rate = roc_points(scores_of([0.9, 0.5], [0.5, 0.1]))
    assert false_rate.tolist() == [0, 0, 0.5, 1]
    assert true_rate.tolist() == [0, 0.5, 1, 1]


def test_interval_resamples_patients_and_covers_the_figure() -> None:
    random = np.random.default_rng(1)
    figure = auc_with_interval(scores_of(list(random.normal(1, 1, 40)), list(random.normal(0, 1, 80))))
    assert figure is not None
    low, high = figure["ci"]  # type: ignore[misc] # a list of two
    assert low < figure["auc"] < high
    assert 0.1 < high - low < 0.25
    assert (figure["cases"], figure["controls"]) == (40, 80)


def test_too_few_patients_or_one_class_is_no_figure_and_no_nan() -> None:
    assert auc_with_interval(scores_of([0.9, 0.8, 0.7], [0.1] * 9)) is None
    assert auc_with_interval(scores_of([], [0.1] * 9)) is None
    with pytest.raises(TooFewError, match=r"3 patient\(s\) with and 9 without"):
        thresholds_from(scores_of([0.9, 0.8, 0.7], [0.1] * 9))


def test_thresholds_of_a_weak_model_follow_the_papers_words() -> None:
    random = np.random.default_rng(2)
    scores = scores_of(
        list(random.normal(0.6, 0.12, 200).clip(0, 1)), list(random.normal(0.4, 0.12, 1000).clip(0, 1))
    )
    found = thresholds_from(scores)
    assert [point.grade for point in found.points] == [6, 5, 4, 3]
    six, five, four, three = found.points
    assert six.threshold > five.threshold > four.threshold > three.threshold
    assert six.specificity >= 0.99
    assert 0.95 <= five.specificity < 0.99
    assert four.sensitivity == pytest.approx(0.95)
    assert three.sensitivity == pytest.approx(0.99)
    assert found.empty == ()
    for point in found.points:
        assert point.threshold_interval is not None
        assert point.sensitivity_interval is not None
        low, high = point.threshold_interval
        assert low <= point.threshold <= high
        assert point.sensitivity_interval[0] <= point.sensitivity <= point.sensitivity_interval[1]


def test_thresholds_that_cross_leave_grade_4_empty() -> None:
    scores = scores_of([0.8 + n / 1000 for n in range(100)], [0.2 + n / 1000 for n in range(100)])
    found = thresholds_from(scores)
    assert found.empty == (4, 3)
    assert {grade_of(score, found.points) for score in scores.scores} <= {1, 5, 6}
    assert grade_of(0.85, found.points) == 6


def test_few_malignant_images_move_grade_4_but_never_allow_a_negative() -> None:
    controls = [n / 100 for n in range(100)]
    found = thresholds_from(scores_of([0.02, 0.5, 0.85, 0.9, 0.95], controls))
    assert found.thin
    four, three = found.points[2:]
    assert four.specificity == pytest.approx(0.8)
    assert three.threshold == 0.02
    assert not thresholds_from(scores_of([0.02, 0.5, 0.85, 0.9, 0.95] * 4, controls)).thin


def test_table_counts_at_the_cut() -> None:
    scores = scores_of([0.9, 0.8, 0.7, 0.2], [0.75, 0.1, 0.1, 0.1, 0.1])
    figures = at_cut(scores, 0.7)
    assert figures == {"sensitivity": 0.75, "specificity": 0.8, "ppv": 0.75, "npv": 0.8}
    assert at_cut(scores, 0.95)["ppv"] is None
    row = table_with_intervals(thresholds_from(scores).points, scores)[0]
    low, high = row["specificity_ci"]  # type: ignore[misc] # a list of two
    assert 0 <= low <= row["specificity"] <= high <= 1  # type: ignore[operator] # a float


def test_calibration_gives_back_true_probabilities() -> None:
    random = np.random.default_rng(3)
    truth = random.random(4000)
    malignant = random.random(4000) < truth
    overconfident = 1 / (1 + ((1 - truth) / truth) ** 2.0)  # logits twice too large
    scores = Scores(overconfident, malignant.astype(int), np.arange(4000).astype(str))
    calibration = calibration_from(scores, "simulated")
    assert calibration.temperature == pytest.approx(2.0, rel=0.1)
    assert calibration.prevalence == pytest.approx(malignant.mean())
    said = np.array([calibration.probability(score) for score in overconfident])
    assert brier(said, scores.truth) < brier(overconfident, scores.truth)
    assert all(abs(b["predicted"] - b["observed"]) < 0.06 for b in reliability(said, scores.truth))


def test_froc_counts_lesions_once_and_false_marks_on_control_images() -> None:
    marks = [[(0.9, (0,)), (0.8, (0,)), (0.3, (0, 1))], [(0.7, ()), (0.2, ())]]
    points = froc(marks, lesions=2, controls=[False, True])
    assert points[0] == {"threshold": 0.9, "lesions": 0.5, "false_marks_per_image": 0.0}
    assert points[-1] == {"threshold": 0.2, "lesions": 1.0, "false_marks_per_image": 2.0}


def looked_at(patient: str, module: Module, score: float, *pathologies: Pathology) -> Record:
    lesions = tuple(Lesion("mass", pathology, None) for pathology in pathologies)
    image = AnnotatedImage(Path(f"{patient}.png"), patient, "set", lesions=lesions)
    return replace(unscored(image, module), scores=np.array([score], np.float32))


def test_study_specificity_is_the_worst_of_images_and_modules() -> None:
    nodule, small = Module.NODULE, Module.MICROCALCIFICATION
    nodules = [
        looked_at("a", nodule, 0.1),
        looked_at("a", nodule, 0.6),
        looked_at("b", nodule, 0.1),
        looked_at("c", nodule, 0.1),
        looked_at("m", nodule, 0.9, "malignant"),
        looked_at("m", nodule, 0.1),  # her other breast does not make her a healthy patient
        looked_at("benign", nodule, 0.1),
        looked_at("benign", nodule, 0.1, "benign"),
    ]
    clusters = [looked_at("a", small, 0.1), looked_at("b", small, 0.9), looked_at("c", small, 0.1)]
    cuts = {nodule: 0.5, small: 0.5}
    assert study_specificity({nodule: nodules, small: clusters}, cuts) == pytest.approx(1 / 3)
    assert study_specificity({nodule: nodules[4:]}, cuts) is None


def test_a_mark_on_two_outlines_of_one_lesion_finds_both() -> None:
    outline = box_outline(100, 100, 200, 200)
    twice = [PlacedLesion(Lesion("mass", "malignant", outline), outline) for _ in range(2)]
    image = AnnotatedImage(Path("a.png"), "a", "set", lesions=tuple(placed.lesion for placed in twice))
    windows = [Window(0, 0, 300), Window(1000, 1000, 300)]
    record = record_of(image, twice, windows, np.array([0.9, 0.2], np.float32), Module.NODULE)
    assert [under for _, under in record.marks] == [(0, 1), ()]
    points = froc([record.marks], lesions=2, controls=[True])
    assert points[0] == {"threshold": pytest.approx(0.9), "lesions": 1.0, "false_marks_per_image": 0.0}


def test_a_sites_controls_are_all_that_are_not_malignant_and_of_nothing_unknown() -> None:
    kinds: list[tuple[Pathology, ...]] = [
        ("malignant",),
        ("malignant", "benign"),
        ("benign",),
        (),
        ("unknown",),
        ("benign", "unknown"),
    ]
    records = [
        Record(
            AnnotatedImage(
                Path("a.png"), str(number), "site", lesions=tuple(Lesion("mass", kind, None) for kind in pathologies)
            ),
            Module.NODULE,
            (),
            np.array([number / 10], np.float32),
            (),
            (),
        )
        for number, pathologies in enumerate(kinds)
    ]
    scores = all_scores(records)
    assert scores.truth.tolist() == [1, 1, 0, 0]
    assert scores.scores.tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3])
