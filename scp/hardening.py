"""What stands in for parts of pynetdicom 3.0.4, so that no peer can hold, fill or kill the listener.

Each class names the upstream method it replaces; tests/scp/test_upstream.py holds the hash of each and fails when
upstream changes. The holes:

1. The TLS handshake ran in the accept thread, without a timeout (AssociationServer.get_request).
2. Half a PDU held an association for ever (AssociationSocket.recv).
3. A PDU's declared length was believed, up to 4 GiB (DULServiceProvider._read_pdu_data).
4. An abort in the middle of a C-STORE left its temporary file behind (DIMSEMessage.decode_msg).
5. Each N-EVENT-REPORT had a thread of its own, any number of them (DIMSEServiceProvider.receive_primitive).

In passing, threads wait for events instead of polling every millisecond, and data-set fragments go straight from
the socket to the file. The third hole is closed in scp.pdus, the last two in scp.messages.
"""

import gc
import select
import socket
import ssl
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any, cast

import structlog
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import DimseServiceType
from pynetdicom.transport import AddressInformation, AssociationSocket, RequestHandler, ThreadedAssociationServer

from scp import memory
from scp.messages import TICK, PeerDIMSE, Reception, discard_data_set
from scp.pdus import PeerDUL

log = structlog.get_logger()

TRIM = 10.0
"""Seconds between two times at which freed memory goes back to the system."""

BACKLOG = 8
"""Messages of one association that may wait; more are left in the socket."""


class PeerSocket(AssociationSocket):
    """Replaces `ready`, `recv`, `send`, `_shutdown_socket`: waits, not polls; a PDU has the network timeout."""

    def __init__(self, assoc: "PeerAssociation", client_socket: socket.socket, timeout: float) -> None:
        self._wakes, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._timeout = timeout
        self._address = assoc.address
        super().__init__(assoc, client_socket=client_socket)

    def wake(self) -> None:
        """End a wait in `ready`."""
        try:
            self._wake.send(b"\0")
        except OSError:  # full: it wakes anyhow; closed: nobody waits any more
            return

    def _shutdown_socket(self) -> None:
        """Close also what the peer has reset, which upstream leaves to the garbage collector."""
        if self.socket is not None:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is not connected any more
                log.debug("connection was gone already")
            finally:
                self.socket.close()

    def release(self) -> None:
        """Close the pair that `wake` uses."""
        self._wake.close()
        self._wakes.close()

    @property
    def ready(self) -> bool:
        """True when there is data to read; waits for it up to TICK unless there is something else to do."""
        dul = self.assoc.dul
        connected = self.socket is not None and self._is_connected
        listens = connected and self.assoc.dimse.msg_queue.qsize() < BACKLOG
        if listens and isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        poll = select.poll()
        poll.register(self._wakes, select.POLLIN)
        if listens:
            poll.register(cast(socket.socket, self.socket), select.POLLIN)
        busy = dul._kill_thread or not (dul.to_provider_queue.empty() and dul.event_queue.empty())
        found = [descriptor for descriptor, _ in poll.poll(0 if busy else 1000 * TICK)]
        if self._wakes.fileno() in found:
            self._wakes.recv(4096)
            found.remove(self._wakes.fileno())
        return bool(found)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read that many bytes, fewer at the end of the stream. Raises TimeoutError: not within the timeout."""
        buffer = bytearray(nr_bytes)
        return buffer[: self.fill(memoryview(buffer))]

    def fill(self, view: memoryview) -> int:
        """Read until `view` is full or the stream ends; returns the bytes read. Raises TimeoutError, as `recv`."""
        sock, got = self.socket, 0
        if sock is None:
            return 0
        if hasattr(socket, "TCP_QUICKACK"):  # else a peer that has Nagle's algorithm on waits for 40 ms each time
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        deadline = time.monotonic() + self._timeout
        while got < len(view):
            count = sock.recv_into(view[got:])
            if not count:
                return got
            got += count
            if got < len(view) and time.monotonic() > deadline:
                raise TimeoutError("the PDU did not arrive in time")
        return got

    def send(self, bytestream: bytes) -> None:
        """As upstream, but a PDU that the peer does not take within the timeout ends the connection (Evt17)."""
        deadline = time.monotonic() + self._timeout
        rest = memoryview(bytestream)
        try:
            while rest:
                if self.socket is None or time.monotonic() > deadline:
                    raise TimeoutError("the PDU was not taken in time")
                rest = rest[self.socket.send(rest) :]
        except OSError as error:
            log.warning("connection given up", reason=str(error), address=self._address)
            self.event_queue.put("Evt17")


class PeerAssociation(Association):
    """An acceptor's association with the parts above."""

    def __init__(self, ae: ApplicationEntity, mode: str, reception: Reception) -> None:
        super().__init__(ae, mode)
        activity = threading.Event()
        self._reception = reception
        self.messages = PeerDIMSE(self, reception, activity)
        self.dimse = self.messages
        self.dul = PeerDUL(self, activity)
        self.acse_timeout, self.network_timeout = ae.acse_timeout, ae.network_timeout

    def connect(self, request: socket.socket, address: Any, timeout: float) -> None:
        """Take over an accepted connection."""
        self.address: str = address[0]
        self.requestor.address_info = AddressInformation.from_tuple(address)
        self.connection = PeerSocket(self, request, timeout)
        self.set_socket(self.connection)

    def _serve_request(self, msg: DimseServiceType, context_id: int) -> None:
        """As upstream, which may find no service for it; then nobody else removes the data set."""
        try:
            super()._serve_request(msg, context_id)
        finally:
            discard_data_set(msg)

    def run_reactor(self) -> None:
        """As upstream; at its end nothing is left of the association."""
        try:
            super().run_reactor()
        except Exception as error:  # noqa: BLE001 - whatever upstream makes of what the peer says, it costs no other
            log.warning("association given up", reason=_words(error), address=self.address)
        finally:
            self.dul.kill_dul()
            self.connection.wake()
            self.dul.join()
            self.connection.close()
            self.connection.release()
            self._reception.disconnect(id(self))


