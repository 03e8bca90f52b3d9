"""The durable engine: settle, analyse, build, deliver as DBOS workflows. The only module that knows DBOS.

Workflows carry UIDs and digests only, in JSON. An id says what the work is, so that enqueuing twice does it once.
A step may run twice (at least once): each finds its own work on disk.
"""

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import sqlalchemy
import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID, StepOptions
from dbos._serialization import DefaultSerializer
from sqlalchemy.exc import DataError, DBAPIError

from config.settings import Settings
from scp.databases import engine_url
from scp.durable import make_folder

log = structlog.get_logger()

T = TypeVar("T")

APPLICATION = "mammonode"
ORDER_OF_STEPS = "1"
"""Raise it only when the order of steps changes, and say in the changelog what to drain first."""

POLL = 0.25
WAIT = 2.0
"""Seconds between attempts at a step while the database or the disk is away."""

TRANSIENT = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOLCK),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM),
    }
)
"""Of the disk, the file server, the process or the permissions: never of a study."""

ANALYSES, DELIVERIES = 2, 4
"""Workflows at once in a process: of analysis (the device has its own lock), and for each destination."""


class Work(Protocol):
    """What the workflows do. Every method may be called again with the same arguments."""

    def settle(self, study: str, arrival: str) -> str | None:
        """Digest of the revision to go on with, None to stop."""

    def analyse(self, study: str, digest: str) -> bool:
        """False to stop."""

    def build(self, study: str, digest: str) -> list[str]:
        """Names of the destinations."""

    def deliver(self, study: str, digest: str, destination: str, generation: int) -> float | None:
        """Seconds until the next attempt, None when there is none."""

    def broken(self, study: str, error: Exception) -> None:
        """A step failed in a way that nobody foresaw."""


class Engine:
    """One executor. `executor_id` is unique and stable for its process slot."""

    def __init__(self, settings: Settings, executor_id: str, work: Work) -> None:
        url = engine_url(settings)
        if url.startswith("sqlite"):
            _use_wal(Path(url.removeprefix("sqlite:///")))
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": url,
            "application_version": ORDER_OF_STEPS,
            "executor_id": executor_id,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "ERROR",
            "enable_otlp": False,
        }
        DefaultSerializer.deserialize = _refuse_pickle  # type: ignore[assignment]
        DBOS(config=config)
        self._executor_id = executor_id
        self._settle, self._process, self._deliver = _define(work, settings.node.folder)

    def start(self) -> None:
        """Recover this executor's unfinished workflows and take on new ones."""
        DBOS.launch()
        DBOS.register_queue("settle", worker_concurrency=ANALYSES, polling_interval_sec=POLL)
        DBOS.register_queue("analyse", worker_concurrency=ANALYSES, polling_interval_sec=POLL)
        DBOS.register_queue("deliver", partition_worker_concurrency=DELIVERIES, polling_interval_sec=POLL)

    def stop(self, seconds: float) -> None:
        """Take nothing new and wait up to `seconds` for what runs; the rest is recovered by the next start."""
        DBOS.destroy(workflow_completion_timeout_sec=int(seconds))

    def settle(self, study: str, arrival: str, generation: int, delay: float) -> None:
        """Settle the study in `delay` s, unless more arrives."""
        with SetWorkflowID(settle_id(study, arrival, generation)), SetEnqueueOptions(delay_seconds=delay):
            DBOS.enqueue_workflow("settle", self._settle, study, arrival, generation)

    def wake(self, study: str, digest: str, destination: str) -> bool:
        """Let a delivery that waits for its next attempt run now. False: none waits."""
        prefix = f"deliver:{study}:{digest[:16]}:{destination}:"
        waiting = DBOS.list_workflows(
            workflow_id_prefix=prefix, status="DELAYED", load_input=False, load_output=False
        )
        for workflow in waiting:
            DBOS.set_workflow_delay(workflow.workflow_id, delay_seconds=0)
        return bool(waiting)

    def adopt(self, executor_id: str) -> int:
        """Take over what an executor that never returns has begun. Returns how many workflows."""
        pending = DBOS.list_workflows(status="PENDING", executor_id=executor_id, load_input=False, load_output=False)
        if pending:
            DBOS.resume_workflows([workflow.workflow_id for workflow in pending])
        return len(pending)

    def unfinished(self) -> set[str]:
        """Ids of everything that waits or runs."""
        active = ["DELAYED", "ENQUEUED", "PENDING"]
        found = DBOS.list_workflows(status=active, load_input=False, load_output=False)
        return {workflow.workflow_id for workflow in found}

    def forget(self, study: str) -> None:
        """Delete every workflow of a study (retention)."""
        prefixes = [f"{kind}:{study}:" for kind in ("settle", "process", "deliver")]
        found = DBOS.list_workflows(workflow_id_prefix=prefixes, load_input=False, load_output=False)
        if found:
            DBOS.delete_workflows([workflow.workflow_id for workflow in found])


