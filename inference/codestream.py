"""What a compressed frame says of itself, read before a codec may allocate for it."""

from dataclasses import dataclass
from struct import unpack_from

_STANDALONE = {0x01, *range(0xD0, 0xD9)}
"""JPEG markers without a length: TEM, RST0 to RST7, SOI (ITU-T T.81 B.1.1.3)."""
_NOT_A_FRAME = {0xC4, 0xC8, 0xCC}
"""DHT, JPG, DAC lie among the SOF markers (ITU-T T.81 table B.1)."""


@dataclass(frozen=True)
class Codestream:
    """`kind` is jpeg, jpeg-lossless, jpeg-ls, jpeg-2000 or htj2k; `whole` is whether its end marker is there."""

    kind: str
    rows: int
    columns: int
    components: int
    whole: bool


def read_codestream(frame: bytes) -> Codestream | None:
    """The header of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K frame, or None where it is none of them.

    Raises struct.error where the header is cut off.
    """
    if frame[:2] == b"\xff\xd8":
        return _read_jpeg(frame)
    # some modalities wrap the codestream in a JP2 file; the codestream starts with SOC and SIZ (ITU-T T.800 A.4, A.5)
    start = frame.find(b"\xff\x4f\xff\x51", 0, 4096)
    return _read_jpeg_2000(frame, start) if start >= 0 else None


def _read_jpeg(frame: bytes) -> Codestream | None:
    at = 2
    while at + 4 <= len(frame):
        if frame[at] != 0xFF:
            return None
        marker = frame[at + 1]
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if (0xC0 <= marker <= 0xCF and marker not in _NOT_A_FRAME) or marker == 0xF7:
            rows, columns, components = unpack_from(">HHB", frame, at + 5)
            kind = "jpeg-ls" if marker == 0xF7 else "jpeg-lossless" if marker == 0xC3 else "jpeg"
            return Codestream(kind, rows, columns, components, _ends(frame))
        at += 2 + unpack_from(">H", frame, at + 2)[0]
    return None


def _read_jpeg_2000(frame: bytes, start: int) -> Codestream:
    right, bottom, left, top = unpack_from(">4I", frame, start + 8)
    (components,) = unpack_from(">H", frame, start + 40)
    after_siz = start + 4 + unpack_from(">H", frame, start + 4)[0]
    # CAP right after SIZ announces high throughput (ITU-T T.814 A.3)
    kind = "htj2k" if frame[after_siz : after_siz + 2] == b"\xff\x50" else "jpeg-2000"
    return Codestream(kind, bottom - top, right - left, components, _ends(frame))


def _ends(frame: bytes) -> bool:
    """EOI and EOC are both FF D9; a fragment may be padded after it."""
    return b"\xff\xd9" in frame[-16:]
