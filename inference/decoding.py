"""From Pixel Data to stored words: every transfer syntax, nothing allocated that was not declared and checked.

A *word* is a pixel cell as it lies in memory, unused and overlay bits included; `inference.grey` gives it meaning.
"""

import struct
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from inference.codestream import read_codestream
from inference.errors import UnreadablePixelsError
from inference.gpu_decoding import jpeg_2000
from inference.results import Reason

Words = NDArray[np.uint8] | NDArray[np.uint16]

_BYTE_ORDER = {
    uid.ImplicitVRLittleEndian: "<",
    uid.ExplicitVRLittleEndian: "<",
    uid.DeflatedExplicitVRLittleEndian: "<",
    uid.ExplicitVRBigEndian: ">",
}
_JPEG = frozenset({"jpeg", "jpeg-lossless"})
_JPEG_LS = frozenset({"jpeg-ls"})
_JPEG_2000 = frozenset({"jpeg-2000", "htj2k"})
_KINDS = {
    uid.JPEGBaseline8Bit: _JPEG,
    uid.JPEGExtended12Bit: _JPEG,
    uid.JPEGLossless: _JPEG,
    uid.JPEGLosslessSV1: _JPEG,
    uid.JPEGLSLossless: _JPEG_LS,
    uid.JPEGLSNearLossless: _JPEG_LS,
    uid.JPEG2000Lossless: _JPEG_2000,
    uid.JPEG2000: _JPEG_2000,
    uid.HTJ2KLossless: _JPEG_2000,
    uid.HTJ2KLosslessRPCL: _JPEG_2000,
    uid.HTJ2K: _JPEG_2000,
}
"""The codestreams a transfer syntax may hold: one family, for field images often name its wrong member."""
_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "jpeg": imagecodecs.jpeg8_decode,
    "jpeg-lossless": imagecodecs.jpeg8_decode,
    "jpeg-ls": imagecodecs.jpegls_decode,
    "jpeg-2000": jpeg_2000,
    # OpenJPEG too: imagecodecs' OpenJPH prints what is wrong with a damaged frame and returns half an image
    "htj2k": jpeg_2000,
}
TRANSFER_SYNTAXES = frozenset({*_BYTE_ORDER, *_KINDS, uid.RLELossless})

_TRUNCATED = Reason(
    code="truncated-pixels",
    text="The pixel data end before the image does.",
    remedy="Send the image again from the modality or the PACS.",
)
WRONG_SYNTAX = Reason(
    code="wrong-transfer-syntax",
    text="The pixel data are not in the transfer syntax that the file names.",
    remedy="Correct the transfer syntax at the sender, or send the image uncompressed.",
)


def stored_words(ds: Dataset) -> Words:
    """The words of a single-frame grey image, (Rows, Columns), uint8 or uint16 as Bits Allocated says.

    The caller has checked the declared size. Raises UnreadablePixelsError where the pixel data are truncated, are
    not what the transfer syntax says, or are damaged.
    """
    syntax = uid.UID(ds.file_meta.TransferSyntaxUID)
    if syntax in _BYTE_ORDER:
        return _native(ds, _BYTE_ORDER[syntax])
    if syntax not in TRANSFER_SYNTAXES:
        raise UnreadablePixelsError(
            Reason(
                code="unsupported-transfer-syntax",
                text=f"Transfer syntax {syntax} is not one that can be decoded.",
                remedy="Send the image uncompressed or in one of the accepted transfer syntaxes.",
            )
        )
    try:
        frame = next(generate_frames(ds.PixelData, number_of_frames=1))
    except (ValueError, EOFError, struct.error, StopIteration, TypeError) as error:
        # an item tag that is not there: native pixels under a compressed transfer syntax, or cut off
        damaged = _TRUNCATED if bytes(ds.PixelData[:4]) == b"\xfe\xff\x00\xe0" else WRONG_SYNTAX
        raise UnreadablePixelsError(damaged) from error
    return _rle(ds, frame) if syntax == uid.RLELossless else _compressed(ds, frame, _KINDS[syntax])


def _native(ds: Dataset, order: str) -> Words:
    """PS3.5 8.1.1: rows of words; an 8 bit image in OW and big endian is swapped in pairs (PS3.5 8.1.2)."""
    if ds["PixelData"].is_undefined_length or bytes(ds.PixelData[:4]) == b"\xfe\xff\x00\xe0":
        raise UnreadablePixelsError(WRONG_SYNTAX)
    count = ds.Rows * ds.Columns
    size = ds.BitsAllocated // 8
    if len(ds.PixelData) < count * size:
        raise UnreadablePixelsError(_TRUNCATED)
    if size == 1 and order == ">" and ds["PixelData"].VR == "OW":
        swapped = np.frombuffer(ds.PixelData, ">u2").astype("<u2").view(np.uint8)
        return np.asarray(swapped[:count].reshape(ds.Rows, ds.Columns))
    words = np.frombuffer(ds.PixelData, f"{order}u{size}", count)
    return words.reshape(ds.Rows, ds.Columns).astype(f"=u{size}", copy=False)


def _rle(ds: Dataset, frame: bytes) -> Words:
    """PS3.5 G; the codec writes into a buffer of the declared size and fails beyond it."""
    word = np.dtype(f"<u{ds.BitsAllocated // 8}")
    cells = bytearray(ds.Rows * ds.Columns * word.itemsize)
    try:
        written = imagecodecs.dicomrle_decode(frame, word, out=cells)
    except (RuntimeError, ValueError) as error:
        raise UnreadablePixelsError(_damaged("RLE")) from error
    if len(written) < len(cells):
        raise UnreadablePixelsError(_TRUNCATED)
    return np.frombuffer(cells, word).reshape(ds.Rows, ds.Columns)


def _compressed(ds: Dataset, frame: bytes, kinds: frozenset[str]) -> Words:
    try:
        codestream = read_codestream(frame)
    except struct.error as error:
        raise UnreadablePixelsError(_TRUNCATED) from error
    if codestream is None or codestream.kind not in kinds:
        raise UnreadablePixelsError(WRONG_SYNTAX)
    if (codestream.rows, codestream.columns, codestream.components) != (ds.Rows, ds.Columns, 1):
        raise UnreadablePixelsError(
            Reason(
                code="size-mismatch",
                text=f"The compressed image is {codestream.rows} x {codestream.columns} x {codestream.components}, "
                f"the header says {ds.Rows} x {ds.Columns} x 1.",
                remedy="Send the image again from the modality, or uncompressed.",
            )
        )
    if not codestream.whole:
        raise UnreadablePixelsError(_TRUNCATED)
    try:
        words = _DECODERS[codestream.kind](frame)
    except (RuntimeError, ValueError) as error:
        raise UnreadablePixelsError(_damaged(codestream.kind)) from error
    if words.dtype.itemsize > 2 or words.shape != (ds.Rows, ds.Columns):
        raise UnreadablePixelsError(_damaged(codestream.kind))
    # a signed codestream keeps its two's complement; the words' meaning comes from the header
    return np.asarray(words.view(f"u{words.dtype.itemsize}"))


def _damaged(kind: str) -> Reason:
    return Reason(
        code="damaged-pixels",
        text=f"The {kind} pixel data cannot be decoded.",
        remedy="Send the image again from the modality, or uncompressed.",
    )
