"""Kills of every process at random moments over a stream of studies, and the count afterwards."""

import random
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from faults.cluster import Cluster
from faults.counted import CountedLog
from faults.outlived import end_outlived
from faults.reckoning import EXPECTED, Kill, Reckoning, reckon
from faults.sender import Sender
from peers.ports import free_port
from peers.running_node import RunningNode
from peers.waiting import wait_for

COUNTER = Path(__file__).with_name("counter.py")
STEADY, FLAPPING = "steady", "flapping"
MEAN_PAUSE = 5.0
"""Seconds between two kills, besides what is waited for the node to be whole again."""

BUDGET = 13.0
"""Seconds for a kill with all waiting: a hundred take less than 25 minutes. A starved machine makes fewer of them."""

AHEAD = {STEADY: 15, FLAPPING: 60}
"""The sender waits while so many studies are on their way: kills, not a queue, are what is tested."""

UP_AT_MOST = 60.0
"""Seconds for which the flapping destination stays up when nothing comes; else until something has come."""

LONGEST_RETRY = 10.0
STANDSTILL = 300.0
"""Seconds in which nothing at all arrives at a destination that waits for more: then nothing more will come."""

STARTING = 600.0
"""Seconds: no machine on which the node starts at all needs longer."""


@dataclass
class Campaign:
    """`machines` nodes with a worker each share a folder; with a cluster, they share its database."""

    folder: Path
    kills: int
    seed: int
    cluster: Cluster | None = None
    machines: int = 1
    done: list[Kill] = field(default_factory=list)
    nodes: list[RunningNode] = field(default_factory=list)
    counters: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def run(self) -> Reckoning:
        """Send, kill, let it come to rest, count."""
        self._random = random.Random(self.seed)
        self._ports = {STEADY: free_port(), FLAPPING: free_port()}
        self._logs = {name: CountedLog(self.folder / f"{name}.jsonl") for name in self._ports}
        self._stopping, self._over = threading.Event(), threading.Event()
        self._keeper = threading.Thread(target=self._keep_running, daemon=True)
        for name in self._ports:
            self._start_counter(name)
        self.nodes = [self._node(number) for number in range(self.machines)]
        for node in self.nodes:
            node.start(STARTING)
        self._sender = Sender([node.port for node in self.nodes])
        threads = [threading.Thread(target=do, daemon=True) for do in (self._send, self._flap)]
        for thread in [*threads, self._keeper]:
            thread.start()
        self._kill_all()
        self._stopping.set()
        for thread in threads + self._probes:
            thread.join()
        self._come_to_rest()
        lines = {name: log.lines() for name, log in self._logs.items()}
        return reckon(self._sender, lines, self.done, self.folder / "data" / "spool" / "studies")

    def close(self) -> list[str]:
        """End everything that was started; returns the command lines of what lives on all the same, and kills it."""
        self._stopping.set()
        self._over.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for node in self.nodes:
            try:
                node.stop()
            except subprocess.TimeoutExpired:
                node.kill_all()
        for counter in self.counters.values():
            counter.kill()
            counter.wait()
        return end_outlived([node.folder for node in self.nodes], patience=60)

    def _node(self, number: int) -> RunningNode:
        destinations: list[dict[str, Any]] = [
            {"name": name, "ae_title": name.upper(), "host": "127.0.0.1", "port": port, "connect_timeout": 20.0}
            for name, port in self._ports.items()
        ]
        sections: dict[str, dict[str, Any]] = {
            "node": {"name": f"node-{number + 1}", "folder": str(self.folder / "data"), "drain_seconds": 5.0},
            "studies": {"complete_quiet": 0.5, "incomplete_quiet": 120.0},
            "analysis": {"worker_crashes": 50},
            "delivery": {"first_retry": 1.0, "longest_retry": LONGEST_RETRY},
            "engine": {"workers": 1, "lease_seconds": 10.0},
        }
        if self.cluster is not None:
            sections["engine"]["database_url"] = self.cluster.url
        return RunningNode(self.folder / f"node-{number + 1}", destinations, sections, seconds=0.5)

    def _start_counter(self, name: str) -> None:
        command = [sys.executable, str(COUNTER), name.upper(), str(self._ports[name]), str(self._logs[name].path)]
        self.counters[name] = subprocess.Popen(command)

    def _send(self) -> None:
        while not self._stopping.is_set():
            self._send_one(None)
            while not self._stopping.is_set() and self._is_ahead():
                self._stopping.wait(0.5)

    def _send_one(self, port: int | None) -> None:
        """A study, until it is received, also when all else is stopping."""
        try:
            self._sender.send_one(self._over, port)
        except Exception:  # noqa: BLE001 - a sender that fails is no reason to end a campaign of an hour: it is shown
            traceback.print_exc()

    def _is_ahead(self) -> bool:
        sent = len(self._sender.studies)
        seen = {name: len({line.study for line in log.lines()}) for name, log in self._logs.items()}
        return any(sent - seen[name] > most for name, most in AHEAD.items())

    def _flap(self) -> None:
        """One destination is away about half of the time, however slow the machine is."""
        chance = random.Random(self.seed + 1)
        while not self._stopping.is_set():
            self._stay_up(chance.uniform(2, 12))
            self.counters[FLAPPING].kill()
            self.counters[FLAPPING].wait()
            self._stopping.wait(chance.uniform(2, 12))
            self._start_counter(FLAPPING)

    def _stay_up(self, seconds: float) -> None:
        """For so long, and until it was given something."""
        before, ending = len(self._logs[FLAPPING].lines()), time.monotonic() + UP_AT_MOST
        self._stopping.wait(seconds)
        while len(self._logs[FLAPPING].lines()) == before and time.monotonic() < ending:
            if self._stopping.wait(0.2):
                return

    # kills

    def _keep_running(self) -> None:
        """A node whose supervisor has ended is started again at once, as systemd would."""
        while not self._over.wait(0.1):
            for node in self.nodes:
                if node.process is not None and node.process.poll() is not None and not self._over.is_set():
                    node.start_process()
            if self.cluster is not None:
                self.cluster.keep_running()

    def _kill_all(self) -> None:
        self._probes: list[threading.Thread] = []
        roles = ["receiver", "worker", "worker", "supervisor"] + (["postgres"] if self.cluster else [])
        ending = time.monotonic() + self.kills * BUDGET
        while len(self.done) < self.kills and time.monotonic() < ending:
            node = self._random.choice(self.nodes)
            if self._random.random() < 2 / 3:  # the others fall wherever they fall, also into a start
                while not _is_whole(node) and time.monotonic() < ending:
                    time.sleep(0.2)
            time.sleep(self._random.uniform(0.2, 2 * MEAN_PAUSE))
            self._kill(self._random.choice(roles), node)

    def _kill(self, role: str, node: RunningNode) -> None:
        """Kill it if it is there; one that is still starting is killed too, one that is not is left for another."""
        if role == "postgres" and self.cluster is not None:
            self.cluster.kill(away=self._random.uniform(0, 6))
            self._note(Kill(time.time(), role))
            return
        process = _process_of(node, role)
        if process is None:
            return
        at = time.time()
        process.kill()
        loses_listener = role != "worker"
        self._note(Kill(at, role, node.port if loses_listener else None))
        if loses_listener:
            probe = threading.Thread(target=self._send_one, args=(node.port,), daemon=True)
            probe.start()
            self._probes.append(probe)

    def _note(self, kill: Kill) -> None:
        self.done.append(kill)
        if len(self.done) % 10 == 0:
            lines = {name: len(log.lines()) for name, log in self._logs.items()}
            print(f"{len(self.done)} kills, {len(self._sender.studies)} studies, objects: {lines}", flush=True)

    # the end

    def _come_to_rest(self) -> None:
        wanted = {study.uid for study in self._sender.studies if study.received}
        try:
            while self._missing(wanted):
                before = self._missing(wanted)
                wait_for(lambda before=before: self._missing(wanted) < before, STANDSTILL)
        except TimeoutError:
            print(f"{self._missing(wanted)} objects have not arrived and none has come for {STANDSTILL:.0f} s")
        # what would come twice, comes within the longest retry
        time.sleep(LONGEST_RETRY + 2)

    def _missing(self, wanted: set[str]) -> int:
        """Objects that the destinations still wait for."""
        arrived = (
            len({line.instance for line in log.lines() if line.study in wanted}) for log in self._logs.values()
        )
        return sum(max(0, EXPECTED.total() * len(wanted) - number) for number in arrived)


def _process_of(node: RunningNode, role: str) -> psutil.Process | None:
    """The living process of a role, None if there is none now."""
    assert node.process is not None
    try:
        supervisor = psutil.Process(node.process.pid)
        found = (
            [supervisor] if role == "supervisor" else [one for one in supervisor.children() if role in one.cmdline()]
        )
        return next((one for one in found if one.status() != psutil.STATUS_ZOMBIE), None)
    except psutil.NoSuchProcess:
        return None


def _is_whole(node: RunningNode) -> bool:
    """Listener and worker have come back from the last kill."""
    told = node.log.read_text()
    return node.listens() and told.rfind("worker ready") > told.rfind("process=worker-0")
