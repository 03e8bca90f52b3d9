"""What stands in for parts of pynetdicom 3.0.4, so that no peer can hold, fill or kill the listener.

Each class names the upstream method it replaces; tests/scp/test_hardening.py holds the hash of each and fails when
upstream changes. The holes:

1. The TLS handshake ran in the accept thread, without a timeout (AssociationServer.get_request).
2. Half a PDU held an association for ever (AssociationSocket.recv).
3. A PDU's declared length was believed, up to 4 GiB (DULServiceProvider._read_pdu_data).
4. An abort in the middle of a C-STORE left its temporary file behind (DIMSEMessage.decode_msg).

In passing, threads wait for events instead of polling every millisecond, and data-set fragments go straight from
the socket to the file.
"""

import queue
import select
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import structlog
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AddressInformation, AssociationSocket, RequestHandler, ThreadedAssociationServer

from scp.incoming import IncomingFile

log = structlog.get_logger()

ASSOCIATE_LIMIT = 256 << 10
"""Bytes of an A-ASSOCIATE-RQ; 128 contexts with every transfer syntax take 70 kB."""
PDU_LIMIT = 1 << 20
COMMAND_LIMIT = 64 << 10
MESSAGE_LIMIT = 16 << 20
"""Bytes of a data set that is kept in memory (an N-ACTION's), as a C-STORE's goes to a file."""
BACKLOG = 8
"""Messages of one association that may wait; more are left in the socket."""
SLOWEST = 1 << 10
"""Bytes a second below which a message is given up, once it took longer than the DIMSE timeout."""
TICK = 0.05
P_DATA_TF = 0x04
HEAD = 6


class Reception(Protocol):
    """What the server asks of the node."""

    def connect(self, address: str) -> bool:
        """May this address connect?"""

    def disconnect(self, key: int) -> None:
        """A connection that was let in has ended."""

    def begin(self, association: Association, context_id: int, command: Any) -> IncomingFile:
        """A C-STORE's data set begins."""

    def tls(self) -> ssl.SSLContext | None:
        """The context for the next connection."""


class Signalling(queue.Queue[Any]):
    """A queue that tells when something is put."""

    def __init__(self, signal: Callable[[], object]) -> None:
        super().__init__()
        self._signal = signal

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """As queue.Queue.put."""
        super().put(item, block, timeout)
        self._signal()


class PeerSocket(AssociationSocket):
    """Replaces `ready` and `recv`: waits instead of polling; a PDU must arrive within the network timeout."""

    def __init__(self, assoc: "PeerAssociation", client_socket: socket.socket, timeout: float) -> None:
        self._wakes, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._timeout = timeout
        super().__init__(assoc, client_socket=client_socket)

    def wake(self) -> None:
        """End a wait in `ready`."""
        try:
            self._wake.send(b"\0")
        except OSError:  # full: it wakes anyhow; closed: nobody waits any more
            return

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
        sock = self.socket
        if sock is None:
            return bytearray()
        if hasattr(socket, "TCP_QUICKACK"):  # else a peer that has Nagle's algorithm on waits for 40 ms each time
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        deadline = time.monotonic() + self._timeout
        buffer = bytearray(nr_bytes)
        view, got = memoryview(buffer), 0
        while got < nr_bytes:
            count = sock.recv_into(view[got:])
            if not count:
                return buffer[:got]
            got += count
            if got < nr_bytes and time.monotonic() > deadline:
                raise TimeoutError("the PDU did not arrive in time")
        return buffer


