"""A study's way from files to grades, with weights set by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from inference import pipeline
from inference.activation import HeatMap, at_stored_size
from inference.calibration import Calibration
from inference.eligibility import EligibilityPolicy
from inference.errors import DeviceError, WeightsError
from inference.geometry import Affine
from inference.outlines import is_simple
from inference.pipeline import Analyser
from inference.results import ImageResult, Module, ModuleStatus, Reason, Status, StudyResult
from inference.site_calibration import ModuleCalibration, SiteCalibration, save_site_calibration
from inference.weights_file import load_weights, save_weights
from phantoms.mammogram import Lesion, mammogram, write_study
from phantoms.weights import POINTS, brightness_state, small_header, write_weights

POLICY = EligibilityPolicy(
    for_processing=False,
    synthesised_2d=False,
    implants=False,
    secondary_capture=False,
    male_or_minor=False,
    burned_in_annotation=True,
    prior_days=None,
    today=date(2026, 1, 1),
)
NODULE = Lesion("nodule", 380, 300, 30)
SIZE = {"rows": 640, "columns": 480, "study_date": "20260101"}


@pytest.fixture(scope="module")
def analyser(weights: Path) -> Analyser:
    return Analyser.load(weights, device="cpu", threads=1)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    lesions = {("R", "CC"): [NODULE], ("R", "MLO"): [replace(NODULE, x=375)]}
    return write_study(tmp_path_factory.mktemp("study"), lesions=lesions, **SIZE)


@pytest.fixture(scope="module")
def result(analyser: Analyser, study: Sequence[Path]) -> StudyResult:
    return analyser.analyse_study(study, POLICY)


def one(folder: Path, name: str = "one.dcm", **keywords: object) -> Path:
    """One right CC instance."""
    path = folder / name
    mammogram("R", "CC", **(SIZE | keywords)).save_as(path, enforce_file_format=True)  # type: ignore[arg-type]
    return path


def nodule_of(image: ImageResult) -> tuple[float, float]:
    """The centre of the image's worst nodule."""
    return next(item.center for item in image.findings if item.module is Module.NODULE)


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
    again = analyser.analyse_study(study[:1], POLICY)
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
    expected, found = (analyser.analyse_study([path], POLICY).images[0] for path in (plain, other))
    assert len(found.findings) == len(expected.findings) > 0
    for mine, theirs in zip(found.findings, expected.findings, strict=True):
        assert mine.center == pytest.approx(theirs.center, abs=0.5)
        np.testing.assert_allclose(mine.outline, theirs.outline, atol=0.5)
        assert mine.score == pytest.approx(theirs.score, abs=1e-2)


def test_bad_files_fail_alone(analyser: Analyser, tmp_path: Path) -> None:
    good = one(tmp_path, lesions=[NODULE], study_uid="1.2.9")
    truncated = one(tmp_path, "truncated.dcm", study_uid="1.2.9")
    truncated.write_bytes(truncated.read_bytes()[:-50_000])
    text = tmp_path / "text.dcm"
    text.write_text("no DICOM")
    blank = one(tmp_path, "blank.dcm", picture=np.zeros((640, 480), np.float32), study_uid="1.2.9")
    lines: list[str] = []
    result = analyser.analyse_study([text, truncated, good, blank], POLICY, lines.append)
    assert [image.status for image in result.images] == [
        Status.FAILED,
        Status.FAILED,
        Status.ANALYSED,
        Status.FAILED,
    ]
    assert all(image.reason and image.reason.code for image in result.images if image.status is Status.FAILED)
    assert result.study_instance_uid == "1.2.9"
    assert nodule_of(result.images[2]) == pytest.approx((380, 300), abs=25)
    assert lines == ["RCC: failed (1 of 3)", "RCC: analysed (2 of 3)", "RCC: failed (3 of 3)"]


