"""A study's way from files to grades, with weights set by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from inference.activation import HeatMap, at_stored_size
from inference.geometry import Affine
from inference.outlines import is_simple
from inference.pipeline import Analyser
from inference.results import Module, ModuleStatus, Status, StudyResult
from phantoms.small_study import NODULE, nodule_of, one, policy
from phantoms.weights import POINTS


def test_every_image_is_analysed_by_both_modules(result: StudyResult, study: Sequence[Path]) -> None:
    assert [(image.laterality, image.view) for image in result.images] == [
        ("R", "CC"),
        ("L", "CC"),
        ("R", "MLO"),
        ("L", "MLO"),
    ]
    assert [image.file for image in result.images] == [str(path) for path in study]
    for image in result.images:
        assert image.status is Status.ANALYSED
        assert [(m.module, m.status) for m in image.modules] == [(m, ModuleStatus.SUCCEEDED) for m in Module]
        assert (image.rows, image.columns) == (640, 480)
    assert len({model.weights_sha256 for model in result.models}) == 2
    assert result.operating_points[Module.NODULE] == POINTS


def test_the_lesion_is_marked_where_it_was_put(result: StudyResult) -> None:
    for image, x in ((result.images[0], 380), (result.images[2], 375)):
        assert nodule_of(image) == pytest.approx((x, 300), abs=25)


def test_marks_are_valid_and_inside_the_image(result: StudyResult) -> None:
    findings = result.findings
    assert len({finding.tracking_uid for finding in findings}) == len(findings) > 0
    for finding in findings:
        outline = np.array(finding.outline)
        assert is_simple(outline)
        assert (outline >= 0).all()
        assert (outline <= (480, 640)).all()
        assert finding.box == (*outline.min(axis=0), *outline.max(axis=0))
        assert finding.grade >= 4
        assert finding.probability is None
        assert len(finding.tracking_uid) <= 64
    for image in result.images:
        for module in image.modules:
            assert len(module.findings) <= 3
            scores = [finding.score for finding in module.findings]
            assert scores == sorted(scores, reverse=True)
            assert module.score is not None
            assert not scores or module.score == scores[0]


def test_one_lesion_in_both_views_is_linked(result: StudyResult) -> None:
    cc, mlo = ([item for item in result.images[index].findings if item.module is Module.NODULE] for index in (0, 2))
    assert cc[0].linked == (mlo[0].tracking_uid,)
    assert mlo[0].linked == (cc[0].tracking_uid,)
    assert (cc[0].tracking_id, mlo[0].tracking_id) == ("RCC-nodule-1", "RMLO-nodule-1")


def test_the_worst_image_grades_breast_and_study(result: StudyResult) -> None:
    right = max(image.grade or 0 for image in result.images if image.laterality == "R")
    assert result.breasts["R"].grade == right
    assert result.study.grade == max(image.grade or 0 for image in result.images)


def test_a_repeat_says_the_same(analyser: Analyser, study: Sequence[Path], result: StudyResult) -> None:
    again = analyser.analyse_study(study[:1], policy())
    before = result.images[0]
    # links need the other view
    without_links = [item.model_copy(update={"linked": ()}) for item in before.findings]
    assert list(again.images[0].findings) == without_links


@pytest.mark.parametrize(
    "attributes",
    [
        {"FieldOfViewRotation": "180", "FieldOfViewHorizontalFlip": "YES"},
        {"photometric": "MONOCHROME1"},
        {"transfer_syntax": "1.2.840.10008.1.2.4.70"},
    ],
    ids=lambda item: next(iter(item)),
)
def test_what_the_modality_did_moves_no_coordinate(
    analyser: Analyser, tmp_path: Path, attributes: dict[str, object]
) -> None:
    plain = one(tmp_path, "plain.dcm", lesions=[NODULE], sop_uid="1.2.3")
    other = one(tmp_path, "other.dcm", lesions=[NODULE], sop_uid="1.2.3", **attributes)
    expected, found = (analyser.analyse_study([path], policy()).images[0] for path in (plain, other))
    assert len(found.findings) == len(expected.findings) > 0
    for mine, theirs in zip(found.findings, expected.findings, strict=True):
        assert mine.center == pytest.approx(theirs.center, abs=0.5)
        np.testing.assert_allclose(mine.outline, theirs.outline, atol=0.5)
        assert mine.score == pytest.approx(theirs.score, abs=1e-2)


def test_heat_maps_are_handed_over_as_they_are_made(analyser: Analyser, tmp_path: Path) -> None:
    path = one(tmp_path, lesions=[NODULE])
    heat: dict[Module, HeatMap] = {}
    result = analyser.analyse_study(
        [path], policy(), on_heat_map=lambda uid, module, made: heat.__setitem__(module, made)
    )
    assert set(heat) == set(Module)
    nodule = heat[Module.NODULE]
    assert nodule.values.dtype == np.float16
    assert nodule.values.shape == (64, 48)
    stored = at_stored_size(nodule, 640, 480)
    x, y = nodule_of(result.images[0])
    assert stored[round(y), round(x)] > 0.5 * stored.max()
    asked = analyser.heat_map_source({"a": path})("a", Module.NODULE)
    assert asked is not None
    np.testing.assert_allclose(asked, stored, atol=1e-6)


def test_heat_at_stored_size_keeps_its_place() -> None:
    values = np.zeros((4, 3), np.float16)
    values[2, 1] = 1
    stored = at_stored_size(HeatMap(values, Affine((10.0, 5.0))), 20, 30)
    assert stored.shape == (20, 30)
    rows, columns = np.meshgrid(np.arange(20) + 0.5, np.arange(30) + 0.5, indexing="ij")
    assert np.average(columns, weights=stored) == pytest.approx(15.0, abs=0.1)
    assert np.average(rows, weights=stored) == pytest.approx(12.5, abs=0.1)
