"""What is over goes; what is not confirmed stays."""

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp.retention import DAY, Retention
from scp.tables import studies

PACS = {"name": "pacs", "host": "127.0.0.1", "port": 1}


def _old_study(folder: Path, delivered: bool = True, **sections: Any) -> tuple[Bench, str]:
    bench = Bench(settings_for(folder, [PACS], **sections))
    study = bench.receive(four_views(rows=256, columns=192))
    revision = bench.run(study)
    state = "delivered" if delivered else "retrying"
    revision.write_receipt("pacs", revision.receipt("pacs").model_copy(update={"state": state}))
    bench.journal.record_delivery(study, revision.manifest.digest, "pacs", state=state)
    bench.journal.record_study(study, state="delivered" if delivered else "delivering")
    _age(bench, study, 15)
    return bench, study


def _age(bench: Bench, study: str, days: float) -> None:
    with bench.journal.engine.begin() as connection:
        row = studies.c.study_instance_uid == study
        connection.execute(update(studies).where(row).values(updated=time.time() - days * DAY))


def _retention(bench: Bench, forgotten: list[str] | None = None) -> Retention:
    return Retention(bench.settings, bench.work, (forgotten if forgotten is not None else []).append)


def test_an_old_delivered_study_goes_with_all_its_traces(tmp_path: Path) -> None:
    bench, study = _old_study(tmp_path)
    forgotten: list[str] = []
    assert _retention(bench, forgotten).run() == [study]
    assert forgotten == [study]
    assert bench.journal.study(study) is None
    assert not list((tmp_path / "spool" / "studies").iterdir())
    assert not list((tmp_path / "results").iterdir())
    assert '"event":"removed"' in "".join(path.read_text() for path in (tmp_path / "audit").iterdir())


def test_a_young_study_stays(tmp_path: Path) -> None:
    bench, study = _old_study(tmp_path)
    _age(bench, study, 13)
    assert _retention(bench).run() == []


def test_what_was_not_delivered_stays_however_old_and_full(tmp_path: Path) -> None:
    bench, study = _old_study(tmp_path, delivered=False, retention={"watermark": 0.0001})
    assert _retention(bench).run() == []
    bench.journal.record_study(study, state="failed")
    _age(bench, study, 1000)
    assert _retention(bench).run() == []


def test_an_excluded_study_whose_result_is_still_on_its_way_stays(tmp_path: Path) -> None:
    bench, study = _old_study(tmp_path, delivered=False)
    bench.journal.record_study(study, state="excluded")
    _age(bench, study, 15)
    assert _retention(bench).run() == []


def test_a_full_disk_takes_the_oldest_delivered_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, study = _old_study(tmp_path)
    _age(bench, study, 1)
    retention = _retention(bench)
    full = iter([True, False])
    monkeypatch.setattr(retention, "_disk_is_full", lambda: next(full))
    assert retention.run() == [study]


def test_what_a_sender_was_promised_is_kept(tmp_path: Path) -> None:
    bench, study = _old_study(tmp_path)
    bench.work.results.keep_until(study, time.time() + 60)
    assert _retention(bench).run() == []
