"""Storage commitment as SCP: what this node tells a sender that asked.

This node is no archive: `listener.commitment` is off by default. When on, it commits to what lies in the spool, and
retention keeps that for `retention.commitment_days`.
"""

import time

import structlog

from config.destinations import Destination
from config.listener import Peer
from config.settings import Settings
from scp import audit
from scp.association import NoAssociationError
from scp.commitment_messages import Reference, Request, send_report
from scp.work import NodeWork

log = structlog.get_logger()

NO_SUCH_INSTANCE = 0x0112
SETTLED = 5.0
"""Seconds after which what is not in the journal is not here."""

KEEP_ASKING = 3600.0
"""Seconds for which a sender that does not take its report is tried again."""


def answer_requests(settings: Settings, work: NodeWork) -> None:
    """Tell each sender that asked what this node commits to."""
    for transaction, request in work.commitment.requests():
        peer = next((item for item in settings.listener.peers if item.ae_title == request.ae_title), None)
        if peer is None or peer.port is None:
            log.warning("no port for the commitment report: set it in the peer's table", peer=request.ae_title)
            work.commitment.answered(transaction)
            continue
        references = [_committed(settings, work, item) for item in request.references]
        if any(item.failure for item in references) and time.time() - request.received < SETTLED:
            continue  # an instance received just before may not be in the journal yet
        try:
            sent = send_report(_as_destination(peer, request), settings.listener.ae_title, transaction, references)
        except (NoAssociationError, OSError, ValueError, RuntimeError) as error:
            sent = False
            log.warning("commitment report not taken", peer=request.ae_title, error=str(error))
        if sent or time.time() - request.received > KEEP_ASKING:
            work.commitment.answered(transaction)


def _committed(settings: Settings, work: NodeWork, item: Reference) -> Reference:
    """Keep the instance, or say that it is not here."""
    for study in work.journal.holders(item.sop_instance_uid):
        if any(one.sop_instance_uid == item.sop_instance_uid for one in work.spool.instances(study)):
            work.results.keep_until(study, time.time() + settings.retention.commitment_days * 86400.0)
            audit.record(settings.node.folder, "committed", study=study, instance=item.sop_instance_uid)
            return item
    return item.model_copy(update={"failure": NO_SUCH_INSTANCE})


def _as_destination(peer: Peer, request: Request) -> Destination:
    return Destination(name="sender", ae_title=peer.ae_title, host=request.address, port=peer.port or 104)
