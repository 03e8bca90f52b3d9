"""What stands in for pynetdicom 3.0.4 between a PDU and a message (PS3.7): commands and data sets of limited size.

One of three parts, see scp.hardening; the class names the upstream methods it replaces.
"""

import queue
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

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
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

from scp.incoming import IncomingFile
from scp.store_answers import success_fragment

COMMAND_LIMIT = 64 << 10
MESSAGE_LIMIT = 2 << 20
"""Bytes of a data set in memory: an N-ACTION with 10,000 instances takes 1.3 MB. A C-STORE goes to a file."""
SLOWEST = 1 << 10
"""Bytes a second below which a message is given up, once it took longer than the DIMSE timeout."""
TICK = 0.05
"""Seconds between two looks at the timers while nothing happens."""
NOT_OFFERED = (C_FIND, C_GET, C_MOVE, N_CREATE, N_DELETE, N_GET, N_SET)
"""Upstream would answer some of them with Success, as an echo, on a Verification context."""


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
