"""Bad input ends as a coded reason with a remedy; spacing is the breast's or unknown."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from inference.errors import UnreadablePixelsError
from inference.instance import read_instance
from inference.pixels import grey_from_array, pixel_spacing, read_grey
from phantoms.mammogram import four_views, mammogram, tomosynthesis, write_study

MEMORY = 1 << 30


def reason_of(source, memory=MEMORY) -> str:
    with pytest.raises(UnreadablePixelsError) as caught:
        read_grey(source, memory=memory)
    assert caught.value.reason.remedy
    assert "SYN0001" not in str(caught.value)
    assert "Synthetic" not in str(caught.value)
    return caught.value.reason.code


def test_four_views_from_their_files(tmp_path: Path):
    for path in write_study(tmp_path, four_views(rows=256, columns=200)):
        grey = read_grey(path, memory=MEMORY)
        assert (grey.values.shape, grey.values.dtype, grey.bits_stored) == ((256, 200), np.uint8, 12)


class TestBadInput:
    def test_truncated_file(self, tmp_path: Path):
        (file,) = write_study(tmp_path, [mammogram()])
        file.write_bytes(file.read_bytes()[:500_000])
        assert reason_of(file) == "truncated-pixels"

    @pytest.mark.parametrize("size", [0, 100, 132, 200, 400, 1500])
    def test_file_cut_off_in_its_header(self, tmp_path: Path, size):
        (file,) = write_study(tmp_path, [mammogram(rows=64, columns=64)])
        file.write_bytes(file.read_bytes()[:size])
        assert reason_of(file) in {"not-dicom", "damaged-file", "no-pixel-data"}

    def test_not_dicom(self, tmp_path: Path):
        file = tmp_path / "letter.dcm"
        file.write_text("no mammogram " * 100)
        assert reason_of(file) == "not-dicom"

    def test_missing_file(self, tmp_path: Path):
        assert reason_of(tmp_path / "none.dcm") == "damaged-file"

    def test_no_pixel_data(self):
        assert reason_of(mammogram(PixelData=None)) == "no-pixel-data"

    def test_empty_pixel_data(self):
        assert reason_of(mammogram(PixelData=b"")) == "no-pixel-data"

    @pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsStored", "PhotometricInterpretation"])
    def test_missing_attribute(self, keyword):
        assert reason_of(mammogram(**{keyword: None})) == "missing-attributes"

    @pytest.mark.parametrize(("rows", "columns"), [(0, 0), (1, 1), (0, 512), (512, 63), (64, 129), (4096, 1000)])
    def test_shape_of_no_mammogram(self, rows, columns):
        ds = mammogram(rows=64, columns=64, Rows=rows, Columns=columns)
        assert reason_of(ds) == "no-mammogram-shape"

    @pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
    def test_one_grey_level_only(self, level):
        assert reason_of(mammogram(picture=np.full((128, 96), level, np.float32))) == "blank-image"

    def test_window_that_makes_everything_white(self):
        assert reason_of(mammogram(WindowCenter="-9000", WindowWidth="10", PixelPaddingValue=None)) == "blank-image"

    @pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEG2000Lossless, uid.RLELossless])
    def test_huge_declared_size_with_little_data(self, syntax):
        ds = mammogram(rows=64, columns=64, transfer_syntax=syntax)
        ds.Rows = ds.Columns = 30_000
        assert reason_of(ds, 2 << 30) == "image-too-large"

    def test_deflated_bomb(self, tmp_path: Path):
        huge = mammogram(rows=2048, columns=2048, bits=16, picture=np.zeros((2048, 2048), np.float32))
        huge.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
        (file,) = write_study(tmp_path, [huge])
        assert file.stat().st_size < 100_000
        assert reason_of(file, 4 << 20) == "image-too-large"

    def test_file_larger_than_the_memory_allowed(self, tmp_path: Path):
        (file,) = write_study(tmp_path, [mammogram(rows=1024, columns=1024)])
        assert reason_of(file, 1 << 20) == "image-too-large"

    def test_colour(self):
        assert reason_of(mammogram(SamplesPerPixel=3, PhotometricInterpretation="RGB")) == "unsupported-pixels"

    @pytest.mark.parametrize(
        ("allocated", "stored", "high"),
        [(32, 12, 11), (16, 17, 16), (16, 12, 5), (8, 12, 11), (16, 0, 0), (16, 12, 16)],
    )
    def test_bits_that_make_no_sense(self, allocated, stored, high):
        ds = mammogram(BitsAllocated=allocated, BitsStored=stored, HighBit=high)
        assert reason_of(ds) == "unsupported-pixels"

    def test_multi_frame(self):
        assert reason_of(tomosynthesis()) == "multi-frame"

    def test_lut_that_makes_no_sense(self):
        assert reason_of(mammogram(RescaleSlope="1", ModalityLUTSequence=[mammogram()])) == "damaged-file"

    def test_array_of_no_mammogram(self):
        with pytest.raises(UnreadablePixelsError, match="1 x 1"):
            grey_from_array(np.zeros((1, 1), np.uint8))


class TestSpacing:
    def test_detector_spacing_over_magnification(self):
        ds = mammogram(ImagerPixelSpacing=["0.07", "0.08"], EstimatedRadiographicMagnificationFactor="1.25")
        assert pixel_spacing(ds) == pytest.approx((0.056, 0.064))

    def test_magnification_by_the_distances(self):
        ds = mammogram(ImagerPixelSpacing=["0.07", "0.07"], EstimatedRadiographicMagnificationFactor=None)
        assert pixel_spacing(ds) == pytest.approx((0.07 * 640 / 660, 0.07 * 640 / 660))

    def test_detector_spacing_alone_is_not_the_breasts(self):
        ds = mammogram(EstimatedRadiographicMagnificationFactor=None, DistanceSourceToPatient=None)
        assert pixel_spacing(ds) is None

    def test_calibrated_spacing_goes_first(self):
        ds = mammogram(PixelSpacing=["0.065", "0.066"], PixelSpacingCalibrationType="GEOMETRY")
        assert pixel_spacing(ds) == (0.065, 0.066)

    def test_pixel_spacing_that_only_repeats_the_detectors_is_not_calibrated(self):
        ds = mammogram(ImagerPixelSpacing=["0.07", "0.07"], PixelSpacing=["0.07", "0.07"])
        assert pixel_spacing(ds) == pytest.approx((0.07 / 1.03125, 0.07 / 1.03125))

    @pytest.mark.filterwarnings("ignore:Invalid value for VR DS")  # that is the case tested
    @pytest.mark.parametrize(
        "spacing", [["NaN", "NaN"], ["0", "0"], ["-0.07", "0.07"], ["inf", "0.1"], "0.07", "", None]
    )
    def test_nonsense_is_unknown(self, spacing):
        assert pixel_spacing(mammogram(ImagerPixelSpacing=spacing)) is None

    def test_nan_spacing_in_a_file_is_unknown(self, tmp_path: Path):
        (file,) = write_study(tmp_path, [mammogram(rows=64, columns=64, ImagerPixelSpacing=["0.1234", "0.1234"])])
        file.write_bytes(file.read_bytes().replace(b"0.1234\\0.1234", b"NaN   \\NaN   "))
        ds = read_instance(file, memory=MEMORY)
        assert pixel_spacing(ds) is None
        assert read_grey(ds, memory=MEMORY).values.shape == (64, 64)
