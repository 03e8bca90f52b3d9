"""The answer to a C-STORE that was kept: written directly, as only three of its values ever differ."""

import struct

from pynetdicom.dimse_primitives import C_STORE

SUCCESS = 0x0000
C_STORE_RSP = 0x8001
NO_DATA_SET = 0x0101
LAST_COMMAND_FRAGMENT = b"\x03"
"""Message control header (PS3.8 annex E.2)."""

FRAGMENT_HEAD = 6
"""Bytes of a fragment's own length, context and header, counted in the peer's maximum."""


def success_fragment(answer: C_STORE, maximum: int) -> bytes | None:
    """The command set (PS3.7 9.3.1.2) as one fragment, byte for byte as pynetdicom encodes it.

    None where it says something else, or is longer than the peer's `maximum` PDU length (0: no limit).
    """
    answered, status = answer.MessageIDBeingRespondedTo, answer.Status
    sop_class, sop_instance = answer.AffectedSOPClassUID, answer.AffectedSOPInstanceUID
    if status != SUCCESS or answered is None or sop_class is None or sop_instance is None:
        return None
    elements = b"".join(
        (
            _uid(0x0002, sop_class),
            _number(0x0100, C_STORE_RSP),
            _number(0x0120, answered),
            _number(0x0800, NO_DATA_SET),
            _number(0x0900, SUCCESS),
            _uid(0x1000, sop_instance),
        )
    )
    command = struct.pack("<HHII", 0, 0, 4, len(elements)) + elements
    if maximum and len(command) + FRAGMENT_HEAD > maximum:
        return None
    return LAST_COMMAND_FRAGMENT + command


def _number(element: int, value: int) -> bytes:
    return struct.pack("<HHIH", 0, element, 2, value)


def _uid(element: int, value: str) -> bytes:
    encoded = value.encode("ascii")
    encoded += b"\x00" * (len(encoded) % 2)
    return struct.pack("<HHI", 0, element, len(encoded)) + encoded
