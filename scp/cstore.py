"""C-STORE to a destination: one association a batch, and what each status means for trying again."""

import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog
from pydicom import dcmread
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from config.destinations import Destination
from inference.results import Reason
from scp.association import NoAssociationError, NoContextError, associated
from scp.circuit import UNREACHABLE
from scp.outcome import Outcome, Parcel, Retry

log = structlog.get_logger()

SLOWEST = 100_000
"""Bytes a second: a slower link counts as broken."""

WATCH = 0.5
"""Seconds between two looks whether an attempt is still wanted."""

REJECTED = "Let it accept this SOP class and syntax, or take the kind out of the destination's objects."

STATUSES: tuple[tuple[range, Retry | None, str], ...] = (
    # PS3.4 table B.2-1, PS3.7 C; None: it is stored
    (range(0x0000, 0x0001), None, ""),
    (range(0xB000, 0xC000), None, ""),
    (range(0x0111, 0x0112), None, ""),
    (range(0x0110, 0x0111), "soon", "Its log says what failed; the node goes on trying."),
    (range(0xA700, 0xA800), "soon", "Free space at the destination; the node goes on trying."),
    (range(0xC000, 0xD000), "few", "Its log says what it cannot understand; then: mammonode retry."),
    (
        range(0x0122, 0x0123),
        "never",
        "Let it accept this SOP class, or take the kind out of the destination's objects.",
    ),
    (range(0x0124, 0x0125), "never", "Let it accept objects from this node's AE title; then: mammonode retry."),
    (range(0xA900, 0xAA00), "never", "It finds data set and SOP class at odds: report this; then: mammonode retry."),
)


def meaning(status: int | None) -> tuple[Retry | None, str]:
    """What a C-STORE status says about trying again, with a remedy. None as status: no answer came."""
    if status is None:
        return "soon", "See that it runs and that the network reaches it; the node goes on trying."
    for codes, retry, remedy in STATUSES:
        if status in codes:
            return retry, remedy
    return "few", "Its log says why; then: mammonode retry."


def send(
    destination: Destination, calling: str, parcels: Sequence[Parcel], wanted: Callable[[], bool] = lambda: True
) -> Outcome:
    """Store `parcels` over one association. A lost association ends the attempt; the rest is for the next.

    An attempt that is no longer `wanted` ends within WATCH s, even when the destination answers nothing.
    """
    stored: list[str] = []
    troubles: list[tuple[Retry, Reason]] = []
    try:
        with associated(destination, calling, _contexts(parcels)) as assoc, _watched(assoc, wanted):
            waiting = deque(parcels)
            while waiting and assoc.is_established and wanted():
                parcel = waiting.popleft()
                retry, reason = _store(assoc, destination, parcel)
                if reason is None or retry is None:
                    stored.append(parcel.sop_instance_uid)
                else:
                    troubles.append((retry, reason))
            if waiting and not troubles:
                troubles.append(("soon", _lost(destination, "closed the association")))
    except NoContextError as error:
        troubles.append(("few", Reason(code="context-rejected", text=f"{error}.", remedy=REJECTED)))
    except (NoAssociationError, OSError, ssl.SSLError) as error:
        troubles.append(("soon", _lost(destination, str(error))))
    if not troubles:
        return Outcome(tuple(stored))
    # what may still succeed is tried again before anything is called final
    retry, reason = min(troubles, key=lambda trouble: ("soon", "few", "never").index(trouble[0]))
    return Outcome(tuple(stored), reason, retry)


def _store(assoc: Association, destination: Destination, parcel: Parcel) -> tuple[Retry | None, Reason | None]:
    syntax = _syntax(parcel)
    accepted = {
        item.transfer_syntax[0] for item in assoc.accepted_contexts if item.abstract_syntax == parcel.sop_class_uid
    }
    if not accepted or (syntax not in accepted and syntax != ExplicitVRLittleEndian):
        text = f"{destination.ae_title} does not accept {parcel.sop_class_uid} in {syntax}."
        return "few", Reason(code="context-rejected", text=text, remedy=REJECTED)
    with parcel.reading():
        ds, size = dcmread(parcel.file), parcel.file.stat().st_size
    assoc.dimse_timeout = destination.response_timeout + size / SLOWEST
    try:
        # a Dataset, not a path: pynetdicom then converts to implicit VR where only that was accepted
        answer = assoc.send_c_store(ds)
    except (RuntimeError, ValueError) as error:
        # RuntimeError: the association ended meanwhile; ValueError: the object cannot be encoded
        return "soon", _lost(destination, type(error).__name__)
    status = answer.get("Status")
    retry, remedy = meaning(status)
    if retry is None:
        return None, None
    if status is None:
        return retry, _lost(destination, "gave no answer to C-STORE")
    text = f"{destination.ae_title} answers 0x{status:04X} to {parcel.sop_class_uid}."
    return retry, Reason(code=f"status-{status:04x}", text=text, remedy=remedy)


@contextmanager
def _watched(assoc: Association, wanted: Callable[[], bool]) -> Iterator[None]:
    """Waits for an answer of the destination end when nobody wants it any more."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH):
            if not wanted():
                # what pynetdicom itself puts there when the association is lost
                assoc.dimse.msg_queue.put((None, None))
                return

    threading.Thread(target=watch, name="watch", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _contexts(parcels: Sequence[Parcel]) -> list[PresentationContext]:
    wanted: dict[tuple[str, str], None] = {}
    for parcel in parcels:
        syntax = _syntax(parcel)
        wanted[parcel.sop_class_uid, syntax] = None
        if syntax == ExplicitVRLittleEndian:
            wanted[parcel.sop_class_uid, ImplicitVRLittleEndian] = None
    return [build_context(abstract, syntax) for abstract, syntax in wanted]


def _syntax(parcel: Parcel) -> str:
    with parcel.reading():
        return str(read_file_meta_info(parcel.file).TransferSyntaxUID)


def _lost(destination: Destination, what: str) -> Reason:
    remedy = "See that it runs, knows this node's AE title, and that the network reaches it; the node goes on trying."
    text = what if destination.ae_title in what else f"{destination.ae_title} {what}"
    return Reason(code=UNREACHABLE, text=f"{text}.", remedy=remedy)
