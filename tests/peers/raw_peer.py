"""A peer that speaks the upper layer byte by byte, so that it can stop, lie and swear in every state."""

import socket
import struct
from functools import cache
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, N_EVENT_REPORT_RQ
from pynetdicom.dimse_primitives import C_ECHO, C_STORE, N_EVENT_REPORT
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import PresentationContext, build_context

from phantoms.mammogram import mammogram

MAMMOGRAM = DigitalMammographyXRayImageStorageForPresentation
RELEASE_RQ = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"
ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"
A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RP, A_ABORT = 2, 3, 4, 6, 7


@cache
def associate_rq(
    calling: str = "MODALITY",
    called: str = "MAMMONODE",
    contexts: tuple[PresentationContext, ...] = (),
) -> bytes:
    """An A-ASSOCIATE-RQ PDU; by default context 1 is a mammogram in explicit little endian."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    proposed = list(contexts or [build_context(MAMMOGRAM, ExplicitVRLittleEndian)])
    for number, context in enumerate(proposed):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = proposed
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16384
    implementation.implementation_class_uid = "1.2.3"
    primitive.user_information = [length, implementation]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def p_data(value: bytes, *, command: bool = False, last: bool = True, context_id: int = 1) -> bytes:
    """A P-DATA-TF PDU with one presentation data value."""
    header = bytes([(1 if command else 0) | (2 if last else 0)])
    item = struct.pack(">LB", len(value) + 2, context_id) + header + value
    return struct.pack(">BxL", P_DATA_TF, len(item)) + item


def store_command(sop_instance_uid: str, sop_class_uid: str = MAMMOGRAM) -> bytes:
    """The command set of a C-STORE-RQ, in a PDU of its own."""
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 1, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = sop_class_uid, sop_instance_uid
    primitive.DataSet = BytesIO(b"\x00\x00")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    [fragment, *_] = message.encode_msg(1, 0)
    return p_data(fragment.presentation_data_value_list[0][1][1:], command=True)


def _echo() -> bytes:
    primitive = C_ECHO()
    primitive.MessageID, primitive.AffectedSOPClassUID = 1, "1.2.840.10008.1.1"
    message = C_ECHO_RQ()
    message.primitive_to_message(primitive)
    [fragment] = message.encode_msg(1, 0)
    return p_data(fragment.presentation_data_value_list[0][1][1:], command=True)


ECHO = _echo()
"""A C-ECHO-RQ."""


def _report() -> bytes:
    primitive = N_EVENT_REPORT()
    primitive.MessageID, primitive.EventTypeID = 1, 1
    primitive.AffectedSOPClassUID = "1.2.840.10008.1.20.1"
    primitive.AffectedSOPInstanceUID = "1.2.840.10008.1.20.1.1"
    message = N_EVENT_REPORT_RQ()
    message.primitive_to_message(primitive)
    [fragment] = message.encode_msg(1, 0)
    return p_data(fragment.presentation_data_value_list[0][1][1:], command=True)


REPORT = _report()
"""An N-EVENT-REPORT-RQ of storage commitment, without a data set."""


def encoded(ds: Dataset) -> bytes:
    """The data set in explicit little endian, without file meta information."""
    buffer = BytesIO()
    file = DicomFileLike(buffer)
    file.is_implicit_VR, file.is_little_endian = False, True
    write_dataset(file, ds)
    return buffer.getvalue()


class RawPeer:
    """A TCP connection to the listener."""

    def __init__(self, port: int, timeout: float = 20.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)

    def __enter__(self) -> "RawPeer":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *pieces: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(b"".join(pieces))

    def receive(self) -> tuple[int, bytes]:
        """The next PDU's type and content; (0, b"") when the listener has closed."""
        try:
            head = self._exactly(6)
            return (head[0], self._exactly(struct.unpack(">L", head[2:])[0])) if head else (0, b"")
        except ConnectionError:
            return 0, b""

    def associate(self, **arguments: object) -> int:
        """Request an association. Returns the type of the answer."""
        self.send(associate_rq(**arguments))  # type: ignore[arg-type]
        return self.receive()[0]

    def closed(self) -> bool:
        """Read until the listener closes; what it says to end the association before that is fine."""
        while True:
            kind, _ = self.receive()
            if kind == 0:
                return True
            assert kind in (A_ABORT, A_RELEASE_RP, A_ASSOCIATE_RJ), f"PDU of type {kind}"

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            piece = self.socket.recv(count - len(received))
            if not piece:
                return b""
            received += piece
        return received


def established(port: int) -> RawPeer:
    """An association that is accepted. Raises AssertionError: it is not."""
    peer = RawPeer(port)
    assert peer.associate() == A_ASSOCIATE_AC
    return peer


def mid_store(port: int, *, image: Dataset | None = None) -> RawPeer:
    """An association in the middle of a C-STORE, with half of the data set sent."""
    image = image or mammogram(rows=64, columns=48)
    peer = established(port)
    data_set = encoded(image)
    peer.send(store_command(image.SOPInstanceUID), p_data(data_set[: len(data_set) // 2], last=False))
    return peer
