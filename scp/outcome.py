"""What is sent, and what an attempt to send it came to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inference.results import Reason

Retry = Literal["soon", "few", "never"]
"""`soon`: until delivery.retry_days are over; `few`: delivery.refusal_retries times; `never`: at once final."""


@dataclass(frozen=True)
class Parcel:
    """One stored object: its file, SOP class and instance."""

    file: Path
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Outcome:
    """What one attempt came to: the instances confirmed by status, and the trouble with the rest, if any."""

    stored: tuple[str, ...]
    trouble: Reason | None = None
    retry: Retry | None = None
