"""The benchmarks themselves: what a row says, and that small ones run and leave their figures behind."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.__main__ import TOPICS, main
from benchmarks.rows import Reach, Row, Samples, side_by_side

KEYS = {"name", "value", "unit", "baseline", "ratio", "reach", "met"}


@pytest.mark.parametrize(
    ("row", "ratio", "met"),
    [
        (Row("rate", 30.0, "MB/s", 20.0, reach=Reach(ratio=1.2)), 1.5, True),
        (Row("rate", 20.0, "MB/s", 30.0, reach=Reach(ratio=1.2)), 20 / 30, False),
        (Row("time", 2.0, "s", 6.0, reach=Reach(value=2.5, ratio=2)), 3.0, True),
        (Row("time", 3.0, "s", 6.0, reach=Reach(value=2.5, ratio=2)), 2.0, False),
        (Row("rate", 250.0, "objects/s", None, reach=Reach(value=300)), None, False),
        (Row("memory", 900.0, "MB", 850.0, reach=Reach(value=1500), also=False), 850 / 900, False),
        (Row("nothing reached for", 1.0, "ms", 1.0), 1.0, None),
        (Row("not measured", None, "patches/s", reach=Reach(value=20_000)), None, None),
    ],
)
def test_a_row_knows_which_way_is_better(row: Row, ratio: float | None, met: bool | None) -> None:
    assert row.ratio == ratio
    assert row.met is met


def test_sides_take_turns() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    ours, other = side_by_side(lambda: side("a"), lambda: side("b"), repeats=3)
    assert order == ["a", "b"] * 3
    assert (ours, other) == (Samples((1.0, 3.0, 5.0)), Samples((2.0, 4.0, 6.0)))
    assert (ours.median, ours.spread) == (3.0, 4 / 3)


def test_small_benchmarks_leave_their_figures(tmp_path: Path) -> None:
    figures = tmp_path / "bench.json"
    assert main(["decode", "growth", "--tiny", "--json", str(figures)]) == 0
    rows = json.loads(figures.read_text())
    names = [row["name"] for row in rows]
    assert {"decode.rle", "decode.htj2k", "objects", "growth.waiting.4"} <= set(names)
    assert len(set(names)) == len(names)
    assert all(row.keys() >= KEYS and row["value"] > 0 for row in rows)


def test_what_cannot_be_measured_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(_options: object) -> Iterator[Row]:
        yield Row("ingest.1", 800.0, "MB/s")
        raise FileNotFoundError("Orthanc is not installed: make system")

    monkeypatch.setitem(TOPICS, "ingest", rows)
    figures = tmp_path / "bench.json"
    assert main(["ingest", "--tiny", "--json", str(figures)]) == 0
    notes = {row["name"]: (row["value"], row["note"]) for row in json.loads(figures.read_text())}
    assert notes.pop("ingest.1") == (800.0, "")
    why = (None, "not measured: Orthanc is not installed: make system")
    assert notes == dict.fromkeys(("ingest.4", "ingest.small", "ingest.small.nagle", "association"), why)
