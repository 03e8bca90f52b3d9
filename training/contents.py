"""What a file or a network holds, in a word: files of one name are told apart, and what was replaced is noticed."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from torch import Tensor

LENGTH = 16
UNREADABLE = "unreadable"


def content_digest(path: Path) -> str:
    """Of a file's bytes; `UNREADABLE` where it cannot be read: whoever reads its pixels says why."""
    try:
        stat = path.stat()
        return _digest(path, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return UNREADABLE


@cache
def _digest(path: Path, _size: int, _modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:LENGTH]


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Of names and values."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:LENGTH]
