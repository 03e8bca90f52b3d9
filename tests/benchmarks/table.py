"""The table for people, and the words for the hardware it was measured on."""

import platform
from collections.abc import Iterable
from pathlib import Path

import psutil
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.rows import Row
from inference.device import usable_cores


def show(rows: Iterable[Row], words: str, console: Console) -> None:
    """Print one line a row, under the hardware's words."""
    table = Table(title=words, title_justify="left")
    table.add_column("row")
    for column in ("value", "baseline", "better", "spread"):
        table.add_column(column, justify="right")
    for column in ("reach", "met", "note"):
        table.add_column(column)
    for row in rows:
        table.add_row(
            row.name,
            f"{_number(row.value)} {row.unit}" if row.value is not None else "-",
            _number(row.baseline),
            f"{row.ratio:.2f} x" if row.ratio else "",
            f"{row.spread:.0%}" if row.spread is not None else "",
            row.reach_words,
            {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[row.met],
            row.note,
        )
    console.print(table)


def hardware() -> str:
    """The processor, its cores and vector units, memory and CUDA device, in words."""
    processor = next(iter(_cpuinfo("model name")), platform.processor())
    flags = set(next(iter(_cpuinfo("flags")), "").split())
    vectors = "AMX" if "amx_tile" in flags else "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else ""
    memory = psutil.virtual_memory().total / 2**30
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device"
    load = psutil.getloadavg()[0]
    return f"{processor}, {usable_cores()} cores {vectors}, {memory:.0f} GB, {device}; load at start {load:.1f}"


def _cpuinfo(key: str) -> list[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux
        return []
    return [line.partition(":")[2].strip() for line in lines if line.startswith(key)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
