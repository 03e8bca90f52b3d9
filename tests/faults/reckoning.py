"""Studies received against studies delivered: lost, wrong, duplicated; and how long recovery took."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from faults.counted import Box, Line
from faults.sender import Sender, SentStudy, digest_of

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
EXPECTED = Counter(
    {
        "1.2.840.10008.5.1.4.1.1.88.50": 1,  # Mammography CAD SR
        "1.2.840.10008.5.1.4.1.1.88.34": 1,  # Comprehensive 3D SR
        SEGMENTATION: 4,
    }
)
HALF = 20
"""Half the side of the box that the fixed scorer finds in the middle of each image."""


@dataclass(frozen=True)
class Kill:
    """One kill; `port` of the listener that went with it, if one did."""

    at: float
    role: str
    port: int | None = None


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
    """The whole campaign. `spoiled`: instances that heard Success and do not lie in the spool as they were sent."""

    kills: dict[str, int]
    studies_sent: int
    studies_received: int
    repeated_associations: int
    spoiled: int
    destinations: dict[str, Destination]
    receiver_back: Recovery
    in_work_delivered: Recovery
    next_delivered: Recovery

    @property
    def ok(self) -> bool:
        """Lost 0, wrong 0, duplicated results 0."""
        found = self.destinations.values()
        return not self.spoiled and not any(item.lost or item.wrong or item.duplicated for item in found)

    def as_json(self) -> dict[str, Any]:
        """For the note."""
        return asdict(self) | {"ok": self.ok}

    def table(self) -> str:
        """For people."""
        kills = ", ".join(f"{role} {number}" for role, number in sorted(self.kills.items()))
        rows = [
            f"kills: {sum(self.kills.values())} ({kills})",
            f"studies sent {self.studies_sent}, received {self.studies_received}, "
            f"associations repeated by the sender {self.repeated_associations}, "
            f"instances spoiled after Success {self.spoiled}",
            f"{'destination':12} {'delivered':>9} {'lost':>5} {'wrong':>5} {'duplicated':>10} {'repeated sends':>14}",
        ]
        for name, item in self.destinations.items():
            counts = (item.delivered, item.lost, item.wrong, item.duplicated, item.repeated_sends)
            rows.append("{:12} {:9} {:5} {:5} {:10} {:14}".format(name, *counts))
        for what, item in (
            ("receiver killed -> first new Success there", self.receiver_back),
            ("any kill -> oldest study in work delivered", self.in_work_delivered),
            ("any kill -> next study delivered", self.next_delivered),
        ):
            rows.append(
                f"{what}: {item.events} times, "
                f"median {item.median:.1f} s, p95 {item.p95:.1f} s, longest {item.longest:.1f} s"
            )
        return "\n".join(rows)


def reckon(
    sender: Sender, lines: Mapping[str, Sequence[Line]], kills: Sequence[Kill], spool: Path | None = None
) -> Reckoning:
    """Count what the independent sender heard against what the independent destinations, and the spool, have."""
    received = {study.uid: study for study in sender.studies if study.received is not None}
    complete = _completed(next(iter(lines.values())))
    return Reckoning(
        kills=dict(Counter(kill.role for kill in kills)),
        studies_sent=len(sender.studies),
        studies_received=len(received),
        repeated_associations=sender.repeats,
        spoiled=sum(_spoiled(spool / study.uid, study) for study in received.values()) if spool else 0,
        destinations={name: _destination(received, found) for name, found in lines.items()},
        receiver_back=_recovery(_receiver_back(sender.successes, kills)),
        in_work_delivered=_recovery(_in_work(received.values(), complete, kills)),
        next_delivered=_recovery(_next(complete, kills)),
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
        wrong += _wrong(list(by_study[uid].values()), study)
    return Destination(delivered, lost, wrong, duplicated, repeated)


def _wrong(lines: Sequence[Line], study: SentStudy) -> int:
    """Objects that name another patient, refer to what is not of the study, or mark another place than is to be."""
    own = {line.instance for line in lines}
    marked = Counter(uid for line in lines if line.sop_class == SEGMENTATION for uid in line.references)
    return sum(
        line.patient != study.patient
        or not set(line.references) <= own | study.pixels.keys()
        or len(study.pixels.keys() & line.references) != (1 if line.sop_class == SEGMENTATION else 4)
        or len(line.boxes) != (1 if line.sop_class == SEGMENTATION else 4)
        or any(box != _middle(study) for box in line.boxes)
        or (line.sop_class == SEGMENTATION and any(marked[uid] > 1 for uid in line.references))
        for line in lines
    )


def _middle(study: SentStudy) -> Box:
    x, y = study.columns / 2, study.rows / 2
    return x - HALF, y - HALF, x + HALF, y + HALF


def _spoiled(folder: Path, study: SentStudy) -> int:
    return sum(
        not any(_holds(path, digest) for path in folder.glob(f"{instance}.*.dcm"))
        for instance, digest in study.pixels.items()
    )


def _holds(path: Path, digest: str) -> bool:
    try:
        return digest_of(dcmread(path)) == digest
    except (InvalidDicomError, AttributeError, OSError):  # no DICOM file any more, or without pixels
        return False


def _completed(lines: Sequence[Line]) -> dict[str, float]:
    """When each study had its last object for the first time, by study."""
    seen: dict[str, set[str]] = defaultdict(set)
    complete: dict[str, float] = {}
    for line in lines:
        seen[line.study].add(line.instance)
        if len(seen[line.study]) == EXPECTED.total():
            complete.setdefault(line.study, line.at)
    return complete


def _receiver_back(successes: Sequence[tuple[float, int]], kills: Sequence[Kill]) -> list[float]:
    gaps = []
    for kill in kills:
        after = [moment for moment, port in successes if port == kill.port and moment > kill.at]
        if after:
            gaps.append(min(after) - kill.at)
    return gaps


def _in_work(studies: Iterable[SentStudy], complete: Mapping[str, float], kills: Sequence[Kill]) -> list[float]:
    """From each kill to the delivery of the study that was received first among those not yet delivered."""
    gaps = []
    for kill in kills:
        waiting = [
            (study.received, complete[study.uid])
            for study in studies
            if study.received is not None and study.received < kill.at < complete.get(study.uid, 0.0)
        ]
        if waiting:
            gaps.append(min(waiting)[1] - kill.at)
    return gaps


def _next(complete: Mapping[str, float], kills: Sequence[Kill]) -> list[float]:
    return [min(later) - kill.at for kill in kills if (later := [end for end in complete.values() if end > kill.at])]


def _recovery(gaps: Sequence[float]) -> Recovery:
    if not gaps:
        return Recovery(0, 0.0, 0.0, 0.0)
    ordered = sorted(gaps)
    return Recovery(
        len(gaps), statistics.median(gaps), ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], ordered[-1]
    )
