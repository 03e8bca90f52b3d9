"""A whole node as its own processes, with dcmtk's storescp as the PACS behind it."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.receivers import ROOT, clean_environment, dcmtk, end, free_port, memory, wait_until_open
from config.settings import Settings, load
from scp.journal import Journal
from scp.journal_rows import StudyRow, StudyState

_LIMIT = 1800.0
QUIET = 1.0


@dataclass(frozen=True)
class Node:
    """A running node and the folder its PACS stores into."""

    settings: Settings
    process: "subprocess.Popen[bytes]"
    pacs: Path
    log: Path

    @property
    def port(self) -> int:
        """Of its listener."""
        return self.settings.listener.port

    @property
    def memory(self) -> int:
        """Bytes of all its processes."""
        return memory(self.process.pid)

    def wait_for(self, state: StudyState, number: int) -> list[StudyRow]:
        """Until `number` studies are in that state. Raises RuntimeError: one failed, or it takes too long."""
        journal = Journal.open(self.settings)
        try:
            self.until(lambda: journal.counts().get(state, 0) >= number, lambda: _failures(journal))
            return journal.studies([state], limit=number)
        finally:
            journal.close()

    def until(self, happened: Callable[[], bool], failure: Callable[[], str] = lambda: "") -> None:
        """Until it happened. Raises RuntimeError with the end of the log where it does not."""
        deadline = time.monotonic() + _LIMIT
        while not happened():
            if (why := failure()) or self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{why}\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)


@contextmanager
def node(
    folder: Path, weights: Path | None, *, fixed_seconds: float | None = None, workers: int = 1, database: str = ""
) -> Iterator[Node]:
    """The node of `weights`, or with a fixed-time analyser; ready when its workers are."""
    folder.mkdir(parents=True)
    with dcmtk(folder / "pacs") as pacs:
        config = folder / "mammonode.toml"
        config.write_text(_settings(folder, weights, pacs.port, workers, database))
        settings = load(config)
        module = "scp.cli" if fixed_seconds is None else "benchmarks.fixed_node"
        command = [sys.executable, "-m", module, "serve", "--config", str(config)]
        more = {"PYTHONPATH": str(ROOT / "tests"), "FIXED_SECONDS": str(fixed_seconds or 0)}
        if weights is not None and fixed_seconds is not None:
            more["FIXED_WEIGHTS"] = str(weights)
        log = folder / "node.log"
        with log.open("wb") as file:
            process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, env=clean_environment(**more))
        running = Node(settings, process, folder / "pacs", log)
        try:
            wait_until_open(settings.listener.port, process, log)
            running.until(lambda: log.read_text(errors="replace").count("worker ready") >= workers)
            yield running
        finally:
            end(process)


def stored(folder: Path) -> Sequence[Path]:
    """What the PACS has, but for its log."""
    return [path for path in folder.iterdir() if path.suffix != ".log"]


def _settings(folder: Path, weights: Path | None, pacs_port: int, workers: int, database: str) -> str:
    return (
        f'[node]\nfolder = "{folder / "data"}"\nlog_level = "info"\ndrain_seconds = 5\n'
        f'[listener]\nbind = "127.0.0.1"\nport = {free_port()}\nassociations_per_minute = 1000000\n'
        f"[studies]\ncomplete_quiet = {QUIET}\nincomplete_quiet = {QUIET}\n"
        f"[engine]\nworkers = {workers}\n"
        + (f'database_url = "{database}"\n' if database else "")
        + (f'[analysis]\nweights = "{weights}"\n' if weights else "")
        + f"[web]\nport = {free_port()}\n"
        + f'[[destinations]]\nname = "pacs"\nhost = "127.0.0.1"\nport = {pacs_port}\n'
    )


def _failures(journal: Journal) -> str:
    failed = journal.studies([StudyState.FAILED, StudyState.EXCLUDED], limit=1)
    return f"a study ended as {failed[0].state}: {failed[0].reason}" if failed else ""
