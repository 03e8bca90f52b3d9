"""Parts of an upload on their way: written beside the spool's other arrivals, removed whatever happens."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scp.incoming import secure_delete
from scp.spool import Spool


@dataclass
class TemporaryFiles:
    """Temporary files; all of them are gone afterwards."""

    folder: Path
    paths: list[Path] = field(default_factory=list)

    def new(self) -> Path:
        """An empty file for the owner alone."""
        path = self.folder / f"{secrets.token_hex(12)}.upload"
        path.touch(mode=0o600, exist_ok=False)
        self.paths.append(path)
        return path


@contextmanager
def temporary_files(spool: Spool) -> Iterator[TemporaryFiles]:
    """Temporary files in the spool's own corner, deleted securely at the end; a crash leaves them to the sweep."""
    files = TemporaryFiles(spool.incoming)
    try:
        yield files
    finally:
        for path in files.paths:
            secure_delete(path)
