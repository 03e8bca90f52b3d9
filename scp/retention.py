"""What is over is cleaned away: by age, sooner on a full disk, never before delivery and commitment are confirmed."""

import shutil
import time
from collections.abc import Callable, Iterator

import structlog

from config.settings import Settings
from scp import audit
from scp.journal_rows import DeliveryState, StudyRow, StudyState
from scp.work import NodeWork

log = structlog.get_logger()

DAY = 86400.0
AT_ONCE = 1000
"""Candidates read at once, oldest first."""

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
        # interrupted: whatever age and disk say by now, as nothing new of such a study is looked at meanwhile
        begun = [uid for uid in self._work.results.study_uids() if self._work.results.removing(uid) is not None]
        for uid in begun:
            self._remove(uid, "interrupted")
        gone: list[str] = []
        for row in self._candidates(gone):
            too_old = time.time() - row.updated > self._settings.retention.days * DAY
            if not too_old and not self._disk_is_full():
                break  # the candidates come oldest first
            if self._may_go(row) and self._begin(row):
                self._remove(row.study_instance_uid, "age" if too_old else "watermark")
                gone.append(row.study_instance_uid)
        return begun + gone

    def _candidates(self, gone: list[str]) -> Iterator[StudyRow]:
        """All of them, however many must stay; `gone` are those that went meanwhile."""
        looked_at = 0
        while rows := self._work.journal.oldest(OVER, AT_ONCE, looked_at - len(gone)):
            yield from rows
            looked_at += len(rows)

    def _disk_is_full(self) -> bool:
        usage = shutil.disk_usage(self._settings.node.folder)
        return usage.used / usage.total > self._settings.retention.watermark

    def _may_go(self, row: StudyRow) -> bool:
        """Every receipt of the result that counts says delivered (committed where that is asked for) or cancelled;
        nobody was promised it.
        """
        uid = row.study_instance_uid
        kept_until = self._work.results.kept_until(uid)
        if kept_until is not None and kept_until > time.time():
            return False
        deliveries = [item for item in self._work.journal.deliveries(uid) if item.digest == row.digest]
        return all(item.state in (DeliveryState.DELIVERED, DeliveryState.CANCELLED) for item in deliveries)

    def _begin(self, row: StudyRow) -> bool:
        """Write down that the study goes, with which files. False: something has arrived since `row` was read.

        Files are listed before the last look at the study, as `row` may be minutes old; only those are deleted.
        """
        uid = row.study_instance_uid
        files = [version.path.name for version in self._work.spool.versions(uid)]
        if self._work.journal.study(uid) != row or self._work.settling.stamp(uid) not in (row.seen, 0):
            return False
        self._work.results.begin_removal(uid, files)
        return True

    def _remove(self, uid: str, why: str) -> None:
        """What has begun, to its end: the note of it goes with the results, after the images."""
        self._work.spool.remove(uid, self._work.results.removing(uid) or ())
        for revision in self._work.results.revisions(uid):
            for receipt in revision.receipts().values():
                self._work.commitment.forget(receipt.transactions)
        self._work.results.remove(uid)
        self._work.attempts.forget(uid)
        self._forget_workflows(uid)
        self._work.journal.forget(uid)
        audit.record(self._settings.node.folder, "removed", study=uid, why=why)
        log.info("study removed", study=uid, why=why)
