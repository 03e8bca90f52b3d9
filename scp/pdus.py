"""What stands in for pynetdicom 3.0.4 between the socket and a PDU (PS3.8): limited in size and time.

One of three parts, see scp.hardening; the class names the upstream methods it replaces.
"""

import struct
import threading
from typing import TYPE_CHECKING

import structlog
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.pdu_primitives import A_ASSOCIATE

from scp.messages import Signalling

if TYPE_CHECKING:
    from scp.hardening import PeerAssociation

log = structlog.get_logger()

ASSOCIATE_LIMIT = 256 << 10
"""Bytes of an A-ASSOCIATE-RQ; 128 contexts with every transfer syntax take 70 kB."""
PDU_LIMIT = 1 << 20
"""Bytes of a P-DATA-TF, whatever was announced as the maximum."""
P_DATA_TF = 0x04
HEAD = 6
NOTHING = memoryview(b"")


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
