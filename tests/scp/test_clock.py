"""The clock is set back, by an hour or by years: the latest image still counts, and nothing waits for ever."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp import spool as spooling
from scp.clock import wake_after_set_back
from scp.spool import Spool

PACS = {"name": "pacs", "host": "127.0.0.1", "port": 1}
YEAR = 365 * 86400.0


class EarlierClock(datetime):
    """A year behind."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) - timedelta(days=365)


def test_a_correction_that_comes_after_the_clock_was_set_back_is_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(settings_for(tmp_path, [PACS]))
    first, *_ = four_views(rows=256, columns=192)
    study = bench.receive([first])
    before = Spool(tmp_path / "spool").instances(study)[0]
    monkeypatch.setattr(spooling, "datetime", EarlierClock)
    first.PatientComments = "corrected"
    assert bench.receive([first]) == study
    monkeypatch.undo()
    versions = Spool(tmp_path / "spool").versions(study)
    assert len(versions) == 2
    (latest,) = Spool(tmp_path / "spool").instances(study)
    assert latest.path != before.path
    assert latest.received == before.received + timedelta(microseconds=1)


def test_a_study_from_the_future_waits_no_longer_than_any_other(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path, [PACS]))
    study = bench.receive(four_views(rows=256, columns=192)[:1])
    (instance,) = Spool(tmp_path / "spool").instances(study)
    ahead = (datetime.now(UTC) + timedelta(days=365)).strftime(spooling.RECEIVED)
    instance.path.rename(instance.path.with_name(f"{instance.sop_instance_uid}.{ahead}.dcm"))
    found = bench.work.settling.notice(study)
    assert found is not None
    assert found[1] == pytest.approx(time.time() + 600, abs=30)


def test_what_waits_for_a_time_of_the_old_clock_is_woken(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path, [PACS]))
    study, *others = (bench.receive(four_views(rows=256, columns=192)[:1]) for _ in range(2))
    for uid in (study, *others):
        assert bench.work.settling.notice(uid) is not None
    delivered = bench.receive(four_views(rows=256, columns=192))
    digest = bench.run(delivered).manifest.digest
    bench.journal.record_study(study, due=time.time() + YEAR)
    place = delivered, digest, "pacs"
    driven: list[str] = []
    woken: list[tuple[str, str, str]] = []

    def look() -> None:
        wake_after_set_back(bench.settings, bench.journal, driven.append, lambda *of: woken.append(of))

    bench.journal.record_delivery(*place, state="retrying", next_attempt=time.time() + 300)
    look()
    assert (driven, woken) == ([study], [])
    bench.journal.record_delivery(*place, state="retrying", next_attempt=time.time() + YEAR)
    look()
    assert (driven, woken) == ([study, study], [place])
