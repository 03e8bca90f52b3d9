"""Words to grey: exact numbers for each attribute that has a say."""

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForProcessing

from inference.grey import grey_table, stored_values, window_shades
from inference.pixels import grey_from_array, read_grey
from phantoms.encoding import encoded
from phantoms.mammogram import mammogram, write_study

MEMORY = 1 << 30


def header(**keywords) -> Dataset:
    ds = Dataset()
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PhotometricInterpretation = "MONOCHROME2"
    for keyword, value in keywords.items():
        setattr(ds, keyword, value)
    return ds


def table(words, **keywords):
    return grey_table(header(**keywords), np.array([words], np.uint16))


def lut(first: int, bits: int, entries: list[int]) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.LUTData = entries
    return item


class TestWindow:
    """PS3.3 C.11.2.1.2.1 has these values for the 12 bit window 2048/4096."""

    def test_linear_spans_its_range(self):
        shades = window_shades(np.array([0.0, 4095.0, 2047.5]), 2048, 4096, "LINEAR")
        assert shades.tolist() == [0.0, 1.0, 0.5]

    def test_linear_clips_beside_it(self):
        assert window_shades(np.array([-5.0, 9000.0]), 2048, 4096, "LINEAR").tolist() == [0.0, 1.0]

    def test_linear_of_width_one_is_a_threshold(self):
        assert window_shades(np.array([99.0, 101.0]), 100, 1, "LINEAR").tolist() == [0.0, 1.0]

    def test_linear_exact(self):
        assert window_shades(np.array([0.0, 2048.0, 4096.0]), 2048, 4096, "LINEAR_EXACT").tolist() == [0.0, 0.5, 1.0]

    def test_sigmoid(self):
        shades = window_shades(np.array([2048.0, 3072.0]), 2048, 4096, "SIGMOID")
        assert shades.tolist() == [0.5, 1 / (1 + np.exp(-1.0))]

    def test_sigmoid_far_below_does_not_overflow(self):
        assert window_shades(np.array([-1e9]), 0, 1, "SIGMOID")[0] < 1e-300

    def test_an_unknown_function_is_linear(self):
        assert window_shades(np.array([2047.5]), 2048, 4096, "CUBIC").tolist() == [0.5]

    def test_the_first_of_several_counts(self):
        one = table([0, 4095], WindowCenter="1000", WindowWidth="500")
        several = table([0, 4095], WindowCenter=["1000", "3000"], WindowWidth=["500", "100"])
        assert np.array_equal(one, several)

    @pytest.mark.filterwarnings("ignore:Invalid value for VR DS")  # that is the case tested
    @pytest.mark.parametrize(
        ("center", "width"), [("", ""), ("2048", ""), ("2048", "0"), ("2048", "-5"), ("nan", "9")]
    )
    def test_one_that_makes_no_sense_is_no_window(self, center, width):
        assert np.array_equal(table([0, 1000], WindowCenter=center, WindowWidth=width), table([0, 1000]))

    def test_for_processing_images_have_none(self):
        ds = header(SOPClassUID=DigitalMammographyXRayImageStorageForProcessing, WindowCenter="10", WindowWidth="5")
        assert np.array_equal(grey_table(ds, np.array([[0, 1000]], np.uint16)), table([0, 1000]))


class TestWithoutWindow:
    def test_the_range_of_the_pixels_is_the_range_of_grey(self):
        greys = table([100, 300, 500])
        assert greys[[0, 100, 300, 500, 4000]].tolist() == [0, 0, 128, 255, 255]

    def test_padding_is_no_part_of_the_range(self):
        greys = table([0, 100, 500, 4095], PixelPaddingValue=4095)
        assert greys[[500, 4095]].tolist() == [255, 0]

    def test_one_pixel_in_100000_may_be_brighter(self):
        words = np.full((1000, 200), 500, np.uint16)
        words[0, 0], words[0, 1], words[1] = 4000, 4095, 100
        assert grey_table(header(), words)[[100, 500]].tolist() == [0, 255]

    def test_an_array_is_treated_the_same(self):
        values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 3 + 7
        grey = grey_from_array(values)
        assert (grey.values[0, 0], grey.values[-1, -1], grey.padding, grey.bits_stored) == (0, 255, None, 16)


class TestStoredValues:
    def test_bits_beside_the_stored_ones_are_ignored(self):
        """Overlays once lay in the unused high bits (PS3.3 C.9.2, retired)."""
        values = stored_values(header(), 16)
        assert values[[0x0FFF, 0xFFFF, 0x1234]].tolist() == [4095, 4095, 0x234]

    def test_low_bits_below_the_stored_ones(self):
        values = stored_values(header(HighBit=15), 16)
        assert values[[0xFFF0, 0x123F]].tolist() == [4095, 0x123]

    def test_signed(self):
        values = stored_values(header(PixelRepresentation=1), 16)
        assert values[[0x0800, 0x0FFF, 0x07FF, 0xF800]].tolist() == [-2048, -1, 2047, -2048]


