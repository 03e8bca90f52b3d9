"""What `mammonode analyze` shows: progress on the terminal, a table of findings, or JSON."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from config.settings import Settings
from inference.errors import InferenceError
from scp.analyze import Analysis, analyze
from scp.composition import load_analyser
from scp.findings_table import print_result


def run_analyze(paths: Sequence[Path], output: Path, settings: Settings, *, as_json: bool) -> int:
    """Analyse, print, and return the exit code: 0 when every file was read and no image failed."""
    err = Console(stderr=True)
    try:
        analyser = load_analyser(settings)
    except InferenceError as error:
        err.print(str(error), style="red", markup=False)
        return 1
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
    ) as bar:
        task = bar.add_task("analysing", total=None)
        analysis = analyze(
            paths, output, settings, analyser, lambda line: bar.update(task, description=line, advance=1)
        )
    if as_json:
        sys.stdout.write(json.dumps(analysis.as_json(), indent=1) + "\n")
    else:
        _show(analysis, output)
    return 0 if analysis.succeeded else 1


def _show(analysis: Analysis, output: Path) -> None:
    out = Console()
    for study in analysis.studies:
        print_result(study.result, out)
    for file, reason in analysis.unreadable.items():
        out.print(f"{file}: {reason.text} {reason.remedy}", style="red", markup=False, highlight=False)
    if analysis.studies:
        out.print(f"Results and pictures: {output}", markup=False, highlight=False)
    else:
        out.print("There was nothing to analyse: no results.", markup=False, highlight=False)
