"""Decoding a full-size frame of each transfer syntax, against pydicom with the plug-ins it finds."""

from collections.abc import Callable, Iterator

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder

from benchmarks.options import Options
from benchmarks.rows import Row, timed
from inference.decoding import stored_words
from phantoms.encoding import TRANSFER_SYNTAXES, encoded
from phantoms.mammogram import mammogram

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
    decoder = get_decoder(syntax)

    def plain() -> None:
        decoder.as_array(ds, raw=True)

    able = _works(plain)
    return timed(
        f"decode.{_SHORT[syntax]}",
        lambda: stored_words(ds),
        plain if able else None,
        repeats=options.repeats,
        unit="ms",
        note=f"pydicom with {', '.join(decoder.available_plugins) or 'NumPy'}{'' if able else ': none can'}",
    )


def _works(work: Callable[[], None]) -> bool:
    try:
        work()
    except RuntimeError:  # pydicom tried every plug-in that says it can
        return False
    return True
