"""A node as its own processes, for tests: settings written, started, asked, killed."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from config.settings import Settings, load
from peers.ports import free_port
from peers.waiting import wait_for
from scp import node_status

STAND_IN = Path(__file__).parent / "stand_in_node.py"


@dataclass
class RunningNode:
    """`destinations` are [[destinations]] tables, `sections` other settings; the scorer is fixed unless `real`.

    `under` is a command line that starts it.
    """

    folder: Path
    destinations: list[dict[str, Any]] = field(default_factory=list)
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    peers: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    real: bool = False
    under: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def config(self) -> Path:
        return self.folder / "mammonode.toml"

    @property
    def log(self) -> Path:
        return self.folder / "node.log"

    @property
    def settings(self) -> Settings:
        return load(self.config)

    def start(self, seconds: float = 200.0) -> "RunningNode":
        """Write the settings, start it and wait until listener and workers are there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(self._toml())
        before = self.log.read_text().count("worker ready") if self.log.exists() else 0
        self.start_process()
        wait_for(self.listens, seconds, "the listener did not start")
        wait_for(lambda: self.log.read_text().count("worker ready") > before, seconds, "the worker did not start")
        return self

    def start_process(self) -> None:
        """Start it, and wait for nothing."""
        entry = [sys.executable, "-m", "scp.cli"] if self.real else [sys.executable, str(STAND_IN)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.under, *entry, "serve", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                env=self._environment(),
            )

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(120)
            self.process = None

    def kill(self, role: str) -> int:
        """SIGKILL the process of a role (receiver, worker, supervisor); returns the pid."""
        pid = self.pid(role)
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_all(self) -> None:
        """The machine is gone: SIGKILL to all its processes, and it does not come back."""
        assert self.process is not None
        tree = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for one in tree:
            one.suspend()  # or a child would hear that its parent died, and drain
        for one in tree:
            one.kill()
        self.process.wait()
        self.process = None

    def pid(self, role: str) -> int:
        """The process of a role; waits until there is one."""
        assert self.process is not None
        if role == "supervisor":
            return self.process.pid
        return int(wait_for(lambda: self._child(role), 180, f"no {role} process"))

    def _child(self, role: str) -> int | None:
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children():
            try:
                if child.status() != psutil.STATUS_ZOMBIE and role in child.cmdline():
                    return child.pid
            except psutil.NoSuchProcess:
                continue
        return None

    def listens(self) -> bool:
        """True when something accepts on the port."""
        return listens(self.port)

    def status(self, study: str) -> dict[str, Any]:
        """What the node says of a study; empty if it does not know it."""
        found = node_status.status(self.settings, study=study)["studies"]
        return dict(found[0]) if found else {}

    def wait_for_state(self, study: str, *states: str, seconds: float = 240.0) -> dict[str, Any]:
        """Wait until the study is in one of `states`."""
        said: dict[str, Any] = {}

        def reached() -> bool:
            said.clear()
            said.update(self.status(study))
            return said.get("state") in states

        try:
            wait_for(reached, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{said} is not in {states}; log:\n{self.log.read_text()[-3000:]}") from error
        return said

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MAMMONODE_", "PROMETHEUS_"))}
        return kept | {"FIXED_SCORER_SECONDS": str(self.seconds), "OMP_NUM_THREADS": "1"}

    def _toml(self) -> str:
        sections: dict[str, dict[str, Any]] = {
            "node": {"folder": str(self.folder / "data"), "drain_seconds": 5.0},
            "listener": {"bind": "127.0.0.1", "port": self.port, "free_space": 0},
            "studies": {"complete_quiet": 0.5, "incomplete_quiet": 2.0, "prior_days": 100000},
            "delivery": {"first_retry": 0.5, "longest_retry": 2.0},
            "web": {"enabled": False},
        }
        for name, values in self.sections.items():
            sections.setdefault(name, {}).update(values)
        text = "\n".join(f"[{name}]\n{_table(values)}" for name, values in sections.items())
        text += "".join(f"\n[[listener.peers]]\n{_table(peer)}" for peer in self.peers)
        return text + "".join(f"\n[[destinations]]\n{_table(item)}" for item in self.destinations)


def listens(port: int) -> bool:
    """True when something accepts on that port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _table(values: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)
