"""What the independent destinations wrote down."""

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of the outermost points."""


@dataclass(frozen=True)
class Line:
    """One C-STORE at a destination. `boxes`: of each polyline of a report, or of a segmentation's pixels."""

    at: float
    study: str
    instance: str
    sop_class: str
    patient: str
    sha256: str
    references: list[str]
    boxes: list[Box]


@dataclass
class CountedLog:
    """A destination's log, read on from where the last look ended; its last line may still be being written."""

    path: Path
    _lines: list[Line] = field(default_factory=list)
    _read: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lines(self) -> list[Line]:
        """All so far."""
        with self._lock:
            if self.path.exists():
                with self.path.open("rb") as file:
                    file.seek(self._read)
                    whole, _, _ = file.read().rpartition(b"\n")
                for text in whole.splitlines():
                    self._lines.append(_line(text))
                self._read += len(whole) + bool(whole)
            return list(self._lines)


def _line(text: bytes) -> Line:
    found = json.loads(text)
    boxes = [
        (float(left), float(top), float(right), float(bottom)) for left, top, right, bottom in found.pop("boxes")
    ]
    return Line(**found, boxes=boxes)
