"""The audit trail: who sent what, what was returned where. JSON lines, one file a day, no patient identity."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from scp.durable import make_folder


def record(folder: Path, event: str, **facts: str | int | float | bool | None) -> None:
    """Append one line to <folder>/audit/audit-<day>.jsonl, readable by the owner alone.

    `facts` are UIDs, AE titles, addresses and numbers. One write a line: processes may write at once.
    Raises OSError.
    """
    now = datetime.now(UTC)
    make_folder(folder / "audit")
    path = folder / "audit" / f"audit-{now.date().isoformat()}.jsonl"
    line = json.dumps({"at": now.isoformat(), "event": event, **facts}, separators=(",", ":")) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
