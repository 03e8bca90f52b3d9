"""The storage SCP: who may call, what is kept, and what the peer is told."""

import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any, cast

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE, UserIdentityNegotiation
from pynetdicom.presentation import PresentationContext

from config.listener import Listener
from scp.admission import SPARE_CONNECTIONS, Admission, Request
from scp.contexts import dropped_classes, supported_contexts
from scp.hardening import PeerServer
from scp.incoming import (
    CANNOT_UNDERSTAND,
    MISMATCH,
    IncomingFile,
    RefusedInstanceError,
    Sender,
    inflate,
    stored_syntax,
)
from scp.instances import check_command, read_header
from scp.objects.own_results import is_own_result
from scp.receiver_metrics import ASSOCIATIONS, BYTES, INSTANCES, Outcome
from scp.spool import Spool, is_uid
from scp.tls import TlsContext, server_context

log = structlog.get_logger()

SUCCESS = 0x0000
POLL = 0.2
"""Seconds until the listener notices that it is to stop."""

IDLE = 2.0
"""Seconds without a message after which a draining listener aborts an association."""

# a line for every message would be slow, and some would hold values of elements
_config.LOG_HANDLER_LEVEL = "none"


class StorageServer:
    """Listens from construction until `stop`. Raises OSError: the port is taken or TLS files cannot be read.

    `contexts` and `handlers` add other services on the same port (storage commitment).
    """

    def __init__(
        self,
        listener: Listener,
        spool: Spool,
        contexts: Sequence[PresentationContext] = (),
        handlers: Sequence[tuple[Any, ...]] = (),
    ) -> None:
        self._spool = spool
        self._admission = Admission(listener)
        self._dropped = dropped_classes(listener.dropped_classes)
        self._tls = TlsContext(listener.tls, server_context) if listener.tls.enabled else None
        self._server = PeerServer(
            _application_entity(listener),
            (listener.bind, listener.port),
            reception=self,
            io_timeout=listener.network_timeout,
            ae_title=listener.ae_title,
            contexts=[*supported_contexts(listener.dropped_classes), *contexts],
            evt_handlers=[(evt.EVT_REQUESTED, self._on_requested), (evt.EVT_C_STORE, self._on_store), *handlers],
        )
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(POLL,), name="listener", daemon=True).start()
        log.info("listening", ae_title=listener.ae_title, address=listener.bind, port=self.port, tls=bool(self._tls))

    def stop(self, drain_seconds: float) -> None:
        """Take no more associations; let those that are busy finish, for at most that long; abort the others."""
        self._server.shutdown()
        deadline = time.monotonic() + drain_seconds
        while associations := self._server.active_associations:
            for association in associations:
                idle = association.dul._idle_timer.remaining < (association.network_timeout or 0) - IDLE
                if idle or time.monotonic() > deadline:
                    association.abort()
            associations[0].join(0.1)

    def connect(self, address: str) -> bool:
        """May this address connect? (called by scp.hardening)"""
        admitted = self._admission.connect(address)
        if not admitted:
            ASSOCIATIONS.labels("closed").inc()
            log.warning("connection closed: far too many", address=address)
        return admitted

    def disconnect(self, key: int) -> None:
        """A connection has ended (called by scp.hardening)."""
        self._admission.disconnect(key)

    def tls(self) -> ssl.SSLContext | None:
        """For the next connection (called by scp.hardening)."""
        return self._tls.current() if self._tls else None

    def begin(self, association: Association, context_id: int, command: Dataset) -> IncomingFile:
        """A data set begins to arrive (called by scp.messages). Raises ValueError: the command does not say which."""
        syntax = association._accepted_cx[context_id].transfer_syntax[0]
        sop_class = str(command.get("AffectedSOPClassUID") or "")
        sop_instance = str(command.get("AffectedSOPInstanceUID") or "")
        if not (0 < len(sop_class) <= 64 and 0 < len(sop_instance) <= 64):
            raise ValueError("C-STORE without SOP Class and Instance UID")
        incoming = self._spool.begin()
        incoming.write_preamble(sop_class, sop_instance, syntax, _sender(association))
        return incoming

    def _on_requested(self, event: Event) -> None:
        association = event.assoc
        request = _request(association)
        rejection = self._admission.judge(request, id(association))
        if rejection is None:
            ASSOCIATIONS.labels("accepted").inc()
            _confirm_user(association)
            log.debug("association requested", calling=request.calling_ae_title, address=request.address)
            return
        ASSOCIATIONS.labels("rejected").inc()
        log.warning(
            f"association rejected: {rejection.reason}. {rejection.remedy}",
            calling=request.calling_ae_title,
            called=request.called_ae_title,
            address=request.address,
        )
        association.acse.send_reject(rejection.result, rejection.source, rejection.diagnostic)
        association.kill()

    def _on_store(self, event: Event) -> int | Dataset:
        request = cast(C_STORE, event.request)
        incoming = cast(IncomingFile | None, request._dataset_file)
        if incoming is None:
            return _status(RefusedInstanceError(CANNOT_UNDERSTAND, "No data set"))
        with incoming:
            try:
                outcome = self._keep(incoming, request, event)
            except RefusedInstanceError as refusal:
                INSTANCES.labels(Outcome.REFUSED).inc()
                log.warning(
                    "instance refused",
                    status=f"0x{refusal.status:04X}",
                    reason=refusal.comment,
                    sop_instance_uid=_told(request.AffectedSOPInstanceUID),
                    calling=event.assoc.requestor.ae_title,
                )
                return _status(refusal)
        INSTANCES.labels(outcome).inc()
        BYTES.inc(incoming.size)
        log.debug("instance received", outcome=outcome, sop_instance_uid=_told(request.AffectedSOPInstanceUID))
        return SUCCESS

    def _keep(self, incoming: IncomingFile, request: C_STORE, event: Event) -> Outcome:
        """Judge a complete data set and keep it. Raises RefusedInstanceError."""
        if incoming.refusal is not None:
            raise incoming.refusal
        sop_class, sop_instance = cast(UID, request.AffectedSOPClassUID), cast(UID, request.AffectedSOPInstanceUID)
        if sop_class != event.context.abstract_syntax:
            raise RefusedInstanceError(MISMATCH, "SOP Class differs from its presentation context's")
        received, kept = event.context.transfer_syntax, stored_syntax(event.context.transfer_syntax)
        if received != kept:
            with self._spool.begin() as inflated:
                inflated.write_preamble(sop_class, sop_instance, kept, _sender(event.assoc))
                inflate(incoming.path, incoming.offset, inflated)
                return self._store(inflated, kept, sop_class, sop_instance)
        return self._store(incoming, kept, sop_class, sop_instance)

    def _store(self, incoming: IncomingFile, syntax: str, sop_class: UID, sop_instance: UID) -> Outcome:
        header = read_header(incoming.path, incoming.offset, syntax)
        check_command(header, sop_class, sop_instance)
        if is_own_result(header):
            return Outcome.OWN_RESULT
        if sop_class in self._dropped:
            return Outcome.DROPPED
        return Outcome.DUPLICATE if self._spool.store(incoming, header) is None else Outcome.STORED