class PeerRequestHandler(RequestHandler):
    """Replaces `_create_association`: our classes, and contexts that are shared as negotiation only reads them."""

    def _create_association(self) -> Association:
        server = cast(PeerServer, self.server)
        assoc = PeerAssociation(self.ae, "acceptor", server.reception)
        assoc._server = server
        # upstream finds its associations by this name
        assoc.name = f"AcceptorThread@{datetime.now(UTC):%Y%m%d%H%M%S}"
        assoc.connect(self.request, self.client_address, server.io_timeout)
        assoc.acceptor.maximum_length = self.ae.maximum_pdu_size
        assoc.acceptor.ae_title = server.ae_title
        assoc.acceptor.address_info = self.local
        assoc.acceptor.implementation_class_uid = self.ae.implementation_class_uid
        assoc.acceptor.implementation_version_name = self.ae.implementation_version_name
        assoc.acceptor.supported_contexts = server.contexts
        handlers: Any
        for event, handlers in server._handlers.items():
            # an intervention event has one (handler, arguments), a notification event a list of them
            for handler, arguments in [handlers] if event.is_intervention else handlers:
                assoc.bind(event, handler, arguments)
        return assoc


class PeerServer(ThreadedAssociationServer):
    """Replaces `get_request`, `process_request_thread`, `service_actions`: the handshake has a thread of its own."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, ae: ApplicationEntity, address: tuple[str, int], reception: Reception, io_timeout: float, **kwargs: Any
    ) -> None:
        self.reception = reception
        self.io_timeout = io_timeout
        self._collected = self._trimmed = 0.0
        super().__init__(ae, address, request_handler=PeerRequestHandler, **kwargs)
        ae._servers.append(self)  # from where shutdown removes it

    def service_actions(self) -> None:
        """Free ended associations, whose threads refer to one another, within a second and not now and then."""
        now = time.monotonic()
        if now - self._collected > 1.0:
            self._collected = now
            gc.collect()
        if now - self._trimmed > TRIM:
            self._trimmed = now
            memory.give_back()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept, without a handshake."""
        request, address = cast(socket.socket, self.socket).accept()
        request.settimeout(self.io_timeout)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return request, address

    def verify_request(self, _request: Any, client_address: Any) -> bool:
        """Close at once what is too much."""
        return self.reception.connect(client_address[0])

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handshake if TLS is on, then as upstream; whatever fails costs this connection only."""
        connection = request
        try:
            tls = self.reception.tls()
            if tls is not None:
                connection = tls.wrap_socket(request, server_side=True)
            self.finish_request(connection, client_address)
        except Exception:  # noqa: BLE001 - handle_error says what; no connection may cost another one
            self.handle_error(connection, client_address)
            self.shutdown_request(connection)

    def handle_error(self, _request: Any, client_address: Any) -> None:
        """A connection that came to no association."""
        log.warning("connection refused", reason=_words(sys.exc_info()[1]), address=client_address[0])
        self.reception.disconnect(0)


def _words(error: BaseException | None) -> str:
    """The reason in words that an operator can act on."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: the peer's certificate is not accepted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or str(error)).lower().replace('_', ' ')}"
    return f"{type(error).__name__}: {error}"
