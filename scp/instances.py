"""Is a received data set an instance that can be kept? Every element is visited, pixel data is skipped over."""

import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag
from pydicom.uid import UID

from scp.incoming import CANNOT_UNDERSTAND, MISMATCH, RefusedInstanceError
from scp.spool import checked_uid

SKIPPED = 64 << 10
"""Values above this many bytes are skipped over, not read."""

HEADER_BYTES = 32 << 20
HEADER_READS = 400_000
"""What all but the skipped values may take: a header of many tiny elements would grow thirty times in memory."""

SEQUENCE_PARTS = 50_000
"""Items and elements in sequences of known length, which are read from memory: an empty item of 8 bytes becomes a
data set of 700."""

SUBJECT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge",
    "PatientIdentityRemoved", "StudyInstanceUID", "StudyID", "StudyDate", "StudyTime", "StudyDescription",
    "AccessionNumber", "ReferringPhysicianName", "SeriesInstanceUID", "SOPInstanceUID",
)  # fmt: skip
"""Whose image it is: these must be readable, as every result names them; a change rebuilds the result objects."""

PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
UNDEFINED = 0xFFFFFFFF
ITEM, SEQUENCE_DELIMITATION = 0xFFFEE000, 0xFFFEE0DD


class CutOffError(ValueError):
    """The data set ends before its last element does."""


class HeaderReader:
    """A file that counts what is read from it. Raises ValueError: over HEADER_BYTES or HEADER_READS."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek = file.seek
        self.tell = file.tell
        self._read = file.read
        self.last = 0
        """Bytes of the last read; the parser's is empty at the very end."""
        self._bytes = HEADER_BYTES
        self._reads = HEADER_READS

    def read(self, size: int = -1) -> bytes:
        """As file.read, at most what is left of the allowance."""
        piece = self._read(min(size, self._bytes + 1) if size >= 0 else self._bytes + 1)
        self.last = len(piece)
        self._bytes -= len(piece)
        self._reads -= 1
        if self._bytes < 0 or self._reads < 0:
            raise ValueError("header too large")
        return piece


def read_header(path: Path, offset: int, transfer_syntax_uid: str) -> Dataset:
    """Read the data set at `offset`, without pixel data and without other values above SKIPPED bytes.

    Raises RefusedInstanceError 0xC000: it cannot be parsed, is cut off, or its UIDs are missing or malformed.
    """
    syntax = UID(transfer_syntax_uid)
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            size = file.tell()
            file.seek(offset)
            elements = {
                element.tag: element
                for element in _elements(file, size, syntax.is_implicit_VR, syntax.is_little_endian)
                if element.tag not in PIXEL_DATA
            }
        header = Dataset(elements)
        header.set_original_encoding(syntax.is_implicit_VR, syntax.is_little_endian)
        for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            checked_uid(header, keyword)
        _visit_sequences(header, SEQUENCE_PARTS)
        for keyword in SUBJECT:
            header.get(keyword)
    except RefusedInstanceError:
        raise
    except Exception as error:
        # the text of the error may hold values, its kind does not
        raise RefusedInstanceError(CANNOT_UNDERSTAND, f"Cannot be parsed ({type(error).__name__})") from error
    return header


def check_command(header: Dataset, sop_class_uid: str, sop_instance_uid: str) -> None:
    """Raises RefusedInstanceError 0xA900: the data set is another instance than the command says (PS3.4 B.2.3)."""
    if (header.SOPClassUID, header.SOPInstanceUID) != (sop_class_uid, sop_instance_uid):
        raise RefusedInstanceError(MISMATCH, "SOP Class or Instance UID differs from the command's")


def _visit_sequences(ds: Dataset, left: int) -> int:
    """Sequences are read when they are asked for: ask now, so that a damaged one is refused at the door.

    Returns what is `left` of the items and elements that they may have. Raises ValueError: more.
    """
    for element in list(ds.values()):  # as they are, unread
        if element.VR == "SQ" or (element.VR in (None, "UN") and _is_sequence(element.tag)):
            items = ds[element.tag].value
            left -= sum(1 + len(item) for item in items)
            if left < 0:
                raise ValueError("too many items in sequences")
            for item in items:
                left = _visit_sequences(item, left)
    return left


@lru_cache(maxsize=4096)
def _is_sequence(tag: BaseTag) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def _elements(
    file: BinaryIO, size: int, implicit: bool, little_endian: bool
) -> Iterator[RawDataElement | DataElement]:
    """The top-level elements up to the very end of the file. Raises CutOffError, and whatever pydicom raises."""
    reader = HeaderReader(file)
    while file.tell() < size:
        for element in data_element_generator(
            reader,  # type: ignore[arg-type]  # it has the three methods that are used
            implicit,
            little_endian,
            stop_when=_is_encapsulated,
            defer_size=SKIPPED,
        ):
            if file.tell() > size or (isinstance(element, RawDataElement) and _is_short(element)):
                raise CutOffError
            if not (isinstance(element, RawDataElement) and element.length > SKIPPED):
                yield element
        if file.tell() < size:
            _skip_fragments(file, size)
        elif reader.last:  # a few bytes, too few for an element
            raise CutOffError


def _is_encapsulated(tag: BaseTag, _vr: str | None, length: int) -> bool:
    return tag in PIXEL_DATA and length == UNDEFINED


def _is_short(element: RawDataElement) -> bool:
    return element.value is not None and len(element.value) < element.length != UNDEFINED


def _skip_fragments(file: BinaryIO, size: int) -> None:
    """Walk over encapsulated pixel data (PS3.5 A.4), item by item. Raises CutOffError: something else is there."""
    head = file.read(12)
    if len(head) < 12 or struct.unpack("<HH", head[:4])[0] != 0x7FE0:
        raise CutOffError
    while True:
        item = file.read(8)
        if len(item) < 8:
            raise CutOffError
        group, element, length = struct.unpack("<HHI", item)
        tag = group << 16 | element
        if tag == SEQUENCE_DELIMITATION:
            return
        if tag != ITEM or file.seek(length, 1) > size:
            raise CutOffError
