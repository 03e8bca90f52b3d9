"""One measured figure beside its baseline, and how both are taken."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

RATES = {"MB/s", "objects/s", "patches/s", "associations/s", "studies/h"}
"""Units of which more is better; of every other unit less is."""


class Reach(NamedTuple):
    """What the row is to reach: a limit on its value, a ratio to its baseline, or both."""

    value: float | None = None
    ratio: float | None = None


class Samples(NamedTuple):
    """Repeats of one measurement."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """From the lowest to the highest, as a share of the median."""
        return (max(self.values) - min(self.values)) / self.median if self.median else 0.0


@dataclass(frozen=True)
class Row:
    """`ratio` says how many times better than the baseline: above 1 is better, whatever the unit.

    `also` is a further condition of the reach (CPU, memory) with its own words in `note`.
    """

    name: str
    value: float | None
    unit: str
    baseline: float | None = None
    spread: float | None = None
    reach: Reach | None = None
    also: bool = True
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the baseline."""
        if not self.value or not self.baseline:
            return None
        return self.value / self.baseline if self.unit in RATES else self.baseline / self.value

    @property
    def met(self) -> bool | None:
        """Whether the reach is met; None where there is none or nothing was measured."""
        if self.reach is None or self.value is None:
            return None
        enough = self.also
        if self.reach.value is not None:
            more_is_better = self.unit in RATES
            enough &= self.value >= self.reach.value if more_is_better else self.value <= self.reach.value
        if self.reach.ratio is not None:
            enough &= (self.ratio or 0.0) >= self.reach.ratio
        return enough

    @property
    def reach_words(self) -> str:
        """The reach for people: '20000 patches/s and 8 x'."""
        if self.reach is None:
            return ""
        limits = [f"{self.reach.value:g} {self.unit}"] if self.reach.value is not None else []
        return " and ".join(limits + ([f"{self.reach.ratio:g} x"] if self.reach.ratio is not None else []))

    def as_json(self) -> dict[str, Any]:
        """What bench.json says of it."""
        return {
            "name": self.name,
            "value": _rounded(self.value),
            "unit": self.unit,
            "baseline": _rounded(self.baseline),
            "ratio": _rounded(self.ratio),
            "reach": self.reach_words or None,
            "met": self.met,
            "spread": _rounded(self.spread),
            "note": self.note,
        }


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long it takes by that clock."""
    started = clock()
    work()
    return clock() - started


def side_by_side(*sides: Callable[[], float], repeats: int) -> tuple[Samples, ...]:
    """Measure the sides in turn, `repeats` times, so that a noisy neighbour hits all of them alike."""
    found: list[list[float]] = [[] for _ in sides]
    for _ in range(repeats):
        for side, values in zip(sides, found, strict=True):
            values.append(side())
    return tuple(Samples(tuple(values)) for values in found)


def timed(
    name: str,
    ours: Callable[[], object],
    baseline: Callable[[], object] | None,
    *,
    repeats: int,
    unit: str = "s",
    amount: float = 1.0,
    reach: Reach | None = None,
    note: str = "",
    warm: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> Row:
    """A row from two pieces of work, each run once before if it is to be `warm`; `amount` is what one run does.

    A rate is amount over time; a time is per piece of the amount. `clock` may be the CPU seconds of this process,
    which neighbours hardly touch, where one thread does the work.
    """
    sides: Sequence[Callable[[], object]] = (ours,) if baseline is None else (ours, baseline)
    if warm and repeats > 1:
        for side in sides:
            side()

    def measured(side: Callable[[], object]) -> Callable[[], float]:
        scale = 1000.0 if unit == "ms" else 1.0
        return lambda: amount / seconds(side, clock) if unit in RATES else scale * seconds(side, clock) / amount

    samples = side_by_side(*map(measured, sides), repeats=repeats)
    return Row(
        name,
        samples[0].median,
        unit,
        samples[1].median if baseline is not None else None,
        samples[0].spread,
        reach,
        note=note,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
