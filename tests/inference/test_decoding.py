"""Every transfer syntax gives the same grey image; what is cut off or mislabelled says so."""

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import uid
from pydicom.encaps import encapsulate, generate_frames

from inference.decoding import TRANSFER_SYNTAXES as DECODABLE
from inference.decoding import stored_words
from inference.errors import UnreadablePixelsError
from inference.pixels import read_grey
from phantoms.encoding import LOSSY, TRANSFER_SYNTAXES, encoded
from phantoms.mammogram import mammogram

MEMORY = 1 << 30
BITS = {uid.JPEGBaseline8Bit: (8,), uid.JPEGExtended12Bit: (12,)}
CASES = [(syntax, bits) for syntax in TRANSFER_SYNTAXES for bits in BITS.get(syntax, (8, 10, 12, 14, 16))]


def small(**keywords):
    return mammogram(rows=128, columns=97, **keywords)


def reason_of(source) -> str:
    with pytest.raises(UnreadablePixelsError) as caught:
        read_grey(source, memory=MEMORY)
    assert caught.value.reason.remedy
    return caught.value.reason.code


def test_every_syntax_that_the_phantoms_write_is_decodable():
    assert set(TRANSFER_SYNTAXES) <= DECODABLE


@pytest.mark.parametrize(("syntax", "bits"), CASES)
def test_each_transfer_syntax_gives_the_same_grey(syntax, bits, tmp_path: Path):
    ds = small(bits=bits)
    file = tmp_path / "image.dcm"
    encoded(ds, syntax).save_as(file, enforce_file_format=True)
    difference = np.abs(read_grey(file, memory=MEMORY).values.astype(int) - read_grey(ds, memory=MEMORY).values)
    assert difference.max() <= (4 if syntax in LOSSY else 0)


@pytest.mark.parametrize("syntax", [syntax for syntax in TRANSFER_SYNTAXES if syntax not in LOSSY])
@pytest.mark.parametrize("bits", [12, 16])
def test_signed_pixels_keep_their_sign_in_each_lossless_syntax(syntax, bits, tmp_path: Path):
    file = tmp_path / "image.dcm"
    encoded(small(bits=bits, signed=True), syntax).save_as(file, enforce_file_format=True)
    # half a level is the most that the offset of signed values moves
    difference = read_grey(file, memory=MEMORY).values.astype(int) - read_grey(small(bits=bits), memory=MEMORY).values
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless])
def test_several_fragments_are_one_frame(syntax):
    ds = small()
    whole = encoded(ds, syntax)
    frame = next(generate_frames(whole.PixelData, number_of_frames=1))
    whole.PixelData = encapsulate([frame], fragments_per_frame=3)
    assert np.array_equal(stored_words(whole), stored_words(ds))


def test_a_jp2_box_around_the_codestream_is_stepped_over():
    ds = small()
    wrapped = encoded(ds, uid.JPEG2000Lossless)
    values = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    jp2 = imagecodecs.jpeg2k_encode(values, codecformat="JP2", reversible=True, bitspersample=12)
    assert jp2[4:8] == b"jP  "
    wrapped.PixelData = encapsulate([jp2])
    assert np.array_equal(stored_words(wrapped), stored_words(ds))


def test_eight_bit_pixels_in_ow_and_big_endian_are_swapped_back(tmp_path: Path):
    ds = small(bits=8)
    big = encoded(ds, uid.ExplicitVRBigEndian)
    big.PixelData = np.frombuffer(ds.PixelData, "<u2").byteswap().tobytes()
    big["PixelData"].VR = "OW"
    assert np.array_equal(stored_words(big), stored_words(ds))


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_cut_off_pixel_data_say_so(syntax, tmp_path: Path):
    file = tmp_path / "cut.dcm"
    encoded(small(bits=8 if syntax == uid.JPEGBaseline8Bit else 12), syntax).save_as(file, enforce_file_format=True)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) - 3000])
    assert reason_of(file) in {"truncated-pixels", "damaged-pixels", "damaged-file", "no-pixel-data"}


