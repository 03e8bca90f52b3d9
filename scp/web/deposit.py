"""A DICOM file from the page or from STOW-RS goes into the spool as one from a modality does."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from config.listener import Listener
from inference.results import Reason
from scp.contexts import ANALYSED, JUDGED, dropped_classes
from scp.incoming import (
    CANNOT_UNDERSTAND,
    MISMATCH,
    OUT_OF_RESOURCES,
    IncomingFile,
    RefusedInstanceError,
    Sender,
    inflate,
    stored_syntax,
)
from scp.instances import check_command, read_header
from scp.objects.own_results import is_own_result
from scp.spool import Spool
from scp.web import texts

SOP_CLASS_NOT_SUPPORTED = 0x0122
BLOCK = 1 << 20
LONG_VRS = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UN", b"UT", b"UC", b"UR", b"SV", b"UV")
"""VRs whose length has four bytes, after two reserved ones (PS3.5 7.1.2)."""
_NEEDED = (
    "MediaStorageSOPClassUID",
    "MediaStorageSOPInstanceUID",
    "TransferSyntaxUID",
)


@dataclass(frozen=True)
class Accepted:
    """SOP classes that are kept, and those that are taken and dropped so that a router sees no failure."""

    kept: frozenset[str]
    dropped: frozenset[str]

    @classmethod
    def by(cls, listener: Listener) -> "Accepted":
        """As the listener does it."""
        return cls(frozenset((*ANALYSED, *JUDGED)), frozenset(dropped_classes(listener.dropped_classes)))


@dataclass(frozen=True)
class Deposited:
    """What became of one file. `status` is a C-STORE status (PS3.4 B.2.3); 0 with a reason: taken and dropped."""

    status: int
    reason: Reason | None = None
    study_instance_uid: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


def deposit(path: Path, spool: Spool, accepted: Accepted, sender: Sender, study: str | None = None) -> Deposited:
    """Keep one Part 10 file (PS3.10 7.1) in the spool if it is an image the node takes. Never raises for bad input.

    `study`: the only Study Instance UID that is taken, if any. The file itself stays where it is.
    """
    try:
        meta = _meta(path)
    except _NotDicomError as error:
        return Deposited(CANNOT_UNDERSTAND, error.reason)
    sop_class, instance = str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID)
    if sop_class not in accepted.kept:
        text = texts.not_a_mammogram(UID(sop_class).name)
        reason = Reason(code="sop-class-not-accepted", text=text, remedy=texts.NOT_A_MAMMOGRAM_REMEDY)
        status = 0 if sop_class in accepted.dropped else SOP_CLASS_NOT_SUPPORTED
        return Deposited(status, reason, "", sop_class, instance)
    try:
        with spool.begin() as incoming:
            header = _copy(path, meta, incoming, sender)
            check_command(header, sop_class, instance)
            _check_study(header, study)
            if is_own_result(header):
                reason = Reason(code="own-result", text=texts.OWN_RESULT)
                return Deposited(0, reason, "", sop_class, instance)
            spool.store(incoming, header)
    except RefusedInstanceError as error:
        return Deposited(error.status, _said(error), "", sop_class, instance)
    return Deposited(0, None, str(header.StudyInstanceUID), sop_class, instance)


class _NotDicomError(Exception):
    def __init__(self, reason: Reason) -> None:
        self.reason = reason


def _meta(path: Path) -> Dataset:
    """The file meta information with the three UIDs that are needed. Raises _NotDicomError."""
    if path.stat().st_size == 0:
        raise _NotDicomError(Reason(code="empty-file", text=texts.EMPTY_FILE, remedy=texts.TRUNCATED_REMEDY))
    try:
        meta = read_file_meta_info(path)
        complete = all(str(meta.get(keyword) or "") for keyword in _NEEDED)
    except (InvalidDicomError, OSError, ValueError, TypeError, KeyError, NotImplementedError, EOFError) as error:
        # what pydicom raises on bytes that are no file meta information
        raise _NotDicomError(Reason(code="not-dicom", text=texts.NOT_DICOM, remedy=texts.NOT_DICOM_REMEDY)) from error
    if not complete:
        raise _NotDicomError(Reason(code="no-uids", text=texts.NO_UIDS, remedy=texts.NOT_DICOM_REMEDY))
    return meta


def _copy(path: Path, meta: Dataset, incoming: IncomingFile, sender: Sender) -> Dataset:
    """Write our own file meta information and the file's data set. Raises RefusedInstanceError."""
    syntax = str(meta.TransferSyntaxUID)
    kept_syntax = stored_syntax(syntax)
    incoming.write_preamble(
        str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID), kept_syntax, sender
    )
    with path.open("rb") as file:
        offset = _data_set_offset(file)
        if syntax != DeflatedExplicitVRLittleEndian:
            while block := file.read(BLOCK):
                incoming.write(block)
    if syntax == DeflatedExplicitVRLittleEndian:
        inflate(path, offset, incoming)
    if incoming.refusal is not None:
        raise incoming.refusal
    return read_header(incoming.path, incoming.offset, kept_syntax)


def _data_set_offset(file: BinaryIO) -> int:
    """Move behind the file meta information, element by element: some writers leave its group length out.

    Raises RefusedInstanceError: it does not end.
    """
    file.seek(128 + 4)
    while True:
        start = file.tell()
        head = file.read(8)
        if len(head) < 8:
            raise RefusedInstanceError(CANNOT_UNDERSTAND, "The file meta information is cut off")
        group, _, vr, length = struct.unpack("<HH2sH", head)
        if group != 0x0002:
            return file.seek(start)
        if vr in LONG_VRS:
            length = int.from_bytes(file.read(4), "little")
        file.seek(length, os.SEEK_CUR)


def _check_study(header: Dataset, study: str | None) -> None:
    if study is not None and header.StudyInstanceUID != study:
        raise RefusedInstanceError(MISMATCH, "Study Instance UID differs from the request's")


def _said(error: RefusedInstanceError) -> Reason:
    if error.status == OUT_OF_RESOURCES:
        return Reason(code="disk-full", text=texts.DISK_FULL, remedy=texts.DISK_FULL_REMEDY)
    return Reason(code="damaged", text=f"{texts.TRUNCATED} {error.comment}.", remedy=texts.TRUNCATED_REMEDY)
