"""Both databases damaged while the node is down; a stop, and the next start, with work in every state."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from peers import bad_pacs
from peers.orthanc import storescu
from peers.ports import free_port
from peers.running_node import RunningNode
from peers.waiting import wait_for
from phantoms.mammogram import write_study

HELD = 70.0
"""Seconds: longer than anything here waits for a database."""

Make = Callable[..., Any]


class Destination:
    """What has come to a PACS: SOP Instance UIDs by study, with repeats."""

    def __init__(self) -> None:
        self.got: dict[str, list[str]] = {}

    def keep(self, event: Any) -> int:
        """A C-STORE."""
        self.got.setdefault(str(event.dataset.StudyInstanceUID), []).append(str(event.dataset.SOPInstanceUID))
        return 0x0000


@pytest.fixture
def pacs() -> Iterator[tuple[Destination, dict[str, Any]]]:
    """A PACS, and its table in the settings."""
    place = Destination()
    with bad_pacs.pacs(EVT_C_STORE=place.keep) as port:
        yield place, {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": port}


def _study(folder: Path) -> tuple[str, list[Path]]:
    files = write_study(folder, rows=256, columns=192)
    return str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID), files


def test_damaged_databases_are_kept_aside_and_nothing_is_done_twice(node: Make, pacs: Any, tmp_path: Path) -> None:
    place, table = pacs
    mammonode = node(destinations=[table], seconds=1.0)
    study, files = _study(tmp_path / "study")
    storescu(files, mammonode.port)
    before = mammonode.wait_for_state(study, "delivered")
    result = (Path(before["result_folder"]) / "result.json").stat().st_mtime_ns
    mammonode.stop()
    for name in ("journal.db", "engine.db"):
        (mammonode.folder / "data" / name).write_bytes(b"\xff" * 8192)
        # SQLite would restore it from the log, if all of it were there
        (mammonode.folder / "data" / f"{name}-wal").unlink(missing_ok=True)

    mammonode.start()
    after = mammonode.wait_for_state(study, "delivered")

    assert (after["revision"], after["result_folder"]) == (1, before["result_folder"])
    assert (Path(after["result_folder"]) / "result.json").stat().st_mtime_ns == result
    assert len(list((mammonode.folder / "data").glob("*.db.corrupt-*Z"))) == 2
    assert len(place.got[study]) == 6


@pytest.mark.faults
@pytest.mark.parametrize("names", [("journal.db",), ("engine.db",), ("journal.db", "engine.db")])
def test_databases_that_are_held_for_more_than_a_minute_cost_time_only(
    node: Make, pacs: Any, tmp_path: Path, names: tuple[str, ...]
) -> None:
    """A backup or an operator's shell holds them: what comes is kept, what was begun is finished, and once."""
    place, table = pacs
    mammonode = node(destinations=[table], seconds=1.0)
    begun, files = _study(tmp_path / "begun")
    storescu(files, mammonode.port)
    mammonode.wait_for_state(begun, "analysing")
    with ExitStack() as held:
        for name in names:
            holder = held.enter_context(closing(sqlite3.connect(mammonode.folder / "data" / name, timeout=30)))
            holder.execute("BEGIN IMMEDIATE")
        ends = time.monotonic() + HELD
        late, others = _study(tmp_path / "late")
        storescu(others, mammonode.port)
        wait_for(lambda: time.monotonic() > ends, 2 * HELD)
        again, more = _study(tmp_path / "again")
        storescu(more, mammonode.port)

    for study in (begun, late, again):
        after = mammonode.wait_for_state(study, "delivered")
        assert (after["revision"], len(place.got[study])) == (1, 6)


@pytest.mark.parametrize("drain", [30.0, pytest.param(0.0, marks=pytest.mark.faults)])
def test_the_next_start_takes_on_what_a_stop_left_in_every_state(
    node: Make, pacs: Any, tmp_path: Path, drain: float
) -> None:
    """With the time to drain, the analysis that runs ends first; without, it is done again, and was no crash."""
    place, table = pacs
    late, port = Destination(), free_port()
    tables = [table, {**table, "name": "late", "port": port}]
    sections = {"node": {"drain_seconds": drain}, "studies": {"complete_quiet": 0.5, "incomplete_quiet": 600.0}}
    mammonode: RunningNode = node(destinations=tables, sections=sections, seconds=1.5)
    studies, files = zip(*(_study(tmp_path / str(number)) for number in range(4)), strict=True)
    delivering, analysing, _, halved = studies
    storescu(files[0], mammonode.port)
    mammonode.wait_for_state(delivering, "delivering")
    for number in (1, 2):
        storescu(files[number], mammonode.port)
    storescu(files[3][:2], mammonode.port)
    mammonode.wait_for_state(halved, "waiting")
    mammonode.wait_for_state(analysing, "analysing")

    mammonode.stop()
    counts = [path.read_text() for path in (mammonode.folder / "data" / "attempts").iterdir()]
    assert set(counts) <= ({"0"} if drain == 0.0 else set())
    mammonode.start()
    storescu(files[3][2:], mammonode.port)
    with bad_pacs.pacs(port, EVT_C_STORE=late.keep):
        for study in studies:
            assert mammonode.wait_for_state(study, "delivered")["revision"] == 1
            assert len(place.got[study]) == len(set(late.got[study])) == 6
