"""Scores become probabilities only where somebody measured it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from inference.calibration import Calibration
from inference.errors import WeightsError
from inference.results import Module
from inference.site_calibration import (
    ModuleCalibration,
    SiteCalibration,
    load_site_calibration,
    save_site_calibration,
)
from phantoms.weights import POINTS


def temperature(**changes: float) -> Calibration:
    return Calibration(kind="temperature", population="phantoms", prevalence=0.1, **changes)


@pytest.mark.parametrize(
    ("calibration", "score", "probability"),
    [
        (temperature(temperature=1.0), 0.3, 0.3),
        (temperature(temperature=2.0), 0.9, 0.75),  # logit ln 9, halved is ln 3
        (temperature(temperature=1.0, bias=-2.1972245773), 0.9, 0.5),
        (temperature(temperature=0.5), 0.75, 0.9),
        (temperature(temperature=1.0), 0.0, 1e-7),
        (temperature(temperature=1.0), 1.0, 1 - 1e-7),
    ],
)
def test_temperature(calibration: Calibration, score: float, probability: float) -> None:
    assert calibration.probability(score) == pytest.approx(probability, abs=1e-9)


@pytest.mark.parametrize(("score", "probability"), [(0.0, 0.01), (0.2, 0.01), (0.5, 0.2), (0.8, 0.39), (1.0, 0.39)])
def test_isotonic(score: float, probability: float) -> None:
    calibration = Calibration(
        kind="isotonic", scores=(0.2, 0.8), probabilities=(0.01, 0.39), population="phantoms", prevalence=0.1
    )
    assert calibration.probability(score) == pytest.approx(probability, abs=1e-9)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "temperature", "temperature": 0.0},
        {"kind": "temperature", "prevalence": 0.0},
        {"kind": "temperature", "prevalence": 1.0},
        {"kind": "isotonic"},
        {"kind": "isotonic", "scores": (0.1, 0.2), "probabilities": (0.1,)},
        {"kind": "isotonic", "scores": (0.2, 0.2), "probabilities": (0.1, 0.2)},
        {"kind": "isotonic", "scores": (0.1, 0.2), "probabilities": (0.3, 0.2)},
        {"kind": "isotonic", "scores": (0.1, 0.2), "probabilities": (0.3, 1.2)},
    ],
)
def test_senseless_calibrations_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Calibration.model_validate({"population": "phantoms", "prevalence": 0.1} | fields)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    part = ModuleCalibration(weights_sha256="a" * 64, calibration=temperature(), thresholds=POINTS)
    path = tmp_path / "site.json"
    save_site_calibration(path, SiteCalibration(created="2026-01-01T00:00:00Z", modules={Module.NODULE: part}))
    return path


def test_site_calibration_comes_back_with_its_digest(site: Path) -> None:
    loaded = load_site_calibration(site)
    part = loaded.of(Module.NODULE, "a" * 64)
    assert part is not None
    assert part.thresholds == POINTS
    assert len(loaded.sha256) == 64
    assert loaded.of(Module.MICROCALCIFICATION, "a" * 64) is None


def test_site_calibration_of_other_weights_is_refused(site: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        load_site_calibration(site).of(Module.NODULE, "b" * 64)
    assert caught.value.reason.code == "site-calibration-of-other-weights"
    assert "mammonode-train calibrate" in caught.value.reason.remedy


@pytest.mark.parametrize("fault", ["missing", "no JSON", "unknown format", "unknown key"])
def test_unusable_site_calibration_is_refused(site: Path, fault: str) -> None:
    text = site.read_text()
    if fault == "missing":
        site.unlink()
    if fault == "no JSON":
        site.write_text(text[:-20])
    if fault == "unknown format":
        site.write_text(text.replace('"format": 1', '"format": 2'))
    if fault == "unknown key":
        site.write_text(text.replace('"created"', '"made"'))
    with pytest.raises(WeightsError) as caught:
        load_site_calibration(site)
    assert caught.value.reason.code == (
        "site-calibration-missing" if fault == "missing" else "site-calibration-damaged"
    )
