"""dcmtk's command-line peers: a real modality and a real destination."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def tool(name: str) -> str:
    """Where a dcmtk tool is: the system's, as pynetdicom installs programs of the same names."""
    path = "/usr/bin/" + name if Path("/usr/bin", name).exists() else shutil.which(name)
    assert path is not None, f"dcmtk's {name} is missing: make system installs it"
    return path


def storescu(
    port: int,
    files: Sequence[Path],
    *options: str,
    calling: str = "MODALITY",
    called: str = "MAMMONODE",
    nodelay: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Send files. `nodelay` False leaves Nagle's algorithm on, as Debian's dcmtk does by default."""
    command = [tool("storescu"), "-v", "-aet", calling, "-aec", called, *options, "127.0.0.1", str(port)]
    environment = {**os.environ, "TCP_NODELAY": "1"} if nodelay else os.environ
    return subprocess.run(
        [*command, *map(str, files)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def echoscu(port: int, *options: str, called: str = "MAMMONODE") -> subprocess.CompletedProcess[str]:
    """Verify."""
    command = [tool("echoscu"), "-v", "-aec", called, *options, "127.0.0.1", str(port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
