"""What is told of a delivery: in the journal, the audit trail, the metrics, the log, and to whom it concerns."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from config.destinations import Destination
from scp import audit, metrics
from scp.alerts import Alert
from scp.journal import Journal
from scp.outcome import Outcome, Parcel
from scp.progress import refresh
from scp.result_records import Receipt

log = structlog.get_logger()


class DeliveryRecord:
    """Tells. `folder` is the node's, `alert` is called with what failed for good."""

    def __init__(self, folder: Path, journal: Journal, alert: Callable[[Alert], None]) -> None:
        self._folder = folder
        self._journal = journal
        self._alert = alert

    def sent(self, uid: str, destination: Destination, parcels: Sequence[Parcel], outcome: Outcome) -> None:
        """What a destination has taken, and what was in the way: metrics, audit trail and log."""
        metrics.SENT.labels(destination.name).inc(len(outcome.stored))
        where = destination.url or f"{destination.host}:{destination.port}"
        kinds = {item.sop_instance_uid: item.sop_class_uid for item in parcels}
        for instance in outcome.stored:
            audit.record(
                self._folder,
                "result-sent",
                study=uid,
                instance=instance,
                sop_class=kinds[instance],
                destination=destination.name,
                ae_title=destination.ae_title,
                address=where,
            )
        if outcome.trouble is not None:
            log.warning("delivery trouble", study=uid, destination=destination.name, trouble=outcome.trouble.text)

    def show(self, uid: str, digest: str, name: str, receipt: Receipt, delay: float | None) -> None:
        """Bring the journal up to date, and say what failed for good."""
        before = self._journal.delivery(uid, digest, name)
        self._journal.record_delivery(
            uid,
            digest,
            name,
            state=receipt.state,
            reason=receipt.reason,
            attempts=receipt.attempts,
            stored=len(receipt.stored),
            committed=receipt.committed,
            first_attempt=receipt.first_attempt,
            next_attempt=None if delay is None else time.time() + delay,
        )
        if delay is None and (before is None or before.state != receipt.state):
            self._tell(uid, name, receipt)
        refresh(self._journal, uid)

    def _tell(self, uid: str, name: str, receipt: Receipt) -> None:
        """A delivery has come to its end."""
        if receipt.state in ("delivered", "failed", "cancelled"):
            self._journal.record_event(uid, f"{receipt.state}: {name}", receipt.reason.text if receipt.reason else "")
            metrics.DELIVERIES.labels(name, receipt.state).inc()
            log.info("delivery ended", study=uid, destination=name, state=receipt.state)
        if receipt.state == "failed" and receipt.reason is not None:
            self._alert(Alert(study=uid, destination=name, reason=receipt.reason))
        study = self._journal.study(uid)
        if receipt.state == "delivered" and study is not None and study.last_received is not None:
            metrics.TURNAROUND.observe(time.time() - study.last_received)