@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless])
def test_a_codestream_without_its_end_is_truncated(syntax):
    ds = encoded(small(), syntax)
    frame = next(generate_frames(ds.PixelData, number_of_frames=1))
    ds.PixelData = encapsulate([frame[: len(frame) // 2]])
    assert reason_of(ds) == "truncated-pixels"


def relabelled(ds, syntax):
    ds.file_meta.TransferSyntaxUID = syntax
    return ds


@pytest.mark.parametrize(
    ("real", "named"),
    [
        (uid.ExplicitVRLittleEndian, uid.JPEGBaseline8Bit),
        (uid.ExplicitVRLittleEndian, uid.JPEG2000Lossless),
        (uid.ExplicitVRLittleEndian, uid.RLELossless),
        (uid.JPEGLosslessSV1, uid.ExplicitVRLittleEndian),
        (uid.JPEGLosslessSV1, uid.JPEG2000Lossless),
        (uid.JPEGLosslessSV1, uid.JPEGLSLossless),
        (uid.JPEG2000Lossless, uid.JPEGLosslessSV1),
        (uid.RLELossless, uid.ExplicitVRLittleEndian),
        (uid.RLELossless, uid.HTJ2KLossless),
    ],
)
def test_pixel_data_of_another_syntax_say_so(real, named):
    assert reason_of(relabelled(encoded(small(), real), named)) == "wrong-transfer-syntax"


def test_compressed_data_named_rle_are_damaged():
    assert reason_of(relabelled(encoded(small(), uid.JPEG2000Lossless), uid.RLELossless)) == "damaged-pixels"


def test_a_syntax_nobody_here_knows():
    assert reason_of(relabelled(small(), uid.MPEG2MPML)) == "unsupported-transfer-syntax"


@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless])
def test_a_codestream_larger_than_declared_is_not_decoded(syntax):
    bomb = encoded(mammogram(rows=512, columns=400), syntax)
    bomb.Rows, bomb.Columns = 128, 100
    assert reason_of(bomb) == "size-mismatch"


def test_rle_that_decodes_to_more_than_declared_stops_there():
    bomb = encoded(mammogram(rows=512, columns=400), uid.RLELossless)
    bomb.Rows, bomb.Columns = 128, 100
    assert reason_of(bomb) == "damaged-pixels"


def test_rle_that_decodes_to_less_is_truncated():
    short = encoded(small(), uid.RLELossless)
    short.Rows = 200
    assert reason_of(short) == "truncated-pixels"


def named(file: Path, real: str, name: str) -> Path:
    """The file with another transfer syntax in its meta header, nothing else touched."""
    element = b"\x02\x00\x10\x00UI"

    def written(syntax: str) -> bytes:
        value = syntax.encode() + b"\0" * (len(syntax) % 2)
        return element + len(value).to_bytes(2, "little") + value

    content = file.read_bytes()
    meta = int.from_bytes(content[140:144], "little") + len(written(name)) - len(written(real))
    content = content[:140] + meta.to_bytes(4, "little") + content[144:].replace(written(real), written(name), 1)
    file.write_bytes(content)
    return file


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom notices some of it, and says so
@pytest.mark.parametrize(
    ("real", "name", "reasons"),
    [
        (uid.ExplicitVRLittleEndian, uid.JPEGBaseline8Bit, {"wrong-transfer-syntax"}),
        (uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, {"damaged-file", "no-pixel-data"}),
        (uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian, {"wrong-transfer-syntax"}),
        (uid.ImplicitVRLittleEndian, uid.JPEG2000Lossless, {"wrong-transfer-syntax"}),
        (uid.ExplicitVRBigEndian, uid.ExplicitVRLittleEndian, {"damaged-file", "no-pixel-data"}),
        (uid.DeflatedExplicitVRLittleEndian, uid.ExplicitVRLittleEndian, {"damaged-file", "no-pixel-data"}),
        (uid.JPEG2000Lossless, uid.ImplicitVRLittleEndian, {"wrong-transfer-syntax"}),
        (uid.JPEGLosslessSV1, uid.JPEG2000, {"wrong-transfer-syntax"}),
    ],
)
def test_a_file_whose_meta_header_names_another_syntax(real, name, reasons, tmp_path: Path):
    file = tmp_path / "image.dcm"
    encoded(small(), real).save_as(file, enforce_file_format=True)
    assert reason_of(named(file, real, name)) in reasons


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom notices, and says so
@pytest.mark.parametrize(
    ("real", "name"),
    [
        (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian),
        (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian),
        (uid.JPEGLossless, uid.JPEGBaseline8Bit),
        (uid.JPEG2000Lossless, uid.HTJ2KLossless),
    ],
)
def test_a_harmless_mistake_in_the_meta_header_is_read_all_the_same(real, name, tmp_path: Path):
    file = tmp_path / "image.dcm"
    encoded(small(), real).save_as(file, enforce_file_format=True)
    grey = read_grey(named(file, real, name), memory=MEMORY)
    assert np.array_equal(grey.values, read_grey(small(), memory=MEMORY).values)
