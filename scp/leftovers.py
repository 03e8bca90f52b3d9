"""What a killed process has left half-written, wherever it lies: overwritten and removed."""

import time
from pathlib import Path

from scp.incoming import secure_delete

TEMPORARY = (".writing-*", ".objects-*")
"""Names that only something unfinished has (scp.durable, scp.result_folders)."""

OLD = 600.0
"""Seconds: what is younger may be in the making, by this process or by another machine."""


def sweep(folder: Path, older: float = OLD) -> int:
    """Remove temporary files and folders below `folder`. Returns how many. Raises OSError: the disk fails."""
    limit = time.time() - older
    left = [path for name in TEMPORARY for path in folder.rglob(name)]
    removed = 0
    for path in left:
        try:
            if path.stat().st_mtime > limit:
                continue
        except FileNotFoundError:  # finished meanwhile
            continue
        secure_remove(path)
        removed += 1
    return removed


def secure_remove(path: Path) -> None:
    """Overwrite and remove a file, or a folder with all that is in it."""
    if not path.is_dir():
        secure_delete(path)
        return
    for child in path.iterdir():
        secure_remove(child)
    path.rmdir()
