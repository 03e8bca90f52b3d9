"""Shadow mode: nothing leaves the node, whatever was on its way when it was switched on."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from peers.answering_pacs import Pacs, bench_with
from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp import operations
from scp.destinations import SHADOW
from scp.journal_rows import DeliveryRow
from scp.work import NodeWork


@pytest.fixture
def archive() -> Iterator[tuple[int, list[str]]]:
    """A PACS with storage commitment that reports nothing: its port, and what it was asked."""
    asked: list[str] = []
    ae = AE(ae_title="PACS")
    ae.supported_contexts = AllStoragePresentationContexts[:]
    ae.add_supported_context(StorageCommitmentPushModel)

    def note(event: evt.Event) -> Any:
        asked.append(event.event.name)
        return 0x0000 if event.event is evt.EVT_C_STORE else (0x0000, None)

    handlers = [(evt.EVT_C_STORE, note), (evt.EVT_N_ACTION, note)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    yield server.server_address[1], asked
    server.shutdown()


def _table(port: int, **destination: Any) -> dict[str, Any]:
    return {"name": "pacs", "host": "127.0.0.1", "port": port, "connect_timeout": 2.0, **destination}


def _shadow(folder: Path, table: dict[str, Any]) -> Bench:
    """The node in `folder`, started again in shadow mode."""
    return Bench(settings_for(folder, [table], delivery={"mode": "shadow"}))


def _delivery(bench: Bench, study: str) -> DeliveryRow:
    [row] = bench.journal.deliveries(study)
    return row


@pytest.mark.parametrize("tried", [0, 2])
def test_what_waits_or_is_retried_is_held_and_sent_when_the_mode_is_set_back(
    tmp_path: Path, pacs: Callable[..., Pacs], tried: int
) -> None:
    peer = pacs([0xA700] * 12)
    table = _table(peer.port)
    sending, study = bench_with(tmp_path, peer.port)
    for _ in range(tried):
        sending.deliver(study, "pacs")
    peer.statuses.clear()
    shadow = _shadow(tmp_path, table)
    assert [shadow.deliver(study, "pacs") for _ in range(2)] == [4.0, 4.0]  # longest_retry
    assert (peer.associations, peer.received) == (tried, [])
    held = _delivery(shadow, study)
    assert (held.state, held.reason, held.attempts) == ("retrying", SHADOW, tried)
    assert held.next_attempt is not None
    assert (shadow.row(study).state, shadow.row(study).reason) == ("delivering", SHADOW)
    back = Bench(settings_for(tmp_path, [table]))
    assert back.deliver(study, "pacs") is None
    assert len(peer.received) == 6
    assert (back.row(study).state, back.row(study).reason) == ("delivered", None)


def test_what_was_held_longer_than_the_days_of_retry_is_not_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts: list[object] = []
    monkeypatch.setattr(NodeWork, "_alert", lambda _work, alert: alerts.append(alert))
    sending, study = bench_with(tmp_path, 1)
    sending.deliver(study, "pacs")
    revision = sending.work.results.revision(study, sending.row(study).digest or "")
    begun = revision.receipt("pacs").model_copy(update={"first_attempt": time.time() - 8 * 86400})
    revision.write_receipt("pacs", begun)
    shadow = _shadow(tmp_path, _table(1))
    assert shadow.deliver(study, "pacs") == 4.0
    back = Bench(settings_for(tmp_path, [_table(1)]))
    assert back.deliver(study, "pacs") == 2.0  # its second failure
    assert (_delivery(back, study).state, alerts) == ("retrying", [])


def test_no_storage_commitment_is_asked_for(tmp_path: Path, archive: tuple[int, list[str]]) -> None:
    port, asked = archive
    table = _table(port, commitment=True, commitment_timeout=30.0)
    sending = Bench(settings_for(tmp_path, [table]))
    study = sending.receive(four_views(rows=64, columns=48))
    sending.run(study)
    assert sending.deliver(study, "pacs") == 30.0
    before = ["EVT_C_STORE"] * 6 + ["EVT_N_ACTION"]
    assert asked == before
    shadow = _shadow(tmp_path, table)
    assert shadow.deliver(study, "pacs") == 4.0
    assert asked == before
    held = _delivery(shadow, study)
    assert (held.state, held.reason) == ("confirming", SHADOW)
    back = Bench(settings_for(tmp_path, [table]))
    assert back.deliver(study, "pacs") == 30.0
    assert asked == [*before, "EVT_N_ACTION"]


def test_a_destination_that_the_settings_no_longer_have_ends_nothing(tmp_path: Path) -> None:
    _, study = bench_with(tmp_path, 1)
    shadow = Bench(settings_for(tmp_path, [], delivery={"mode": "shadow"}))
    assert shadow.deliver(study, "pacs") == 4.0
    assert _delivery(shadow, study).state == "retrying"


def test_cancel_ends_what_is_held(tmp_path: Path) -> None:
    _, study = bench_with(tmp_path, 1)
    shadow = _shadow(tmp_path, _table(1))
    shadow.deliver(study, "pacs")
    assert operations.cancel(shadow.settings, study)["ok"]
    assert shadow.deliver(study, "pacs") is None
    assert _delivery(shadow, study).state == "cancelled"


def test_the_operator_is_told_that_nothing_is_sent(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs()
    sending, study = bench_with(tmp_path, peer.port)
    assert sending.deliver(study, "pacs") is None
    shadow = _shadow(tmp_path, _table(peer.port))
    assert operations.send(shadow.settings, study, "pacs") == {
        "ok": False,
        "message": "The node is in shadow mode: results are kept and nothing is sent. "
        'To send again, set [delivery] mode = "send" and restart the node.',
    }
    assert _delivery(shadow, study).state == "delivered"


def test_a_retry_is_held_and_tried_at_once_when_the_mode_is_set_back(
    tmp_path: Path, pacs: Callable[..., Pacs]
) -> None:
    peer = pacs([0xA900])
    sending, study = bench_with(tmp_path, peer.port)
    assert sending.deliver(study, "pacs") is None
    assert _delivery(sending, study).state == "failed"
    shadow = _shadow(tmp_path, _table(peer.port))
    assert operations.retry(shadow.settings, study)["ok"]
    shadow.run(study)
    assert shadow.deliver(study, "pacs") == 4.0
    assert len(peer.received) == 5
    back = Bench(settings_for(tmp_path, [_table(peer.port)]))
    assert back.deliver(study, "pacs") is None
    assert len(peer.received) == 6


def test_an_earlier_result_that_was_held_is_not_sent_after_a_newer_one_was_made(
    tmp_path: Path, pacs: Callable[..., Pacs]
) -> None:
    peer = pacs()
    table, views = _table(peer.port), four_views(rows=256, columns=192)
    sending = Bench(settings_for(tmp_path, [table]))
    study = sending.receive(views[:3])
    first = sending.run(study).manifest.digest
    shadow = _shadow(tmp_path, table)
    shadow.receive(views[3:])
    shadow.run(study)
    back = Bench(settings_for(tmp_path, [table]))
    assert back.work.deliver(study, first, "pacs", back.row(study).generation) is None
    assert peer.received == []
    before = back.journal.delivery(study, first, "pacs")
    assert before is not None
    assert (before.state, before.reason and before.reason.code) == ("cancelled", "outdated")
    assert operations.send(back.settings, study, "pacs")["ok"]
    assert back.deliver(study, "pacs") is None
    newest = back.work.results.revision(study, back.row(study).digest or "")
    assert sorted(peer.received) == sorted(item.sop_instance_uid for item in newest.objects or ())
