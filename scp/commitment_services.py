"""Storage commitment at the listener: reports of destinations, and requests of senders where that is switched on."""

from typing import Any

from pynetdicom import evt
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]  # made at import

from config.settings import Settings
from scp.commitment import Commitment


def services(settings: Settings) -> tuple[list[PresentationContext], list[tuple[Any, ...]]]:
    """Contexts and handlers for the listener; the peer may propose itself as SCP to bring its report."""
    asked = any(destination.commitment for destination in settings.destinations)
    if not asked and not settings.listener.commitment:
        return [], []
    context = build_context(StorageCommitmentPushModel)
    context.scp_role, context.scu_role = asked, True
    commitment = Commitment(settings.node.folder / "commitment", settings.listener.ae_title)
    handlers: list[tuple[Any, ...]] = [(evt.EVT_N_EVENT_REPORT, commitment.handle_report)]
    if settings.listener.commitment:
        handlers.append((evt.EVT_N_ACTION, commitment.handle_request))
    return [context], handlers
