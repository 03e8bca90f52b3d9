"""What is sent, and what an attempt to send it came to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inference.results import Reason

Retry = Literal["soon", "few", "never"]
"""`soon`: until delivery.retry_days are over; `few`: delivery.refusal_retries times; `never`: at once final."""


class UnreadableParcelError(Exception):
    """A file of ours cannot be read: no fault of the destination's. `error` says why."""

    def __init__(self, error: OSError) -> None:
        self.error = error
        super().__init__(str(error))


@dataclass(frozen=True)
class Parcel:
    """One stored object: its file, SOP class and instance."""

    file: Path
    sop_class_uid: str
    sop_instance_uid: str

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around whatever reads the file. Raises UnreadableParcelError."""
        try:
            yield
        except OSError as error:
            raise UnreadableParcelError(error) from error


@dataclass(frozen=True)
class Outcome:
    """What one attempt came to: the instances confirmed by status, and the trouble with the rest, if any."""

    stored: tuple[str, ...]
    trouble: Reason | None = None
    retry: Retry | None = None