class PeerDUL(DULServiceProvider):
    """Replaces `_read_pdu_data` (length limits, fragments straight to their file) and `stop_dul` (wakes it)."""

    def __init__(self, assoc: "PeerAssociation", activity: threading.Event) -> None:
        super().__init__(assoc)
        self._peer = assoc
        self.to_provider_queue = Signalling(lambda: assoc.connection.wake())  # noqa: PLW0108 - made later
        self.to_user_queue = Signalling(activity.set)
        self._run_loop_delay = 0  # PeerSocket.ready waits
        self.daemon = True

    def run_reactor(self) -> None:
        """As upstream; at its end the association is told, and a half-received file removed."""
        try:
            super().run_reactor()
        finally:
            self._peer.messages.discard()
            self.to_user_queue.put(None)

    def stop_dul(self) -> bool:
        """Stop at once if idle (Sta1)."""
        if self.state_machine.current_state != "Sta1":
            return False
        self._kill_thread = True
        self._peer.connection.wake()
        self.join()
        return True

    def _read_pdu_data(self) -> None:
        try:
            pdu = self._read_pdu()
        except OSError as error:
            log.warning("connection given up", reason=str(error), address=self._peer.address)
            pdu = b""
        except ValueError as fault:
            self._refuse(str(fault))
            return
        if not pdu:
            self._peer.connection.close()  # makes Evt17
        elif pdu[0] == P_DATA_TF and self.state_machine.current_state == "Sta6":
            self._receive_fragments(memoryview(pdu)[HEAD:])
        else:
            self._decode(bytearray(pdu))

    def _read_pdu(self) -> bytearray | bytes:
        """A whole PDU (PS3.8 9.3.1), or nothing if the peer went away. Raises OSError; ValueError: not believed."""
        head = self._peer.connection.recv(HEAD)
        if len(head) < HEAD:
            return b""
        kind, length = struct.unpack(">BxL", head)
        if not 1 <= kind <= 7:
            raise ValueError("PDU of unknown type")
        if length > (ASSOCIATE_LIMIT if self.state_machine.current_state == "Sta2" else PDU_LIMIT):
            raise ValueError(f"PDU of {length} bytes")
        body = self._peer.connection.recv(length)
        return head + body if len(body) == length else b""

    def _decode(self, pdu: bytearray) -> None:
        try:
            decoded, event = self._decode_pdu(pdu)
        except Exception as error:  # noqa: BLE001 - whatever upstream's decoder raises, the peer is to blame
            self._refuse(f"PDU cannot be decoded ({type(error).__name__})")
            return
        self._recv_pdu.put(decoded)
        self.event_queue.put(event)

    def _receive_fragments(self, body: memoryview) -> None:
        """The presentation data values of one P-DATA-TF (PS3.8 9.3.5)."""
        while body:
            length, context_id = struct.unpack_from(">LB", body) if len(body) > 5 else (0, 0)
            if length < 2 or 4 + length > len(body):
                self._refuse("P-DATA-TF PDU is malformed")
                return
            try:
                self._peer.messages.receive_fragment(context_id, body[5 : 4 + length])
            except Exception as error:  # noqa: BLE001 - a bad command makes upstream raise all kinds
                self._refuse(str(error) if isinstance(error, ValueError) else type(error).__name__)
                return
            body = body[4 + length :]

    def _refuse(self, fault: str) -> None:
        """Evt19: the state machine sends an A-ABORT and closes."""
        log.warning("association aborted", reason=fault, address=self._peer.address)
        self.event_queue.put("Evt19")


class PeerDIMSE(DIMSEServiceProvider):
    """Replaces the temporary file of DIMSEMessage.decode_msg by one of the spool; `get_msg` waits for activity."""

    def __init__(self, assoc: Association, reception: Reception, activity: threading.Event) -> None:
        super().__init__(assoc)
        self.msg_queue = Signalling(activity.set)
        self._activity = activity
        self._reception = reception
        self._incoming: IncomingFile | None = None
        self._began = 0.0
        self._received = 0

    def get_msg(self, block: bool = False) -> Any:
        """As upstream; the association's loop, which does not block, is held here until something happens."""
        if not block:
            self._activity.wait(TICK)
            self._activity.clear()
        return super().get_msg(block)

    def receive_fragment(self, context_id: int, value: memoryview) -> None:
        """One fragment of a message (PS3.8 annex E.2). Raises ValueError: it is too large, too slow or wrong here."""
        last, is_command = value[0] & 2, value[0] & 1
        self._check_pace(len(value))
        if is_command and self._incoming is not None:
            raise ValueError("command in the middle of a data set")
        if self._incoming is None:
            self._pass_on(context_id, bytes(value))
            if is_command and last:
                self._begin(context_id)
            return
        self._incoming.write(value[1:])
        if last:
            self._incoming = None
            self._pass_on(context_id, b"\x02")

    def discard(self) -> None:
        """The association is over: remove the data set that was arriving, and those that were never looked at."""
        if self._incoming is not None:
            self._incoming.discard()
            self._incoming = None
        while not self.msg_queue.empty():
            _, message = self.msg_queue.get()
            if isinstance(message, C_STORE) and message._dataset_file is not None:
                cast(IncomingFile, message._dataset_file).discard()

    def _check_pace(self, size: int) -> None:
        now = time.monotonic()
        if self.message is None:
            self._began, self._received = now, 0
        self._received += size
        limit = COMMAND_LIMIT if not self.message or self.message.context_id is None else MESSAGE_LIMIT
        if self._incoming is None and self._received > limit:
            raise ValueError("message is too large")
        if now - self._began > (self.dimse_timeout or 0) + self._received / SLOWEST:
            raise ValueError("message arrives too slowly")

    def _pass_on(self, context_id: int, value: bytes) -> None:
        fragment = P_DATA()
        fragment.presentation_data_value_list.append((context_id, value))
        self.receive_primitive(fragment)

    def _begin(self, context_id: int) -> None:
        """After the command: if it is a C-STORE, its data set goes to a file of the spool."""
        if isinstance(self.message, C_STORE_RQ):
            if context_id not in self.assoc._accepted_cx:
                raise ValueError("presentation context was not accepted")
            self._incoming = self._reception.begin(self.assoc, context_id, self.message.command_set)
            self.message._data_set_file = cast(Any, self._incoming)


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

    def run_reactor(self) -> None:
        """As upstream; at its end nothing is left of the association."""
        try:
            super().run_reactor()
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
    """Replaces `get_request` and `process_request_thread`: the handshake runs in the connection's own thread."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, ae: ApplicationEntity, address: tuple[str, int], reception: Reception, io_timeout: float, **kwargs: Any
    ) -> None:
        self.reception = reception
        self.io_timeout = io_timeout
        super().__init__(ae, address, request_handler=PeerRequestHandler, **kwargs)

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
