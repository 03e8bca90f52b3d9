"""Instances on disk, readable by people: nothing here depends on a database.

    <folder>/incoming/<owner>/*.part                        arriving; swept when the owner starts
    <folder>/studies/<StudyInstanceUID>/<SOPInstanceUID>.<received UTC>.dcm
    <folder>/inbox/<StudyInstanceUID>                       a mark: something new, not yet claimed
    <folder>/inbox/.<claimer>/<StudyInstanceUID>            claimed, not yet done

All of it must lie on one file system, as files are renamed into place. Every version of an instance is kept;
the latest counts. Who sent it stands in the file's own meta information.
"""

import errno
import os
import re
import struct
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info

from scp.durable import make_folder, sync_folder
from scp.incoming import (
    CANNOT_UNDERSTAND,
    OUT_OF_RESOURCES,
    IncomingFile,
    RefusedInstanceError,
    Sender,
    free_bytes,
    secure_delete,
)

UID = re.compile(r"[0-9]+(\.[0-9]+)*")
"""PS3.5 9.1, but with leading zeros: some modalities write them, and they do no harm in a path."""

RECEIVED = "%Y%m%dT%H%M%S%fZ"
VERSION = re.compile(r"(.+)\.([0-9]{8}T[0-9]{12}Z)\.dcm")
"""The name of a version: instance and time of reception."""


class SpooledInstance(NamedTuple):
    """One version of an instance in the spool."""

    path: Path
    study_instance_uid: str
    sop_instance_uid: str
    stamp: str

    @property
    def received(self) -> datetime:
        """When its last byte had come."""
        return datetime.strptime(self.stamp, RECEIVED).replace(tzinfo=UTC)

    @property
    def sender(self) -> Sender:
        """Who gave it. Raises OSError, InvalidDicomError: the file is gone or damaged."""
        meta = read_file_meta_info(self.path)
        return Sender(
            str(meta.get("SendingApplicationEntityTitle", "")),
            str(meta.get("SourcePresentationAddress", "")),
            str(meta.get("ReceivingApplicationEntityTitle", "")),
        )


class Spool:
    """The spool of one process. `owner` names its own corner of incoming/; `free_space` is kept free, in bytes."""

    def __init__(self, folder: Path, owner: str = "receiver", free_space: int = 0, limit: int = 2 << 30) -> None:
        self.folder = folder
        self.incoming = folder / "incoming" / owner
        self.studies = folder / "studies"
        self.inbox = folder / "inbox"
        self._free_space = free_space
        self._limit = limit
        self._placing = threading.Lock()
        for place in (self.incoming, self.studies, self.inbox):
            make_folder(place)

    def sweep(self) -> int:
        """Remove what an earlier process of this owner left half-written. Returns how many files."""
        orphans = list(self.incoming.iterdir())
        for orphan in orphans:
            secure_delete(orphan)
        return len(orphans)

    def begin(self) -> IncomingFile:
        """A file for a data set that begins to arrive."""
        return IncomingFile(self.incoming, self._limit, self._free_space)

    @property
    def is_low(self) -> bool:
        """True when less than `free_space` is free: C-STORE is answered with 0xA700."""
        return free_bytes(self.incoming) < self._free_space

    def store(self, incoming: IncomingFile, header: Dataset) -> Path | None:
        """Keep a complete data set: synced, renamed, folder synced, study marked. None if it is there already.

        Byte-identical to the latest version: nothing happens. Identical to an older one: that one is latest again.
        Raises RefusedInstanceError: bad UIDs, or the disk fails.
        """
        study, instance = checked_uid(header, "StudyInstanceUID"), checked_uid(header, "SOPInstanceUID")
        incoming.sync()
        try:
            with self._placing:
                placed = self._place(incoming.path, self.studies / study, instance)
            # one that is there already too: its first sender may have been lost before the name was on disk
            sync_folder(self.studies / study)
            if placed is not None:
                self.mark(study)
        except OSError as error:
            reason = f"The spool cannot be written: {error.strerror}"
            raise RefusedInstanceError(OUT_OF_RESOURCES, reason) from error
        return placed

    def _place(self, temporary: Path, folder: Path, instance: str) -> Path | None:
        make_folder(folder)
        versions = [version.path for version in _versions(folder, instance)]
        same = [version for version in versions if _same_data_set(version, temporary)]
        if same and same[-1] == versions[-1]:
            return None
        final = folder / f"{instance}.{_stamp(folder)}.dcm"
        if same:
            os.link(same[-1], final)
        else:
            temporary.rename(final)
        return final

    def mark(self, study: str) -> None:
        """Say that the study has something new."""
        (self.inbox / study).touch(mode=0o600)

    def claim(self, claimer: str) -> tuple[str, ...]:
        """Take every mark. Returns the claimer's studies, with those of an earlier run that were never `done`.

        A study that gets another instance meanwhile is marked again: no wake-up is lost.
        """
        mine = self.inbox / f".{claimer}"
        make_folder(mine)
        for mark in self.inbox.iterdir():
            if not mark.name.startswith("."):
                try:
                    mark.rename(mine / mark.name)
                except FileNotFoundError:  # another claimer was faster
                    continue
        return tuple(sorted(mark.name for mark in mine.iterdir()))

    def done(self, claimer: str, study: str) -> None:
        """The claimed study is now known elsewhere (in the engine)."""
        (self.inbox / f".{claimer}" / study).unlink(missing_ok=True)

    def study_uids(self) -> Iterator[str]:
        """Every study in the spool."""
        return (folder.name for folder in sorted(self.studies.iterdir()))

    def versions(self, study: str) -> tuple[SpooledInstance, ...]:
        """Every version of every instance of the study, oldest first; empty if there is no such study."""
        return tuple(_versions(self.studies / checked(study)))

    def instances(self, study: str) -> tuple[SpooledInstance, ...]:
        """The latest version of each instance, in the order in which the instances were first received."""
        latest = {version.sop_instance_uid: version for version in self.versions(study)}
        return tuple(latest.values())

    def remove(self, study: str, names: Iterable[str]) -> None:
        """Delete these files of the study securely (retention); another that has just arrived stays."""
        folder = self.studies / checked(study)
        for name in names:
            secure_delete(folder / name)
        try:
            folder.rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                raise


