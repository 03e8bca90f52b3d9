"""The worker process: takes what the spool has, carries it through the engine, keeps its lease."""

import os
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial

import structlog
from sqlalchemy.exc import DBAPIError

from config.settings import Settings
from scp import memory
from scp.clock import wake_after_set_back
from scp.commitment_answers import answer_requests
from scp.durable import hold
from scp.engine import Engine
from scp.journal_rows import StudyState
from scp.leases import Leases
from scp.leftovers import sweep
from scp.node import AGAIN, DATABASE_BROKEN
from scp.operations import drive_again
from scp.recovery import is_corrupt, open_journal
from scp.retention import Retention
from scp.settle import seconds_until
from scp.signals import Termination
from scp.steps import StudyAnalyser
from scp.work import NodeWork

log = structlog.get_logger()

LOOK = 0.2
"""Seconds between two looks into the inbox."""

SWEEP = 60.0
CLEAN = 3600.0
"""Seconds between two looks for what killed processes have left."""

ANSWER = 1.0
BACK = 2.0
"""Seconds to wait when the database or the disk is away."""

UNFINISHED = (StudyState.RECEIVED, StudyState.WAITING, StudyState.ANALYSING, StudyState.DELIVERING)


class Worker:
    """One executor of the node. Waits for its slot while an earlier process of the slot still drains."""

    def __init__(self, settings: Settings, slot: int, load: Callable[[Settings], StudyAnalyser]) -> None:
        self._settings = settings
        self._executor_id = f"{settings.node.name}-{slot}"
        self._incarnation = str(uuid.uuid4())
        self._slot = hold(settings.node.folder / "locks" / f"{self._executor_id}.lock", wait=True)
        self._stopping = threading.Event()
        self._healthy_since = time.monotonic()
        self._untouched = 0.0
        self._cleaned = 0.0
        self._work = NodeWork(settings, self._executor_id, open_journal(settings), load(settings))
        self._journal, self._spool = self._work.journal, self._work.spool
        self._engine = Engine(settings, self._executor_id, self._work)
        self._work.wake = self._engine.wake
        self._leases = Leases(self._journal.engine)
        self._retention = Retention(settings, self._work, self._engine.forget)

    def run(self, termination: Termination) -> None:
        """Work until then; finish what runs within node.drain_seconds: the rest is taken on by the next start."""
        self._leases.take(self._executor_id, self._incarnation)
        self._engine.start()
        log.info("worker ready", executor=self._executor_id)
        loops = [
            threading.Thread(target=self._loop, args=(self._take_in, LOOK), name="inbox"),
            threading.Thread(target=self._loop, args=(self._sweep, SWEEP), name="sweep"),
            threading.Thread(target=self._loop, args=(self._keep_lease, self._settings.engine.lease_seconds / 3)),
        ]
        if self._settings.listener.commitment:
            answer = partial(answer_requests, self._settings, self._work)
            loops.append(threading.Thread(target=self._loop, args=(answer, ANSWER), name="commitment"))
        for loop in loops:
            loop.start()
        termination.wait()
        self._stopping.set()
        for loop in loops:
            loop.join()
        self._engine.stop(self._settings.node.drain_seconds)
        self._work.attempts.interrupted()
        log.info("worker stopped", executor=self._executor_id)

    def _loop(self, do: Callable[[], None], seconds: float) -> None:
        while not self._stopping.is_set():
            wait = seconds
            try:
                do()
            except (DBAPIError, OSError) as error:
                self._healthy_since = time.monotonic()
                if is_corrupt(error):
                    log.critical("the database is damaged", error=type(error).__name__)
                    os._exit(DATABASE_BROKEN)
                log.warning("database or disk is away", error=type(error).__name__, seconds=BACK)
                wait = BACK
            self._stopping.wait(wait)

    # inbox

    def _take_in(self) -> None:
        trouble: OSError | None = None
        for study in self._spool.claim(self._executor_id):
            try:
                self._arrived(study)
            except OSError as error:  # the others need not wait for it
                trouble = error
                continue
            self._spool.done(self._executor_id, study)
        if trouble is not None:
            raise trouble
        for transaction, known in self._work.commitment.arrived():
            # a report may come before its delivery has begun to wait for it
            if known is None or self._engine.wake(*known.place) or not self._work.awaits_report(known):
                self._work.commitment.looked_at(transaction)

    def _arrived(self, study: str) -> None:
        found = self._work.settling.notice(study)
        if found is not None:
            arrival, due = found
            row = self._journal.study(study)
            self._engine.settle(study, arrival, row.generation if row else 0, seconds_until(due))

    # sweep

    def _sweep(self) -> None:
        """Close every gap between a file on disk and a workflow that knows of it; then clean up."""
        seen = self._journal.seen()
        for study in self._spool.study_uids():
            if seen.get(study) != self._work.settling.stamp(study):
                try:
                    self._arrived(study)
                except OSError as error:  # the others, and what follows, need not wait for it
                    log.warning("a study cannot be read", study=study, error=error.strerror)
        running = {workflow.split(":")[1] for workflow in self._engine.unfinished()}
        for row in self._journal.studies(UNFINISHED):
            # abs: after the clock was set back a change may lie ahead
            if row.study_instance_uid not in running and abs(time.time() - row.updated) > self._untouched:
                log.warning("study without a workflow, driven again", study=row.study_instance_uid)
                self._drive(row.study_instance_uid)
        wake_after_set_back(self._settings, self._journal, self._drive, self._engine.wake)
        # at once after a start: a power cut may have left the journal behind the engine
        self._untouched = SWEEP
        self._retention.run()
        memory.give_back()  # loading the networks and building objects leave a hundred megabytes free but held
        if time.monotonic() > self._cleaned + CLEAN or not self._cleaned:
            self._clean()

    def _drive(self, study: str) -> None:
        drive_again(self._journal, self._spool, study)

    def _clean(self) -> None:
        folder = self._settings.node.folder
        number = sum(sweep(folder / name) for name in ("results", "commitment", "attempts"))
        number += self._work.commitment.sweep(self._work.results.has)
        if number:
            log.warning("half-written files of killed processes removed", files=number)
        self._cleaned = time.monotonic()

    # lease

    def _keep_lease(self) -> None:
        """Renew the own lease; take over the work of executors that have not renewed theirs.

        Only after a whole lease in health: when the database itself was away, all leases look expired.
        """
        if not self._leases.renew(self._executor_id, self._incarnation):
            log.error("lease lost: another executor may have this one's work", executor=self._executor_id)
            os._exit(AGAIN)
        lease = self._settings.engine.lease_seconds
        if time.monotonic() - self._healthy_since < lease:
            return
        for executor in self._leases.expired(lease):
            if self._leases.claim(executor, self._executor_id, lease):
                number = self._engine.adopt(executor)
                self._leases.end(executor, self._executor_id)
                log.warning("adopted the work of a lost executor", executor=executor, workflows=number)
