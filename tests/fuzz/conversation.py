"""A peer whose every move is drawn from the fuzzer's bytes: nearly right, so that it gets behind the first check.

`said(data)` is what it sends: A-ASSOCIATE-RQ with chosen contexts and user information items, commands of any
service with elements changed, data sets in fragments of any size, values glued into one PDU, PDUs out of turn, cuts.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from peers.raw_peer import ABORT, ECHO, MAMMOGRAM, RELEASE_RQ, associate_rq, encoded, p_data
from phantoms.mammogram import mammogram

T = TypeVar("T")

COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
VERIFICATION, SR = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.88.50"
TRANSACTION = "1.2.3.4"
"""One that this node has asked for."""

ABSTRACT = (MAMMOGRAM, VERIFICATION, COMMITMENT, SR, "1.2.840.10008.5.1.4.1.2.2.1", "", "1..2", "9" * 70)
SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2",
            "1.2.840.10008.1.2.4.70", "1.2", "")  # fmt: skip
UIDS = (
    "1.2.3",
    TRANSACTION,
    MAMMOGRAM,
    COMMITMENT,
    COMMITMENT_INSTANCE,
    VERIFICATION,
    "",
    "../../x",
    "1.2.3\0",
    "1" * 65,
)
COMMAND_FIELDS = (0x0001, 0x0030, 0x0100, 0x0130, 0x8001, 0x8100, 0x8130, 0x0010, 0x0020, 0x0021, 0x0110, 0x0120,
                  0x0140, 0x0150, 0x0FFF, 0x8020, 0x0000, 0xFFFF)  # fmt: skip
ELEMENTS = (0x0000, 0x0002, 0x0003, 0x0100, 0x0110, 0x0120, 0x0600, 0x0700, 0x0800, 0x0900, 0x0901, 0x0902, 0x0903,
            0x1000, 0x1001, 0x1002, 0x1005, 0x1008, 0x1020, 0x1030, 0x1031)  # fmt: skip
CONTEXTS_KNOWN = (1, 3, 5, 7, 0, 2, 255)
FRAGMENTS = (1 << 14, 1 << 10, 100, 7, 1)
MOST = 1 << 16

IMAGE = encoded(mammogram(rows=16, columns=16, sop_uid="1.2.3"))


@dataclass
class Choices:
    """The fuzzer's bytes, taken one by one; zeros after the end."""

    data: bytes
    at: int = 0

    @property
    def left(self) -> bool:
        return self.at < len(self.data)

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def piece(self) -> bytes:
        length = self.byte()
        found = self.data[self.at : self.at + length]
        self.at += length
        return found

    def one(self, values: Sequence[T]) -> T:
        return values[self.byte() % len(values)]


def said(data: bytes) -> bytes:
    """The bytes that the peer sends."""
    choices, sent = Choices(data), bytearray()
    while choices.left and len(sent) < MOST:
        move = choices.byte()
        if move == 0xFF:  # cut off what was said last, as a relay in between would
            del sent[max(0, len(sent) - choices.byte()) :]
        else:
            sent += MOVES[move % len(MOVES)](choices)
    return bytes(sent)


