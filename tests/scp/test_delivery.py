"""What a destination answers, and what that means for the next attempt."""

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, evt

from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp import operations
from scp.cstore import meaning
from scp.outcome import Outcome
from scp.result_folders import RevisionFolder

CAD_SR = "1.2.840.10008.5.1.4.1.1.88.50"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"


class Pacs:
    """Answers each C-STORE with the next of `statuses`, and 0x0000 when they are used up."""

    def __init__(
        self, statuses: Sequence[int] = (), contexts: Any = None, before: Callable[..., None] | None = None
    ) -> None:
        self.statuses = deque(statuses)
        self.received: list[str] = []
        self.associations = 0
        self._before = before
        ae = AE(ae_title="PACS")
        ae.supported_contexts = AllStoragePresentationContexts if contexts is None else []
        for abstract, syntax in contexts or ():
            ae.add_supported_context(abstract, syntax)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_ESTABLISHED, self._established)]
        self._server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()

    def _established(self, _event: evt.Event) -> None:
        self.associations += 1

    def _store(self, event: evt.Event) -> int:
        if self._before is not None:
            self._before(event)
        status = self.statuses.popleft() if self.statuses else 0x0000
        if status in (0x0000, 0xB000, 0x0111):
            self.received.append(str(event.dataset.SOPInstanceUID))
        return status


