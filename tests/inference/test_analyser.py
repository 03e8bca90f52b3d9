"""An analyser as it is set up: modules, weights, calibration, device."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from inference.calibration import Calibration
from inference.errors import WeightsError
from inference.pipeline import Analyser
from inference.results import Module, ModuleStatus, Status, StudyResult
from inference.site_calibration import ModuleCalibration, SiteCalibration, save_site_calibration
from inference.weights_file import load_weights, save_weights
from phantoms.small_study import NODULE, nodule_of, one, policy
from phantoms.weights import POINTS, brightness_state, small_header, write_weights


def test_a_module_switched_off_is_not_attempted(weights: Path, tmp_path: Path) -> None:
    analyser = Analyser.load(weights, modules=[Module.NODULE], device="cpu", threads=1)
    result = analyser.analyse_study([one(tmp_path)], policy())
    nodule, calcification = result.images[0].modules
    assert nodule.status is ModuleStatus.SUCCEEDED
    assert calcification.status is ModuleStatus.NOT_ATTEMPTED
    assert calcification.score is None
    assert [model.module for model in analyser.models] == [Module.NODULE]
    if nodule.grade == 1:
        assert result.images[0].grade is None


def test_with_every_module_off_nothing_is_analysed(weights: Path, tmp_path: Path) -> None:
    image = (
        Analyser.load(weights, modules=[], device="cpu", threads=1).analyse_study([one(tmp_path)], policy()).images[0]
    )
    assert image.status is Status.EXCLUDED
    assert image.reason is not None
    assert image.reason.code == "modules-off"


def test_marks_above_the_maximum_are_counted(weights: Path, study: Sequence[Path], result: StudyResult) -> None:
    few = Analyser.load(weights, device="cpu", threads=1, maximum_marks=1, mark_grade=3)
    image = few.analyse_study(study[:1], policy()).images[0]
    for module, before in zip(image.modules, result.images[0].modules, strict=True):
        assert len(module.findings) <= 1
        assert len(module.findings) + module.unmarked == len(before.findings) + before.unmarked
        assert module.score == before.score


def test_dense_recipes_are_scanned_densely(weights: Path, tmp_path: Path) -> None:
    recipe = small_header(Module.NODULE).recipe.model_copy(update={"scan": "dense"})
    header = small_header(Module.NODULE, recipe=recipe)
    save_weights(tmp_path / "nodule.safetensors", brightness_state(recipe.network), header)
    analyser = Analyser.load(tmp_path, modules=[Module.NODULE], device="cpu", threads=1)
    image = analyser.analyse_study([one(tmp_path, lesions=[NODULE])], policy()).images[0]
    assert nodule_of(image) == pytest.approx((380, 300), abs=25)


def test_the_weights_own_calibration_makes_no_probability(tmp_path: Path) -> None:
    """It was measured on whom they were trained on, and not at this hospital."""
    calibration = Calibration(kind="temperature", temperature=2.0, population="phantoms", prevalence=0.2)
    folder = write_weights(tmp_path / "weights", calibration=calibration)
    analyser = Analyser.load(folder, modules=[Module.NODULE], device="cpu", threads=1)
    module = analyser.analyse_study([one(tmp_path, lesions=[NODULE])], policy()).images[0].modules[0]
    assert module.score is not None
    assert [module.probability, *(item.probability for item in module.findings)] == [None, None]
    assert analyser.models[0].calibration_population is None


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
    result = analyser.analyse_study([one(tmp_path)], policy())
    assert result.operating_points[Module.NODULE] == points
    assert result.images[0].modules[0].grade == 1
    nodule_result = result.images[0].modules[0]
    assert nodule_result.score is not None
    assert nodule_result.probability == pytest.approx(calibration.probability(nodule_result.score))
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
    on_gpu = Analyser.load(weights, device="cuda").analyse_study(study, policy())
    for mine, theirs in zip(on_gpu.images, result.images, strict=True):
        assert mine.grade == theirs.grade
        for ours, cpu in zip(mine.modules, theirs.modules, strict=True):
            assert ours.score == pytest.approx(cpu.score, abs=1e-2)
