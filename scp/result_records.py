"""What is written of a result: one model a file of the results folder (see result_folders)."""

from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field

from inference.results import Frozen, Reason
from scp.durable import write_durably

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


def read_record(path: Path, model: type[Model]) -> Model | None:
    """None where there is no such file. Raises ValidationError: it says something else."""
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None


def write_record(path: Path, model: Frozen) -> None:
    """Write it aside, synced and renamed. Raises OSError."""
    write_durably(path, model.model_dump_json(indent=1).encode())
