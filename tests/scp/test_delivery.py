"""What a destination answers, and what that means for the next attempt."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AllStoragePresentationContexts, evt

from peers.answering_pacs import Pacs, bench_with
from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp import operations
from scp.cstore import meaning

CAD_SR = "1.2.840.10008.5.1.4.1.1.88.50"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"


@pytest.mark.parametrize(
    ("status", "retry"),
    [
        (0x0000, None), (0xB000, None), (0xB007, None), (0x0111, None),
        (0x0110, "soon"), (0xA700, "soon"), (0xA7FF, "soon"), (None, "soon"),
        (0xC000, "few"), (0xCFFF, "few"), (0x0117, "few"),
        (0x0122, "never"), (0x0124, "never"), (0xA900, "never"),
    ],
)  # fmt: skip
def test_what_a_status_means(status: int | None, retry: str | None) -> None:
    assert meaning(status)[0] == retry
    assert bool(meaning(status)[1]) == (retry is not None)


def test_one_association_carries_the_batch(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs([0xB000, 0x0111])
    bench, study = bench_with(tmp_path, peer.port)
    assert bench.deliver(study, "pacs") is None
    assert bench.row(study).state == "delivered"
    assert (len(peer.received), peer.associations) == (6, 1)


def test_only_what_is_missing_is_sent_again(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs([0x0000, 0xA700])
    bench, study = bench_with(tmp_path, peer.port)
    assert bench.deliver(study, "pacs") == 1.0
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code) == ("delivering", "status-a700")
    assert bench.deliver(study, "pacs") is None
    assert len(peer.received) == len(set(peer.received)) == 6


def test_a_destination_that_is_away_is_tried_with_growing_waits(tmp_path: Path) -> None:
    bench, study = bench_with(tmp_path, 1)
    waits = [bench.deliver(study, "pacs") for _ in range(4)]
    assert waits == [1.0, 2.0, 4.0, 4.0]
    assert bench.row(study).state == "delivering"


def test_after_the_days_of_retry_it_gives_up(tmp_path: Path) -> None:
    bench, study = bench_with(tmp_path, 1)
    bench.deliver(study, "pacs")
    digest = bench.row(study).digest
    assert digest is not None
    revision = bench.work.results.revision(study, digest)
    week_ago = revision.receipt("pacs").model_copy(update={"first_attempt": time.time() - 8 * 86400})
    revision.write_receipt("pacs", week_ago)
    assert bench.deliver(study, "pacs") is None
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code) == ("failed", "unreachable")


def test_a_refusal_is_tried_a_few_times(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs([0xC123] * 30)
    bench, study = bench_with(tmp_path, peer.port)
    assert [bench.deliver(study, "pacs") for _ in range(3)] == [1.0, 2.0, None]
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code) == ("failed", "status-c123")
    assert row.reason is not None
    assert row.reason.remedy


def test_a_final_refusal_is_final_at_once(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs([0xA900])
    bench, study = bench_with(tmp_path, peer.port)
    assert bench.deliver(study, "pacs") is None
    assert bench.row(study).state == "failed"
    # everything else has arrived
    assert len(peer.received) == 5


def test_a_destination_that_knows_some_kinds_gets_those(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs(contexts=[(CAD_SR, ImplicitVRLittleEndian), (SEG, ImplicitVRLittleEndian)])
    bench, study = bench_with(tmp_path, peer.port)
    assert bench.deliver(study, "pacs") == 1.0
    row = bench.row(study)
    assert row.reason is not None
    assert row.reason.code == "context-rejected"
    assert len(peer.received) == 5


def test_an_abort_in_the_middle_loses_nothing(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    stored = threading.Semaphore(2)

    def abort_third(event: evt.Event) -> None:
        if not stored.acquire(blocking=False):
            event.assoc.abort()

    peer = pacs(before=abort_third)
    bench, study = bench_with(tmp_path, peer.port)
    assert bench.deliver(study, "pacs") is not None
    for _ in range(6):
        stored.release()
    assert bench.deliver(study, "pacs") is None
    assert len(set(peer.received)) == 6


def test_a_destination_that_never_answers_is_left(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    released = threading.Event()
    peer = pacs(before=lambda _event: released.wait(30))
    bench, study = bench_with(tmp_path, peer.port, response_timeout=0.5)
    started = time.monotonic()
    assert bench.deliver(study, "pacs") == 1.0
    assert time.monotonic() - started < 10
    released.set()


def test_results_go_only_where_the_sender_may_send(tmp_path: Path) -> None:
    tables = [
        {"name": "north", "host": "127.0.0.1", "senders": ["NORTH"]},
        {"name": "south", "host": "127.0.0.1", "senders": ["SOUTH"]},
        {"name": "archive", "host": "127.0.0.1"},
    ]
    bench = Bench(settings_for(tmp_path, tables))
    study = bench.receive(four_views(rows=256, columns=192), sender="SOUTH")
    bench.run(study)
    assert {row.destination for row in bench.journal.deliveries(study)} == {"south", "archive"}


def test_shadow_mode_keeps_and_sends_nothing(tmp_path: Path) -> None:
    table = {"name": "pacs", "host": "127.0.0.1"}
    bench = Bench(settings_for(tmp_path, [table], delivery={"mode": "shadow"}))
    study = bench.receive(four_views(rows=256, columns=192))
    revision = bench.run(study)
    assert bench.journal.deliveries(study) == []
    assert bench.row(study).state == "analysed"
    assert len(revision.objects or ()) == 6


def test_a_destination_gets_its_choice_of_objects(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs()
    bench, study = bench_with(tmp_path, peer.port, objects=["cad-sr"])
    assert bench.deliver(study, "pacs") is None
    assert len(peer.received) == 1


def test_a_result_whose_destination_was_renamed_is_failed_and_reaches_the_new_name_on_retry(
    tmp_path: Path, pacs: Callable[..., Pacs]
) -> None:
    _, study = bench_with(tmp_path, 1)
    peer = pacs()
    renamed = Bench(settings_for(tmp_path, [{"name": "archive", "host": "127.0.0.1", "port": peer.port}]))
    assert renamed.deliver(study, "pacs") is None
    rows = renamed.journal.deliveries(study)
    assert [(row.state, row.reason and row.reason.code) for row in rows] == [("failed", "destination-removed")]
    assert renamed.row(study).state == "failed"
    assert operations.retry(renamed.settings, study)["ok"]
    renamed.run(study)
    assert renamed.deliver(study, "archive") is None
    assert len(peer.received) == 6
    assert {row.destination: row.state for row in renamed.journal.deliveries(study)} == {
        "pacs": "cancelled",
        "archive": "delivered",
    }


def test_a_result_built_in_shadow_mode_is_not_sent_when_the_study_is_driven_again(tmp_path: Path) -> None:
    table = {"name": "pacs", "host": "127.0.0.1"}
    bench = Bench(settings_for(tmp_path, [table], delivery={"mode": "shadow"}))
    study = bench.receive(four_views(rows=256, columns=192))
    bench.run(study)
    sending = Bench(settings_for(tmp_path, [table]))
    sending.run(study)
    assert sending.journal.deliveries(study) == []
    assert operations.send(sending.settings, study, "pacs")["ok"]
    sending.run(study)
    assert [row.state for row in sending.journal.deliveries(study)] == ["waiting"]


def test_a_pacs_that_takes_no_segmentations_is_not_taken_for_one_that_is_away(
    tmp_path: Path, pacs: Callable[..., Pacs]
) -> None:
    known = [(cx.abstract_syntax, cx.transfer_syntax) for cx in AllStoragePresentationContexts]
    peer = pacs(contexts=[pair for pair in known if pair[0] != SEG])
    bench, study = bench_with(tmp_path, peer.port)
    delays = [bench.deliver(study, "pacs") for _ in range(3)]
    assert delays == [1.0, 2.0, None]  # refusal_retries = 2
    assert len(peer.received) == 2
    (row,) = bench.journal.deliveries(study)
    assert (row.state, row.reason and row.reason.code) == ("failed", "context-rejected")
    other = bench.receive(four_views(rows=256, columns=192))
    bench.run(other)
    assert bench.deliver(other, "pacs") == 1.0
    assert len(peer.received) == 4  # its reports did not wait


def test_a_file_of_ours_that_cannot_be_read_is_not_the_destinations_fault(
    tmp_path: Path, pacs: Callable[..., Pacs]
) -> None:
    peer = pacs()
    bench, study = bench_with(tmp_path, peer.port)
    revision = bench.work.results.revision(study, bench.row(study).digest or "")
    (revision.objects_folder / (revision.objects or ())[0].file).unlink()
    with pytest.raises(FileNotFoundError):
        bench.deliver(study, "pacs")
    other = bench.receive(four_views(rows=256, columns=192))
    bench.run(other)
    assert bench.deliver(other, "pacs") is None
    assert len(peer.received) == 6


def test_an_earlier_result_does_not_arrive_after_a_newer_one(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs()
    bench = Bench(settings_for(tmp_path, [{"name": "pacs", "host": "127.0.0.1", "port": peer.port}]))
    views = four_views(rows=256, columns=192)
    study = bench.receive(views[:3])
    first = bench.run(study).manifest.digest
    bench.receive(views[3:])
    newer = bench.run(study)
    assert bench.deliver(study, "pacs") is None
    assert bench.work.deliver(study, first, "pacs", bench.row(study).generation) is None
    assert sorted(peer.received) == sorted(item.sop_instance_uid for item in newer.objects or ())
    before = bench.journal.delivery(study, first, "pacs")
    assert before is not None
    assert (before.state, before.reason and before.reason.code) == ("cancelled", "overtaken")
    assert bench.row(study).state == "delivered"
