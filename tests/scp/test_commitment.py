"""Storage commitment as SCU: reports, their absence, strangers' reports; with a peer that answers as told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp import commitment
from scp.commitment_messages import FAILURE, NO_RESOURCES, SUCCESS


class Archive:
    """Stores everything; what it says to N-ACTION is up to the test."""

    def __init__(self, status: int = 0x0000) -> None:
        self.status = status
        self.stored: list[str] = []
        self.asked: list[Dataset] = []
        self.at_once: Callable[[Dataset], object] = lambda _asked: None
        ae = AE(ae_title="PACS")
        ae.supported_contexts = AllStoragePresentationContexts[:]
        ae.add_supported_context(StorageCommitmentPushModel)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_N_ACTION, self._action)]
        self._server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()

    def _store(self, event: evt.Event) -> int:
        self.stored.append(str(event.dataset.SOPInstanceUID))
        return 0x0000

    def _action(self, event: evt.Event) -> tuple[int, None]:
        self.asked.append(event.action_information)
        self.at_once(event.action_information)
        return self.status, None


@pytest.fixture
def archive() -> Iterator[Archive]:
    one = Archive()
    yield one
    one.close()


@pytest.fixture
def bench(tmp_path: Path, archive: Archive) -> Bench:
    table = {
        "name": "pacs",
        "host": "127.0.0.1",
        "port": archive.port,
        "commitment": True,
        "commitment_timeout": 30.0,
    }
    return Bench(settings_for(tmp_path, [table]))


def _delivered(bench: Bench) -> str:
    study = bench.receive(four_views(rows=256, columns=192))
    bench.run(study)
    assert bench.deliver(study, "pacs") == 30.0
    return study


def test_a_report_of_what_is_missing_that_comes_with_the_answer_is_seen_to_at_once(
    bench: Bench, archive: Archive
) -> None:
    """Not only when the time for a report is over."""
    archive.at_once = lambda asked: bench.work.commitment.handle_report(_report(asked, missing=1))
    study = bench.receive(four_views(rows=256, columns=192))
    bench.run(study)
    assert bench.deliver(study, "pacs") == 1.0
    archive.at_once = lambda asked: bench.work.commitment.handle_report(_report(asked))
    assert bench.deliver(study, "pacs") is None
    assert (len(archive.stored), len(archive.asked)) == (7, 2)
    assert bench.row(study).state == "delivered"


def _report(asked: Dataset, missing: int = 0) -> Any:
    """An N-EVENT-REPORT as the listener would get it."""

    class Event:
        event_information = Dataset()

    information = Event.event_information
    information.TransactionUID = asked.TransactionUID
    items = list(asked.ReferencedSOPSequence)
    for item in items[:missing]:
        item.FailureReason = 0x0112
    information.FailedSOPSequence = items[:missing]
    information.ReferencedSOPSequence = items[missing:]
    return Event()


def test_a_delivery_is_over_when_everything_is_committed(bench: Bench, archive: Archive) -> None:
    study = _delivered(bench)
    assert [row.state for row in bench.journal.deliveries(study)] == ["confirming"]
    assert len(archive.asked[0].ReferencedSOPSequence) == 6
    assert bench.work.commitment.handle_report(_report(archive.asked[0])) == (SUCCESS, None)
    [(transaction, known)] = bench.work.commitment.arrived()
    assert known is not None
    assert (known.place[0], known.place[2]) == (study, "pacs")
    bench.work.commitment.looked_at(transaction)
    assert list(bench.work.commitment.arrived()) == []
    assert bench.deliver(study, "pacs") is None
    (row,) = bench.journal.deliveries(study)
    assert (row.state, row.committed) == ("delivered", True)
    assert len(archive.stored) == 6


def test_what_is_missing_is_sent_again_and_asked_for_again(bench: Bench, archive: Archive) -> None:
    study = _delivered(bench)
    bench.work.commitment.handle_report(_report(archive.asked[0], missing=2))
    assert bench.deliver(study, "pacs") == 30.0
    assert (len(archive.stored), len(set(archive.stored))) == (8, 6)
    bench.work.commitment.handle_report(_report(archive.asked[1]))
    assert bench.deliver(study, "pacs") is None
    assert bench.row(study).state == "delivered"


def test_without_a_report_it_is_asked_again(bench: Bench, archive: Archive) -> None:
    study = _delivered(bench)
    assert bench.deliver(study, "pacs") == 30.0
    assert len({str(asked.TransactionUID) for asked in archive.asked}) == 2
    assert len(archive.stored) == 6
    # the answer to the first request counts all the same
    bench.work.commitment.handle_report(_report(archive.asked[0]))
    assert bench.deliver(study, "pacs") is None


def test_what_is_missing_again_and_again_fails_in_the_end(bench: Bench, archive: Archive) -> None:
    study = _delivered(bench)
    for number in range(2):
        bench.work.commitment.handle_report(_report(archive.asked[number], missing=1))
        assert bench.deliver(study, "pacs") == 30.0
    bench.work.commitment.handle_report(_report(archive.asked[2], missing=1))
    assert bench.deliver(study, "pacs") is None
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code) == ("failed", "not-committed")


def test_a_destination_that_refuses_to_commit_is_asked_later(bench: Bench, archive: Archive) -> None:
    archive.status = 0x0110
    study = bench.receive(four_views(rows=256, columns=192))
    bench.run(study)
    assert bench.deliver(study, "pacs") == 1.0
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code) == ("delivering", "commitment")


def test_a_request_that_no_receipt_names_goes_with_its_study(bench: Bench, archive: Archive) -> None:
    """As after a kill between the request and the receipt."""
    study = _delivered(bench)
    bench.work.commitment.handle_report(_report(archive.asked[0]))
    assert bench.work.commitment.sweep(bench.work.results.has) == 0
    bench.work.results.remove(study)
    assert bench.work.commitment.sweep(bench.work.results.has) == 1
    assert bench.work.commitment.report(str(archive.asked[0].TransactionUID)) is None


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # that is the point
@pytest.mark.parametrize("transaction", ["1.2.3", "../../etc/passwd", ""])
def test_a_report_that_nobody_asked_for_is_refused(bench: Bench, transaction: str) -> None:
    asked = Dataset()
    asked.TransactionUID = transaction
    asked.ReferencedSOPSequence = []
    assert bench.work.commitment.handle_report(_report(asked)) == (FAILURE, None)
    assert not list((bench.settings.node.folder / "commitment" / "reports").iterdir())


def test_requests_that_wait_do_not_fill_the_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitment, "MOST_REQUESTS", 2)
    monkeypatch.setattr(commitment, "MOST_REFERENCES", 3)
    ask = bench.work.commitment.handle_request
    assert [ask(_request(f"1.2.{number}", 3))[0] for number in range(3)] == [SUCCESS, SUCCESS, NO_RESOURCES]
    bench.work.commitment.answered("1.2.0")
    assert ask(_request("1.2.3", 4)) == (NO_RESOURCES, None)
    assert ask(_request("1.2.3", 3)) == (SUCCESS, None)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # that is the point
@pytest.mark.parametrize("transaction", [".", "..", "../1", ""])
def test_a_request_whose_transaction_has_no_uid_is_refused(bench: Bench, transaction: str) -> None:
    status, _ = bench.work.commitment.handle_request(_request(transaction, 1))
    assert status != SUCCESS
    assert not list((bench.settings.node.folder / "commitment" / "requests").iterdir())


def _request(transaction: str, references: int) -> Any:
    """An N-ACTION as the listener would get it."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2", "1.2.3"
    information = Dataset()
    information.TransactionUID = transaction
    information.ReferencedSOPSequence = [item] * references
    requestor = SimpleNamespace(ae_title="MODALITY", address="127.0.0.1")
    return SimpleNamespace(action_information=information, action_type=1, assoc=SimpleNamespace(requestor=requestor))