class TestModalityAndVoi:
    def test_rescale_comes_before_the_window(self):
        greys = table([0], RescaleSlope="2", RescaleIntercept="-1000", WindowCenter="0.5", WindowWidth="256")
        assert greys[[436, 564, 500]].tolist() == [0, 255, 128]

    def test_a_negative_slope_turns_the_greys(self):
        greys = table([0, 4095], RescaleSlope="-1", RescaleIntercept="4095")
        assert greys[[0, 4095]].tolist() == [255, 0]

    def test_modality_lut(self):
        greys = table([0, 3], ModalityLUTSequence=[lut(0, 16, [10, 20, 40, 50])])
        assert greys[[0, 1, 2, 3, 99]].tolist() == [0, 64, 191, 255, 255]

    def test_voi_lut_goes_before_a_window(self):
        keywords = {"VOILUTSequence": [lut(100, 8, [0, 51, 255])], "WindowCenter": "1", "WindowWidth": "1"}
        assert table([0], **keywords)[[0, 100, 101, 102, 4000]].tolist() == [0, 0, 51, 255, 255]

    def test_the_first_voi_lut_counts(self):
        greys = table([0], VOILUTSequence=[lut(0, 8, [0, 255]), lut(0, 8, [255, 0])])
        assert greys[[0, 1]].tolist() == [0, 255]

    def test_a_voi_lut_after_rescale_sees_rescaled_values(self):
        greys = table([0], RescaleSlope="1", RescaleIntercept="-10", VOILUTSequence=[lut(0, 8, [0, 255])])
        assert greys[[10, 11]].tolist() == [0, 255]

    def test_packed_eight_bit_lut_data(self):
        item = lut(0, 8, [0, 255, 0, 255])
        item.LUTData = b"\x00\xff\x00\xff"
        assert table([0], VOILUTSequence=[item])[[0, 1, 2]].tolist() == [0, 255, 0]

    @pytest.mark.parametrize(
        "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
    )
    def test_lut_data_as_words_in_a_file_of_either_byte_order(self, syntax, tmp_path):
        item = lut(0, 12, [0])
        item.LUTDescriptor = [4096, 0, 12]
        order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
        item.add_new("LUTData", "OW", np.arange(4096)[::-1].astype(f"{order}u2").tobytes())
        ds = encoded(mammogram(rows=64, columns=64, VOILUTSequence=[item]), syntax)
        item["LUTDescriptor"].VR = "US"
        (file,) = write_study(tmp_path, [ds])
        expected = 255 - read_grey(mammogram(rows=64, columns=64, PixelPaddingValue=None), memory=MEMORY).values
        grey = read_grey(file, memory=MEMORY)
        assert np.abs(grey.values.astype(int) - np.where(grey.padding, 0, expected)).max() <= 1

    def test_a_lut_with_fewer_entries_than_it_says(self):
        item = lut(0, 8, [0, 255])
        item.LUTDescriptor = [256, 0, 8]
        with pytest.raises(ValueError, match="fewer entries"):
            table([0], VOILUTSequence=[item])


class TestPolarity:
    @pytest.mark.parametrize(
        "keywords",
        [
            {"PhotometricInterpretation": "MONOCHROME1"},
            {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
            {"PresentationLUTShape": "INVERSE"},
        ],
    )
    def test_either_attribute_inverts_once(self, keywords):
        assert table([0, 4095], **keywords)[[0, 4095]].tolist() == [255, 0]

    @pytest.mark.parametrize("bits", [8, 12, 16])
    @pytest.mark.parametrize("signed", [False, True])
    def test_a_monochrome1_copy_looks_the_same(self, bits, signed):
        one = read_grey(mammogram(bits=bits, signed=signed, photometric="MONOCHROME1"), memory=MEMORY)
        two = read_grey(mammogram(bits=bits, signed=signed), memory=MEMORY)
        # the two were rounded to whole numbers from opposite ends
        difference = np.abs(one.values.astype(int) - two.values)
        assert difference.max() <= 1
        assert difference.mean() < 0.05


class TestPadding:
    def test_value_and_range_limit(self):
        greys = table(
            [0, 4095], PixelPaddingValue=0, PixelPaddingRangeLimit=99, PhotometricInterpretation="MONOCHROME1"
        )
        assert greys[[0, 99]].tolist() == [0, 0]
        assert greys[100] > 200

    def test_a_limit_below_the_value(self):
        assert table([0, 4095], PixelPaddingValue=4095, PixelPaddingRangeLimit=4000)[[4000, 4095]].tolist() == [0, 0]

    def test_a_signed_value_written_as_unsigned(self):
        greys = table(
            [0, 0x0800], PixelRepresentation=1, PixelPaddingValue=0xF800, PhotometricInterpretation="MONOCHROME1"
        )
        assert greys[[0x0800, 0]].tolist() == [0, 255]

    def test_the_mask_marks_it(self):
        ds = mammogram(rows=64, columns=64, picture=np.linspace(0.1, 1, 4096, dtype=np.float32).reshape(64, 64))
        ds.PixelPaddingValue = 4095
        grey = read_grey(ds, memory=MEMORY)
        assert grey.padding is not None
        assert np.argwhere(grey.padding).tolist() == [[63, 63]]
        assert grey.values[63, 63] == 0

    def test_no_mask_without_the_attribute(self):
        assert read_grey(mammogram(PixelPaddingValue=None), memory=MEMORY).padding is None
