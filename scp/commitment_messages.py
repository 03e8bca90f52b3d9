"""The messages of storage commitment (PS3.4 J.3), asked and answered, as data sets and as records."""

from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom.presentation import build_context, build_role
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import by pynetdicom
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from config.destinations import Destination
from inference.results import Frozen
from scp.association import associated

REQUEST, REPORT_ALL, REPORT_SOME = 1, 1, 2  # PS3.4 J.3.2 action type, J.3.3 event types
SUCCESS, FAILURE, NO_RESOURCES = 0x0000, 0x0110, 0x0213  # PS3.7 annex C


class Reference(Frozen):
    """One instance of a request or report; `failure` is its Failure Reason (0008,1197), None if committed."""

    sop_class_uid: str
    sop_instance_uid: str
    failure: int | None = None


class Transaction(Frozen):
    """Which delivery a Transaction UID belongs to."""

    study: str
    digest: str
    destination: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Study, digest and destination."""
        return self.study, self.digest, self.destination


class Report(Frozen):
    """What the other side commits to."""

    references: tuple[Reference, ...]

    @property
    def committed(self) -> set[str]:
        """SOP Instance UIDs that are safe there."""
        return {item.sop_instance_uid for item in self.references if item.failure is None}

    @property
    def missing(self) -> set[str]:
        """SOP Instance UIDs that are not."""
        return {item.sop_instance_uid for item in self.references if item.failure is not None}


class Request(Frozen):
    """What a sender wants this node to commit to."""

    ae_title: str
    address: str
    received: float
    references: tuple[Reference, ...]


def send_report(peer: Destination, calling: str, transaction: str, references: Sequence[Reference]) -> bool:
    """Tell a sender what this node commits to: N-EVENT-REPORT on a new association. False: it was not taken.

    Raises NoAssociationError.
    """
    contexts = [build_context(StorageCommitmentPushModel)]
    roles = [build_role(StorageCommitmentPushModel, scp_role=True)]
    information = action_information(transaction, [item for item in references if item.failure is None])
    failed = [item for item in references if item.failure is not None]
    if failed:
        information.FailedSOPSequence = [_reference(item) for item in failed]
    with associated(peer, calling, contexts, roles=roles) as assoc:
        answer, _ = assoc.send_n_event_report(
            information,
            REPORT_SOME if failed else REPORT_ALL,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
    return bool(answer.get("Status") == SUCCESS)


def action_information(transaction: str, references: Sequence[Reference]) -> Dataset:
    """Transaction UID and Referenced SOP Sequence, as N-ACTION and N-EVENT-REPORT carry them (PS3.4 J.3)."""
    information = Dataset()
    information.TransactionUID = transaction
    if references:
        information.ReferencedSOPSequence = [_reference(item) for item in references]
    return information


def _reference(item: Reference) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID = item.sop_class_uid
    ds.ReferencedSOPInstanceUID = item.sop_instance_uid
    if item.failure is not None:
        ds.FailureReason = item.failure
    return ds


def references_of(information: Dataset, keyword: str) -> tuple[Reference, ...]:
    """What a sequence of a request or report names."""

    def one(item: Any) -> Reference:
        failure = int(item.get("FailureReason", FAILURE)) if keyword == "FailedSOPSequence" else None
        uids = {
            "sop_class_uid": str(item.ReferencedSOPClassUID),
            "sop_instance_uid": str(item.ReferencedSOPInstanceUID),
        }
        return Reference(**uids, failure=failure)

    return tuple(one(item) for item in information.get(keyword) or ())
