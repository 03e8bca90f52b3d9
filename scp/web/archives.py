"""ZIP files taken apart within limits: what they say about their own size is not believed."""

import errno
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scp.web import texts

MAXIMUM_ENTRIES = 5000
BLOCK = 1 << 20


class ArchiveError(Exception):
    """The archive cannot be opened, or would unpack to more than is allowed. The message is for the uploader."""


@dataclass(frozen=True)
class Entry:
    """One file of an archive, unpacked to `path`."""

    name: str
    path: Path


def is_archive(path: Path) -> bool:
    """Whether the file starts as a ZIP does (its name says nothing)."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def entries(path: Path, maximum_bytes: int, new_file: Callable[[], Path]) -> Iterator[Entry]:
    """Unpack one file after the other; the caller removes each. Archives inside are left packed.

    Raises ArchiveError: damaged, encrypted, more than MAXIMUM_ENTRIES files, or more than `maximum_bytes` unpacked;
    OSError: the disk is full.
    """
    left = maximum_bytes
    try:
        with zipfile.ZipFile(path) as archive:
            files = [info for info in archive.infolist() if not info.is_dir() and not _housekeeping(info.filename)]
            if len(files) > MAXIMUM_ENTRIES:
                raise ArchiveError(texts.too_many_files(MAXIMUM_ENTRIES))
            for info in files:
                if info.flag_bits & 0x1:
                    raise ArchiveError(texts.ENCRYPTED_ARCHIVE)
                entry = Entry(info.filename, new_file())
                left -= _unpack(archive, info, entry.path, left)
                yield entry
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise ArchiveError(texts.DAMAGED_ARCHIVE) from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ArchiveError(texts.DAMAGED_ARCHIVE) from error  # zipfile seeks where a damaged directory points


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, limit: int) -> int:
    written = 0
    with archive.open(info) as packed, path.open("wb") as file:
        while block := packed.read(BLOCK):
            written += len(block)
            if written > limit:
                raise ArchiveError(texts.UNPACKS_TOO_LARGE)
            file.write(block)
    return written


def _housekeeping(name: str) -> bool:
    """What operating systems and DICOM media add beside the images."""
    parts = name.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1] in (".DS_Store", "Thumbs.db", "DICOMDIR", "desktop.ini")