@pytest.fixture
def pacs() -> Iterator[Callable[..., Pacs]]:
    made: list[Pacs] = []

    def make(*arguments: Any, **options: Any) -> Pacs:
        made.append(Pacs(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _bench(folder: Path, port: int, **destination: Any) -> tuple[Bench, str]:
    table = {"name": "pacs", "host": "127.0.0.1", "port": port, "connect_timeout": 2.0, **destination}
    bench = Bench(settings_for(folder, [table]))
    study = bench.receive(four_views(rows=256, columns=192))
    bench.run(study)
    return bench, study


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
    bench, study = _bench(tmp_path, peer.port)
    assert bench.deliver(study, "pacs") is None
    assert bench.row(study).state == "delivered"
    assert (len(peer.received), peer.associations) == (6, 1)


def test_only_what_is_missing_is_sent_again(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs([0x0000, 0xA700])
    bench, study = _bench(tmp_path, peer.port)
    assert bench.deliver(study, "pacs") == 1.0
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code) == ("delivering", "status-a700")
    assert bench.deliver(study, "pacs") is None
    assert len(peer.received) == len(set(peer.received)) == 6


def test_a_destination_that_is_away_is_tried_with_growing_waits(tmp_path: Path) -> None:
    bench, study = _bench(tmp_path, 1)
    waits = [bench.deliver(study, "pacs") for _ in range(4)]
    assert waits == [1.0, 2.0, 4.0, 4.0]
    assert bench.row(study).state == "delivering"


def test_after_the_days_of_retry_it_gives_up(tmp_path: Path) -> None:
    bench, study = _bench(tmp_path, 1)
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
    bench, study = _bench(tmp_path, peer.port)
    assert [bench.deliver(study, "pacs") for _ in range(3)] == [1.0, 2.0, None]
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code) == ("failed", "status-c123")
    assert row.reason is not None
    assert row.reason.remedy


def test_a_final_refusal_is_final_at_once(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs([0xA900])
    bench, study = _bench(tmp_path, peer.port)
    assert bench.deliver(study, "pacs") is None
    assert bench.row(study).state == "failed"
    # everything else has arrived
    assert len(peer.received) == 5


def test_a_destination_that_knows_some_kinds_gets_those(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs(contexts=[(CAD_SR, ImplicitVRLittleEndian), (SEG, ImplicitVRLittleEndian)])
    bench, study = _bench(tmp_path, peer.port)
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
    bench, study = _bench(tmp_path, peer.port)
    assert bench.deliver(study, "pacs") is not None
    for _ in range(6):
        stored.release()
    assert bench.deliver(study, "pacs") is None
    assert len(set(peer.received)) == 6


def test_a_destination_that_never_answers_is_left(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    released = threading.Event()
    peer = pacs(before=lambda _event: released.wait(30))
    bench, study = _bench(tmp_path, peer.port, response_timeout=0.5)
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
    bench, study = _bench(tmp_path, peer.port, objects=["cad-sr"])
    assert bench.deliver(study, "pacs") is None
    assert len(peer.received) == 1


def test_a_destination_taken_out_of_the_settings_is_cancelled(tmp_path: Path) -> None:
    _, study = _bench(tmp_path, 1)
    without = Bench(settings_for(tmp_path))
    assert without.deliver(study, "pacs") is None
    rows = without.journal.deliveries(study)
    assert [(row.state, row.reason and row.reason.code) for row in rows] == [("cancelled", "destination-removed")]


@pytest.mark.parametrize(
    ("answer", "stored", "retry"),
    [
        (httpx.Response(200, json={"00081199": {"vr": "SQ", "Value": []}}), 6, None),
        (httpx.Response(503), 0, "soon"),
        (httpx.Response(401), 0, "few"),
        (httpx.Response(400), 0, "few"),
        (httpx.Response(202, text="no JSON"), 0, "few"),
    ],
)
def test_what_a_dicomweb_answer_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: httpx.Response, stored: int, retry: str | None
) -> None:
    outcome = _stow(tmp_path, monkeypatch, lambda _content: answer)
    assert (len(outcome.stored), outcome.retry) == (stored, retry)


def test_a_dicomweb_answer_names_what_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_one(instances: list[str]) -> httpx.Response:
        failed = {"00081155": {"vr": "UI", "Value": [instances[0]]}, "00081197": {"vr": "US", "Value": [0x0122]}}
        named = [{"00081155": {"vr": "UI", "Value": [uid]}} for uid in instances[1:]]
        content = {"00081198": {"vr": "SQ", "Value": [failed]}, "00081199": {"vr": "SQ", "Value": named}}
        return httpx.Response(409, json=content)

    outcome = _stow(tmp_path, monkeypatch, refuse_one)
    assert (len(outcome.stored), outcome.retry) == (5, "never")
    assert outcome.trouble is not None
    assert outcome.trouble.code == "status-0122"


def _stow(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: Callable[[list[str]], httpx.Response]) -> Outcome:
    from scp import stow
    from scp.outcome import Parcel

    bench = Bench(settings_for(folder, [{"name": "web", "url": "http://pacs.test/dicom-web"}]))
    study = bench.receive(four_views(rows=256, columns=192))
    revision = bench.run(study)
    objects = revision.objects or ()
    parcels = [
        Parcel(revision.objects_folder / item.file, item.sop_class_uid, item.sop_instance_uid) for item in objects
    ]
    instances = [item.sop_instance_uid for item in objects]

    def handle(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/dicom-web/studies"
        assert request.read().count(b"Content-Type: application/dicom") == 6
        return answer(instances)

    transport = httpx.MockTransport(handle)
    monkeypatch.setattr(stow, "_client", lambda _destination: httpx.Client(transport=transport))
    return stow.send(bench.settings.destinations[0], parcels)


def test_the_operator_s_word_goes_past_what_is_known_of_a_destination(
    tmp_path: Path, pacs: Callable[..., Pacs]
) -> None:
    peer = pacs()
    slow = {"delivery": {"first_retry": 60.0, "longest_retry": 240.0}}
    away = Bench(settings_for(tmp_path, [{"name": "pacs", "host": "127.0.0.1", "port": 1}], **slow))
    study = away.receive(four_views(rows=64, columns=48))
    away.run(study)
    assert away.deliver(study, "pacs") == 60.0
    assert operations.retry(away.settings, study)["ok"]
    away.run(study)
    # it is tried at once, and found to be away still
    assert away.deliver(study, "pacs") == 120.0
    back = Bench(settings_for(tmp_path, [{"name": "pacs", "host": "127.0.0.1", "port": peer.port}], **slow))
    assert back.deliver(study, "pacs") is None
    assert len(peer.received) == 6


def test_cancel_ends_an_attempt_that_waits_for_an_answer(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    released, asked = threading.Event(), threading.Event()
    peer = pacs(before=lambda _event: (asked.set(), released.wait(60)))
    bench, study = _bench(tmp_path, peer.port, response_timeout=60.0)
    attempt = threading.Thread(target=bench.deliver, args=(study, "pacs"))
    attempt.start()
    assert asked.wait(30)
    began = time.monotonic()
    assert operations.cancel(bench.settings, study)["ok"]
    attempt.join(60)
    assert time.monotonic() - began < 30
    released.set()
    [row] = bench.journal.deliveries(study)
    assert (row.state, bench.row(study).state) == ("cancelled", "cancelled")
    # and it is taken up again when the operator says so
    assert operations.retry(bench.settings, study)["ok"]
    bench.run(study)
    assert bench.deliver(study, "pacs") is None
    assert bench.row(study).state == "delivered"


def test_nothing_is_sent_while_no_receipt_can_be_written(
    tmp_path: Path, pacs: Callable[..., Pacs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a full disk would send the same results every two seconds."""
    peer = pacs()
    bench, study = _bench(tmp_path, peer.port)

    def full(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(RevisionFolder, "write_receipt", full)
        with pytest.raises(OSError, match="No space left"):
            bench.deliver(study, "pacs")
    assert peer.received == []
    assert bench.deliver(study, "pacs") is None
    assert len(peer.received) == 6
