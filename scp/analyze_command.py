"""What `mammonode analyze` shows: progress on the terminal, a table of findings, or JSON."""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from config.analysis import Analysis
from config.settings import Settings
from inference.errors import DeviceError, InferenceError
from inference.pipeline import Analyser
from inference.results import Reason
from scp.analyze import Analysis as FilesAnalysis
from scp.analyze import analyze
from scp.composition import load_analyser
from scp.findings_table import print_result


def run_analyze(
    paths: Sequence[Path], output: Path, settings: Settings, device: str | None = None, *, as_json: bool
) -> int:
    """Analyse, print, and return the exit code: 0 when every file was read and no image failed."""
    err = Console(stderr=True)
    try:
        settings = _on(device, settings)
        analyser = load_analyser(settings)
        _prepare(output)
        analysis = _analyse(paths, output, settings, analyser, err)
    except (InferenceError, OSError) as error:
        err.print(str(error), style="red", markup=False, soft_wrap=True)
        return 1
    if as_json:
        sys.stdout.write(json.dumps(analysis.as_json(), indent=1) + "\n")
    else:
        _show(analysis, output)
    return 0 if analysis.succeeded else 1


def _on(device: str | None, settings: Settings) -> Settings:
    """With the device of the command line. Raises DeviceError: there is none of such a name."""
    if device is None:
        return settings
    try:
        chosen = Analysis.model_validate(settings.analysis.model_dump() | {"device": device})
    except ValidationError:
        text, remedy = f"There is no device {device}.", "Name one with --device: auto, cpu, cuda or cuda:N."
        raise DeviceError(Reason(code="device-missing", text=text, remedy=remedy)) from None
    return settings.model_copy(update={"analysis": chosen})


def _prepare(output: Path) -> None:
    """Before the work, which takes long. Raises OSError: nothing can be written there."""
    try:
        output.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise OSError(f"{output} cannot be written ({error.strerror}). Name another with --output.") from error


def _analyse(
    paths: Sequence[Path], output: Path, settings: Settings, analyser: Analyser, err: Console
) -> FilesAnalysis:
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
    ) as bar:
        task = bar.add_task("analysing", total=None)
        return analyze(paths, output, settings, analyser, lambda line: bar.update(task, description=line, advance=1))


def _show(analysis: FilesAnalysis, output: Path) -> None:
    out = Console()
    for study in analysis.studies:
        print_result(study.result, out)
    for file, reason in analysis.unreadable.items():
        out.print(f"{file}: {reason.text} {reason.remedy}", style="red", markup=False, highlight=False)
    if analysis.studies:
        out.print(f"Results and pictures: {output}", markup=False, highlight=False)
    else:
        out.print("There was nothing to analyse: no results.", markup=False, highlight=False)
