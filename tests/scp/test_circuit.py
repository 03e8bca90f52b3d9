"""A destination that is away: who tries it, and who waits for that."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from inference.results import Reason
from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp import node_status, operations
from scp.circuit import UNREACHABLE
from scp.outcome import Outcome


def test_while_a_destination_is_away_one_delivery_tries_it_for_all(tmp_path: Path) -> None:
    table = {"name": "pacs", "host": "127.0.0.1", "port": 1}
    bench = Bench(settings_for(tmp_path, [table], delivery={"first_retry": 60.0, "longest_retry": 240.0}))
    first, second = bench.receive(four_views(rows=64, columns=48)), bench.receive(four_views(rows=64, columns=48))
    for study in (first, second):
        bench.run(study)
    assert bench.deliver(first, "pacs") == 60.0
    wait = bench.deliver(second, "pacs")
    assert wait is not None
    assert 0 < wait < 60.0
    [row] = bench.journal.deliveries(second)
    assert (row.state, row.attempts, row.reason and row.reason.code) == ("retrying", 0, "unreachable")
    [place] = node_status.status(bench.settings)["destinations"]
    assert (place["waiting"], place["next_attempt"] is not None) == (2, True)
    assert "does not answer" in place["last_error"]


def test_an_attempt_the_operator_asked_for_does_not_end_another_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one delivery tries a destination that was away, no third goes there because a second was asked for."""
    asked, released = threading.Event(), threading.Event()
    attempts = 0

    def away(*_arguments: Any) -> Outcome:
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            asked.set()
            released.wait(60)
        return Outcome((), Reason(code=UNREACHABLE, text="it does not answer"), "soon")

    monkeypatch.setattr("scp.delivery.send", away)
    table = {"name": "pacs", "host": "127.0.0.1", "port": 1}
    bench = Bench(settings_for(tmp_path, [table], delivery={"first_retry": 0.001, "longest_retry": 0.001}))
    trying, wanted, third = (bench.receive(four_views(rows=64, columns=48)) for _ in range(3))
    for study in (trying, wanted, third):
        bench.run(study)
    assert bench.deliver(trying, "pacs") == 0.001
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(bench.deliver, trying, "pacs")
        assert asked.wait(30)
        for operation in (operations.cancel, operations.retry):
            assert operation(bench.settings, wanted)["ok"]
        bench.run(wanted)
        tried = [attempts]
        for study in (wanted, third):
            bench.deliver(study, "pacs")
            tried.append(attempts)
        released.set()
        assert tried == [2, 3, 3]
        assert attempt.result(30) == 0.001
    assert bench.deliver(third, "pacs") == 0.001
    assert attempts == 4
