"""A PostgreSQL of our own, that may be killed."""

import os
import shutil
import signal
import subprocess
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
        command = [self._binary("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), "-h", "127.0.0.1"]
        with (self.folder / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-k", str(self.folder)], stdout=log, stderr=log, cwd="/", **self._user
            )
        wait_for(self._answers, 180, "PostgreSQL did not start")
        return self

    def kill(self) -> None:
        """SIGKILL to the postmaster; its children follow."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        pid_file = self.folder / "data" / "postmaster.pid"
        wait_for(lambda: not self._children(), 30, "backends outlived the postmaster")
        pid_file.unlink(missing_ok=True)

    def stop(self) -> None:
        """SIGINT: fast shutdown."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _children(self) -> list[str]:
        found = subprocess.run(
            ["pgrep", "-f", str(self.folder / "data")], capture_output=True, text=True, check=False
        )
        return [pid for pid in found.stdout.split() if int(pid) != os.getpid()]

    def _answers(self) -> bool:
        command = [self._binary("pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run([self._binary(name), *arguments], check=True, capture_output=True, cwd="/", **self._user)

    def _binary(self, name: str) -> str:
        if not BINARIES:
            raise FileNotFoundError("PostgreSQL is missing: apt-get install postgresql")
        return str(BINARIES[-1] / name)
