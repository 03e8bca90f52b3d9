"""What an operator says, and what comes in between, while results are on their way."""

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peers.answering_pacs import Pacs, bench_with
from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp import operations
from scp.revision_folder import RevisionFolder


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
    bench, study = bench_with(tmp_path, peer.port, response_timeout=60.0)
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
    bench, study = bench_with(tmp_path, peer.port)

    def full(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(RevisionFolder, "write_receipt", full)
        with pytest.raises(OSError, match="No space left"):
            bench.deliver(study, "pacs")
    assert peer.received == []
    assert bench.deliver(study, "pacs") is None
    assert len(peer.received) == 6
