"""A PostgreSQL of our own, that may be killed."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers.ports import free_port
from peers.waiting import wait_for

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@dataclass
class Cluster:
    """Made by initdb in `folder`. PostgreSQL refuses to run as root: then it runs as the user postgres."""

    folder: Path
    port: int = field(default_factory=free_port)
    _due: float = 0.0

    @property
    def _user(self) -> dict[str, Any]:
        return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://mammonode@127.0.0.1:{self.port}/postgres"

    def create(self) -> "Cluster":
        """initdb and start."""
        self.folder.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        arguments = ("-U", "mammonode", "-A", "trust", "-E", "UTF8", "--no-sync")
        self._run("initdb", "-D", str(self.folder / "data"), *arguments)
        return self.start()

    def start(self) -> "Cluster":
        """Start and wait until it takes connections."""
        self._start()
        wait_for(self._answers_or_starts_again, 600, "PostgreSQL did not start")
        return self

    def _start(self) -> None:
        command = [self._binary("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), "-h", "127.0.0.1"]
        with (self.folder / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-k", str(self.folder)], stdout=log, stderr=log, cwd="/", **self._user
            )

    def kill(self, away: float = 0.0) -> None:
        """SIGKILL to the postmaster; its children follow. `keep_running` starts it again after `away` seconds."""
        self._due = time.monotonic() + away
        self.process.kill()

    def keep_running(self) -> None:
        """Start it again when it has ended: also when a start has failed, as backends of the last one still lived."""
        if self.process.poll() is not None and time.monotonic() > self._due:
            self._due = time.monotonic() + 1.0
            self._start()

    def _answers_or_starts_again(self) -> bool:
        self.keep_running()
        return self._answers()

    def stop(self) -> None:
        """SIGINT: fast shutdown."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        command = [self._binary("pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run([self._binary(name), *arguments], check=True, capture_output=True, cwd="/", **self._user)

    def _binary(self, name: str) -> str:
        if not BINARIES:
            raise FileNotFoundError("PostgreSQL is missing: apt-get install postgresql")
        return str(BINARIES[-1] / name)
