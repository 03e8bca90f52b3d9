"""`mammonode init`: a commented settings file that `mammonode check` accepts."""

import os
from importlib.resources import files
from pathlib import Path


def write_settings(path: Path) -> None:
    """Write the commented settings file, readable by its owner alone.

    Raises FileExistsError: an operator's file is never overwritten. Raises OSError: it cannot be written there.
    """
    template = files("config").joinpath("mammonode.toml").read_bytes()
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(template)
