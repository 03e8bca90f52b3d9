"""What the journal says about a study, a delivery, a destination: plain rows for status, page and tests."""

from dataclasses import dataclass
from enum import StrEnum

from inference.results import Reason


class StudyState(StrEnum):
    """Where a study is on its way."""

    RECEIVED = "received"
    WAITING = "waiting"
    ANALYSING = "analysing"
    ANALYSED = "analysed"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    EXCLUDED = "excluded"
    FAILED = "failed"
    CANCELLED = "cancelled"


HAS_RESULT = (StudyState.ANALYSED, StudyState.DELIVERING, StudyState.DELIVERED, StudyState.FAILED)
"""Where there may be findings."""


class DeliveryState(StrEnum):
    """Where one study's result is on its way to one destination."""

    WAITING = "waiting"
    RETRYING = "retrying"
    CONFIRMING = "confirming"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


SEVERITY = {
    StudyState.FAILED: 0,
    StudyState.DELIVERING: 1,
    StudyState.ANALYSING: 2,
    StudyState.RECEIVED: 3,
    StudyState.WAITING: 4,
    StudyState.ANALYSED: 5,
    StudyState.EXCLUDED: 6,
    StudyState.CANCELLED: 7,
    StudyState.DELIVERED: 8,
}
"""Worst first: what someone must look at stands at the top."""


@dataclass(frozen=True)
class StudyRow:
    """One study. Times are seconds since 1970; `due` is when it will be analysed if nothing more comes."""

    study_instance_uid: str
    state: StudyState
    reason: Reason | None
    grade: int | None
    images: int
    analysed: int
    excluded: int
    failed: int
    senders: tuple[str, ...]
    first_received: float | None
    last_received: float | None
    due: float | None
    updated: float
    revision: int
    digest: str | None
    generation: int
    seen: int


@dataclass(frozen=True)
class InstanceRow:
    """One instance of a study and how it ended."""

    study_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    status: str
    reason: Reason | None


@dataclass(frozen=True)
class DeliveryRow:
    """One revision's way to one destination. `committed` is None where no commitment is asked for."""

    study_instance_uid: str
    digest: str
    destination: str
    state: DeliveryState
    reason: Reason | None
    attempts: int
    objects: int
    stored: int
    committed: bool | None
    first_attempt: float | None
    next_attempt: float | None
    updated: float


@dataclass(frozen=True)
class EventRow:
    """One line of a study's history."""

    at: float
    event: str
    text: str


@dataclass(frozen=True)
class DestinationRow:
    """How deliveries to one destination stand."""

    destination: str
    waiting: int
    retrying: int
    confirming: int
    delivered: int
    failed: int
    reason: Reason | None
    next_attempt: float | None
