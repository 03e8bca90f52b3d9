"""Kills of every process at random moments over a stream of studies, and the count afterwards."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.cluster import Cluster
from faults.reckoning import Line, Reckoning, reckon
from faults.sender import Sender
from peers.ports import free_port
from peers.running_node import RunningNode
from peers.waiting import wait_for

COUNTER = Path(__file__).with_name("counter.py")
STEADY, FLAPPING = "steady", "flapping"
SHORTEST_PAUSE, LONGEST_PAUSE = 5.0, 13.0
"""Mean seconds between two kills: a hundred take less than 25 minutes."""

AHEAD = 15
"""The sender waits while so many studies are on their way: kills, not a queue, are what is tested."""


@dataclass
class Kill:
    """One kill."""

    at: float
    role: str


@dataclass
class Campaign:
    """`machines` nodes with `workers` workers each share a folder; with a cluster, they share its database."""

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
        self._stopping = threading.Event()
        for name in self._ports:
            self._start_counter(name)
        began = time.monotonic()
        self.nodes = [self._node(number) for number in range(self.machines)]
        for node in self.nodes:
            node.start()
        # a machine on which a node needs long to start gets more time between two kills, or nothing would ever pass
        started_in = (time.monotonic() - began) / self.machines
        self._every = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, 1.5 * started_in))
        sender = Sender([node.port for node in self.nodes])
        threads = [
            threading.Thread(target=self._send, args=(sender,), daemon=True),
            threading.Thread(target=self._flap, daemon=True),
        ]
        for thread in threads:
            thread.start()
        self._kill_all()
        self._stopping.set()
        for thread in threads:
            thread.join()
        self._come_to_rest(sender)
        return reckon(sender, {name: list(self._lines(name)) for name in self._ports}, self._kill_list())

    def close(self) -> None:
        """End everything that was started."""
        self._stopping.set()
        for node in self.nodes:
            node.stop()
        for counter in self.counters.values():
            counter.kill()
            counter.wait()

    def _node(self, number: int) -> RunningNode:
        destinations: list[dict[str, Any]] = [
            {"name": name, "ae_title": name.upper(), "host": "127.0.0.1", "port": port, "connect_timeout": 20.0}
            for name, port in self._ports.items()
        ]
        sections: dict[str, dict[str, Any]] = {
            "node": {"name": f"node-{number + 1}", "folder": str(self.folder / "data"), "drain_seconds": 5.0},
            "studies": {"complete_quiet": 0.5, "incomplete_quiet": 120.0},
            "analysis": {"worker_crashes": 50},
            "delivery": {"first_retry": 1.0, "longest_retry": 10.0},
            "engine": {"workers": 1, "lease_seconds": 10.0},
        }
        if self.cluster is not None:
            sections["engine"]["database_url"] = self.cluster.url
        return RunningNode(self.folder / f"node-{number + 1}", destinations, sections, seconds=0.5)

    def _start_counter(self, name: str) -> None:
        command = [sys.executable, str(COUNTER), name.upper(), str(self._ports[name]), str(self._log(name))]
        self.counters[name] = subprocess.Popen(command)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"

    def _lines(self, name: str) -> Iterator[Line]:
        if self._log(name).exists():
            for text in self._log(name).read_text().splitlines():
                yield Line(**json.loads(text))

    def _send(self, sender: Sender) -> None:
        while not self._stopping.is_set():
            sender.send_one(threading.Event())
            while not self._stopping.is_set() and self._behind(sender) > AHEAD:
                self._stopping.wait(0.5)

    def _behind(self, sender: Sender) -> int:
        return len(sender.studies) - len({line.study for line in self._lines(STEADY)})

    def _flap(self) -> None:
        """One destination is away about half of the time."""
        while not self._stopping.wait(self._random.uniform(2, 12)):
            self.counters[FLAPPING].send_signal(signal.SIGKILL)
            self.counters[FLAPPING].wait()
            self._stopping.wait(self._random.uniform(2, 12))
            self._start_counter(FLAPPING)

    def _kill_all(self) -> None:
        roles = ["receiver", "worker", "worker", "supervisor"] + (["postgres"] if self.cluster else [])
        while len(self.done) < self.kills:
            time.sleep(self._random.uniform(0.2, 2 * self._every))
            role = self._random.choice(roles)
            node = self._random.choice(self.nodes)
            if role == "postgres" and self.cluster is not None:
                self.cluster.kill()
                self._note(role)
                time.sleep(self._random.uniform(0, 6))
                self.cluster.start()
            elif role == "supervisor":
                self._kill_supervisor(node)
            else:
                node.kill(role)
                self._note(role)

    def _kill_supervisor(self, node: RunningNode) -> None:
        """Its children end by themselves; it is started again at once, as systemd would."""
        node.kill(role="supervisor")
        self._note("supervisor")
        assert node.process is not None
        node.process.wait()
        node.start_process()

    def _note(self, role: str) -> None:
        self.done.append(Kill(time.time(), role))
        if len(self.done) % 10 == 0:
            print(f"{len(self.done)} kills, {len(list(self._lines(STEADY)))} objects at {STEADY}", flush=True)

    def _kill_list(self) -> list[tuple[float, str]]:
        return [(kill.at, kill.role) for kill in self.done]

    def _come_to_rest(self, sender: Sender) -> None:
        wanted = {study.uid for study in sender.studies if study.received}

        def over() -> bool:
            return all(
                len({line.instance for line in self._lines(name) if line.study in wanted}) >= 6 * len(wanted)
                for name in self._ports
            )

        try:
            wait_for(over, 400)
        except TimeoutError:
            print("not everything has arrived; counting what has", flush=True)
        # what would come twice, comes within the longest retry
        time.sleep(10)


def roles_killed(campaign: Campaign) -> Counter[str]:
    """How often each role was killed."""
    return Counter(kill.role for kill in campaign.done)