def _told(uid: object) -> str:
    """A UID for the log; what is none may be anything, a name too."""
    return str(uid) if is_uid(str(uid)) else "malformed"


def _application_entity(listener: Listener) -> ApplicationEntity:
    ae = ApplicationEntity(listener.ae_title)
    ae.maximum_pdu_size = listener.maximum_pdu
    ae.acse_timeout = listener.association_timeout
    ae.dimse_timeout = listener.dimse_timeout
    ae.network_timeout = listener.idle_timeout
    # scp.admission counts; pynetdicom's own limit only must not be lower
    ae.maximum_associations = listener.maximum_associations + 2 * SPARE_CONNECTIONS
    return ae


def _sender(association: Association) -> Sender:
    requestor = association.requestor
    return Sender(requestor.ae_title.strip(), requestor.address or "", association.acceptor.ae_title.strip())


def _request(association: Association) -> Request:
    primitive = cast(A_ASSOCIATE, association.requestor.primitive)
    identity = association.requestor.user_identity
    user = None
    if identity is not None and identity.user_identity_type == 2:  # user name and passcode (PS3.7 D.3.3.7)
        name, password = identity.primary_field or b"", identity.secondary_field or b""
        user = (name.decode(errors="replace"), password.decode(errors="replace"))
    called, calling = primitive.called_ae_title.strip(), primitive.calling_ae_title.strip()
    return Request(called, calling, association.requestor.address or "", user)


def _confirm_user(association: Association) -> None:
    """Answer a user identity that asks for it; pynetdicom does so for Kerberos and later kinds only."""
    identity = association.requestor.user_identity
    if identity is not None and identity.positive_response_requested and identity.user_identity_type in (1, 2):
        confirmation = UserIdentityNegotiation()
        confirmation.server_response = b""
        association.acceptor.add_negotiation_item(confirmation)


def _status(refusal: RefusedInstanceError) -> Dataset:
    """The status with its comment (PS3.7 C.4); LO has 64 characters."""
    status = Dataset()
    status.Status = refusal.status
    status.ErrorComment = refusal.comment[:64]
    return status
