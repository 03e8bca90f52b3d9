"""The supervisor's children, alerts, attempts, and what the engine will not read."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest
from pynetdicom import AE, AllStoragePresentationContexts, evt

from config.listener import Tls
from inference.errors import InferenceError
from inference.results import Reason
from peers.bench import Bench, settings_for
from peers.certificates import Authority
from phantoms.mammogram import four_views
from scp import alerts
from scp.attempts import Attempts
from scp.engine import _refuse_pickle
from scp.node import AGAIN, FIRST_WAIT, LONGEST_AGAIN, Child, _end_with_parent
from scp.tls import server_context


def _ended(code: int) -> Child:
    child = Child("test", [sys.executable, "-c", f"raise SystemExit({code})"])
    child.start()
    assert child.process is not None
    child.process.wait()
    assert child.look() == code
    return child


def test_a_child_that_dies_is_started_again_later_each_time() -> None:
    child = _ended(1)
    assert child.wait == 2 * FIRST_WAIT
    child.start()
    assert child.process is not None
    child.process.wait()
    assert child.look() == 1
    assert child.wait == 4 * FIRST_WAIT


def test_a_child_whose_port_is_still_taken_is_started_again_soon_and_never_much_later() -> None:
    child = _ended(AGAIN)
    waits = [child.wait]
    for _ in range(2):
        child.start()
        assert child.process is not None
        child.process.wait()
        assert child.look() == AGAIN
        waits.append(child.wait)
    assert waits == [2 * FIRST_WAIT, 4 * FIRST_WAIT, LONGEST_AGAIN]
    assert LONGEST_AGAIN == 2.0


def test_a_child_whose_parent_is_gone_before_it_could_hear_of_it_ends() -> None:
    orphan = subprocess.Popen(["sleep", "60"], preexec_fn=partial(_end_with_parent, os.getpid() + 1))  # noqa: PLW1509 - as the node
    assert orphan.wait(20) == AGAIN
    child = subprocess.Popen(["sleep", "60"], preexec_fn=partial(_end_with_parent, os.getpid()))  # noqa: PLW1509 - as the node
    child.terminate()
    assert child.wait(20) == -signal.SIGTERM


def test_a_crash_is_counted_and_an_error_or_a_stop_is_not(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path, limit=2)
    with pytest.raises(ValueError, match="bad"), attempts.counted("1.2"):
        raise ValueError("bad")
    assert not (tmp_path / "1.2").exists()
    crashed = []
    for begun in (1, 2):
        crashed.append(attempts.counted("1.2"))
        assert crashed[-1].__enter__() is None
        assert (tmp_path / "1.2").read_text() == str(begun)
        attempts = Attempts(tmp_path, limit=2)  # the next process
    with attempts.counted("1.2") as spent:
        assert spent is not None
        assert spent.code == "worker-crash"
    attempts.forget("1.2")
    with attempts.counted("1.2") as spent:
        assert spent is None
        attempts.interrupted()
        assert (tmp_path / "1.2").read_text() == "0"


def test_a_failure_is_told_to_the_webhook_once_and_without_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, object]] = []

    def take(url: str, json: dict[str, object], timeout: float) -> httpx.Response:
        told.append(json)
        return httpx.Response(500, request=httpx.Request("POST", url))

    monkeypatch.setattr(alerts, "post", take)
    bench = Bench(settings_for(tmp_path, alerts={"webhook": "http://hook.test/"}))
    datasets = four_views(rows=256, columns=192)
    datasets[0].PatientID = "OTHER"
    study = bench.receive(datasets)
    for _ in range(2):
        assert bench.settle(study) is None
    assert [alert["study"] for alert in told] == [study]
    assert "two-patients" in json.dumps(told)
    assert "OTHER" not in json.dumps(told)


def test_an_object_that_would_be_invalid_is_shown_with_its_reason(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path))
    study = bench.receive(four_views(rows=256, columns=192))
    bench.settle(study)
    reason = Reason(code="invalid-object", text="Not an object.", remedy="Report it.")
    bench.work.broken(study, InferenceError(reason))
    row = bench.row(study)
    assert (row.state, row.reason) == ("failed", reason)
    bench.work.broken(study, KeyError("secret"))
    row = bench.row(study)
    assert row.reason is not None
    assert row.reason.code == "internal-error"
    assert "secret" not in row.reason.text


def test_the_engine_reads_no_pickles() -> None:
    with pytest.raises(TypeError, match="no pickles"):
        _refuse_pickle(None, "gASVDAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOULg==")  # type: ignore[arg-type]


def test_results_go_over_mutual_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    ours, theirs = authority.issue("node"), authority.issue("pacs")
    stored: list[str] = []

    def store(event: evt.Event) -> int:
        stored.append(str(event.dataset.SOPInstanceUID))
        return 0x0000

    ae = AE(ae_title="PACS")
    ae.supported_contexts = AllStoragePresentationContexts
    context = server_context(
        Tls(enabled=True, certificate=theirs.certificate, private_key=theirs.private_key, trusted=authority.file)
    )
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)], ssl_context=context
    )
    tls = {
        "enabled": True,
        "certificate": ours.certificate,
        "private_key": ours.private_key,
        "trusted": authority.file,
    }
    table = {"name": "pacs", "host": "127.0.0.1", "port": server.server_address[1], "tls": tls}
    stranger = {**table, "name": "stranger", "tls": {**tls, "trusted": Authority(tmp_path / "other").file}}
    try:
        bench = Bench(settings_for(tmp_path / "node", [table, stranger]))
        study = bench.receive(four_views(rows=256, columns=192))
        bench.run(study)
        assert bench.deliver(study, "pacs") is None
        assert len(stored) == 6
        # a PACS whose certificate nobody we trust has signed gets nothing
        assert bench.deliver(study, "stranger") == 1.0
        assert len(stored) == 6
    finally:
        server.shutdown()
