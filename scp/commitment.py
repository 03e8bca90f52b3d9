"""Storage commitment (PS3.4 J), both roles, through files: listener and worker share no database.

<folder>/transactions/<TransactionUID>.json   asked for by this node
<folder>/reports/<TransactionUID>.json        what the destination answered
<folder>/arrived/<TransactionUID>             a mark: that report has not been looked at
<folder>/requests/<TransactionUID>.json       asked of this node, by a sender
"""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydicom.uid import generate_uid
from pynetdicom import evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import by pynetdicom
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from config.destinations import Destination
from inference.results import Reason
from scp.association import NoAssociationError, associated
from scp.commitment_messages import (
    FAILURE,
    NO_RESOURCES,
    REQUEST,
    SUCCESS,
    Reference,
    Report,
    Request,
    Transaction,
    action_information,
    references_of,
)
from scp.durable import make_folder, write_durably
from scp.outcome import Parcel
from scp.result_records import Receipt
from scp.spool import is_uid

SAME_ASSOCIATION = 1.0
"""Seconds in which a report on the same association is waited for."""

MOST_REQUESTS, MOST_REFERENCES = 1000, 10_000
"""Requests of senders that may wait for their answer, and instances that one may name."""


class Commitment:
    """The mailbox and the requests."""

    def __init__(self, folder: Path, calling: str) -> None:
        self._folder = folder
        self._calling = calling
        for name in ("transactions", "reports", "arrived", "requests"):
            make_folder(folder / name)

    def request(
        self, destination: Destination, place: tuple[str, str, str], parcels: Sequence[Parcel]
    ) -> tuple[str, Reason | None]:
        """Ask `destination` to commit to `parcels` (N-ACTION). Returns the Transaction UID and what went wrong."""
        transaction = str(generate_uid())
        study, digest, name = place
        # written first: the report may come before the response
        known = Transaction(study=study, digest=digest, destination=name)
        write_durably(self._folder / "transactions" / f"{transaction}.json", known.model_dump_json().encode())
        references = [Reference(sop_class_uid=p.sop_class_uid, sop_instance_uid=p.sop_instance_uid) for p in parcels]
        contexts = [build_context(StorageCommitmentPushModel)]
        handlers = [(evt.EVT_N_EVENT_REPORT, self.handle_report)]
        try:
            with associated(destination, self._calling, contexts, handlers=handlers) as assoc:
                answer, _ = assoc.send_n_action(
                    action_information(transaction, references),
                    REQUEST,
                    StorageCommitmentPushModel,
                    StorageCommitmentPushModelInstance,
                )
                status = answer.get("Status")
                deadline = time.monotonic() + SAME_ASSOCIATION
                while status == SUCCESS and assoc.is_established and time.monotonic() < deadline:
                    if self.report(transaction) is not None:
                        break
                    time.sleep(0.05)
        except (NoAssociationError, OSError, ssl.SSLError, ValueError, RuntimeError) as error:
            return transaction, _trouble(destination, str(error))
        if status != SUCCESS:
            return transaction, _trouble(destination, f"{destination.ae_title} answers N-ACTION with {status}")
        return transaction, None

    def report(self, transaction: str) -> Report | None:
        """What was answered, None if nothing yet."""
        try:
            return Report.model_validate_json((self._folder / "reports" / f"{transaction}.json").read_bytes())
        except FileNotFoundError:
            return None

    def read_reports(self, receipt: Receipt, parcels: Sequence[Parcel]) -> Receipt:
        """The receipt as the reports leave it: committed, or with what is missing there no longer called stored."""
        wanted = {parcel.sop_instance_uid for parcel in parcels}
        reports = [self.report(transaction) for transaction in receipt.transactions]
        committed = {uid for report in reports if report is not None for uid in report.committed}
        # what an earlier report missed has been sent again since
        missing = reports[-1].missing - committed if reports and reports[-1] is not None else set()
        if wanted <= committed:
            return receipt.model_copy(update={"committed": True})
        stored = tuple(uid for uid in receipt.stored if uid not in missing)
        return receipt.model_copy(update={"committed": False, "stored": stored})

    def arrived(self) -> Iterator[tuple[str, Transaction | None]]:
        """Transaction UIDs whose report has come, until `looked_at`, with the delivery (None: it is gone)."""
        for mark in sorted((self._folder / "arrived").iterdir()):
            mapping = self._folder / "transactions" / f"{mark.name}.json"
            known = Transaction.model_validate_json(mapping.read_bytes()) if mapping.exists() else None
            yield mark.name, known

    def looked_at(self, transaction: str) -> None:
        """The delivery knows of its report."""
        (self._folder / "arrived" / transaction).unlink(missing_ok=True)

    def forget(self, transactions: Sequence[str]) -> None:
        """Remove reports of deliveries that are gone (retention)."""
        for transaction in transactions:
            for place in ("transactions", "reports"):
                (self._folder / place / f"{transaction}.json").unlink(missing_ok=True)

    def sweep(self, is_known: Callable[[str], bool]) -> int:
        """Remove what belongs to no `is_known` study: a kill came before a receipt named it. Returns how many."""
        gone = [
            path.stem
            for path in (self._folder / "transactions").glob("*.json")
            if not is_known(Transaction.model_validate_json(path.read_bytes()).study)
        ]
        self.forget(gone)
        return len(gone)

    # handlers of the listener

    def handle_report(self, event: evt.Event) -> tuple[int, None]:
        """N-EVENT-REPORT: keep it if this node asked for it."""
        information = event.event_information
        transaction = str(information.get("TransactionUID", ""))
        if not is_uid(transaction) or not (self._folder / "transactions" / f"{transaction}.json").exists():
            return FAILURE, None
        references = (
            *references_of(information, "ReferencedSOPSequence"),
            *references_of(information, "FailedSOPSequence"),
        )
        content = Report(references=references).model_dump_json().encode()
        write_durably(self._folder / "reports" / f"{transaction}.json", content)
        (self._folder / "arrived" / transaction).touch(mode=0o600)
        return SUCCESS, None

    def handle_request(self, event: evt.Event) -> tuple[int, None]:
        """N-ACTION: keep the request for the worker, who answers on a new association."""
        information = event.action_information
        transaction = str(information.get("TransactionUID", ""))
        if event.action_type != REQUEST or not is_uid(transaction):
            return FAILURE, None
        references = references_of(information, "ReferencedSOPSequence")
        waiting = sum(1 for _ in (self._folder / "requests").iterdir())
        if waiting >= MOST_REQUESTS or len(references) > MOST_REFERENCES:
            return NO_RESOURCES, None
        requestor = event.assoc.requestor
        request = Request(
            ae_title=str(requestor.ae_title).strip(),
            address=str(requestor.address),
            received=time.time(),
            references=references,
        )
        write_durably(self._folder / "requests" / f"{transaction}.json", request.model_dump_json().encode())
        return SUCCESS, None

    def requests(self) -> Iterator[tuple[str, Request]]:
        """What senders have asked for and was not answered yet."""
        for path in sorted((self._folder / "requests").glob("*.json")):
            yield path.stem, Request.model_validate_json(path.read_bytes())

    def answered(self, transaction: str) -> None:
        """The sender has got its report."""
        (self._folder / "requests" / f"{transaction}.json").unlink(missing_ok=True)


def _trouble(destination: Destination, text: str) -> Reason:
    remedy = f"Let {destination.ae_title} offer storage commitment to this node, or set commitment = false."
    return Reason(code="commitment", text=f"No storage commitment: {text}.", remedy=remedy)
