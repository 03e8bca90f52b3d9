"""What the engine's workflows do, put together from the parts that do it."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from config.settings import Settings
from inference.errors import InferenceError
from inference.results import Reason
from scp import metrics
from scp.alerts import Alert, send_alert
from scp.attempts import Attempts
from scp.commitment import Commitment
from scp.commitment_messages import Transaction
from scp.delivery import Delivery
from scp.identity import identify
from scp.journal import Journal
from scp.journal_rows import DeliveryState, StudyState
from scp.progress import OPEN
from scp.receiver import spool_folder
from scp.result_folders import ResultFolders
from scp.settle import Settling
from scp.spool import Spool
from scp.steps import Analysis, StudyAnalyser

log = structlog.get_logger()

WAKE = 20

UNFORESEEN = Reason(
    code="internal-error",
    text="A step failed in a way that nobody foresaw.",
    remedy="Look into the worker's log; then: mammonode retry STUDY.",
)


class NodeWork:
    """Implements engine.Work."""

    def __init__(self, settings: Settings, owner: str, journal: Journal, analyser: StudyAnalyser) -> None:
        folder = settings.node.folder
        self._webhook = settings.alerts.webhook
        self.journal = journal
        self.spool = Spool(spool_folder(settings), owner=owner)
        self.results = ResultFolders(folder / "results")
        self.attempts = Attempts(folder / "attempts", settings.analysis.worker_crashes)
        self.commitment = Commitment(folder / "commitment", settings.listener.ae_title)
        self.settling = Settling(settings, self.spool, self.results, journal, self.attempts, identify)
        self.analysis = Analysis(settings, self.spool, self.results, journal, self.attempts, analyser)
        self.delivery = Delivery(settings, self.results, journal, self.commitment, self._alert)
        self.wake: Callable[[str, str, str], object] | None = None

    def settle(self, study: str, arrival: str) -> str | None:
        """Digest of the revision to go on with, None to stop."""
        with self._alerting(study), metrics.STAGE.labels("settle").time():
            return self.settling.settle(study, arrival)

    def analyse(self, study: str, digest: str) -> bool:
        """False to stop."""
        with self._alerting(study):
            return self.analysis.analyse(study, digest)

    def build(self, study: str, digest: str) -> list[str]:
        """Names of the destinations."""
        with self._alerting(study):
            return self.analysis.build(study, digest)

    def deliver(self, study: str, digest: str, destination: str, generation: int) -> float | None:
        """Seconds until the next attempt. A destination that is back wakes what waits for it."""
        known = self.journal.study(study)
        if known is None or known.generation != generation:
            return None  # driven again since: a newer chain of attempts does this
        before = self.journal.delivery(study, digest, destination)
        delay = self.delivery.deliver(study, digest, destination)
        if delay is None and before is not None and before.state is DeliveryState.RETRYING and self.wake:
            waiting = self.journal.deliveries(states=[DeliveryState.RETRYING])
            # each of these wakes more when it is through
            for row in [item for item in waiting if item.destination == destination][:WAKE]:
                self.wake(row.study_instance_uid, row.digest, destination)
        return delay

    def awaits_report(self, transaction: Transaction) -> bool:
        """True while the delivery of a storage commitment is on its way."""
        row = self.journal.delivery(*transaction.place)
        return row is not None and row.state in OPEN

    def broken(self, study: str, error: Exception) -> None:
        """A step failed in a way that nobody foresaw: shown as failed, with where to look."""
        where = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
        log.error("a step failed", study=study, error=type(error).__name__, where=f"{where.name}" if where else "")
        reason = error.reason if isinstance(error, InferenceError) else UNFORESEEN
        with self._alerting(study):
            self.journal.record_study(study, state=StudyState.FAILED, reason=reason, due=None, revision=0)
        self.journal.record_event(study, "failed", reason.text)

    @contextmanager
    def _alerting(self, study: str) -> Iterator[None]:
        """Alert when the study has failed meanwhile."""
        before = self.journal.study(study)
        yield
        row = self.journal.study(study)
        if row is None or row.state is not StudyState.FAILED or row.reason is None:
            return
        if before is None or (before.state, before.reason) != (row.state, row.reason):
            self._alert(Alert(study=study, reason=row.reason))

    def _alert(self, alert: Alert) -> None:
        send_alert(self._webhook, alert)
