"""Results on disk: the truth about what was analysed, built and delivered.

    <folder>/<StudyInstanceUID>/current.json                 the revision that counts
    <folder>/<StudyInstanceUID>/digests.json                 identity of each spooled file, so as to decode it once
    <folder>/<StudyInstanceUID>/<digest16>/manifest.json     which files, from whom
                                          /result.json       findings
                                          /revision.json     number, time of writing, predecessor
                                          /objects/*.dcm     there when all are written
                                          /deliveries/*.json one receipt a destination

Everything is written aside, synced and renamed; a step that is repeated finds its own work.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field
from pydicom.dataset import Dataset

from inference.results import Frozen, Reason, StudyResult
from scp.durable import locked, make_folder, sync_folder, write_durably
from scp.leftovers import secure_remove

Model = TypeVar("Model", bound=Frozen)


class Current(Frozen):
    """The revision that counts for a study. `content` is the digest of its images alone: the same images may come
    back after others (a correction that is taken back), and are then a new revision.
    """

    digest: str
    content: str


class FileIdentity(Frozen):
    """What makes one spooled file the same image: for the results (`instance`), and for the scores alone."""

    instance: str
    scores: str


class Digests(Frozen):
    """By name of the spooled file."""

    files: dict[str, FileIdentity] = Field(default_factory=dict)


class Manifest(Frozen):
    """What a revision is made from. `files` are names in the study's spool folder by SOP Instance UID.

    `scores_digest` is the same for two revisions whose scores must be the same (only the patient was corrected).
    """

    digest: str
    scores_digest: str
    files: dict[str, str]
    senders: tuple[str, ...]


class BuiltObject(Frozen):
    """One object of a revision, as it lies in objects/."""

    kind: str
    file: str
    sop_class_uid: str
    sop_instance_uid: str


class RevisionRecord(Frozen):
    """Fixed when a revision is first built: building again makes the same objects for the same destinations."""

    number: int
    written: datetime
    predecessor: dict[str, tuple[str, str]] = Field(default_factory=dict)
    destinations: tuple[str, ...] | None = None
    """Names, none of them in shadow mode; None in a record of a version that did not write them."""


class ObjectList(Frozen):
    """What lies in objects/."""

    objects: tuple[BuiltObject, ...]


class Receipt(Frozen):
    """How one destination got a revision. `stored` are SOP Instance UIDs it has confirmed by status.

    `refused` counts attempts that ended with a refusal, `transactions` are the storage commitments asked for,
    `at_once` is the operator's word: try, whatever is known of the destination.
    """

    state: Literal["waiting", "retrying", "confirming", "delivered", "failed", "cancelled"] = "waiting"
    stored: tuple[str, ...] = ()
    committed: bool | None = None
    transactions: tuple[str, ...] = ()
    attempts: int = 0
    refused: int = 0
    first_attempt: float | None = None
    at_once: bool = False
    reason: Reason | None = None


class RevisionFolder:
    """The folder of one revision."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.objects_folder = path / "objects"

    @property
    def manifest(self) -> Manifest:
        """What it is made from. Raises FileNotFoundError: retention has removed it."""
        return Manifest.model_validate_json((self.path / "manifest.json").read_bytes())

    def write_manifest(self, manifest: Manifest) -> None:
        """Write what it is made from."""
        _write(self.path / "manifest.json", manifest)

    @property
    def result(self) -> StudyResult | None:
        """The findings, None before they are there."""
        return _read(self.path / "result.json", StudyResult)

    def write_result(self, result: StudyResult) -> None:
        """Write the findings."""
        _write(self.path / "result.json", result)

    @property
    def record(self) -> RevisionRecord | None:
        """Number and time, None before the first building."""
        return _read(self.path / "revision.json", RevisionRecord)

    def write_record(self, record: RevisionRecord) -> None:
        """Fix number and time."""
        _write(self.path / "revision.json", record)

    @property
    def objects(self) -> tuple[BuiltObject, ...] | None:
        """The objects, None before all of them are there."""
        listed = _read(self.objects_folder / "objects.json", ObjectList)
        return listed.objects if listed else None

    def write_objects(self, built: Iterable[tuple[str, str, Dataset]]) -> tuple[BuiltObject, ...]:
        """Write (kind, file name, data set) of all objects; they appear together. Raises OSError."""
        for unfinished in self.path.glob(".objects-*"):
            secure_remove(unfinished)
        aside = Path(tempfile.mkdtemp(prefix=".objects-", dir=self.path))
        listed = []
        for kind, name, ds in built:
            with (aside / name).open("xb") as file:
                ds.save_as(file, enforce_file_format=True)
            (aside / name).chmod(0o600)
            _sync_file(aside / name)
            identity = {"sop_class_uid": str(ds.SOPClassUID), "sop_instance_uid": str(ds.SOPInstanceUID)}
            listed.append(BuiltObject(kind=kind, file=name, **identity))
        _write(aside / "objects.json", ObjectList(objects=tuple(listed)))
        aside.rename(self.objects_folder)
        sync_folder(self.path)
        return tuple(listed)

    def receipt(self, destination: str) -> Receipt:
        """How `destination` got it; a fresh receipt if it was never tried."""
        return _read(self.path / "deliveries" / f"{destination}.json", Receipt) or Receipt()

    def write_receipt(self, destination: str, receipt: Receipt) -> None:
        """Write how `destination` got it."""
        _write(self.path / "deliveries" / f"{destination}.json", receipt)

    def receipts(self) -> Mapping[str, Receipt]:
        """All receipts by destination."""
        names = sorted(path.stem for path in (self.path / "deliveries").glob("*.json"))
        return {name: self.receipt(name) for name in names}

    def cancel(self, destination: str) -> None:
        """The operator wants no more of it; an attempt that runs sees it and stops."""
        write_durably(self._cancelled(destination), b"")

    def is_cancelled(self, destination: str) -> bool:
        """True after `cancel`, until `take_cancelled`."""
        return self._cancelled(destination).exists()

    def take_cancelled(self, destination: str) -> bool:
        """True once after `cancel`."""
        try:
            self._cancelled(destination).unlink()
        except FileNotFoundError:
            return False
        return True

    def _cancelled(self, destination: str) -> Path:
        return self.path / "deliveries" / f".{destination}.cancelled"

    def delivering(self, destination: str, seconds: float | None = None) -> AbstractContextManager[None]:
        """One sender at a time for one destination. Raises TimeoutError: it is being sent for longer than that."""
        return locked(self.path / "deliveries" / f".{destination}.lock", seconds)


