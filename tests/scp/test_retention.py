"""What is over goes; what is not confirmed stays."""

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp import spool as spooling
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


def test_an_image_that_comes_while_others_are_removed_stays_with_its_study(tmp_path: Path) -> None:
    bench, older = _old_study(tmp_path)
    late, *others = four_views(rows=256, columns=192)
    study = bench.receive(others)
    revision = bench.run(study)
    bench.journal.record_delivery(study, revision.manifest.digest, "pacs", state="delivered")
    bench.journal.record_study(study, state="delivered")
    _age(bench, study, 15)
    _age(bench, older, 16)

    def forget(gone: str) -> None:
        if gone == older:  # the list of candidates was read before
            bench.receive([late])

    assert Retention(bench.settings, bench.work, forget).run() == [older]
    assert len(bench.receiver.versions(study)) == 4
    assert bench.work.settling.notice(study) is not None
    assert bench.row(study).state == "waiting"


def test_a_removal_that_was_interrupted_goes_on_and_makes_no_new_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, study = _old_study(tmp_path)
    deleted = iter([True, True, False])
    real = spooling.secure_delete

    def die(path: Path) -> None:
        if not next(deleted):
            raise KeyboardInterrupt
        real(path)

    monkeypatch.setattr(spooling, "secure_delete", die)
    with pytest.raises(KeyboardInterrupt):
        _retention(bench).run()
    monkeypatch.undo()
    assert len(bench.receiver.versions(study)) == 2
    assert bench.work.settling.notice(study) is None  # what the next start's sweep asks
    _age(bench, study, 0)  # even if neither age nor the disk asks for it any more
    assert _retention(bench).run() == [study]
    assert bench.journal.study(study) is None
    assert list(bench.receiver.study_uids()) == []


def test_an_earlier_result_that_failed_does_not_keep_a_delivered_study(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path, [PACS]))
    views = four_views(rows=256, columns=192)
    study = bench.receive(views[:3])
    first = bench.run(study).manifest.digest
    bench.receive(views[3:])
    second = bench.run(study).manifest.digest
    bench.journal.record_delivery(study, first, "pacs", state="failed")
    bench.journal.record_delivery(study, second, "pacs", state="delivered")
    bench.journal.record_study(study, state="delivered")
    _age(bench, study, 15)
    assert _retention(bench).run() == [study]


def test_studies_that_must_stay_do_not_hide_those_that_may_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scp.retention.AT_ONCE", 1)
    bench, kept = _old_study(tmp_path)
    bench.work.results.keep_until(kept, time.time() + 60)
    may_go = []
    for days in (16, 17, 18):
        _, study = _old_study(tmp_path)
        _age(bench, study, days)
        may_go.insert(0, study)
    _age(bench, kept, 100)
    assert _retention(bench).run() == may_go


def test_what_a_sender_was_promised_is_kept(tmp_path: Path) -> None:
    bench, study = _old_study(tmp_path)
    bench.work.results.keep_until(study, time.time() + 60)
    assert _retention(bench).run() == []
