"""The synthetic instances are what they claim: valid for the validator, and the same picture in every form."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread, uid

from phantoms.mammogram import VIEWS, four_views, mammogram, secondary_capture, tomosynthesis, write_study

DCIODVFY = shutil.which("dciodvfy") or str(Path(sys.executable).parent / "dciodvfy")


def messages(file: Path) -> list[str]:
    done = subprocess.run([DCIODVFY, file], capture_output=True, text=True, check=False)
    assert "MammographyImage" in done.stderr or "SCImage" in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith(("Error", "Warning"))]


@pytest.mark.parametrize("for_processing", [False, True])
def test_a_four_view_study_is_valid(tmp_path: Path, for_processing):
    for file in write_study(tmp_path, four_views(rows=256, columns=192, for_processing=for_processing)):
        assert messages(file) == []


@pytest.mark.parametrize(
    "keywords",
    [
        {"bits": 8},
        {"bits": 16},
        {"photometric": "MONOCHROME1", "bits": 14},
        {"transfer_syntax": uid.JPEGLosslessSV1},
        {"transfer_syntax": uid.JPEG2000},
        {"transfer_syntax": uid.ExplicitVRBigEndian},
        {"transfer_syntax": uid.RLELossless},
    ],
)
def test_variants_are_valid(tmp_path: Path, keywords):
    (file,) = write_study(tmp_path, [mammogram(rows=256, columns=192, **keywords)])
    assert messages(file) == []


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_is_valid(tmp_path: Path, view):
    (file,) = write_study(tmp_path, [mammogram("L", view, rows=128, columns=96)])
    assert messages(file) == []


def test_a_secondary_capture_is_valid(tmp_path: Path):
    (file,) = write_study(tmp_path, [secondary_capture(rows=128, columns=96)])
    assert messages(file) == []


def test_a_study_shares_its_uids_and_nothing_else():
    study = four_views(rows=64, columns=64)
    assert len({ds.StudyInstanceUID for ds in study}) == len({ds.SeriesInstanceUID for ds in study}) == 1
    assert len({ds.SOPInstanceUID for ds in study}) == 4
    assert [(ds.ImageLaterality, ds.InstanceNumber) for ds in study] == [("R", 1), ("L", 2), ("R", 3), ("L", 4)]


def test_overrides_replace_add_and_remove(tmp_path: Path):
    (file,) = write_study(
        tmp_path, [mammogram(rows=64, columns=64, PatientSex="M", PixelAspectRatio=[1, 1], KVP=None)]
    )
    ds = dcmread(file)
    assert (ds.PatientSex, list(ds.PixelAspectRatio), "KVP" in ds) == ("M", [1, 1], False)


def test_tomosynthesis_has_its_frames(tmp_path: Path):
    (file,) = write_study(tmp_path, [tomosynthesis(frames=4)])
    ds = dcmread(file)
    assert ds.pixel_array.shape == (4, ds.Rows, ds.Columns)