def test_an_error_nobody_foresaw_fails_one_image_only(
    analyser: Analyser, study: Sequence[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = pipeline.prepare_ahead

    def broken(*arguments: object) -> object:
        _, *others = prepare(*arguments)  # type: ignore[arg-type]
        return iter([Reason(code="unreadable-image", text="The image cannot be read (KeyError)."), *others])

    monkeypatch.setattr(pipeline, "prepare_ahead", broken)
    result = analyser.analyse_study(study[:2], POLICY)
    assert [image.status for image in result.images] == [Status.FAILED, Status.ANALYSED]


def test_no_file_no_study(analyser: Analyser) -> None:
    result = analyser.analyse_study([], POLICY)
    assert result.images == ()
    assert result.study.withheld is not None
    assert result.study.withheld.code == "nothing-analysed"


def test_excluded_images_say_why(analyser: Analyser, tmp_path: Path) -> None:
    path = one(tmp_path, for_processing=True)
    image = analyser.analyse_study([path], POLICY).images[0]
    assert image.status is Status.EXCLUDED
    assert image.reason is not None
    assert image.modules == ()
    assert (image.laterality, image.view) == ("R", "CC")


def test_a_file_given_twice_is_analysed_once(analyser: Analyser, tmp_path: Path) -> None:
    path = one(tmp_path)
    first, second = analyser.analyse_study([path, path], POLICY).images
    assert first.status is Status.ANALYSED
    assert second.status is Status.EXCLUDED
    assert second.reason is not None
    assert second.reason.code == "duplicate-instance"


def test_laterality_against_the_pixels_is_noted(analyser: Analyser, tmp_path: Path) -> None:
    agrees = analyser.analyse_study([one(tmp_path)], POLICY).images[0]
    flipped = one(tmp_path, PatientOrientation=["A", "R"])
    disagrees = analyser.analyse_study([flipped], POLICY).images[0]
    assert [note.code for note in agrees.notes] == []
    assert [note.code for note in disagrees.notes] == ["laterality-disagrees"]
    assert disagrees.status is Status.ANALYSED


def test_a_module_switched_off_is_not_attempted(weights: Path, tmp_path: Path) -> None:
    analyser = Analyser.load(weights, modules=[Module.NODULE], device="cpu", threads=1)
    result = analyser.analyse_study([one(tmp_path)], POLICY)
    nodule, calcification = result.images[0].modules
    assert nodule.status is ModuleStatus.SUCCEEDED
    assert calcification.status is ModuleStatus.NOT_ATTEMPTED
    assert calcification.score is None
    assert [model.module for model in analyser.models] == [Module.NODULE]
    if nodule.grade == 1:
        assert result.images[0].grade is None


def test_with_every_module_off_nothing_is_analysed(weights: Path, tmp_path: Path) -> None:
    image = (
        Analyser.load(weights, modules=[], device="cpu", threads=1).analyse_study([one(tmp_path)], POLICY).images[0]
    )
    assert image.status is Status.EXCLUDED
    assert image.reason is not None
    assert image.reason.code == "modules-off"


def test_marks_above_the_maximum_are_counted(weights: Path, study: Sequence[Path], result: StudyResult) -> None:
    few = Analyser.load(weights, device="cpu", threads=1, maximum_marks=1, mark_grade=3)
    image = few.analyse_study(study[:1], POLICY).images[0]
    for module, before in zip(image.modules, result.images[0].modules, strict=True):
        assert len(module.findings) <= 1
        assert len(module.findings) + module.unmarked == len(before.findings) + before.unmarked
        assert module.score == before.score


def test_a_module_whose_device_fails_says_so(
    analyser: Analyser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise DeviceError(Reason(code="device-memory", text="No memory."))

    active = analyser._active
    monkeypatch.setattr(active[Module.NODULE].scorer, "score", exhausted)
    image = analyser.analyse_study([one(tmp_path)], POLICY).images[0]
    assert image.status is Status.ANALYSED
    assert [module.status for module in image.modules] == [ModuleStatus.FAILED, ModuleStatus.SUCCEEDED]
    assert image.grade != 1
    monkeypatch.setattr(active[Module.MICROCALCIFICATION].scorer, "score", exhausted)
    image = analyser.analyse_study([one(tmp_path)], POLICY).images[0]
    assert image.status is Status.FAILED
    assert image.reason is not None
    assert image.reason.code == "device-memory"


def test_heat_maps_are_handed_over_as_they_are_made(analyser: Analyser, tmp_path: Path) -> None:
    path = one(tmp_path, lesions=[NODULE])
    heat: dict[Module, HeatMap] = {}
    result = analyser.analyse_study(
        [path], POLICY, on_heat_map=lambda uid, module, made: heat.__setitem__(module, made)
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


def test_dense_recipes_are_scanned_densely(weights: Path, tmp_path: Path) -> None:
    recipe = small_header(Module.NODULE).recipe.model_copy(update={"scan": "dense"})
    header = small_header(Module.NODULE, recipe=recipe)
    save_weights(tmp_path / "nodule.safetensors", brightness_state(recipe.network), header)
    analyser = Analyser.load(tmp_path, modules=[Module.NODULE], device="cpu", threads=1)
    image = analyser.analyse_study([one(tmp_path, lesions=[NODULE])], POLICY).images[0]
    assert nodule_of(image) == pytest.approx((380, 300), abs=25)


def test_probability_is_said_only_with_a_calibration(tmp_path: Path) -> None:
    calibration = Calibration(kind="temperature", temperature=2.0, population="phantoms", prevalence=0.2)
    folder = write_weights(tmp_path / "weights", calibration=calibration)
    analyser = Analyser.load(folder, modules=[Module.NODULE], device="cpu", threads=1)
    image = analyser.analyse_study([one(tmp_path, lesions=[NODULE])], POLICY).images[0]
    module = image.modules[0]
    assert module.score is not None
    assert module.probability == pytest.approx(calibration.probability(module.score))
    assert all(item.probability == pytest.approx(calibration.probability(item.score)) for item in module.findings)
    assert analyser.models[0].calibration_population == "phantoms"
    assert analyser.models[0].calibration_sha256 is None


def test_a_sites_calibration_goes_before_the_weights_own(weights: Path, tmp_path: Path) -> None:
    trained = load_weights(weights / "nodule.safetensors")
    calibration = Calibration(kind="temperature", population="our site", prevalence=0.01)
    points = tuple(point.model_copy(update={"threshold": 0.999}) for point in POINTS)
    part = ModuleCalibration(weights_sha256=trained.sha256, calibration=calibration, thresholds=points)
    path = tmp_path / "site.json"
    digest = save_site_calibration(path, SiteCalibration(created="2026", modules={Module.NODULE: part}))
    analyser = Analyser.load(weights, device="cpu", threads=1, site_calibration=path)
    nodule, calcification = analyser.models
    assert (nodule.calibration_sha256, nodule.calibration_population) == (digest, "our site")
    assert calcification.calibration_sha256 is None
    result = analyser.analyse_study([one(tmp_path)], POLICY)
    assert result.operating_points[Module.NODULE] == points
    assert result.images[0].modules[0].grade == 1
    assert result.images[0].modules[0].probability is not None
    assert result.images[0].modules[1].probability is None


@pytest.mark.parametrize("fault", ["other module", "no thresholds", "one threshold missing"])
def test_weights_that_cannot_grade_are_refused(weights: Path, tmp_path: Path, fault: str) -> None:
    if fault == "other module":
        source = weights / "microcalcification.safetensors"
        (tmp_path / "nodule.safetensors").write_bytes(source.read_bytes())
    else:
        kept = () if fault == "no thresholds" else POINTS[:3]
        write_weights(tmp_path, thresholds=kept)
    with pytest.raises(WeightsError) as caught:
        Analyser.load(tmp_path, modules=[Module.NODULE], device="cpu", threads=1)
    assert caught.value.reason.code == "weights-unfit"
    assert caught.value.reason.remedy


@pytest.mark.gpu
def test_gpu_and_cpu_find_the_same(weights: Path, study: Sequence[Path], result: StudyResult) -> None:
    on_gpu = Analyser.load(weights, device="cuda").analyse_study(study, POLICY)
    for mine, theirs in zip(on_gpu.images, result.images, strict=True):
        assert mine.grade == theirs.grade
        for ours, cpu in zip(mine.modules, theirs.modules, strict=True):
            assert ours.score == pytest.approx(cpu.score, abs=1e-2)
