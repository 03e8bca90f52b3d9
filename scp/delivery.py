"""One attempt to bring a revision's objects to a destination, and when the next one is due.

The receipt on disk says what the destination has confirmed; the journal only shows it.
"""

import time
from collections import defaultdict
from collections.abc import Callable

from config.destinations import Destination
from config.settings import Settings
from inference.results import Reason
from scp import audit, metrics
from scp.alerts import Alert
from scp.circuit import Circuit, pause
from scp.commitment import Commitment
from scp.delivery_record import DeliveryRecord
from scp.destinations import SHADOW, is_shadow, named, send
from scp.journal import Journal
from scp.outcome import Outcome, Parcel
from scp.result_folders import ResultFolders
from scp.result_records import Receipt
from scp.revision_folder import RevisionFolder

DAY = 86400.0

OPEN = ("waiting", "retrying", "confirming")

EARLY = 0.1
"""Seconds by which clocks may differ."""

REMOVED = Reason(
    code="destination-removed",
    text="The settings no longer name this destination, and the result had not reached it.",
    remedy="Put it back, or name another in its place; then: mammonode retry.",
)

OVERTAKEN = Reason(
    code="overtaken",
    text="A newer result of the study is sent in its place.",
    remedy="Nothing need be done.",
)

OUTDATED = Reason(
    code="outdated",
    text="A newer result of the study is there, not meant for this destination (shadow mode, other settings).",
    remedy="Send the newer one from the study's page, if it is to go there.",
)


