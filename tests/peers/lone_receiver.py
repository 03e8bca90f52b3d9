"""The listener as a process of its own, without workers, for campaigns; with no limit to associations a minute."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from peers.ports import free_port
from peers.running_node import listens
from peers.waiting import wait_for

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


@dataclass
class LoneReceiver:
    """`listener` are settings of [listener]."""

    folder: Path
    listener: dict[str, Any] = field(default_factory=dict)
    port: int = field(default_factory=free_port)

    def start(self) -> "LoneReceiver":
        """Start it and wait until it listens."""
        (self.folder / "metrics").mkdir(parents=True)
        path = self.folder / "mammonode.toml"
        values = {"bind": '"127.0.0.1"', "port": self.port, "free_space": 0, "associations_per_minute": 1_000_000}
        path.write_text(
            f'[node]\nfolder = "{self.folder}"\nlog_format = "json"\nlog_level = "error"\ndrain_seconds = 5\n'
            "[listener]\n" + "".join(f"{key} = {value}\n" for key, value in (values | self.listener).items())
        )
        metrics = str(self.folder / "metrics")
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics, "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], env=environment)
        self.watched = psutil.Process(self.process.pid)
        wait_for(lambda: listens(self.port), 300, "the listener did not start")
        return self

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self.process.terminate()
        self.process.wait(120)

    @property
    def arriving(self) -> list[Path]:
        """Half-received files."""
        return list((self.folder / "spool" / "incoming").glob("*/*"))

    @property
    def kept(self) -> list[Path]:
        """What lies in the spool."""
        return list((self.folder / "spool" / "studies").glob("*/*.dcm"))
