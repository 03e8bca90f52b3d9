"""A PostgreSQL server of our own in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.receivers import end, free_port, wait_until_open


@contextmanager
def postgresql() -> Iterator[str]:
    """Its URL. Raises FileNotFoundError: PostgreSQL is not installed."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed: make system")
    folder = Path(tempfile.mkdtemp(prefix="mammonode-postgresql-"))
    # PostgreSQL refuses to run as root
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")
    try:
        initialise = [*user, str(programs), "-A", "trust", "-U", "postgres", "-D", str(folder / "data")]
        subprocess.run(initialise, check=True, capture_output=True, cwd="/")
        port, log = free_port(), folder / "server.log"
        server = [*user, str(programs.with_name("postgres")), "-D", str(folder / "data"), "-p", str(port)]
        with log.open("wb") as file:
            process = subprocess.Popen([*server, "-k", str(folder)], stdout=file, stderr=file, cwd="/")
        try:
            wait_until_open(port, process, log)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            end(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