class Delivery:
    """Delivers. `alert` is called with what failed for good."""

    def __init__(
        self,
        settings: Settings,
        results: ResultFolders,
        journal: Journal,
        commitment: Commitment,
        alert: Callable[[Alert], None],
    ) -> None:
        self._settings = settings
        self._results = results
        self._journal = journal
        self._commitment = commitment
        self._record = DeliveryRecord(settings.node.folder, journal, alert)
        self._circuits: defaultdict[str, Circuit] = defaultdict(lambda: Circuit(settings.delivery))

    def deliver(self, uid: str, digest: str, name: str) -> float | None:
        """Make one attempt, none in shadow mode. Returns the seconds until the next, None when it is over."""
        revision = self._results.revision(uid, digest)
        if revision.objects is None:
            return None
        self._overtake(uid, revision, name)
        with revision.delivering(name):
            receipt, delay = revision.receipt(name), None
            if receipt.state in OPEN and not revision.is_cancelled(name):
                receipt, delay = self._next(uid, revision, name, receipt)
                if revision.take_cancelled(name) and receipt.state in OPEN:
                    receipt, delay = receipt.model_copy(update={"state": "cancelled", "reason": None}), None
                revision.write_receipt(name, receipt)
        self._record.show(uid, digest, name, receipt, delay)
        return delay

    def _overtake(self, uid: str, revision: RevisionFolder, name: str) -> None:
        """End what is still on its way of earlier revisions: they must not arrive after this one."""
        for earlier in self._results.revisions(uid):
            if not _is_earlier(earlier, revision) or earlier.receipt(name).state not in OPEN:
                continue
            earlier.cancel(name)  # an attempt that runs sees it, and lets go
            with earlier.delivering(name):
                earlier.take_cancelled(name)
                receipt = earlier.receipt(name)
                if receipt.state not in OPEN:
                    continue
                receipt = receipt.model_copy(update={"state": "cancelled", "reason": OVERTAKEN})
                earlier.write_receipt(name, receipt)
            self._record.show(uid, earlier.manifest.digest, name, receipt, None)

    def _next(self, uid: str, revision: RevisionFolder, name: str, receipt: Receipt) -> tuple[Receipt, float | None]:
        """An attempt, unless nothing may be sent, or it is known that the destination is away."""
        if is_shadow(self._settings):
            return self._held(receipt)
        newer = [other.record for other in self._results.revisions(uid) if _is_earlier(revision, other)]
        if newer:
            comes = any(record is not None and name in (record.destinations or ()) for record in newer)
            reason = OVERTAKEN if comes else OUTDATED
            return receipt.model_copy(update={"state": "cancelled", "reason": reason}), None
        destination = named(self._settings, name)
        if destination is None:
            return receipt.model_copy(update={"state": "failed", "reason": REMOVED}), None
        receipt = receipt.model_copy(update={"first_attempt": receipt.first_attempt or time.time()})
        circuit = self._circuits[name]
        asked = receipt.at_once or receipt.state == "confirming" or self._woken(uid, revision, name)
        wait = None if asked else circuit.admit()
        if wait is not None:
            receipt = receipt.model_copy(update={"state": "retrying", "reason": circuit.reason})
            return (receipt.model_copy(update={"state": "failed"}), None) if self._late(receipt) else (receipt, wait)
        try:
            receipt = receipt.model_copy(update={"attempts": receipt.attempts + 1, "at_once": False})
            # a disk that takes no receipt is found before anything is sent, or it would be sent every two seconds
            revision.write_receipt(name, receipt)
            return self._attempt(uid, revision, destination, receipt)
        finally:
            if not asked:  # who asked no circuit must not end the attempt of another
                circuit.end()

    def _held(self, receipt: Receipt) -> tuple[Receipt, float | None]:
        """Open as before, until another mode is set; the days of retry begin anew then."""
        state = "confirming" if receipt.state == "confirming" else "retrying"
        held = receipt.model_copy(update={"state": state, "reason": SHADOW, "first_attempt": None})
        return held, self._settings.delivery.longest_retry

    def _woken(self, uid: str, revision: RevisionFolder, name: str) -> bool:
        """True before the time set for it: whoever wakes it knows that the destination is back, or wants it now."""
        row = self._journal.delivery(uid, revision.manifest.digest, name)
        return row is not None and row.next_attempt is not None and time.time() < row.next_attempt - EARLY

    def _attempt(
        self, uid: str, revision: RevisionFolder, destination: Destination, receipt: Receipt
    ) -> tuple[Receipt, float | None]:
        if receipt.state == "confirming":
            receipt, over = self._look_for_reports(uid, revision, destination, receipt)
            if over:
                return receipt, None
        parcels = [item for item in _sent(revision, destination) if item.sop_instance_uid not in receipt.stored]
        outcome = Outcome(())
        if parcels:
            with metrics.STAGE.labels("deliver").time():
                outcome = send(
                    destination,
                    self._settings.listener.ae_title,
                    parcels,
                    lambda: not revision.is_cancelled(destination.name),
                )
            if not revision.is_cancelled(destination.name):
                self._circuits[destination.name].note(outcome.trouble)
            self._record.sent(uid, destination, parcels, outcome)
        receipt = receipt.model_copy(update={"stored": (*receipt.stored, *outcome.stored)})
        if outcome.trouble is not None:
            return self._again(receipt.model_copy(update={"reason": outcome.trouble}), outcome)
        if destination.commitment and destination.host is not None:
            return self._confirm(uid, revision, destination, receipt)
        return receipt.model_copy(update={"state": "delivered", "reason": None}), None

    def _look_for_reports(
        self, uid: str, revision: RevisionFolder, destination: Destination, receipt: Receipt
    ) -> tuple[Receipt, bool]:
        """True: committed, or given up. Otherwise what is missing there is sent again, or the request is repeated."""
        before = receipt.stored
        receipt = self._commitment.read_reports(receipt, _sent(revision, destination))
        if receipt.committed:
            audit.record(self._settings.node.folder, "result-committed", study=uid, destination=destination.name)
            return receipt.model_copy(update={"state": "delivered", "reason": None}), True
        missing = len(before) - len(receipt.stored)
        reason = not_committed(destination, missing)
        receipt = receipt.model_copy(update={"reason": reason, "refused": receipt.refused + (missing > 0)})
        if receipt.refused > self._settings.delivery.refusal_retries or self._late(receipt):
            return receipt.model_copy(update={"state": "failed"}), True
        self._journal.record_event(uid, f"not committed: {destination.name}", reason.text)
        return receipt, False

    def _confirm(
        self, uid: str, revision: RevisionFolder, destination: Destination, receipt: Receipt
    ) -> tuple[Receipt, float | None]:
        """Ask for storage commitment; the report comes on the same or a new association, or not at all."""
        place = (uid, revision.manifest.digest, destination.name)
        parcels = _sent(revision, destination)
        transaction, trouble = self._commitment.request(destination, place, parcels)
        if trouble is not None:
            return self._again(receipt.model_copy(update={"reason": trouble}), Outcome((), trouble, "soon"))
        transactions = (*receipt.transactions, transaction)
        receipt = receipt.model_copy(update={"transactions": transactions, "state": "confirming"})
        read = self._commitment.read_reports(receipt, parcels)
        if read.committed:
            return read.model_copy(update={"state": "delivered", "reason": None}), None
        # a report that is here already says what is missing: the next attempt sees to it
        here = self._commitment.report(transaction) is not None
        return receipt, self._settings.delivery.first_retry if here else destination.commitment_timeout

    def _again(self, receipt: Receipt, outcome: Outcome) -> tuple[Receipt, float | None]:
        delivery = self._settings.delivery
        refused = receipt.refused + (outcome.retry == "few")
        if outcome.retry == "never" or refused > delivery.refusal_retries or self._late(receipt):
            return receipt.model_copy(update={"state": "failed", "refused": refused}), None
        return receipt.model_copy(update={"state": "retrying", "refused": refused}), pause(delivery, receipt.attempts)

    def _late(self, receipt: Receipt) -> bool:
        return time.time() - (receipt.first_attempt or 0) > self._settings.delivery.retry_days * DAY


def _is_earlier(one: RevisionFolder, other: RevisionFolder) -> bool:
    numbers = [record.number for record in (one.record, other.record) if record is not None]
    return len(numbers) == 2 and numbers[0] < numbers[1] and one.objects is not None


def not_committed(destination: Destination, missing: int) -> Reason:
    """Why a delivery is not confirmed."""
    if missing:
        text = f"{destination.ae_title} reports {missing} objects as not committed; they are sent again."
    else:
        text = f"{destination.ae_title} has sent no storage commitment report in time; it is asked again."
    remedy = "See that it knows this node's AE title, address and port as a storage commitment SCU."
    return Reason(code="not-committed", text=text, remedy=remedy)


def _sent(revision: RevisionFolder, destination: Destination) -> list[Parcel]:
    """The objects that the destination is to have."""
    return [
        Parcel(revision.objects_folder / item.file, item.sop_class_uid, item.sop_instance_uid)
        for item in revision.objects or ()
        if item.kind in destination.objects
    ]
