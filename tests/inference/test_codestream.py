"""What a compressed frame says of itself."""

import struct

import imagecodecs
import numpy as np
import pytest

from inference.codestream import Codestream, read_codestream

VALUES = (np.random.default_rng(0).random((70, 90)) * 4095).astype(np.uint16)
FRAMES = {
    "jpeg": imagecodecs.jpeg8_encode((VALUES >> 4).astype(np.uint8)),
    "jpeg-lossless": imagecodecs.jpeg8_encode(VALUES, lossless=True, predictor=1, bitspersample=12),
    "jpeg-ls": imagecodecs.jpegls_encode(VALUES),
    "jpeg-2000": imagecodecs.jpeg2k_encode(VALUES, codecformat="J2K", reversible=True),
    "htj2k": imagecodecs.htj2k_encode(VALUES, reversible=True),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_each_kind(kind):
    assert read_codestream(FRAMES[kind]) == Codestream(kind, 70, 90, 1, whole=True)


@pytest.mark.parametrize("kind", FRAMES)
def test_padding_behind_the_end(kind):
    assert read_codestream(FRAMES[kind] + b"\0") == Codestream(kind, 70, 90, 1, whole=True)


@pytest.mark.parametrize("kind", FRAMES)
def test_without_its_end(kind):
    assert read_codestream(FRAMES[kind][: len(FRAMES[kind]) // 2]) == Codestream(kind, 70, 90, 1, whole=False)


@pytest.mark.parametrize("kind", FRAMES)
def test_cut_off_anywhere_in_the_header(kind):
    for size in range(100):
        try:
            found = read_codestream(FRAMES[kind][:size])
        except struct.error:
            continue
        assert found is None or (found.rows, found.columns) == (70, 90)


def test_three_components():
    assert read_codestream(imagecodecs.jpeg8_encode(np.zeros((8, 9, 3), np.uint8))).components == 3


@pytest.mark.parametrize("frame", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG" * 9, b"\xff\xd8" + b"\0" * 99])
def test_none_of_them(frame):
    assert read_codestream(frame) is None