def settle_id(study: str, arrival: str, generation: int) -> str:
    """Id of the workflow that settles this set of files."""
    return f"settle:{study}:{arrival[:16]}:{generation}"


def process_id(study: str, digest: str, arrival: str, generation: int) -> str:
    """Id of the workflow that analyses and builds."""
    return f"process:{study}:{digest[:16]}:{arrival[:16]}:{generation}"


def deliver_id(study: str, digest: str, destination: str, generation: int, attempt: int) -> str:
    """Id of the workflow that makes one attempt."""
    return f"deliver:{study}:{digest[:16]}:{destination}:{generation}:{attempt}"


def _refuse_pickle(_self: DefaultSerializer, _text: str) -> None:
    """A row of the database may still name pickle as its format: whoever could write it could then run code here."""
    raise TypeError("this node keeps no pickles")


Settle = Callable[[str, str, int], None]
Process = Callable[[str, str, str, int], None]
Deliver = Callable[[str, str, str, int, int], None]


def _define(work: Work, folder: Path) -> tuple[Settle, Process, Deliver]:
    step = partial(_step, folder)

    @DBOS.workflow(name="settle", max_recovery_attempts=None)
    def settle(study: str, arrival: str, generation: int) -> None:
        digest = step("settle", work, study, lambda: work.settle(study, arrival))
        if digest is not None:
            with SetWorkflowID(process_id(study, digest, arrival, generation)):
                DBOS.enqueue_workflow("analyse", process, study, digest, arrival, generation)

    @DBOS.workflow(name="process", max_recovery_attempts=None)
    def process(study: str, digest: str, arrival: str, generation: int) -> None:  # noqa: ARG001 - part of its identity
        if not step("analyse", work, study, lambda: work.analyse(study, digest)):
            return
        for destination in step("build", work, study, lambda: work.build(study, digest)) or ():
            _enqueue_delivery(deliver, (study, digest, destination, generation, 0), None)

    @DBOS.workflow(name="deliver", max_recovery_attempts=None)
    def deliver(study: str, digest: str, destination: str, generation: int, attempt: int) -> None:
        delay = step("deliver", work, study, lambda: work.deliver(study, digest, destination, generation))
        if delay is not None:
            _enqueue_delivery(deliver, (study, digest, destination, generation, attempt + 1), delay)
        if attempt > 1:
            # a week of attempts would fill the database; the one before the last is surely over
            DBOS.delete_workflows([deliver_id(study, digest, destination, generation, attempt - 2)])

    return settle, process, deliver


def _step(folder: Path, name: str, work: Work, study: str, do: Callable[[], T]) -> T | None:
    """Run as a DBOS step. A database that is away, or a disk that is full, is waited for; the rest is shown."""
    options: StepOptions = {
        "name": name,
        "retries_allowed": True,
        "interval_seconds": WAIT,
        "backoff_rate": 1.0,
        "max_attempts": 10**6,
        "should_retry": partial(_is_waited_for, folder=folder),
    }
    try:
        return DBOS.run_step(options, do)
    except Exception as error:  # noqa: BLE001 - whatever it is, the study must not vanish: it is shown as failed
        broken = error
    DBOS.run_step({**options, "name": f"{name} failed"}, lambda: work.broken(study, broken))
    return None


def _is_waited_for(error: BaseException, folder: Path = Path()) -> bool:
    """Say so in the log, with the file (its name within the node's `folder`) where the error has one."""
    database = isinstance(error, DBAPIError) and not isinstance(error, DataError)  # that would be so again
    waited_for = database or (isinstance(error, OSError) and error.errno in TRANSIENT)
    if waited_for:
        name = getattr(error, "filename", None)
        where = {"path": _within(folder, name)} if isinstance(name, (str, bytes)) else {}
        log.warning("a step waits for the database or the disk", error=type(error).__name__, seconds=WAIT, **where)
    return waited_for


def _within(folder: Path, name: str | bytes) -> str:
    path = Path(os.fsdecode(name)).absolute()
    return str(path.relative_to(folder.absolute()) if path.is_relative_to(folder.absolute()) else path)


def _enqueue_delivery(deliver: Deliver, arguments: tuple[str, str, str, int, int], delay: float | None) -> None:
    options = SetEnqueueOptions(queue_partition_key=arguments[2], delay_seconds=delay)
    with SetWorkflowID(deliver_id(*arguments)), options:
        DBOS.enqueue_workflow("deliver", deliver, *arguments)


def _use_wal(path: Path) -> None:
    make_folder(path.parent)
    with sqlalchemy.create_engine(f"sqlite:///{path}").connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
