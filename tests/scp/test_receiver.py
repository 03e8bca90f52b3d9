"""The receiver as a process: what it imports, how it stops, what it finds at start, what it counts."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from peers.dcmtk import echoscu, storescu
from peers.modality import associate
from peers.raw_peer import RELEASE_RQ, RawPeer, associate_rq, encoded, p_data, store_command
from peers.waiting import wait_for
from phantoms.mammogram import mammogram, write_study
from scp.durable import hold

PROGRAM = """
import sys
from pathlib import Path
from config.settings import load
from scp.logs import configure
from scp.receiver import run_receiver
settings = load(Path(sys.argv[1]))
configure(settings.node, "receiver")
run_receiver(settings)
"""


@pytest.fixture
def node(tmp_path: Path, free_port: int) -> Path:
    """A settings file of a node that only receives."""
    (tmp_path / "metrics").mkdir()
    path = tmp_path / "mammonode.toml"
    path.write_text(
        f'[node]\nfolder = "{tmp_path}"\nlog_format = "json"\ndrain_seconds = 5\n'
        f'[listener]\nbind = "127.0.0.1"\nport = {free_port}\nfree_space = 0\n'
    )
    return path


@pytest.fixture
def start(node: Path, free_port: int) -> Iterator:
    """Start the receiver and wait until it answers."""
    started = []

    def run():
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(node.parent / "metrics")}
        log = (node.parent / "log").open("a")
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(node)], env=environment, stderr=log)
        log.close()
        started.append(process)
        wait_for(lambda: echoscu(free_port).returncode == 0, 120)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


def _said(node):
    return [json.loads(line) for line in (node.parent / "log").read_text().splitlines()]


def _arriving(node):
    return list((node.parent / "spool" / "incoming" / "receiver-node-1").iterdir())


def test_imports_neither_torch_nor_the_database():
    program = "import sys, scp.receiver; print([name for name in sys.argv[1:] if name in sys.modules])"
    heavy = ["torch", "dbos", "sqlalchemy", "highdicom", "cv2", "fastapi", "matplotlib", "imagecodecs"]
    done = subprocess.run([sys.executable, "-c", program, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sigterm_lets_what_is_arriving_finish(node, start, free_port):
    receiver = start()
    image = mammogram(rows=64, columns=48)
    data_set = encoded(image)
    with RawPeer(free_port) as peer:
        peer.associate()
        peer.send(store_command(image.SOPInstanceUID), p_data(data_set[:1000], last=False))
        wait_for(lambda: _arriving(node))
        receiver.send_signal(signal.SIGTERM)
        wait_for(lambda: any(line["event"] == "stopping" for line in _said(node)))
        # nobody else gets in
        wait_for(lambda: echoscu(free_port).returncode != 0)
        peer.send(p_data(data_set[1000:]))
        # (0000,0900) Status: Success
        assert b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00" in peer.receive()[1]
        peer.send(RELEASE_RQ)
        peer.closed()
    assert receiver.wait(60) == 0
    assert len(list((node.parent / "spool" / "studies").glob("*/*.dcm"))) == 1


def test_sigterm_does_not_wait_for_an_association_that_is_never_released(node, start, free_port):
    receiver = start()
    with RawPeer(free_port) as peer:
        peer.send(associate_rq())
        assert peer.receive()[0] == 2
        receiver.send_signal(signal.SIGTERM)
        assert receiver.wait(60) == 0
        assert peer.closed()


def test_a_kill_loses_nothing_and_leaves_nothing(node, start, free_port):
    receiver = start()
    assert storescu(free_port, write_study(node.parent / "study", rows=64, columns=48)).returncode == 0
    with RawPeer(free_port) as peer:
        peer.associate()
        peer.send(store_command("1.2.3"), p_data(bytes(1000), last=False))
        wait_for(lambda: _arriving(node))
        receiver.kill()
        receiver.wait()
    assert _arriving(node)
    # what was answered with Success is there, and marked for the worker
    assert len(list((node.parent / "spool" / "studies").glob("*/*.dcm"))) == 4
    assert len(list((node.parent / "spool" / "inbox").iterdir())) == 1
    start()
    assert _arriving(node) == []
    assert any(line["event"] == "half-received files of an earlier run removed" for line in _said(node))


def test_a_port_that_is_taken_is_an_error_at_once(node, free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        second = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(node)], capture_output=True, text=True, check=False, timeout=60
        )
    assert second.returncode != 0
    assert "Address already in use" in second.stderr


def test_counts_without_identity(node, start, free_port, tmp_path):
    start()
    files = write_study(tmp_path / "study", rows=64, columns=48)
    storescu(free_port, files)
    storescu(free_port, files)
    assert associate(free_port, called="WRONG").is_rejected
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(node.parent / "metrics"))
    received = "mammonode_instances_received_total"
    assert registry.get_sample_value(received, {"outcome": "stored"}) == 4
    assert registry.get_sample_value(received, {"outcome": "duplicate"}) == 4
    assert registry.get_sample_value("mammonode_associations_total", {"outcome": "rejected"}) == 1
    assert registry.get_sample_value("mammonode_bytes_received_total") > 8 * 64 * 48
    log = (node.parent / "log").read_text()
    assert "Synthetic" not in log
    assert "SYN0001" not in log


def test_what_an_earlier_receiver_still_writes_is_not_swept(node, start, tmp_path):
    """A receiver that drains puts its last file into place while the next one starts."""
    arriving = tmp_path / "spool" / "incoming" / "receiver-node-1" / "still.part"
    arriving.parent.mkdir(parents=True)
    arriving.write_bytes(b"DICM")
    earlier = hold(tmp_path / "locks" / "receiver-node-1.lock")
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(start)
        log = tmp_path / "log"
        wait_for(lambda: log.exists() and "waiting for an earlier receiver" in log.read_text())
        assert arriving.read_bytes() == b"DICM"
        arriving.rename(tmp_path / "kept.dcm")
        os.close(earlier)
        later.result()
    assert (tmp_path / "kept.dcm").read_bytes() == b"DICM"
