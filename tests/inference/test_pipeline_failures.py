"""What cannot be analysed says why, and the study's other images go on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from inference import pipeline
from inference.errors import DeviceError
from inference.pipeline import Analyser
from inference.results import Module, ModuleStatus, Reason, Status
from phantoms.small_study import NODULE, nodule_of, one, policy


def test_bad_files_fail_alone(analyser: Analyser, tmp_path: Path) -> None:
    good = one(tmp_path, lesions=[NODULE], study_uid="1.2.9")
    truncated = one(tmp_path, "truncated.dcm", study_uid="1.2.9")
    truncated.write_bytes(truncated.read_bytes()[:-50_000])
    text = tmp_path / "text.dcm"
    text.write_text("no DICOM")
    blank = one(tmp_path, "blank.dcm", picture=np.zeros((640, 480), np.float32), study_uid="1.2.9")
    lines: list[str] = []
    result = analyser.analyse_study([text, truncated, good, blank], policy(), lines.append)
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
    result = analyser.analyse_study(study[:2], policy())
    assert [image.status for image in result.images] == [Status.FAILED, Status.ANALYSED]


def test_no_file_no_study(analyser: Analyser) -> None:
    result = analyser.analyse_study([], policy())
    assert result.images == ()
    assert result.study.withheld is not None
    assert result.study.withheld.code == "nothing-analysed"


def test_excluded_images_say_why(analyser: Analyser, tmp_path: Path) -> None:
    path = one(tmp_path, for_processing=True)
    image = analyser.analyse_study([path], policy()).images[0]
    assert image.status is Status.EXCLUDED
    assert image.reason is not None
    assert image.modules == ()
    assert (image.laterality, image.view) == ("R", "CC")


def test_a_file_given_twice_is_analysed_once(analyser: Analyser, tmp_path: Path) -> None:
    path = one(tmp_path)
    first, second = analyser.analyse_study([path, path], policy()).images
    assert first.status is Status.ANALYSED
    assert second.status is Status.EXCLUDED
    assert second.reason is not None
    assert second.reason.code == "duplicate-instance"


def test_laterality_against_the_pixels_is_noted(analyser: Analyser, tmp_path: Path) -> None:
    agrees = analyser.analyse_study([one(tmp_path)], policy()).images[0]
    flipped = one(tmp_path, PatientOrientation=["A", "R"])
    disagrees = analyser.analyse_study([flipped], policy()).images[0]
    assert [note.code for note in agrees.notes] == []
    assert [note.code for note in disagrees.notes] == ["laterality-disagrees"]
    assert disagrees.status is Status.ANALYSED


def test_a_module_whose_device_fails_says_so(
    analyser: Analyser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise DeviceError(Reason(code="device-memory", text="No memory."))

    active = analyser._active
    monkeypatch.setattr(active[Module.NODULE].scorer, "score_images", exhausted)
    image = analyser.analyse_study([one(tmp_path)], policy()).images[0]
    assert image.status is Status.ANALYSED
    assert [module.status for module in image.modules] == [ModuleStatus.FAILED, ModuleStatus.SUCCEEDED]
    assert image.grade != 1
    monkeypatch.setattr(active[Module.MICROCALCIFICATION].scorer, "score_images", exhausted)
    image = analyser.analyse_study([one(tmp_path)], policy()).images[0]
    assert image.status is Status.FAILED
    assert image.reason is not None
    assert image.reason.code == "device-memory"
