"""What the engine's workflows do, put together from the parts that do it."""

import traceback
from collections.abc import Callable

import structlog

from config.settings import Settings
from inference.results import Reason
from scp.alerts import Alert, send_alert
from scp.attempts import Attempts
from scp.commitment import Commitment
from scp.delivery import Delivery
from scp.identity import identify
from scp.journal import Journal
from scp.journal_rows import DeliveryState, StudyState
from scp.receiver import spool_folder
from scp.result_folders import ResultFolders
from scp.settle import Settling
from scp.spool import Spool
from scp.steps import Analysis, StudyAnalyser

log = structlog.get_logger()


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
        self.wake: Callable[[str, str, str], None] | None = None

    def settle(self, study: str, arrival: str) -> str | None:
        """Digest of the revision to go on with, None to stop."""
        digest = self.settling.settle(study, arrival)
        self._alert_if_failed(study)
        return digest

    def analyse(self, study: str, digest: str) -> bool:
        """False to stop."""
        done = self.analysis.analyse(study, digest)
        self._alert_if_failed(study)
        return done

    def build(self, study: str, digest: str) -> list[str]:
        """Names of the destinations."""
        names = self.analysis.build(study, digest)
        self._alert_if_failed(study)
        return names

    def deliver(self, study: str, digest: str, destination: str, generation: int) -> float | None:
        """Seconds until the next attempt. A destination that is back wakes what waits for it."""
        row = self.journal.study(study)
        if row is None or row.generation != generation:
            return None  # driven again since: a newer chain of attempts does this
        before = self.journal.delivery(study, digest, destination)
        delay = self.delivery.deliver(study, digest, destination)
        if delay is None and before is not None and before.state is DeliveryState.RETRYING and self.wake:
            for waiting in self.journal.deliveries(states=[DeliveryState.RETRYING]):
                if waiting.destination == destination:
                    self.wake(waiting.study_instance_uid, waiting.digest, destination)
        return delay

    def broken(self, study: str, error: Exception) -> None:
        """A step failed in a way that nobody foresaw: shown as failed, with where to look."""
        where = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
        log.error("a step failed", study=study, error=type(error).__name__, where=f"{where.name}" if where else "")
        reason = Reason(
            code="internal-error",
            text=f"A step failed unexpectedly ({type(error).__name__}).",
            remedy="Look into the worker's log; then: mammonode retry STUDY.",
        )
        self.journal.record_study(study, state=StudyState.FAILED, reason=reason, due=None)
        self.journal.record_event(study, "failed", reason.text)
        self._alert(Alert(study=study, reason=reason))

    def _alert_if_failed(self, study: str) -> None:
        row = self.journal.study(study)
        if row is not None and row.state is StudyState.FAILED and row.reason is not None:
            self._alert(Alert(study=study, reason=row.reason))

    def _alert(self, alert: Alert) -> None:
        send_alert(self._webhook, alert)
