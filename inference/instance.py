"""Reading an instance's file without letting it take more memory than allowed."""

import zlib
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from inference.decoding import WRONG_SYNTAX
from inference.errors import UnreadablePixelsError
from inference.results import Reason

_CHUNK = 1 << 20
_NOT_DICOM = Reason(
    code="not-dicom",
    text="The file is not a DICOM file.",
    remedy="Give DICOM Part 10 files, as a PACS exports them.",
)


def read_instance(path: Path, *, memory: int, pixels: bool = True) -> FileDataset:
    """The instance in `path`, without its pixels if `pixels` is false.

    pydicom inflates a deflated data set whole, so its size is counted first: a few kilobytes may stand for
    gigabytes. Raises UnreadablePixelsError where the file is no DICOM file, is or inflates to more than `memory`
    bytes, or is not deflated though it says so, and what pydicom raises where it is damaged.
    """
    try:
        meta = read_file_meta_info(path)
    except InvalidDicomError as error:
        raise UnreadablePixelsError(_NOT_DICOM) from error
    with path.open("rb") as file:
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            # preamble and prefix 132 bytes, then the group length element itself 12 bytes (PS3.10 7.1)
            file.seek(144 + int(meta.FileMetaInformationGroupLength))
            size = _inflated_size(file, memory)
        else:
            size = path.stat().st_size if pixels else 0
    if size > memory:
        raise UnreadablePixelsError(
            Reason(
                code="image-too-large",
                text=f"The file needs more than the {memory >> 20} MiB allowed.",
                remedy="Raise analysis.pixel_memory if the image is a real one.",
            )
        )
    return dcmread(path, stop_before_pixels=not pixels)


def _inflated_size(file: BinaryIO, memory: int) -> int:
    """The inflated size, or the first count that is beyond `memory`."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    try:
        while size <= memory and not inflater.eof and (deflated := inflater.unconsumed_tail or file.read(_CHUNK)):
            size += len(inflater.decompress(deflated, _CHUNK))
    except zlib.error as error:
        raise UnreadablePixelsError(WRONG_SYNTAX) from error
    return size
