"""The journal: worst first, fast, and the same on both databases."""

import time
from pathlib import Path

import pytest

from inference.results import Reason
from peers.bench import settings_for
from scp.journal import Journal
from scp.journal_rows import DeliveryState, InstanceRow, StudyState
from scp.leases import Leases
from scp.progress import refresh

REASON = Reason(code="two-patients", text="Two patients.", remedy="Correct it.")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.open(settings_for(tmp_path))


def test_worst_first(journal: Journal) -> None:
    for number, state in enumerate(StudyState):
        journal.record_study(f"1.{number}", state=state, images=4)
    assert [row.state for row in journal.studies()] == [
        "failed", "delivering", "analysing", "received", "waiting", "analysed", "excluded", "cancelled", "delivered",
    ]  # fmt: skip
    assert [row.state for row in journal.studies([StudyState.FAILED])] == ["failed"]
    assert [row.study_instance_uid for row in journal.studies(search="1.3")] == ["1.3"]


def test_a_row_comes_back_as_it_was_written(journal: Journal) -> None:
    journal.record_study("1.2", state=StudyState.FAILED, reason=REASON, senders=("B", "A"), images=4, grade=5)
    row = journal.study("1.2")
    assert row is not None
    assert (row.reason, row.senders, row.images, row.grade) == (REASON, ("A", "B"), 4, 5)
    journal.record_instances("1.2", [InstanceRow("1.2", "1.2.3", "1.5", "excluded", REASON)])
    assert journal.instances("1.2") == [InstanceRow("1.2", "1.2.3", "1.5", "excluded", REASON)]
    assert journal.holders("1.2.3") == ["1.2"]
    journal.forget("1.2")
    assert journal.study("1.2") is None
    assert journal.holders("1.2.3") == []


def test_a_repeated_step_writes_its_event_once(journal: Journal) -> None:
    for _ in range(3):
        journal.record_event("1.2", "built", "revision 1")
    journal.record_event("1.2", "delivered: pacs")
    assert [item.event for item in journal.events("1.2")] == ["built", "delivered: pacs"]


@pytest.mark.parametrize(
    ("deliveries", "state"),
    [
        ((), "analysed"),
        (("waiting",), "delivering"),
        (("delivered", "retrying"), "delivering"),
        (("delivered", "confirming"), "delivering"),
        (("delivered", "delivered"), "delivered"),
        (("delivered", "failed", "retrying"), "failed"),
        (("delivered", "cancelled"), "cancelled"),
    ],
)
def test_a_study_is_as_well_as_its_worst_delivery(journal: Journal, deliveries: tuple[str, ...], state: str) -> None:
    journal.record_study("1.2", state=StudyState.ANALYSING, images=4, analysed=4, revision=1, digest="d")
    for number, one in enumerate(deliveries):
        reason = REASON if one == "failed" else None
        journal.record_delivery("1.2", "d", f"pacs-{number}", state=one, reason=reason)
    refresh(journal, "1.2")
    row = journal.study("1.2")
    assert row is not None
    assert row.state == state


@pytest.mark.alone
def test_ten_thousand_studies_are_listed_at_once(journal: Journal) -> None:
    from sqlalchemy import insert

    from scp.journal_rows import SEVERITY
    from scp.tables import deliveries, studies

    states = [*StudyState]
    rows = [
        {
            "study_instance_uid": f"1.2.{number}",
            "state": states[number % 9].value,
            "severity": SEVERITY[states[number % 9]],
            "updated": float(number),
        }
        for number in range(10_000)
    ]
    sent = [
        {"study_instance_uid": f"1.2.{n}", "digest": "d", "destination": "pacs", "state": "delivered", "updated": 1.0}
        for n in range(10_000)
    ]
    with journal.engine.begin() as connection:
        connection.execute(insert(studies), rows)
        connection.execute(insert(deliveries), sent)
    began = time.process_time()
    listed = journal.studies(limit=100)
    journal.counts()
    journal.destinations(["pacs"])
    assert len(listed) == 100
    assert {row.state for row in listed} == {StudyState.FAILED}
    assert time.process_time() - began < 0.5


def test_a_lease_is_lost_to_the_next_incarnation_and_adopted_when_it_expires(journal: Journal) -> None:
    leases = Leases(journal.engine)
    leases.take("node-1-0", "first")
    assert leases.renew("node-1-0", "first")
    leases.take("node-1-0", "second")
    assert not leases.renew("node-1-0", "first")
    assert leases.expired(60) == []
    assert leases.expired(-1) == ["node-1-0"]
    assert leases.claim("node-1-0", "node-2-0", -1)
    # an adopter that dies now lets it expire once more
    assert not leases.claim("node-1-0", "node-3-0", 60)
    leases.end("node-1-0", "node-2-0")
    assert leases.expired(-1) == []
    assert not leases.renew("node-1-0", "second")


def test_deliveries_of_a_destination_are_counted(journal: Journal) -> None:
    for number, state in enumerate(DeliveryState):
        reason = REASON if state is DeliveryState.FAILED else None
        journal.record_delivery(f"1.{number}", "d", "pacs", state=state, reason=reason)
    (row,) = journal.destinations(["pacs"])
    assert (row.waiting, row.retrying, row.confirming, row.delivered, row.failed) == (1, 1, 1, 1, 1)
    assert row.reason == REASON


def test_an_events_name_that_is_too_long_for_its_column_goes_on_in_its_text(tmp_path: Path) -> None:
    journal = Journal.open(settings_for(tmp_path))
    journal.record_study("1.2", state=StudyState.DELIVERING)
    journal.record_event("1.2", "not committed: the-archive-of-the-second-site", "2 objects")
    (event,) = journal.events("1.2")
    assert event.event == "not committed: the-archive-of-th"
    assert event.text == "not committed: the-archive-of-the-second-site 2 objects"
