"""The storage SCPs that are compared, each as its own process on a free port of loopback."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
_STARTS_WITHIN = 60.0


@dataclass
class Receiver:
    """A running one. `peak` is the highest memory (bytes) of its processes together since it started."""

    port: int
    process: "subprocess.Popen[bytes]"
    peak: int = 0

    _children: dict[int, float] = field(default_factory=dict)

    def cpu_seconds(self) -> float:
        """What it and its children, ended ones included, have used so far."""
        self._look()
        return sum(psutil.Process(self.process.pid).cpu_times()[:2]) + sum(list(self._children.values()))

    def watch(self, stop: threading.Event) -> None:
        """Look at memory and children until told to stop."""
        while not stop.wait(0.05):
            self._look()
            self.peak = max(self.peak, memory(self.process.pid))

    def _look(self) -> None:
        """A child's figures are kept, for the system forgets those of one whose end nobody waits for."""
        for child in _living(self.process.pid)[1:]:
            try:
                self._children[child.pid] = sum(child.cpu_times()[:2])
            except psutil.NoSuchProcess:
                continue


def memory(pid: int) -> int:
    """Bytes of a process and its children; what they share is counted once (PSS)."""
    total = 0
    for process in _living(pid):
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def _living(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@contextmanager
def dcmtk(folder: Path) -> Iterator[Receiver]:
    """storescp, a process for each association, nothing synced."""
    folder.mkdir(parents=True)
    port = free_port()
    command = [which("storescp"), "--fork", "--max-pdu", "131072", "-od", str(folder), str(port)]
    with _running(command, port, folder) as receiver:
        yield receiver


@contextmanager
def orthanc(folder: Path) -> Iterator[Receiver]:
    """Orthanc as it comes, but for its ports and folders."""
    folder.mkdir(parents=True)
    port = free_port()
    settings = folder / "orthanc.json"
    places = {"StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db")}
    settings.write_text(json.dumps({"DicomPort": port, "HttpPort": free_port(), **places}))
    with _running([which("Orthanc"), str(settings)], port, folder) as receiver:
        yield receiver


@contextmanager
def pynetdicom(folder: Path) -> Iterator[Receiver]:
    """pynetdicom's own storescp, with its defaults."""
    folder.mkdir(parents=True)
    port = free_port()
    command = [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-od", str(folder), "-q"]
    with _running(command, port, folder) as receiver:
        yield receiver


@contextmanager
def mammonode(folder: Path) -> Iterator[Receiver]:
    """Our receiver, as `serve` starts it; limits on callers are raised, for they are meant to slow a flood down."""
    folder.mkdir(parents=True)
    port = free_port()
    settings = folder / "mammonode.toml"
    settings.write_text(
        f'[node]\nfolder = "{folder / "data"}"\nlog_level = "warning"\n'
        f'[listener]\nbind = "127.0.0.1"\nport = {port}\nassociations_per_minute = 1000000\n'
    )
    command = [sys.executable, "-m", "scp.cli", "serve", "--role", "receiver", "--config", str(settings)]
    with _running(command, port, folder) as receiver:
        yield receiver


@contextmanager
def _running(command: list[str], port: int, folder: Path) -> Iterator[Receiver]:
    log = folder / "receiver.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, env=clean_environment())
    receiver, stop = Receiver(port, process), threading.Event()
    watcher = threading.Thread(target=receiver.watch, args=(stop,), daemon=True)
    try:
        wait_until_open(port, process, log)
        watcher.start()
        yield receiver
    finally:
        stop.set()
        end(process)
        shutil.rmtree(folder, ignore_errors=True)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask it to stop, insist after a while."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_open(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until the port takes connections. Raises RuntimeError with the end of its log."""
    deadline = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen:\n{log.read_text(errors='replace')[-2000:]}")


def free_port() -> int:
    """A TCP port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def which(program: str) -> str:
    """Its path. Raises FileNotFoundError: it is not installed."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        raise FileNotFoundError(f"{program} is not installed: make system")
    return found


def clean_environment(**more: str) -> dict[str, str]:
    """Ours without an operator's MAMMONODE_ variables and without TCP_NODELAY."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MAMMONODE_") and k != "TCP_NODELAY"}
    return kept | more
