"""What stands in for pynetdicom 3.0.4 between the socket and a message: PDUs and data sets of limited size and time.

The second half of scp.hardening, which says why; each class names the upstream method it replaces.
"""

import queue
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

import structlog
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import (
    C_CANCEL,
    C_FIND,
    C_GET,
    C_MOVE,
    C_STORE,
    N_CREATE,
    N_DELETE,
    N_GET,
    N_SET,
)
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.pdu_primitives import A_ASSOCIATE, P_DATA
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

from scp.incoming import IncomingFile
from scp.store_answers import success_fragment

if TYPE_CHECKING:
    from scp.hardening import PeerAssociation

log = structlog.get_logger()

ASSOCIATE_LIMIT = 256 << 10
"""Bytes of an A-ASSOCIATE-RQ; 128 contexts with every transfer syntax take 70 kB."""
PDU_LIMIT = 1 << 20
"""Bytes of a P-DATA-TF, whatever was announced as the maximum."""
COMMAND_LIMIT = 64 << 10
MESSAGE_LIMIT = 2 << 20
"""Bytes of a data set in memory: an N-ACTION with 10,000 instances takes 1.3 MB. A C-STORE goes to a file."""
SLOWEST = 1 << 10
"""Bytes a second below which a message is given up, once it took longer than the DIMSE timeout."""
TICK = 0.05
"""Seconds between two looks at the timers while nothing happens."""
NOT_OFFERED = (C_FIND, C_GET, C_MOVE, N_CREATE, N_DELETE, N_GET, N_SET)
"""Upstream would answer some of them with Success, as an echo, on a Verification context."""
P_DATA_TF = 0x04
HEAD = 6
NOTHING = memoryview(b"")


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


class PeerDUL(DULServiceProvider):
    """Replaces `_read_pdu_data` (length limits, fragments straight to their file), `stop_dul` (wakes it), and
    `idle_timer_expired`.
    """

    def __init__(self, assoc: "PeerAssociation", activity: threading.Event) -> None:
        super().__init__(assoc)
        self._peer = assoc
        self.to_provider_queue = Signalling(lambda: assoc.connection.wake())  # noqa: PLW0108 - made later
        self.to_user_queue = Signalling(activity.set)
        self._ignored = 0
        self._memory = bytearray(1 << 10)
        self._run_loop_delay = 0  # PeerSocket.ready waits
        self.daemon = True

    def run_reactor(self) -> None:
        """As upstream; at its end the association is told, and a half-received file removed."""
        try:
            super().run_reactor()
        except InvalidEventError as error:
            # as when nonsense follows a release that is being answered: the association ends here, too
            log.warning("connection given up", reason=str(error), address=self._peer.address)
        finally:
            self._peer.messages.discard()
            self.to_user_queue.put(None)

    def idle_timer_expired(self) -> bool:
        """As upstream, but an instance that a slow disk takes long to keep is no idleness."""
        return not self._peer.messages.keeps and super().idle_timer_expired()

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
            pdu = NOTHING
        except ValueError as fault:
            self._refuse(str(fault))
            return
        if not pdu:
            self._peer.connection.close()  # makes Evt17
        elif self.state_machine.current_state == "Sta13":
            self._ignore(pdu)
        elif pdu[0] == P_DATA_TF and self.state_machine.current_state == "Sta6":
            self._receive_fragments(pdu[HEAD:])
        else:
            self._decode(bytearray(pdu))

    def _ignore(self, pdu: memoryview) -> None:
        """Our abort is sent: what the peer had under way is read and dropped, but not all that it may send yet."""
        self._ignored += len(pdu)
        if self._ignored > PDU_LIMIT:
            self._peer.connection.close()

    def _read_pdu(self) -> memoryview:
        """A whole PDU (PS3.8 9.3.1), or nothing if the peer went away. Raises OSError; ValueError: not believed.

        Valid until the next call: fresh memory for every 128 KB would cost more than what is done with them.
        """
        head = self._peer.connection.recv(HEAD)
        if len(head) < HEAD:
            return NOTHING
        kind, length = struct.unpack(">BxL", head)
        if not 1 <= kind <= 7:
            raise ValueError("PDU of unknown type")
        if length > (PDU_LIMIT if kind == P_DATA_TF else ASSOCIATE_LIMIT):
            raise ValueError(f"PDU of {length} bytes")
        if len(self._memory) < HEAD + length:
            self._memory = bytearray(HEAD + length)
        pdu = memoryview(self._memory)[: HEAD + length]
        pdu[:HEAD] = head
        return pdu if self._peer.connection.fill(pdu[HEAD:]) == length else NOTHING

    def _decode(self, pdu: bytearray) -> None:
        try:
            decoded, event = self._decode_pdu(pdu)
            # upstream does so within its state machine, where what it finds wrong would end this thread
            primitive = decoded.to_primitive()
            if isinstance(primitive, A_ASSOCIATE):
                _check_contexts(primitive)
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


