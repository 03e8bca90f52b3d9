"""The commands of the training: `mammonode-train fit | evaluate | calibrate`."""

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer
from rich.console import Console

from inference.device import choose_device, use_threads
from inference.errors import InferenceError
from inference.network import StartWeights
from inference.results import Module
from training import calibrate as calibration
from training import evaluate as evaluation
from training import fit as fitting
from training.annotations import Annotations, read_annotations
from training.errors import TrainingError
from training.plan import Plan, Trunk, default_plan, default_trunk, paper_plan
from training.progress import BarProgress
from training.report import write_report
from training.runtime import keep_freed_memory, start_runtime
from training.shapes import read_shape
from training.summary import module_lines, summary_lines

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train, evaluate and calibrate the networks of mammonode on annotated mammograms. Research use only.",
)
console = Console(stderr=True)

DATA_HELP = (
    "Annotated images, repeatable: a folder with manifest.csv, a COCO JSON file, CBIS-DDSM as TCIA publishes it, "
    "INbreast, or a folder of DICOM images with their SEG or TID 1500 objects."
)
Data = Annotated[list[Path], typer.Option("--data", help=DATA_HELP, show_default=False)]
Ratio = Annotated[
    float | None,
    typer.Option(
        help="True width over height of stretched images in a manifest that says neither it nor pixel_um.",
        min=0.2,
        max=3,
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Threads = Annotated[int, typer.Option(help="CPU threads, 0 for every core.", min=0)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Weights = Annotated[
    list[Path], typer.Option("--weights", help="Weights files, one of each module.", show_default=False)
]

Shapes = Annotated[
    list[Path],
    typer.Option(
        help="A lesion's volume (HDF5 'volume' or .npy, repeatable), pasted into lesion-free tissue at several "
        "contrast-to-noise ratios to see how faint a lesion is still found.",
        show_default=False,
    ),
]


class RecipeChoice(StrEnum):
    """Which plan."""

    PAPER = "paper"
    DEFAULT = "default"


class TrunkChoice(StrEnum):
    """How much is trained."""

    AUTO = "auto"
    FULL = "full"
    UPPER = "upper"
    FROZEN = "frozen"


@app.command()
def fit(
    module: Annotated[Module, typer.Option(help="What the network shall find.", show_default=False)],
    data: Data,
    output: Annotated[
        Path, typer.Option(help="Folder for weights, figures, checkpoints and logs.", show_default=False)
    ],
    recipe: Annotated[
        RecipeChoice, typer.Option(help="'paper': quantusMM to the letter; 'default': the best found.")
    ] = RecipeChoice.DEFAULT,
    start: Annotated[
        str, typer.Option(help="Start weights: a .safetensors or .pth file, 'torchvision' (downloads), or 'none'.")
    ] = "torchvision",
    trunk: Annotated[
        TrunkChoice,
        typer.Option(
            help="What is trained: 'full' everything (GPU), 'upper' what follows layer2, 'frozen' the last blocks "
            "(both CPU)."
        ),
    ] = TrunkChoice.AUTO,
    epochs: Annotated[int | None, typer.Option(help="Passes; the recipe's if not set.", min=1)] = None,
    batch: Annotated[int | None, typer.Option(help="Batch size; the recipe's if not set.", min=2)] = None,
    variants: Annotated[
        int | None,
        typer.Option(help="Versions of each image where not everything is trained; the recipe's if not set.", min=1),
    ] = None,
    folds: Annotated[
        int, typer.Option(help="Parts by patient, for out-of-fold thresholds, calibration and figures.", min=2)
    ] = 5,
    seed: Annotated[int, typer.Option(help="Same seed, data and device: same weights.")] = 1,
    width_over_height: Ratio = None,
    device: Device = "auto",
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Train one module and write its weights file.

    The patients are divided into parts; for each part a network is trained on the others and scores it. Thresholds,
    calibration and figures come from these scores. The network that is written is then trained on everything.

    A training that was stopped goes on where it stood when the same command is given again. Several GPUs:
    torchrun --nproc-per-node N -m training.cli fit ... Curves: tensorboard --logdir OUTPUT/logs

    Example: mammonode-train fit --module nodule --data mini_mias --data cbis --start resnet50.safetensors
    --output trained
    """
    with _told():
        _make_folder(output)
        runtime = start_runtime(device, threads)
        annotations = _read(data, width_over_height)
        on_cpu = runtime.device.type == "cpu"
        auto = default_trunk(recipe.value, module, on_cpu=on_cpu)
        learned = auto if trunk is TrunkChoice.AUTO else cast("Trunk", trunk.value)
        plan = (paper_plan if recipe is RecipeChoice.PAPER else default_plan)(module, learned, seed)
        plan = plan.asked(epochs=epochs, batch=batch, variants=variants)
        with BarProgress(console, output / "logs", shown=runtime.rank == 0) as progress:
            fitted = fitting.fit(
                annotations.images,
                plan,
                _start(start),
                output,
                runtime,
                folds=folds,
                progress=progress,
                provenance=_provenance(annotations, plan, start),
            )
        if runtime.rank == 0:
            _say_fitted(fitted, as_json)


@app.command()
def evaluate(
    weights: Weights,
    data: Data,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the report (Markdown, HTML, plots) and evaluation.json.")
    ] = None,
    mass_shapes: Shapes = [],  # noqa: B006 - typer copies it
    cluster_shapes: Shapes = [],  # noqa: B006 - typer copies it
    width_over_height: Ratio = None,
    device: Device = "auto",
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Say what weights are worth on annotated images of patients they were not trained on.

    AUC of windows and images with 95 % intervals by patient, in the paper's protocol (malignant against healthy) and
    in the harder one (benign lesions are controls); sensitivity, specificity, PPV and NPV at the four cuts;
    localisation; calibration; the same by data set, lesion type, density and view. A figure that the data cannot
    carry is null.

    Example: mammonode-train evaluate --weights nodule.safetensors --data mini_mias --output report
    """
    with _told():
        _make_folder(output)
        chosen = _cpu_ready(device, threads)
        annotations = _read(data, width_over_height)
        with BarProgress(console, None) as progress:
            shapes = {Module.NODULE: mass_shapes, Module.MICROCALCIFICATION: cluster_shapes}
            volumes = {module: [read_shape(path) for path in paths] for module, paths in shapes.items() if paths}
            figures, records = evaluation.evaluate(
                weights, annotations.images, chosen, progress.stage("scan"), volumes
            )
        _say_skipped(dict.fromkeys(line for module in records for line in figures[module.value]["skipped"]))
        if output is not None:
            notes = [*annotations.notes, *annotations.complaint.splitlines()]
            page = write_report(output, figures, records, notes)
            console.print(f"Report: {page}")
        if as_json:
            typer.echo(json.dumps(figures, indent=2))
        else:
            typer.echo("\n".join(summary_lines(figures)))


@app.command()
def calibrate(
    weights: Weights,
    data: Data,
    population: Annotated[
        str | None,
        typer.Option(
            help="Whom the images show, as results may quote it: 'screening 2024, site A'. Default: the data."
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="The site-calibration file to write.")] = Path("site-calibration.json"),
    width_over_height: Ratio = None,
    device: Device = "auto",
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Fit thresholds and calibration to a hospital's own images, and write a site-calibration file for the node.

    The images must show the site's own mix of patients: probabilities and grades are true for that prevalence. Name
    the file in the node's settings: [analysis] site_calibration = "...". Every result then carries its digest.

    Example: mammonode-train calibrate --weights nodule.safetensors --data our_images --population "site A, 2024"
    """
    with _told():
        _make_folder(output.parent)
        chosen = _cpu_ready(device, threads)
        annotations = _read(data, width_over_height)
        with BarProgress(console, None) as progress:
            content, sha256, skipped = calibration.calibrate(
                weights, annotations.images, population, output, chosen, progress.stage("scan")
            )
        _say_skipped(skipped)
        if as_json:
            typer.echo(
                json.dumps({"file": str(output), "sha256": sha256, **content.model_dump(mode="json")}, indent=2)
            )
        else:
            typer.echo(f"Wrote {output} (sha256 {sha256})")
            for module, part in content.modules.items():
                for point in part.thresholds:
                    typer.echo(f"  {module.value} grade {point.grade} from score {point.threshold:.4f}")


class _told:  # noqa: N801 - reads as a phrase where it is used
    """Errors that name their remedy are told in words, with exit code 1."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TrainingError | InferenceError):
            _fail(error)


def _fail(error: Exception) -> NoReturn:
    console.print(f"[bold red]Error:[/] {error}", highlight=False, markup=True)
    sys.exit(1)


def _read(data: Sequence[Path], width_over_height: float | None) -> Annotations:
    annotations = read_annotations(data, width_over_height=width_over_height)
    if annotations.complaint:
        console.print(annotations.complaint, highlight=False, markup=False)
    for note in annotations.notes:
        console.print(note, highlight=False, markup=False)
    return annotations


def _cpu_ready(device: str, threads: int) -> Any:
    chosen = choose_device(device)
    if chosen.type == "cpu":
        use_threads(threads)
        keep_freed_memory()
    return chosen


def _make_folder(output: Path | None) -> None:
    """Before anything is worked out: figures must not be lost for want of a place. Raises TrainingError."""
    try:
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{output} cannot be made: {error.strerror}. Name another --output.") from error


def _start(words: str) -> StartWeights:
    if words == "none":
        return None
    return "torchvision" if words == "torchvision" else Path(words)


def _counts(annotations: Annotations) -> dict[str, int]:
    """Images of each data set."""
    counts: dict[str, int] = {}
    for image in annotations.images:
        counts[image.dataset] = counts.get(image.dataset, 0) + 1
    return counts


def _provenance(annotations: Annotations, plan: Plan, start: str) -> dict[str, Any]:
    return {
        "data": _counts(annotations),
        "patients": len({(image.dataset, image.patient_id) for image in annotations.images}),
        "start": Path(start).name,
        "trained": "whole network" if plan.trunk == "full" else f"{', '.join(plan.learned)}, fc (the rest frozen)",
    }


def _say_skipped(lines: Iterable[str]) -> None:
    for line in lines:
        console.print(f"Skipped {line}", highlight=False, markup=False)


def _say_fitted(fitted: fitting.Fitted, as_json: bool) -> None:
    _say_skipped(fitted.skipped)
    if as_json:
        result = {"weights": str(fitted.weights), "sha256": fitted.sha256, "figures": fitted.figures}
        typer.echo(json.dumps(result, indent=2))
        return
    typer.echo(f"Wrote {fitted.weights} (sha256 {fitted.sha256})")
    typer.echo("\n".join(module_lines("out of fold", fitted.figures)))


if __name__ == "__main__":
    app()
