"""A damaged or lost database, a repeated step, a database that is away: files are the truth."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError, OperationalError

from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp.databases import set_damaged_aside
from scp.durable import hold, write_durably
from scp.leftovers import sweep
from scp.recovery import is_corrupt, open_journal

SMALL = {"rows": 256, "columns": 192}
PACS = {"name": "pacs", "host": "127.0.0.1", "port": 1}


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[:4096] = b"\xff" * 4096
    path.write_bytes(content)


def test_a_damaged_journal_is_set_aside_and_rebuilt_without_a_second_analysis(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, [PACS])
    bench = Bench(settings)
    study = bench.receive(four_views(**SMALL))
    first = bench.run(study)
    first.write_receipt("pacs", first.receipt("pacs").model_copy(update={"state": "delivered", "stored": ("1.2",)}))
    bench.journal.close()
    _damage(tmp_path / "journal.db")

    aside = set_damaged_aside(settings)
    assert [path.name.split("-")[0] for path in aside] == ["journal.db.corrupt"]
    assert all(path.exists() for path in aside)
    open_journal(settings).close()
    again = Bench(settings)
    row = again.row(study)
    assert row.state == "received"
    assert row.generation > 0
    second = again.run(study)
    assert second.path == first.path
    assert again.analyser.calls == 0
    assert again.deliver(study, "pacs") is None
    assert (again.row(study).state, again.row(study).revision) == ("delivered", 1)


def _truncate(path: Path) -> None:
    path.write_bytes(b"")


def _rubbish_in_the_log(path: Path) -> None:
    Path(f"{path}-wal").write_bytes(b"\x37\x7f\x06\x82" + os.urandom(40_000))


def _log_gone(path: Path) -> None:
    Path(f"{path}-wal").unlink(missing_ok=True)
    Path(f"{path}-shm").unlink(missing_ok=True)


def _half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _rubbish_inside(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE studies")
        connection.execute("CREATE TABLE studies (something_else TEXT)")
        connection.execute("PRAGMA user_version=99")
        connection.commit()


@pytest.mark.parametrize(
    ("harm", "killed", "aside"),
    [
        (_truncate, True, ""),
        (_truncate, False, ""),
        (_rubbish_in_the_log, True, ""),
        (_log_gone, True, ""),
        (_half, False, "corrupt"),
        (_rubbish_inside, False, "corrupt"),
        (_newer, False, "newer"),
    ],
)
def test_whatever_becomes_of_the_journal_nothing_is_analysed_or_sent_twice(
    tmp_path: Path, harm: Callable[[Path], None], killed: bool, aside: str
) -> None:
    settings = settings_for(tmp_path, [PACS])
    bench = Bench(settings)
    study = bench.receive(four_views(rows=64, columns=48))
    first = bench.run(study)
    first.write_receipt("pacs", first.receipt("pacs").model_copy(update={"state": "delivered", "stored": ("1.2",)}))
    # after a kill, not all of it has come from the log into the file
    copy = {path: path.read_bytes() for path in tmp_path.glob("journal.db*")} if killed else {}
    bench.journal.close()
    for path, content in copy.items():
        path.write_bytes(content)
    harm(tmp_path / "journal.db")

    found = set_damaged_aside(settings)
    assert [path.name.split("-")[0] for path in found] == ([f"journal.db.{aside}"] if aside else [])
    open_journal(settings).close()
    again = Bench(settings)
    assert again.run(study).path == first.path
    assert again.analyser.calls == 0
    assert again.deliver(study, "pacs") is None
    assert (again.row(study).state, again.row(study).revision) == ("delivered", 1)


def test_a_database_that_another_process_holds_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(tmp_path)
    Bench(settings).journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.db", timeout=0, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        assert set_damaged_aside(settings) == []
        waits: list[float] = []

        def let_go(seconds: float) -> None:
            waits.append(seconds)
            holder.close()

        monkeypatch.setattr("scp.journal.BUSY", 0.1)
        monkeypatch.setattr("scp.recovery.time.sleep", let_go)
        open_journal(settings).close()
    assert len(waits) == 1


def test_what_killed_processes_have_left_is_overwritten_and_removed(tmp_path: Path) -> None:
    for place in ("attempts", "commitment/reports", "results/1.2/abc"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / ".writing-xyz").write_bytes(b"Doe^Jane")
    (tmp_path / "results/1.2/abc/.objects-xyz").mkdir()
    (tmp_path / "results/1.2/abc/.objects-xyz/cad-sr.dcm").write_bytes(b"Doe^Jane")
    os.link(tmp_path / "results/1.2/abc/.objects-xyz/cad-sr.dcm", tmp_path / "evidence")
    (tmp_path / "results/1.2/current.json").write_bytes(b"{}")
    assert sweep(tmp_path) == 0, "it may be in the making"
    assert sweep(tmp_path, older=-1.0) == 4
    assert (tmp_path / "evidence").read_bytes() == bytes(8)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["evidence", "current.json"]


def test_a_sound_database_stays(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    Bench(settings).journal.close()
    assert set_damaged_aside(settings) == []


def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    (tmp_path / "engine.db").write_bytes(b"not a database" * 1000)
    assert [path.name.split("-")[0] for path in set_damaged_aside(settings)] == ["engine.db.corrupt"]


def test_damage_is_told_from_a_lock() -> None:
    def of(text: str) -> OperationalError:
        return OperationalError("SELECT 1", {}, sqlite3.OperationalError(text))

    assert is_corrupt(DatabaseError("SELECT 1", {}, sqlite3.DatabaseError("database disk image is malformed")))
    assert not is_corrupt(of("database is locked"))


def test_every_step_repeated_finds_its_own_work(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path))
    study = bench.receive(four_views(**SMALL))
    first = bench.run(study)
    before = {path: path.read_bytes() for path in first.objects_folder.iterdir()}
    digest = first.manifest.digest
    assert bench.work.analyse(study, digest)
    bench.work.build(study, digest)
    assert {path: path.read_bytes() for path in first.objects_folder.iterdir()} == before
    assert bench.analyser.calls == 1


def test_a_build_killed_half_way_is_done_again_with_the_same_time(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path))
    study = bench.receive(four_views(**SMALL))
    first = bench.run(study)
    uids = [item.sop_instance_uid for item in first.objects or ()]
    record = first.record
    # what a kill before the rename leaves behind
    first.objects_folder.rename(first.path / ".objects-half")
    bench.work.build(study, first.manifest.digest)
    assert [item.sop_instance_uid for item in first.objects or ()] == uids
    assert first.record == record
    assert not list(first.path.glob(".objects-*"))


def test_nothing_half_written_is_ever_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "receipt.json"
    write_durably(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_slot_runs_once(tmp_path: Path) -> None:
    hold(tmp_path / "slot.lock")
    with pytest.raises(BlockingIOError):
        hold(tmp_path / "slot.lock")