def _check_contexts(request: A_ASSOCIATE) -> None:
    """Raises ValueError: a context proposes no transfer syntax (PS3.8 9.3.2.2), which upstream cannot negotiate."""
    for context in request.presentation_context_definition_list:
        if not context.transfer_syntax:
            raise ValueError("presentation context without a transfer syntax")


def discard_data_set(message: Any) -> None:
    """Remove the file of a C-STORE's data set, if it is not in its place by now."""
    if isinstance(message, C_STORE) and message._dataset_file is not None:
        cast(IncomingFile, message._dataset_file).discard()


class PeerDIMSE(DIMSEServiceProvider):
    """Replaces the temporary file of DIMSEMessage.decode_msg by one of the spool, and `receive_primitive`, which has
    a C-STORE served at once.

    `get_msg` waits for activity. `keeps`: while a C-STORE is served.
    """

    def __init__(self, assoc: Association, reception: Reception, activity: threading.Event) -> None:
        super().__init__(assoc)
        self.msg_queue = Signalling(activity.set)
        self._activity = activity
        self._reception = reception
        self._incoming: IncomingFile | None = None
        self._began = 0.0
        self._received = 0
        self.keeps = False

    def get_msg(self, block: bool = False) -> Any:
        """As upstream; the association's loop, which does not block, is held here until something happens."""
        if not block:
            self._activity.wait(TICK)
            self._activity.clear()
        return super().get_msg(block)

    def receive_primitive(self, primitive: P_DATA) -> None:
        """As upstream, but a report (N-EVENT-REPORT) waits for its turn: upstream makes a thread for each.

        Nothing here takes so long that it could be cancelled. Raises ValueError: no such command.
        """
        message = self.message = self.message or DIMSEMessage()
        if not message.decode_msg(primitive, self.assoc):
            return
        try:
            received = message.message_to_primitive()
        except Exception as error:  # whatever upstream raises, the peer is to blame
            raise ValueError("command cannot be understood") from error
        if isinstance(received, NOT_OFFERED):
            raise ValueError("a service that is not offered")  # noqa: TRY004 - the peer's fault, as above
        self.message = None
        context_id = cast(int, message.context_id)
        if isinstance(received, C_STORE):
            self._check_request(received, context_id)
        if isinstance(received, C_STORE) and self.assoc.is_established:
            self._keep(received, context_id)
        elif not isinstance(received, C_CANCEL):
            self.msg_queue.put((context_id, received))  # a store only while the other thread still opens

    def _check_request(self, request: C_STORE, context_id: int) -> None:
        """Raises ValueError: serving it would not end with an answer, or with one that promises what is not done."""
        if not request.is_valid_request:
            raise ValueError("C-STORE-RQ without what it must have")
        if context_id not in self.assoc._accepted_cx:
            raise ValueError("presentation context was not accepted")
        if uid_to_service_class(request.AffectedSOPClassUID or "") is not StorageServiceClass:
            raise ValueError("C-STORE of no storage class")

    def _keep(self, request: C_STORE, context_id: int) -> None:
        """Here and now: handing it to the association's thread and back takes a third of a small object's time.

        The peer sends nothing before the answer, and the association is not idle meanwhile.
        """
        self.keeps = True
        try:
            self.assoc._serve_request(request, context_id)
        finally:
            self.keeps = False

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """As upstream; what most answers are, a C-STORE's Success, takes the short way."""
        fragment = success_fragment(primitive, self.maximum_pdu_size) if type(primitive) is C_STORE else None
        if fragment is None:
            super().send_msg(primitive, context_id)
            return
        answer = P_DATA()
        answer.presentation_data_value_list.append((context_id, fragment))
        self.dul.send_pdu(answer)

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
            self._pass_on(context_id, b"\x02")
            self._incoming = None  # served by now, or with the waiting message

    def discard(self) -> None:
        """The association is over: remove the data set that was arriving, and those that were never looked at."""
        if self._incoming is not None:
            self._incoming.discard()
            self._incoming = None
        while True:
            try:
                # the association's thread may take the last one between a look and a wait, which would be for ever
                _, message = self.msg_queue.get_nowait()
            except queue.Empty:
                return
            discard_data_set(message)

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