def _stamp(folder: Path) -> str:
    """Now; or just after the latest in the folder, should the clock have been set back: the latest counts."""
    names = os.listdir(folder)  # noqa: PTH208 - names only: a study may have thousands
    latest = max((name[-26:-4] for name in names if name.endswith("Z.dcm")), default="")
    now = datetime.now(UTC).strftime(RECEIVED)
    if now > latest:
        return now
    before = datetime.strptime(latest, RECEIVED).replace(tzinfo=UTC)
    return (before + timedelta(microseconds=1)).strftime(RECEIVED)


def is_uid(text: str) -> bool:
    """True for a UID (PS3.5 9.1), which is safe in a path and holds no name."""
    return len(text) <= 64 and UID.fullmatch(text) is not None


def checked(uid: str) -> str:
    """The UID, safe in a path. Raises RefusedInstanceError: it is none."""
    if not is_uid(uid):
        raise RefusedInstanceError(CANNOT_UNDERSTAND, "A UID is missing or malformed (PS3.5 9.1)")
    return uid


def checked_uid(header: Dataset, keyword: str) -> str:
    """The header's UID, safe in a path. Raises RefusedInstanceError: missing or malformed."""
    try:
        return checked(str(header.get(keyword) or ""))
    except RefusedInstanceError as error:
        raise RefusedInstanceError(CANNOT_UNDERSTAND, f"{keyword} is missing or malformed (PS3.5 9.1)") from error


def _versions(folder: Path, instance: str = "") -> list[SpooledInstance]:
    """Every version in a study's folder, of one instance if it is given, oldest first."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names only: a study may have thousands
    except FileNotFoundError:
        return []
    # the name's beginning is compared first, as that is quick
    found = [match for name in names if name.startswith(instance) and (match := VERSION.fullmatch(name))]
    if instance:
        found = [match for match in found if match[1] == instance]
    found.sort(key=lambda match: (match[2], match[1]))
    return [SpooledInstance(folder / match[0], folder.name, match[1], match[2]) for match in found]


def _same_data_set(one: Path, other: Path) -> bool:
    """Compare what follows the file meta information, as that names the sender."""
    with one.open("rb") as first, other.open("rb") as second:
        left = [os.fstat(file.fileno()).st_size - _skip_meta(file) for file in (first, second)]
        if left[0] != left[1]:
            return False
        while piece := first.read(1 << 20):
            if piece != second.read(1 << 20):
                return False
    return True


def _skip_meta(file: BinaryIO) -> int:
    """Move behind the file meta information: its first element tells its length (PS3.10 7.1)."""
    return file.seek(144 + struct.unpack_from("<I", file.read(144), 140)[0])
