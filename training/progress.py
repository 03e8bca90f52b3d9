"""Progress bars with the current AUC, and the same numbers for TensorBoard."""

import math
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from training.loop import Report


class BarProgress:
    """One bar a stage; a training's bar shows loss and AUC. Without `logs` nothing is written."""

    def __init__(self, console: Console, logs: Path | None, shown: bool = True) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not shown,
        )
        self._logs = logs if shown else None

    def __enter__(self) -> "BarProgress":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def stage(self, name: str) -> Callable[[int, int], None]:
        """Begin a stage; the returned function takes what is done and how much there is."""
        bar = self._bars.add_task(name, total=None, note="")
        return lambda done, total: self._bars.update(bar, completed=done, total=total)

    def training(self, name: str) -> Report:
        """Begin a training; see loop.Report."""
        bar = self._bars.add_task(name, total=None, note="")
        writer = SummaryWriter(str(self._logs / name)) if self._logs else None
        return lambda step, steps, loss, auc: self._report(bar, writer, step, steps, loss, auc)

    def _report(
        self, bar: TaskID, writer: SummaryWriter | None, step: int, steps: int, loss: float, auc: float
    ) -> None:
        note = f"loss {loss:.3f}" if math.isnan(auc) else f"loss {loss:.3f}  AUC {auc:.3f}"
        self._bars.update(bar, completed=step, total=steps, note=note)
        if writer:
            writer.add_scalar("loss", loss, step)
            if not math.isnan(auc):
                writer.add_scalar("auc", auc, step)
            if step == steps:
                writer.close()