class ResultFolders:
    """All results of a node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_folder(folder)

    def revision(self, study: str, digest: str) -> RevisionFolder:
        """The folder of a study's revision, there or not."""
        return RevisionFolder(self.folder / study / digest[:16])

    def revisions(self, study: str) -> Iterator[RevisionFolder]:
        """Every revision of a study."""
        return (RevisionFolder(path.parent) for path in sorted((self.folder / study).glob("*/manifest.json")))

    def current(self, study: str) -> Current | None:
        """The revision that counts, None before the first has settled."""
        return _read(self.folder / study / "current.json", Current)

    def set_current(self, study: str, current: Current) -> None:
        """Say which revision counts."""
        _write(self.folder / study / "current.json", current)

    def digests(self, study: str) -> Digests:
        """What is known of the identity of the study's files."""
        return _read(self.folder / study / "digests.json", Digests) or Digests()

    def write_digests(self, study: str, digests: Digests) -> None:
        """Remember the identity of the study's files."""
        _write(self.folder / study / "digests.json", digests)

    def cancel(self, study: str, arrival: str) -> None:
        """The operator wants no more work on what has arrived so far."""
        write_durably(self.folder / study / "cancelled", arrival.encode())

    def revive(self, study: str) -> None:
        """The operator wants it after all."""
        (self.folder / study / "cancelled").unlink(missing_ok=True)

    def is_cancelled(self, study: str, arrival: str) -> bool:
        """True after `cancel`, until `revive` or another image."""
        try:
            return (self.folder / study / "cancelled").read_text() == arrival
        except FileNotFoundError:
            return False

    def redo(self, study: str, digest: str) -> None:
        """The operator wants this revision's images analysed once more."""
        write_durably(self.folder / study / "redo", digest.encode())

    def is_to_be_redone(self, study: str, digest: str) -> bool:
        """True after `redo` of this revision, for ever: another one takes its place."""
        try:
            return (self.folder / study / "redo").read_text() == digest
        except FileNotFoundError:
            return False

    def keep_until(self, study: str, moment: float) -> None:
        """Promise to keep the study until then (s since 1970)."""
        longest = max(moment, self.kept_until(study) or 0.0)
        write_durably(self.folder / study / "keep-until", repr(longest).encode())

    def kept_until(self, study: str) -> float | None:
        """Until when the study was promised to be kept, None if nobody was."""
        try:
            return float((self.folder / study / "keep-until").read_text())
        except FileNotFoundError:
            return None

    def building(self, study: str) -> AbstractContextManager[None]:
        """One at a time for a study: decides which revision counts, and which number it gets."""
        return locked(self.folder / study / ".lock")

    def begin_removal(self, study: str, files: Iterable[str]) -> None:
        """The study goes, with these files of the spool; what comes meanwhile is another study's beginning."""
        write_durably(self.folder / study / "removing", "\n".join(files).encode())

    def removing(self, study: str) -> tuple[str, ...] | None:
        """Which files of the spool go with a study whose removal has begun; None if it has not."""
        try:
            return tuple((self.folder / study / "removing").read_text().splitlines())
        except FileNotFoundError:
            return None

    def has(self, study: str) -> bool:
        """True while anything is kept of the study's results."""
        return (self.folder / study).is_dir()

    def study_uids(self) -> Iterator[str]:
        """Every study that has a folder."""
        return (path.name for path in sorted(self.folder.iterdir()))

    def remove(self, study: str) -> None:
        """Delete everything about a study securely (retention): results name the patient."""
        if (self.folder / study).is_dir():
            secure_remove(self.folder / study)


def _read(path: Path, model: type[Model]) -> Model | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None


def _write(path: Path, model: Frozen) -> None:
    write_durably(path, model.model_dump_json(indent=1).encode())


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
