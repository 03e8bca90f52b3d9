"""Associations that this node asks for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pynetdicom.presentation import PresentationContext

from config.destinations import Destination
from scp.tls import client_context

MAXIMUM_PDU = 131072


class NoAssociationError(ConnectionError):
    """The destination did not answer, or would not talk to us; the text says which."""


class NoContextError(NoAssociationError):
    """The destination answered, but accepts none of the object types that were proposed."""


@contextmanager
def associated(
    destination: Destination,
    calling: str,
    contexts: Sequence[PresentationContext],
    roles: Sequence[Any] = (),
    handlers: Sequence[Any] = (),
) -> Iterator[Association]:
    """An association with `destination`, released at the end.

    Raises NoAssociationError, NoContextError; OSError or ssl.SSLError where certificates cannot be read.
    """
    ae = AE(ae_title=destination.calling_ae_title or calling)
    ae.connection_timeout = ae.acse_timeout = destination.connect_timeout
    ae.dimse_timeout = destination.response_timeout
    # the peer may think as long as it may take to answer one request
    ae.network_timeout = destination.response_timeout
    ae.maximum_pdu_size = MAXIMUM_PDU
    ae.requested_contexts = list(contexts)
    host = destination.host or ""
    tls = (client_context(destination.tls), host) if destination.tls.enabled else None
    assoc = ae.associate(
        host,
        destination.port,
        ae_title=destination.ae_title,
        ext_neg=[*roles, *_identity(destination)],
        evt_handlers=[(evt.EVT_CONN_OPEN, _limit_sending, [destination.response_timeout]), *handlers],
        tls_args=tls,
    )
    if not assoc.is_established:
        raise _why(assoc, destination)
    try:
        yield assoc
    finally:
        if assoc.is_established:
            assoc.release()


def _limit_sending(event: evt.Event, seconds: float) -> None:
    """A peer that stops reading must not hold the sender for ever: pynetdicom 3.0.4 (transport.py 421) sends without
    a timeout, and waits for the sending thread when it aborts.
    """
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.settimeout(seconds)


def _identity(destination: Destination) -> list[UserIdentityNegotiation]:
    """User name and passcode (PS3.7 D.3.3.7), where the settings have them."""
    if destination.username is None:
        return []
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.primary_field = destination.username.encode()
    identity.secondary_field = (destination.password or "").encode()
    return [identity]


def _why(assoc: Association, destination: Destination) -> NoAssociationError:
    where = f"{destination.ae_title} at {destination.host}:{destination.port}"
    if assoc.is_rejected:
        rejection = assoc.acceptor.primitive
        reason = getattr(rejection, "reason_str", "no reason given")
        return NoAssociationError(f"{where} rejects the association: {reason}")
    if assoc.acceptor.primitive is not None and not assoc.accepted_contexts:
        return NoContextError(f"{where} accepts none of the object types")
    return NoAssociationError(f"{where} does not answer")
