"""What is over is cleaned away: by age, sooner on a full disk, never before delivery and commitment are confirmed."""

import shutil
import time
from collections.abc import Callable

import structlog

from config.settings import Settings
from scp import audit
from scp.journal_rows import DeliveryState, StudyRow, StudyState
from scp.work import NodeWork

log = structlog.get_logger()

DAY = 86400.0
AT_ONCE = 1000
"""Candidates looked at in one run, oldest first."""

OVER = (StudyState.DELIVERED, StudyState.ANALYSED, StudyState.EXCLUDED, StudyState.CANCELLED)
"""A failed study stays until someone has looked at it (retry or cancel)."""


class Retention:
    """Deletes studies of this node: images, results, journal rows and workflows, in that order."""

    def __init__(self, settings: Settings, work: NodeWork, forget_workflows: Callable[[str], None]) -> None:
        self._settings = settings
        self._work = work
        self._forget_workflows = forget_workflows

    def run(self) -> list[str]:
        """Delete what may go. Returns the studies that went."""
        gone = []
        for row in self._work.journal.oldest(OVER, AT_ONCE):
            too_old = time.time() - row.updated > self._settings.retention.days * DAY
            if not too_old and not self._disk_is_full():
                break  # the candidates come oldest first
            if self._may_go(row):
                self._remove(row.study_instance_uid, "age" if too_old else "watermark")
                gone.append(row.study_instance_uid)
        return gone

    def _disk_is_full(self) -> bool:
        usage = shutil.disk_usage(self._settings.node.folder)
        return usage.used / usage.total > self._settings.retention.watermark

    def _may_go(self, row: StudyRow) -> bool:
        """Every receipt says delivered (committed where that is asked for) or cancelled; nobody was promised it."""
        uid = row.study_instance_uid
        kept_until = self._work.results.kept_until(uid)
        if kept_until is not None and kept_until > time.time():
            return False
        deliveries = self._work.journal.deliveries(uid)
        return all(item.state in (DeliveryState.DELIVERED, DeliveryState.CANCELLED) for item in deliveries)

    def _remove(self, uid: str, why: str) -> None:
        """The row goes last, so that an interrupted removal is found again."""
        for revision in self._work.results.revisions(uid):
            for receipt in revision.receipts().values():
                self._work.commitment.forget(receipt.transactions)
        self._work.spool.remove(uid)
        self._work.results.remove(uid)
        self._work.attempts.forget(uid)
        self._forget_workflows(uid)
        self._work.journal.forget(uid)
        audit.record(self._settings.node.folder, "removed", study=uid, why=why)
        log.info("study removed", study=uid, why=why)
