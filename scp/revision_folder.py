"""The folder of one revision of a study's results (see result_folders for what lies where)."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError
from pydicom.dataset import Dataset

from inference.results import StudyResult
from scp.durable import locked, sync_folder, write_durably
from scp.leftovers import secure_remove
from scp.result_records import BuiltObject, Manifest, ObjectList, Receipt, RevisionRecord, read_record, write_record


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
        write_record(self.path / "manifest.json", manifest)

    @property
    def result(self) -> StudyResult | None:
        """The findings, None before they are there. Raises ValidationError: they are damaged."""
        return read_record(self.path / "result.json", StudyResult)

    def write_result(self, result: StudyResult) -> None:
        """Write the findings."""
        write_record(self.path / "result.json", result)

    @property
    def is_damaged(self) -> bool:
        """True when the findings are there and cannot be read."""
        try:
            read_record(self.path / "result.json", StudyResult)
        except ValidationError:
            return True
        return False

    def set_result_aside(self) -> None:
        """Keep damaged findings under another name: what is in their place is never read again."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        (self.path / "result.json").rename(self.path / f"result.json.corrupt-{stamp}")
        sync_folder(self.path)

    @property
    def record(self) -> RevisionRecord | None:
        """Number and time, None before the first building."""
        return read_record(self.path / "revision.json", RevisionRecord)

    def write_record(self, record: RevisionRecord) -> None:
        """Fix number and time."""
        write_record(self.path / "revision.json", record)

    @property
    def objects(self) -> tuple[BuiltObject, ...] | None:
        """The objects, None before all of them are there."""
        listed = read_record(self.objects_folder / "objects.json", ObjectList)
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
        write_record(aside / "objects.json", ObjectList(objects=tuple(listed)))
        aside.rename(self.objects_folder)
        sync_folder(self.path)
        return tuple(listed)

    def receipt(self, destination: str) -> Receipt:
        """How `destination` got it; a fresh receipt if it was never tried."""
        return read_record(self.path / "deliveries" / f"{destination}.json", Receipt) or Receipt()

    def write_receipt(self, destination: str, receipt: Receipt) -> None:
        """Write how `destination` got it."""
        write_record(self.path / "deliveries" / f"{destination}.json", receipt)

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


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
