"""Processes of a node that live on after it."""

from collections.abc import Sequence
from pathlib import Path

import psutil


def end_outlived(folders: Sequence[Path], patience: float) -> list[str]:
    """Kill what names one of the folders and has not drained within `patience` seconds; returns command lines."""
    found = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in argument for folder in folders for argument in process.info["cmdline"] or ())
    ]
    _, left = psutil.wait_procs(found, timeout=patience)
    for process in left:
        process.kill()
    return [" ".join(process.info["cmdline"]) for process in left]
