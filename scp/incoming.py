"""A data set while it arrives: a temporary file on the spool's own file system, later renamed into place."""

import os
import secrets
import struct
import zlib
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import structlog
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION

from scp.durable import write_early

log = structlog.get_logger()

CHECK_EVERY = 64 << 20
"""Bytes written between two looks at the free space."""

EARLY = 4 << 20
"""Bytes that wait in memory before the disk is told to begin with them."""


class Sender(NamedTuple):
    """Who gave an instance. Kept in its file meta information (PS3.10 table 7.1-1)."""

    ae_title: str
    address: str
    called_ae_title: str


class RefusedInstanceError(Exception):
    """An instance that is not kept. `status` is the C-STORE status (PS3.4 B.2.3), `comment` is free of identity."""

    def __init__(self, status: int, comment: str) -> None:
        self.status = status
        self.comment = comment
        super().__init__(f"0x{status:04X}: {comment}")


OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000
MISMATCH = 0xA900


class IncomingFile:
    """Takes the fragments of one data set; after a refusal it swallows the rest, so that the peer gets a status.

    A full or read-only disk, or more than `limit` bytes, are such refusals, never an error on the way.
    `name`, `file`, `write` and `close` are what pynetdicom expects of its own temporary file.
    """

    def __init__(self, folder: Path, limit: int, free_space: int) -> None:
        self.path = folder / f"{secrets.token_hex(12)}.part"
        self.refusal: RefusedInstanceError | None = None
        self.size = 0
        self.offset = 0
        self._limit = limit
        self._free_space = free_space
        self._next_check = 0
        self._begun = 0
        self._descriptor = -1
        self._check_space()
        if self.refusal is None:
            try:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except OSError as error:
                self._refuse(OUT_OF_RESOURCES, f"The spool cannot be written: {error.strerror}")

    @property
    def name(self) -> str:
        """The path, as text."""
        return str(self.path)

    @property
    def file(self) -> Self:
        """pynetdicom flushes `.file` after each fragment."""
        return self

    def flush(self) -> None:
        """Nothing is buffered here."""

    def write_preamble(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, by: Sender) -> None:
        """Begin the file: 128 zero bytes, DICM and the file meta information with its sender (PS3.10 7.1)."""
        self.write(preamble(sop_class_uid, sop_instance_uid, transfer_syntax_uid, by))
        self.offset = self.size

    def write(self, fragment: bytes | memoryview) -> None:
        """Append, unless refused before."""
        self.size += len(fragment)
        if self.refusal is None and self.size > self._limit:
            self._refuse(CANNOT_UNDERSTAND, f"Larger than {self._limit} bytes (listener.maximum_dataset)")
        if self.refusal is None and self.size >= self._next_check:
            self._check_space()
        if self.refusal is not None:
            return
        try:
            view = memoryview(fragment)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            self._refuse(OUT_OF_RESOURCES, f"The spool cannot be written: {error.strerror}")
            return
        if self.size - self._begun >= EARLY:
            write_early(self._descriptor, self._begun, self.size - self._begun)
            self._begun = self.size

    def sync(self) -> None:
        """Force it to the disk. Raises RefusedInstanceError: refused before, or the disk fails now."""
        if self.refusal is None:
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                self._refuse(OUT_OF_RESOURCES, f"The spool cannot be written: {error.strerror}")
        self.close()
        if self.refusal is not None:
            raise self.refusal

    def close(self) -> None:
        """Close the file; may be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def discard(self) -> None:
        """Close the file and remove what it holds; a disk that refuses even that is said in the log."""
        self.close()
        try:
            secure_delete(self.path)
        except OSError as error:
            log.warning("temporary file cannot be removed; the next start sweeps it", error=error.strerror)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.discard()

    def _check_space(self) -> None:
        self._next_check = self.size + CHECK_EVERY
        if free_bytes(self.path.parent) < self._free_space:
            self._refuse(OUT_OF_RESOURCES, "The disk is nearly full (listener.free_space)")

    def _refuse(self, status: int, comment: str) -> None:
        self.refusal = RefusedInstanceError(status, comment)


def preamble(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, by: Sender) -> bytes:
    """What stands before the data set in a DICOM file: explicit VR little endian always (PS3.10 7.1)."""
    meta = b"".join(
        (
            struct.pack("<HH2s2xI2s", 2, 0x0001, b"OB", 2, b"\x00\x01"),
            _element(0x0002, b"UI", sop_class_uid),
            _element(0x0003, b"UI", sop_instance_uid),
            _element(0x0010, b"UI", transfer_syntax_uid),
            _element(0x0012, b"UI", PYNETDICOM_IMPLEMENTATION_UID),
            _element(0x0013, b"SH", PYNETDICOM_IMPLEMENTATION_VERSION),
            _element(0x0017, b"AE", by.ae_title),
            _element(0x0018, b"AE", by.called_ae_title),
            # UR has a four-byte length
            struct.pack("<HH2s2xI", 2, 0x0026, b"UR", len(_padded(by.address))) + _padded(by.address),
        )
    )
    return b"\x00" * 128 + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta


def _element(element: int, vr: bytes, value: str) -> bytes:
    encoded = _padded(value, b"\x00" if vr == b"UI" else b" ")
    return struct.pack("<HH2sH", 2, element, vr, len(encoded)) + encoded


def _padded(value: str, padding: bytes = b" ") -> bytes:
    encoded = value.encode("ascii", "replace")
    return encoded + padding * (len(encoded) % 2)


def inflate(deflated: Path, offset: int, into: IncomingFile) -> None:
    """Append the data set behind `offset` to `into`, inflated (PS3.5 A.5); its limit stops a decompression bomb.

    Raises RefusedInstanceError: no deflate stream, cut off, or over the limit of `into`.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    with deflated.open("rb") as file:
        file.seek(offset)
        while not inflater.eof and (piece := file.read(1 << 16)):
            while piece and into.refusal is None:
                try:
                    into.write(inflater.decompress(piece, 1 << 20))
                except zlib.error as error:
                    raise RefusedInstanceError(CANNOT_UNDERSTAND, "No deflate stream") from error
                piece = inflater.unconsumed_tail
    if into.refusal is not None:
        raise into.refusal
    if not inflater.eof:
        raise RefusedInstanceError(CANNOT_UNDERSTAND, "The deflate stream is cut off")


def stored_syntax(transfer_syntax_uid: str) -> str:
    """The syntax an instance is kept in: its own, but never deflated (no later reader has to fear a bomb)."""
    return ExplicitVRLittleEndian if transfer_syntax_uid == DeflatedExplicitVRLittleEndian else transfer_syntax_uid


def free_bytes(folder: Path) -> int:
    """Bytes an unprivileged process may still write there; 0 if the folder is gone."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return 0
    return room.f_bavail * room.f_frsize


def secure_delete(path: Path) -> None:
    """Overwrite a file once with zeros and remove it; one that is gone already is well.

    On a journalling or copy-on-write file system the overwriting is best effort: encrypt the disk.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            left = os.fstat(file.fileno()).st_size
            zeros = bytes(1 << 20)
            while left > 0:
                left -= file.write(zeros[: min(left, len(zeros))])
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return
