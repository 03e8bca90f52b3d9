"""What readers say about findings: an append-only file a study, never changed, never shortened.

<folder>/<StudyInstanceUID>.jsonl    one opinion a line
<folder>/pseudonym.key               makes patient pseudonyms in exports, known to this node alone
"""

import fcntl
import hmac
import os
import secrets
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

import structlog
from pydantic import Field, ValidationError

from inference.results import Frozen, Module
from scp.durable import make_folder, write_durably

log = structlog.get_logger(__name__)

Verdict = Literal["accepted", "rejected", "added", "withdrawn"]
Pathology = Literal["malignant", "benign"]


class Opinion(Frozen):
    """One thing a reader said. `box` is in stored pixels of the image, as in inference.results.

    `subject` is what it is about: the tracking UID of the finding, or for an added one a UID of its own. A later
    opinion of the same reader on the same subject replaces the earlier one; 'withdrawn' takes it back.
    `pathology` is the reader's impression, not a biopsy's.
    """

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    reader: str
    verdict: Verdict
    subject: str
    study_instance_uid: str
    sop_instance_uid: str
    digest: str
    module: Module
    box: tuple[float, float, float, float]
    pathology: Pathology


def new_subject() -> str:
    """A UID for a finding that a reader has added."""
    return f"2.25.{uuid.uuid4().int}"


class Opinions:
    """The store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, opinion: Opinion) -> None:
        """Append, synced before it returns. Raises OSError (disk full, no right)."""
        make_folder(self._folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self._path(opinion.study_instance_uid), flags, 0o600)
        with os.fdopen(descriptor, "ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_torn(file):
                file.write(b"\n")
            file.write(opinion.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def said(self, study: str) -> tuple[Opinion, ...]:
        """Everything said about a study, oldest first. A line that a power cut has left torn was never confirmed."""
        try:
            lines = self._path(study).read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        return tuple(opinion for line in lines if (opinion := _parse(line)) is not None)

    def current(self, study: str) -> tuple[Opinion, ...]:
        """What each reader thinks now: the last word on each subject, withdrawn ones left out."""
        last = {(opinion.reader, opinion.subject): opinion for opinion in self.said(study)}
        return tuple(opinion for opinion in last.values() if opinion.verdict != "withdrawn")

    def studies(self) -> Iterator[str]:
        """Every study about which something was said."""
        return (path.stem for path in sorted(self._folder.glob("*.jsonl")))

    def pseudonym(self, patient_id: str) -> str:
        """The same 16 hex digits for the same patient on this node; nothing without the key."""
        path = self._folder / "pseudonym.key"
        if not path.is_file():
            write_durably(path, secrets.token_bytes(32))
        return hmac.digest(path.read_bytes(), patient_id.encode(), "sha256").hex()[:16]

    def _path(self, study: str) -> Path:
        return self._folder / f"{study}.jsonl"


def _is_torn(file: BinaryIO) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _parse(line: bytes) -> Opinion | None:
    try:
        return Opinion.model_validate_json(line)
    except ValidationError:
        log.warning("a torn line of reader feedback is passed over", bytes=len(line))
        return None
