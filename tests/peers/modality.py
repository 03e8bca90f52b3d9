"""A pynetdicom modality: sends data sets and returns what it was told."""

from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at run time


def associate(
    port: int,
    contexts: Sequence[tuple[str, str | tuple[str, ...]]] = (),
    calling: str = "MODALITY",
    called: str = "MAMMONODE",
    **arguments: Any,
) -> Association:
    """An association with the listener, established or not; always with Verification.

    Each of `contexts` is a SOP class with one transfer syntax, or with several in one context.
    """
    ae = ApplicationEntity(calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = 20
    ae.add_requested_context(Verification)
    for abstract, transfer in dict.fromkeys(contexts):
        ae.add_requested_context(abstract, list(transfer) if isinstance(transfer, tuple) else transfer)
    return ae.associate("127.0.0.1", port, ae_title=called, **arguments)


def send(port: int, datasets: Sequence[Dataset], **arguments: Any) -> list[Dataset]:
    """C-STORE each and release. Returns the statuses."""
    contexts = [(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID) for ds in datasets]
    association = associate(port, contexts, **arguments)
    assert association.is_established
    try:
        return [association.send_c_store(ds) for ds in datasets]
    finally:
        association.release()
