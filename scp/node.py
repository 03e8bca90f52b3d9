"""The node: one process that keeps the others running, or one of those others.

receiver   listens and spools; no database, no torch
worker     one a slot: settles, analyses, builds, delivers
web        the page
"""

import ctypes
import errno
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import structlog

from config.settings import Settings
from scp import logs
from scp.databases import set_damaged_aside
from scp.durable import hold, make_folder
from scp.signals import Termination

if TYPE_CHECKING:
    from scp.steps import StudyAnalyser

# each role imports its own parts when it starts: the receiver must be back at once after a crash

log = structlog.get_logger()

Load = Callable[[Settings], "StudyAnalyser"]

AGAIN, DATABASE_BROKEN = 75, 76
"""Exit codes: start me again at once (port or slot is still taken, lease lost); set the database aside first."""

Role = Literal["all", "receiver", "worker", "web"]

ENTRY = (sys.executable, "-P", "-m", "scp.cli")
METRICS = "PROMETHEUS_MULTIPROC_DIR"
FIRST_WAIT, LONGEST_WAIT, HEALTHY = 0.5, 10.0, 60.0
"""Seconds before a dead process is started again; doubled each time until it has lived for HEALTHY s."""
LONGEST_AGAIN = 2.0
"""The same for one that ended with AGAIN: what it waits for may be free at any moment."""

WATCH = 0.1


def serve(
    settings: Settings,
    config: Path | None,
    role: Role = "all",
    slot: int = 0,
    entry: Sequence[str] = ENTRY,
    load: Load | None = None,
) -> int:
    """Run until SIGTERM or SIGINT and return the exit code.

    `entry` is how a role's process is started, `load` makes a worker's analyser (the networks if None): both are
    given here so that a test can put a stand-in in the networks' place.
    """
    os.umask(0o077)
    logs.configure(settings.node, role if role != "worker" else f"worker-{slot}")
    _prepare_metrics(settings)
    if role == "all":
        try:
            supervisor = Supervisor(settings, config, entry)
        except BlockingIOError:
            log.error("this node runs already", folder=str(settings.node.folder), name=settings.node.name)  # noqa: TRY400
            return AGAIN
        return supervisor.run()
    return {"receiver": _receive, "worker": _work, "web": _show}[role](settings, slot, load)


@dataclass
class Child:
    """A process that is kept running."""

    name: str
    command: list[str]
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    wait: float = FIRST_WAIT
    due: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        """Start it now."""
        ends = partial(_end_with_parent, os.getpid())
        # preexec_fn is safe here: the supervisor has no other thread
        self.process = subprocess.Popen(self.command, start_new_session=True, preexec_fn=ends)  # noqa: PLW1509
        self.started = time.monotonic()
        log.info("started", process=self.name, pid=self.process.pid)

    def look(self) -> int | None:
        """Start it if it is due. Returns its exit code when it has just ended."""
        if self.process is None:
            if time.monotonic() >= self.due:
                self.start()
            return None
        code = self.process.poll()
        if code is None:
            return None
        was_healthy = time.monotonic() - self.started > HEALTHY
        longest = LONGEST_AGAIN if code == AGAIN else LONGEST_WAIT
        self.wait = FIRST_WAIT if was_healthy else min(self.wait * 2, longest)
        self.due = time.monotonic() + self.wait
        self.process = None
        log.error("a process ended", process=self.name, code=code, again_in=self.wait)
        return code

    def stop(self, seconds: float) -> None:
        """SIGTERM, and SIGKILL after `seconds`."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, seconds))
        except subprocess.TimeoutExpired:
            log.warning("killed: it did not end in time", process=self.name)
            self.process.kill()
            self.process.wait()


def _end_with_parent(parent: int) -> None:
    """In the child: SIGTERM when the supervisor dies (prctl, Linux), so that the next one finds the slots free.

    Also when it dies at this moment: the supervisor's handler, inherited until exec, would swallow the signal, and a
    parent that is gone before the call sends none.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(AGAIN)


class Supervisor:
    """Starts receiver, workers and page, and starts again what dies. Raises BlockingIOError: it runs already."""

    def __init__(self, settings: Settings, config: Path | None, entry: Sequence[str]) -> None:
        self._settings = settings
        self._lock = hold(settings.node.folder / "locks" / f"{settings.node.name}.lock")
        command = [*entry, "serve", *(("--config", str(config)) if config else ())]
        self._children = [Child("receiver", [*command, "--role", "receiver"])]
        self._children += [
            Child(f"worker-{slot}", [*command, "--role", "worker", "--slot", str(slot)])
            for slot in range(settings.engine.workers)
        ]
        if settings.web.enabled:
            self._children.append(Child("web", [*command, "--role", "web"]))

    def run(self) -> int:
        """Supervise until told to stop; everything else is drained then."""
        termination = Termination()
        self._children[0].look()  # the listener first: it needs no database
        set_damaged_aside(self._settings)
        while not termination.wait(WATCH):
            ended = [child.look() for child in self._children]
            if DATABASE_BROKEN in ended:
                self._stop()
                set_damaged_aside(self._settings)
        self._stop()
        log.info("stopped")
        return 0

    def _stop(self) -> None:
        """All at once, each with the time to drain."""
        deadline = time.monotonic() + self._settings.node.drain_seconds + 10.0
        for child in self._children:
            if child.process is not None:
                child.process.terminate()
        for child in self._children:
            child.stop(deadline - time.monotonic())
            child.process = None


def _receive(settings: Settings, _slot: int, _load: Load | None) -> int:
    from scp.commitment_services import services  # noqa: PLC0415
    from scp.receiver import run_receiver  # noqa: PLC0415

    try:
        run_receiver(settings, *services(settings))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        log.warning(
            "the port is taken: nothing is received. End the program that listens there, or set another "
            "[listener] port; tried again until it is free",
            port=settings.listener.port,
        )
        return AGAIN
    return 0


def _work(settings: Settings, slot: int, load: Load | None) -> int:
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    from scp.composition import load_analyser  # noqa: PLC0415
    from scp.recovery import is_corrupt  # noqa: PLC0415
    from scp.worker import Worker  # noqa: PLC0415

    try:
        worker = Worker(settings, slot, load or load_analyser)
        worker.run(Termination())
    except DBAPIError as error:
        damaged = is_corrupt(error)
        log.error("the database is damaged" if damaged else "the database is away", says=str(error.orig))  # noqa: TRY400
        return DATABASE_BROKEN if damaged else AGAIN
    if any(thread.name.startswith("dbos-executor") for thread in threading.enumerate()):
        # a step that has outlived the time to drain is done again by the next start: do not wait for it
        logging.shutdown()
        os._exit(0)
    return 0


def _show(settings: Settings, _slot: int, _load: Load | None) -> int:
    from scp.web.server import run_web  # noqa: PLC0415

    return run_web(settings)


def metrics_folder(settings: Settings) -> Path:
    """Where the processes of this machine count; other machines may share the node's folder."""
    return settings.node.folder.absolute() / "metrics" / settings.node.name


def _prepare_metrics(settings: Settings) -> None:
    """All processes of the node count into one folder; the first process of a run empties it."""
    if METRICS not in os.environ:
        folder = metrics_folder(settings)
        make_folder(folder)
        for old in folder.glob("*.db"):
            old.unlink(missing_ok=True)
        os.environ[METRICS] = str(folder)
