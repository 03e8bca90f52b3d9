"""The same instance in another transfer syntax, as a modality or a PACS would re-encode it."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

Encoder = Callable[[NDArray[np.generic], int], bytes]


def _jpeg(values: NDArray[np.generic], bits: int, *, precision: int) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(values, 100, bitspersample=precision))


def _jpeg_lossless(values: NDArray[np.generic], bits: int, *, predictor: int) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(values, lossless=True, predictor=predictor, bitspersample=bits))


def _jpeg_ls(values: NDArray[np.generic], bits: int, *, near: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(values, level=near))


def _jpeg_2000(values: NDArray[np.generic], bits: int, *, reversible: bool) -> bytes:
    level = None if reversible else 60
    return bytes(
        imagecodecs.jpeg2k_encode(values, level, codecformat="J2K", reversible=reversible, bitspersample=bits)
    )


def _htj2k(values: NDArray[np.generic], bits: int) -> bytes:
    return bytes(imagecodecs.htj2k_encode(values, reversible=True))


ENCODERS: dict[str, Encoder] = {
    uid.JPEGBaseline8Bit: partial(_jpeg, precision=8),
    uid.JPEGExtended12Bit: partial(_jpeg, precision=12),
    uid.JPEGLossless: partial(_jpeg_lossless, predictor=6),
    uid.JPEGLosslessSV1: partial(_jpeg_lossless, predictor=1),
    uid.JPEGLSLossless: partial(_jpeg_ls, near=0),
    uid.JPEGLSNearLossless: partial(_jpeg_ls, near=2),
    uid.JPEG2000Lossless: partial(_jpeg_2000, reversible=True),
    uid.JPEG2000: partial(_jpeg_2000, reversible=False),
    uid.HTJ2KLossless: _htj2k,
    uid.HTJ2K: _htj2k,
}
NATIVE = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
)
TRANSFER_SYNTAXES = (*NATIVE, uid.RLELossless, *ENCODERS)
LOSSY = {
    uid.JPEGBaseline8Bit: "ISO_10918_1",
    uid.JPEGExtended12Bit: "ISO_10918_1",
    uid.JPEGLSNearLossless: "ISO_14495_1",
    uid.JPEG2000: "ISO_15444_1",
}
"""Those that lose detail, with the word for it in Lossy Image Compression Method (PS3.3 C.7.6.1.1.5.1)."""


def encoded(ds: Dataset, transfer_syntax: str) -> Dataset:
    """A deep copy of a little endian, single-frame `ds` in `transfer_syntax`, the same SOP Instance UID."""
    copy = deepcopy(ds)
    copy.file_meta.TransferSyntaxUID = uid.UID(transfer_syntax)
    if transfer_syntax in NATIVE:
        if transfer_syntax == uid.ExplicitVRBigEndian and ds.BitsAllocated == 16:
            copy.PixelData = np.frombuffer(ds.PixelData, "<u2").byteswap().tobytes()
        return copy
    if transfer_syntax == uid.RLELossless:
        copy.file_meta.TransferSyntaxUID = ds.file_meta.TransferSyntaxUID
        copy.compress(uid.RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
        return copy
    # JPEG and JPEG-LS know no sign: they carry the bits of the two's complement
    knows_signs = "JPEG 2000" in uid.UID(transfer_syntax).name
    sign = "i" if ds.PixelRepresentation and knows_signs else "u"
    values = np.frombuffer(ds.PixelData, f"<{sign}{ds.BitsAllocated // 8}").reshape(ds.Rows, ds.Columns)
    if sign == "u":
        values = values & (2**ds.BitsStored - 1)
    copy.PixelData = encapsulate([ENCODERS[transfer_syntax](values, int(ds.BitsStored))])
    copy["PixelData"].VR = "OB"
    copy["PixelData"].is_undefined_length = True
    if transfer_syntax in LOSSY:
        copy.LossyImageCompression = "01"
        copy.LossyImageCompressionRatio = "4"
        copy.LossyImageCompressionMethod = LOSSY[uid.UID(transfer_syntax)]
    return copy
