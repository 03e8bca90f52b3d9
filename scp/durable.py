"""Files that survive a power cut: written aside, synced, renamed, and the folder synced."""

import ctypes
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

SYNC_FILE_RANGE_WRITE = 2
"""Start to write, wait for nothing (linux/fs.h)."""

_LIBRARY = ctypes.CDLL(None)


def write_durably(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: a reader sees the old file or the new one, never a part of it.

    Raises OSError (disk full, read-only, no right).
    """
    make_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents, for the owner alone; the name of each is durable then.

    Also one that is there already: whoever made it may have been killed before its name was synced.
    """
    try:
        inode = folder.stat().st_ino
    except FileNotFoundError:
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        inode = folder.stat().st_ino
    _sync_name(folder, inode)


@lru_cache(maxsize=4096)
def _sync_name(folder: Path, _inode: int) -> None:
    """Once for each folder in the life of a process."""
    try:
        sync_folder(folder.parent)
    except PermissionError:
        # a parent that may not be read is not ours, and its names were there before us
        return


def write_early(descriptor: int, offset: int, size: int) -> None:
    """Let the disk begin with these bytes of a growing file: the sync at its end then has little to wait for.

    A hint (sync_file_range, Linux): it promises nothing, and its failure shows in the sync.
    """
    hint = getattr(_LIBRARY, "sync_file_range", None)
    if hint is not None:  # another system
        hint(descriptor, ctypes.c_int64(offset), ctypes.c_int64(size), SYNC_FILE_RANGE_WRITE)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, seconds: float | None = None) -> Iterator[None]:
    """Hold an advisory lock on `path`, across processes and (on NFS 4) machines; released when a holder dies.

    Raises TimeoutError: another holds it for longer than `seconds`.
    """
    make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if seconds is None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        else:
            _lock_within(descriptor, seconds)
        yield
    finally:
        os.close(descriptor)


def _lock_within(descriptor: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise TimeoutError("the lock is held by another") from error
        time.sleep(0.05)


def hold(path: Path, *, wait: bool = False) -> int:
    """Take an advisory lock for the life of this process.

    Raises BlockingIOError: a living process has it (unless told to wait).
    """
    make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
