"""Multipart messages read as they arrive: each part goes straight to a file, whatever its size.

multipart/form-data (RFC 7578) from the upload page, multipart/related (RFC 2387, PS3.18 8.6.1.2) from STOW-RS.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser


class MultipartError(ValueError):
    """The body is not the multipart message that its Content-Type promises."""


@dataclass
class ReceivedPart:
    """One part, written to `path`. `file_name` is what the sender calls it, "" where it does not say."""

    path: Path
    content_type: str = ""
    file_name: str = ""


def content_type_of(header: str) -> Message:
    """A Content-Type header, to be asked for get_content_type() and get_param()."""
    message = Message()
    message["Content-Type"] = header
    return message


@dataclass
class _Writer:
    """Collects the parser's callbacks into parts."""

    new_file: Callable[[], Path]
    parts: list[ReceivedPart] = field(default_factory=list)
    ended: bool = False
    _file: BinaryIO | None = None
    _name: bytes = b""
    _value: bytes = b""

    def begin(self) -> None:
        part = ReceivedPart(self.new_file())
        self.parts.append(part)
        self._file = part.path.open("wb")

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        value = self._value.decode("utf-8", "replace")
        if self._name.lower() == b"content-type":
            self.parts[-1].content_type = value.split(";")[0].strip().lower()
        elif self._name.lower() == b"content-disposition":
            message = Message()
            message["Content-Disposition"] = value
            try:
                self.parts[-1].file_name = message.get_filename("")
            except (LookupError, ValueError):  # in a character set that there is not
                self.parts[-1].file_name = ""
        self._name, self._value = b"", b""

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def end(self) -> None:
        self.ended = True


async def receive_parts(
    body: AsyncIterator[bytes], boundary: str, new_file: Callable[[], Path], maximum_parts: int
) -> list[ReceivedPart]:
    """Write each part of `body` to a file that `new_file` makes; the caller removes them, also when this raises.

    Raises MultipartError: malformed, cut short, without a part or with more than `maximum_parts`; OSError: disk.
    """
    writer = _Writer(new_file)
    try:
        parser = MultipartParser(
            boundary.encode("latin-1", "replace"),
            {
                "on_part_begin": writer.begin,
                "on_part_data": writer.data,
                "on_part_end": writer.close,
                "on_header_field": writer.header_name,
                "on_header_value": writer.header_value,
                "on_header_end": writer.header_end,
                "on_end": writer.end,
            },
        )
        async for chunk in body:
            parser.write(chunk)
            if len(writer.parts) > maximum_parts:
                raise MultipartError(f"More than {maximum_parts} parts in one request.")
    except FormParserError as error:
        raise MultipartError("The multipart message is malformed.") from error
    finally:
        writer.close()
    if not writer.ended or not writer.parts:
        raise MultipartError("The multipart message is cut short or has no part.")
    return writer.parts
