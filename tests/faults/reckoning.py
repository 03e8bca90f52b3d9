"""Studies received against studies delivered: lost, wrong, duplicated; and how long recovery took."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from faults.sender import Sender, SentStudy

EXPECTED = Counter(
    {
        "1.2.840.10008.5.1.4.1.1.88.50": 1,  # Mammography CAD SR
        "1.2.840.10008.5.1.4.1.1.88.34": 1,  # Comprehensive 3D SR
        "1.2.840.10008.5.1.4.1.1.66.4": 4,  # Segmentation
    }
)


@dataclass(frozen=True)
class Line:
    """One C-STORE at a destination."""

    at: float
    study: str
    instance: str
    sop_class: str
    patient: str
    sha256: str
    references: list[str]


@dataclass(frozen=True)
class Destination:
    """What arrived at one destination."""

    delivered: int
    lost: int
    wrong: int
    duplicated: int
    repeated_sends: int


@dataclass(frozen=True)
class Recovery:
    """Seconds from a kill: median, 95th percentile and longest."""

    events: int
    median: float
    p95: float
    longest: float


@dataclass(frozen=True)
class Reckoning:
    """The whole campaign."""

    kills: dict[str, int]
    studies_sent: int
    studies_received: int
    repeated_associations: int
    destinations: dict[str, Destination]
    receiver_back: Recovery
    study_delivered: Recovery

    @property
    def ok(self) -> bool:
        """Lost 0, wrong 0, duplicated results 0."""
        return all(not (item.lost or item.wrong or item.duplicated) for item in self.destinations.values())

    def as_json(self) -> dict[str, Any]:
        """For the note."""
        return asdict(self) | {"ok": self.ok}

    def table(self) -> str:
        """For people."""
        kills = ", ".join(f"{role} {number}" for role, number in sorted(self.kills.items()))
        rows = [
            f"kills: {sum(self.kills.values())} ({kills})",
            f"studies sent {self.studies_sent}, received {self.studies_received}, "
            f"associations repeated by the sender {self.repeated_associations}",
            f"{'destination':12} {'delivered':>9} {'lost':>5} {'wrong':>5} {'duplicated':>10} {'repeated sends':>14}",
        ]
        for name, item in self.destinations.items():
            counts = (item.delivered, item.lost, item.wrong, item.duplicated, item.repeated_sends)
            rows.append("{:12} {:9} {:5} {:5} {:10} {:14}".format(name, *counts))
        for what, item in (
            ("receiver killed -> first new Success", self.receiver_back),
            ("any kill -> next study delivered", self.study_delivered),
        ):
            rows.append(f"{what}: median {item.median:.1f} s, p95 {item.p95:.1f} s, longest {item.longest:.1f} s")
        return "\n".join(rows)


def reckon(sender: Sender, lines: Mapping[str, Sequence[Line]], kills: Sequence[tuple[float, str]]) -> Reckoning:
    """Count what the independent sender heard against what the independent destinations saw."""
    received = {study.uid: study for study in sender.studies if study.received is not None}
    steady = next(iter(lines.values()))
    return Reckoning(
        kills=dict(Counter(role for _, role in kills)),
        studies_sent=len(sender.studies),
        studies_received=len(received),
        repeated_associations=sender.repeats,
        destinations={name: _destination(received, found) for name, found in lines.items()},
        receiver_back=_receiver_back(sender, kills),
        study_delivered=_study_delivered(steady, kills),
    )


def _destination(received: Mapping[str, SentStudy], lines: Sequence[Line]) -> Destination:
    by_study: dict[str, dict[str, Line]] = defaultdict(dict)
    wrong = repeated = 0
    for line in lines:
        if line.instance in by_study[line.study]:
            repeated += 1
            wrong += by_study[line.study][line.instance].sha256 != line.sha256
        by_study[line.study][line.instance] = line
    lost = duplicated = delivered = 0
    for uid, study in received.items():
        classes = Counter(line.sop_class for line in by_study[uid].values())
        lost += bool(EXPECTED - classes)
        duplicated += sum((classes - EXPECTED).values())
        delivered += not EXPECTED - classes
        wrong += sum(not _right(line, study) for line in by_study[uid].values())
    return Destination(delivered, lost, wrong, duplicated, repeated)


def _right(line: Line, study: SentStudy) -> bool:
    """It names the right patient, and refers to images of its study only."""
    others = {uid for uid in line.references if uid not in study.instances and not uid.startswith("2.25.")}
    return line.patient == study.patient and not others


def _receiver_back(sender: Sender, kills: Sequence[tuple[float, str]]) -> Recovery:
    times = sorted(sender.successes)
    gaps = []
    for at, role in kills:
        if role in ("receiver", "supervisor"):
            after = [moment for moment in times if moment > at]
            if after:
                gaps.append(after[0] - at)
    return _recovery(gaps)


def _study_delivered(lines: Sequence[Line], kills: Sequence[tuple[float, str]]) -> Recovery:
    complete: dict[str, float] = {}
    for line in lines:
        complete[line.study] = max(complete.get(line.study, 0.0), line.at)
    gaps = [min(later) - at for at, _role in kills if (later := [end for end in complete.values() if end > at])]
    return _recovery(gaps)


def _recovery(gaps: Sequence[float]) -> Recovery:
    if not gaps:
        return Recovery(0, 0.0, 0.0, 0.0)
    ordered = sorted(gaps)
    return Recovery(
        len(gaps), statistics.median(gaps), ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], ordered[-1]
    )