def _association(choices: Choices) -> bytes:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2), item by item."""
    items = [_item(choices, 0x10, b"1.2.840.10008.3.1.1.1")]
    for number in range(1 + choices.byte() % 4):
        context_id = bytes([choices.one((2 * number + 1, *CONTEXTS_KNOWN)), 0, 0, 0])
        syntaxes = [_item(choices, 0x40, choices.one(SYNTAXES).encode()) for _ in range(choices.byte() % 3 + 1)]
        items.append(
            _item(
                choices, 0x20, context_id + _item(choices, 0x30, choices.one(ABSTRACT).encode()) + b"".join(syntaxes)
            )
        )
    information = [
        _item(choices, 0x51, struct.pack(">L", choices.one((16384, 0, 1, 7, 1 << 31)))),
        _item(choices, 0x52, b"1.2.3"),
    ]
    information += [choices.one(USER_INFORMATION)(choices) for _ in range(choices.byte() % 4)]
    items.append(_item(choices, 0x50, b"".join(information)))
    titles = choices.one((b"MAMMONODE       ", b"\0" * 16, b"MAMMONODE\\      ")) + choices.one(
        (b"FUZZ            ", b" " * 16)
    )
    body = struct.pack(">HH", choices.one((1, 0, 2)), 0) + titles + bytes(32) + b"".join(items)
    return struct.pack(">BxL", 1, len(body)) + body


def _item(choices: Choices, kind: int, body: bytes) -> bytes:
    """An item; now and then its length or its type lies."""
    lie = choices.byte()
    if lie == 0xFE:
        kind = choices.byte()
    return (
        struct.pack(">BxH", kind, max(0, min(0xFFFF, len(body) + (choices.byte() - 128 if lie == 0xFF else 0))))
        + body
    )


def _short(text: bytes) -> bytes:
    return struct.pack(">H", len(text)) + text


def _identity(choices: Choices) -> bytes:
    """User identity (PS3.7 D.3.3.7)."""
    kind, answer = choices.one((1, 2, 3, 4, 5, 0)), choices.byte() & 1
    return _item(choices, 0x58, bytes([kind, answer]) + _short(choices.piece()) + _short(choices.piece()))


def _role(choices: Choices) -> bytes:
    uid = choices.one(ABSTRACT).encode()
    return _item(choices, 0x54, _short(uid) + bytes([choices.byte() % 3, choices.byte() % 3]))


def _extended(choices: Choices) -> bytes:
    return _item(choices, 0x56, _short(choices.one(ABSTRACT).encode()) + choices.piece())


def _common(choices: Choices) -> bytes:
    related = _short(b"".join(_short(choices.one(ABSTRACT).encode()) for _ in range(choices.byte() % 3)))
    return _item(choices, 0x57, _short(choices.one(ABSTRACT).encode()) + _short(b"1.2.840.10008.4.2") + related)


USER_INFORMATION: tuple[Callable[[Choices], bytes], ...] = (
    _identity,
    _role,
    _extended,
    _common,
    lambda choices: _item(choices, 0x53, struct.pack(">HH", choices.byte(), choices.byte())),  # asynchronous window
    lambda choices: _item(choices, 0x55, choices.piece()),  # implementation version name
    lambda choices: _item(choices, choices.byte(), choices.piece()),
)  # fmt: skip


def _element(element: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0, element, len(value)) + value


def _command_set(choices: Choices, field: int, elements: dict[int, bytes]) -> bytes:
    """The usual elements, some of them changed, added or left out."""
    elements = {0x0100: struct.pack("<H", field), 0x0110: b"\x01\0", 0x0700: b"\0\0", 0x0800: b"\0\0", **elements}
    for _ in range(choices.byte() % 4):
        element = choices.one(ELEMENTS)
        match choices.byte() % 4:
            case 0:
                elements.pop(element, None)
            case 1:
                elements[element] = choices.piece()
            case 2:
                elements[element] = choices.one(UIDS).encode()
            case _:
                elements[element] = struct.pack("<H", choices.byte() | choices.byte() << 8)
    body = b"".join(_element(number, value) for number, value in sorted(elements.items()))
    return _element(0x0000, struct.pack("<L", len(body))) + body


def _message(choices: Choices, command: bytes, body: bytes | None) -> bytes:
    """Command and data set in fragments, of the right context or not; maybe all of it in one PDU."""
    context_id = choices.one(CONTEXTS_KNOWN)
    size, other = choices.one(FRAGMENTS), choices.byte()
    pieces = [(command, True, True)]
    if body is not None:
        parts = [body[start : start + size] for start in range(0, len(body), size)][:200] or [b""]
        pieces += [(part, False, number == len(parts) - 1 and other != 1) for number, part in enumerate(parts)]
    if other == 2:
        pieces.reverse()
    if other == 3:  # a command in the middle of its data set
        pieces.append(pieces[0])
    pdus = [
        p_data(value, command=is_command, last=last, context_id=context_id if other != 4 else choices.byte())
        for value, is_command, last in pieces
    ]
    if other == 5:  # glued
        values = b"".join(pdu[6:] for pdu in pdus)
        return struct.pack(">BxL", 4, len(values)) + values
    return b"".join(pdus)


def _body(choices: Choices) -> bytes:
    """A data set: an image, a commitment request or report, something else."""
    kind = choices.byte()
    if kind & 3 == 0:
        start = bytearray(IMAGE)
        for _ in range(choices.byte() % 4):
            start[(choices.byte() << 8 | choices.byte()) % len(start)] = choices.byte()
        return bytes(start)
    if kind & 3 == 3:
        return choices.piece()
    ds = Dataset()
    ds.TransactionUID = choices.one(UIDS)
    for keyword in ("ReferencedSOPSequence", "FailedSOPSequence")[: choices.byte() % 3]:
        setattr(ds, keyword, [_reference(choices) for _ in range(choices.byte() % 4)])
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, bool(kind & 4)
    write_dataset(buffer, ds)
    return buffer.getvalue() + choices.piece()


def _reference(choices: Choices) -> Dataset:
    item = Dataset()
    if choices.byte() & 1:
        item.ReferencedSOPClassUID = choices.one(UIDS)
    if choices.byte() & 1:
        item.ReferencedSOPInstanceUID = choices.one(UIDS)
    if choices.byte() & 1:
        item.FailureReason = choices.byte()
    return item


def _store(choices: Choices) -> bytes:
    elements = {0x0002: MAMMOGRAM.encode(), 0x1000: b"1.2.3"}
    return _message(choices, _command_set(choices, 0x0001, elements), _body(choices))


def _action(choices: Choices) -> bytes:
    elements = {0x0003: COMMITMENT.encode(), 0x1001: COMMITMENT_INSTANCE.encode(), 0x1008: b"\x01\0"}
    return _message(choices, _command_set(choices, 0x0130, elements), _body(choices))


def _report(choices: Choices) -> bytes:
    elements = {0x0002: COMMITMENT.encode(), 0x1000: COMMITMENT_INSTANCE.encode(), 0x1002: b"\x01\0"}
    return _message(choices, _command_set(choices, 0x0100, elements), _body(choices))


def _any_command(choices: Choices) -> bytes:
    body = _body(choices) if choices.byte() & 1 else None
    elements = {0x0002: choices.one(UIDS).encode(), 0x0800: b"\0\0" if body else b"\x01\x01"}
    return _message(choices, _command_set(choices, choices.one(COMMAND_FIELDS), elements), body)


def _any_pdu(choices: Choices) -> bytes:
    kind, body = choices.byte(), choices.piece()
    length = len(body) + (choices.byte() if kind & 0x80 else 0)
    return struct.pack(">BxL", kind % 10, length) + body


def _known_pdu(choices: Choices) -> bytes:
    release_rp, accept = b"\x06" + RELEASE_RQ[1:], b"\x02" + associate_rq()[1:]
    reject = b"\x03\0\0\0\0\4\0\1\1\1"
    return choices.one((RELEASE_RQ, ABORT, release_rp, accept, reject, ECHO, associate_rq()))


MOVES: tuple[Callable[[Choices], bytes], ...] = (
    _association, _store, _action, _report, _any_command, _known_pdu, _any_pdu, Choices.piece,
)  # fmt: skip

_COMMITMENT = bytes(7) + b"\x02" + bytes(10)
_REPORTER = bytes(7) + b"\x02" + bytes(5) + b"\x01\x01\x02\x01\x01" + bytes(5)
_REFERENCES = b"\x00\x01\x01\x01\x01\x01\x02\x01\x00\x00\x00" + bytes(3)
SEEDS = (
    bytes(18) + b"\x01" + bytes(6) + b"\x05\x00",  # associate, store, release
    _COMMITMENT + b"\x02" + _REFERENCES + b"\x05\x00",
    _REPORTER + b"\x03" + _REFERENCES + b"\x05\x00",
    bytes(18) + b"\x01" + bytes(5) + b"\x05" + b"\x01" + bytes(4) + b"\x03\x00" + b"\xff\x08\x05\x01",
)
"""Each ends in Success, but for the last."""
