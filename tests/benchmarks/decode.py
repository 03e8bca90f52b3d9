"""Decoding a full-size frame of each transfer syntax, against pydicom with the plug-ins it finds, or dcmtk."""

import subprocess
from collections.abc import Callable, Iterator

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder

from benchmarks.options import Options
from benchmarks.receivers import which
from benchmarks.rows import Row, timed
from inference.decoding import stored_words
from phantoms.encoding import TRANSFER_SYNTAXES, encoded
from phantoms.mammogram import mammogram

_DCMTK = {uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1}
"""What pydicom decodes with no plug-in of a licence that we may use."""

_SHORT = {
    uid.ImplicitVRLittleEndian: "implicit",
    uid.ExplicitVRLittleEndian: "explicit",
    uid.ExplicitVRBigEndian: "big-endian",
    uid.RLELossless: "rle",
    uid.JPEGBaseline8Bit: "jpeg",
    uid.JPEGExtended12Bit: "jpeg-12",
    uid.JPEGLossless: "jpeg-lossless",
    uid.JPEGLosslessSV1: "jpeg-lossless-sv1",
    uid.JPEGLSLossless: "jpeg-ls",
    uid.JPEGLSNearLossless: "jpeg-ls-near",
    uid.JPEG2000Lossless: "jpeg-2000-lossless",
    uid.JPEG2000: "jpeg-2000",
    uid.HTJ2KLossless: "htj2k-lossless",
    uid.HTJ2K: "htj2k",
}


def rows(options: Options) -> Iterator[Row]:
    """One row a transfer syntax, ms a frame. A deflated file is inflated when it is read, so it has no row."""
    originals = {bits: mammogram(rows=options.rows, columns=options.columns, bits=bits) for bits in (8, 12)}
    for syntax in TRANSFER_SYNTAXES:
        if syntax in _SHORT:
            ds = encoded(originals[8 if syntax == uid.JPEGBaseline8Bit else 12], syntax)
            yield _row(ds, options)


def _row(ds: Dataset, options: Options) -> Row:
    syntax = uid.UID(ds.file_meta.TransferSyntaxUID)
    plain, words = (_dcmtk(ds, options), "dcmdjpeg, file to file") if syntax in _DCMTK else _pydicom(ds, syntax)
    return timed(
        f"decode.{_SHORT[syntax]}", lambda: stored_words(ds), plain, repeats=options.repeats, unit="ms", note=words
    )


def _pydicom(ds: Dataset, syntax: uid.UID) -> tuple[Callable[[], None], str]:
    decoder = get_decoder(syntax)

    def work() -> None:
        decoder.as_array(ds, raw=True)

    return work, f"pydicom with {', '.join(decoder.available_plugins) or 'NumPy'}"


def _dcmtk(ds: Dataset, options: Options) -> Callable[[], None]:
    source, target = options.scratch / "compressed.dcm", options.scratch / "decoded.dcm"

    def work() -> None:
        subprocess.run([which("dcmdjpeg"), str(source), str(target)], check=True, capture_output=True)

    ds.save_as(source, enforce_file_format=True)
    return work
