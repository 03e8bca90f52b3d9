"""From pixels to findings, piece by piece and whole."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from pydicom import dcmread
from torch import nn

from benchmarks import baselines
from benchmarks.networks import write_weights
from benchmarks.options import Options
from benchmarks.rows import Reach, Row, timed
from config.analysis import Eligibility
from inference.activation import heat_canvas
from inference.calcifications import bright_windows
from inference.device import use_threads
from inference.findings import find_lesions
from inference.nodules import brightness_map
from inference.normalise import Normalised, normalise
from inference.pipeline import Analyser, default_weights
from inference.pixels import read_grey
from inference.recipe import MicrocalcificationWindows, NoduleWindows, Recipe
from inference.results import Module
from inference.scorer import Scorer
from inference.weights_file import TrainedModule, load_weights
from inference.windows import Window, candidates
from phantoms.mammogram import write_study
from scp.composition import eligibility_policy
from scp.demonstration_study import demonstration_study

MEMORY = 2 << 30
NO_CUDA = "no CUDA device here: not measured"


def rows(options: Options) -> Iterator[Row]:
    """Preparation on one core, scoring and the whole chain on all of them and on CUDA where there is one."""
    files = study_files(options)
    weights = write_weights(options)
    use_threads(1)
    yield from _preparation(files[0], options)
    use_threads(0)
    yield from _scoring(load_weights(weights / "nodule.safetensors"), files[0], options)
    yield from _study(weights, files, options)


def study_files(options: Options) -> list[Path]:
    """The demonstration's real four-view study; phantoms where the images are to be small."""
    if options.small:
        return write_study(options.scratch / "study", rows=options.rows, columns=options.columns)[:1]
    return write_study(options.scratch / "study", list(demonstration_study(malignant=True)))


def _preparation(file: Path, options: Options) -> Iterator[Row]:
    ds = dcmread(file)
    grey = read_grey(ds, memory=MEMORY)
    recipes = options.recipes
    nodule = recipes[Module.NODULE]
    normalised = normalise(grey, nodule)
    pixels = normalised.pixels
    rule, other = nodule.windows, recipes[Module.MICROCALCIFICATION].windows
    assert isinstance(rule, NoduleWindows)
    assert isinstance(other, MicrocalcificationWindows)
    one_thread = partial(timed, repeats=options.repeats, clock=time.process_time)
    yield one_thread("grey", lambda: read_grey(ds, memory=MEMORY), lambda: baselines.grey(ds), unit="ms")
    yield one_thread(
        "normalise",
        lambda: normalise(grey, nodule),
        lambda: baselines.normalise(grey.values, nodule),
        unit="ms",
    )
    yield one_thread(
        "candidates.nodule",
        lambda: brightness_map(pixels, rule),
        lambda: baselines.nodule_brightness(pixels, rule),
        unit="ms",
    )
    yield one_thread(
        "candidates.microcalcification",
        lambda: bright_windows(pixels, other),
        lambda: baselines.bright_windows(pixels, other),
        unit="ms",
    )

    def ours() -> None:
        image = normalise(grey, nodule)
        for recipe in recipes.values():
            candidates(image, recipe)

    def plain() -> None:
        values, breast = baselines.normalise(grey.values, nodule)
        for module, choose in baselines.CANDIDATES.items():
            choose(values, breast, recipes[module])

    yield one_thread(
        "preparation",
        ours,
        plain,
        reach=Reach(value=0.25),
        note="normalise and both rules, CPU seconds of one thread",
    )


def _scoring(trained: TrainedModule, file: Path, options: Options) -> Iterator[Row]:
    normalised = normalise(read_grey(file, memory=MEMORY), trained.recipe)
    yield _scoring_row("scoring.cpu", trained, normalised, "cpu", 27, options)
    reach = Reach(value=20_000)
    if torch.cuda.is_available():
        yield _scoring_row("scoring.gpu", trained, normalised, "cuda", 512, options, reach)
    else:
        yield Row("scoring.gpu", None, "patches/s", reach=reach, note=NO_CUDA)
    yield _findings_row(trained, normalised, options)


def _scoring_row(
    name: str,
    trained: TrainedModule,
    normalised: Normalised,
    device: str,
    count: int,
    options: Options,
    reach: Reach | None = None,
) -> Row:
    """Windows cut, shrunk and scored, both sides from the normalised image; the baseline in batches of 27."""
    windows = spread_windows(normalised, trained.recipe.windows.window, count if not options.small else 2)
    scorer = Scorer(trained, torch.device(device))
    scorer.warm_up()
    network = trained.network.to(device)

    def plain() -> None:
        for start in range(0, len(windows), 27):
            baselines.score(network, normalised.pixels, windows[start : start + 27], trained.recipe, device)

    row = timed(
        name,
        lambda: scorer.score(scorer.place(normalised.pixels), windows),
        plain,
        repeats=options.repeats,
        unit="patches/s",
        amount=len(windows),
        reach=reach,
        note=f"eager float32, batch 27, on {device} as baseline",
    )
    trained.network.to("cpu")
    return row


def spread_windows(normalised: Normalised, size: int, count: int) -> list[Window]:
    """`count` nodule windows, evenly over the image."""
    rows, columns = normalised.pixels.shape
    across = max(1, (columns - size) // 7)
    return [Window((index % 7) * across, (index // 7 * 97) % max(1, rows - size), size) for index in range(count)]


def _findings_row(trained: TrainedModule, normalised: Normalised, options: Options) -> Row:
    scorer = Scorer(trained, torch.device("cpu"))
    scored = scorer.score(normalised.pixels, candidates(normalised, trained.recipe)[: 27 if not options.small else 3])

    def findings() -> None:
        canvas = heat_canvas(scored, *normalised.pixels.shape)
        find_lesions(scored, canvas, 0.0)

    return timed(
        "findings", findings, None, repeats=options.repeats, unit="ms", note="heat map, lesions, outlines of an image"
    )


def _study(paper: Path, files: list[Path], options: Options) -> Iterator[Row]:
    """The shipped networks as they are used, and the paper's recipe: the same recipe and weights on both sides."""
    plain = "four views, file to findings; baseline to scores, OpenCV and eager float32"
    shipped = paper if options.small else default_weights()
    cpu, gpu = Reach(ratio=6), Reach(value=0.25, ratio=8)
    kinds: list[tuple[str, Path, str, bool]] = [
        ("study", shipped, f"{plain}, every window of the shipped recipe's scan cut out, one image's a batch", False),
        ("study.pass", shipped, f"{plain}, the same scan in one pass over each whole image", True),
        ("study.windows", paper, f"{plain}, the paper's candidates at 224, one image's a batch", False),
    ]
    for name, folder, note, in_one_pass in kinds:
        repeats = 1 if name == "study" else max(1, options.repeats // 2)  # minutes a time: once shows it
        reach = None if in_one_pass else cpu
        yield _study_row(_named(name, "cpu"), folder, files, "cpu", repeats, note, reach, in_one_pass)
        if torch.cuda.is_available():
            yield _study_row(_named(name, "gpu"), folder, files, "cuda", options.repeats, note, gpu, in_one_pass)
        else:
            yield Row(_named(name, "gpu"), None, "s", reach=gpu, note=NO_CUDA)


def _named(name: str, processor: str) -> str:
    first, _, rest = name.partition(".")
    return ".".join(part for part in (first, processor, rest) if part)


def _study_row(
    name: str,
    weights: Path,
    files: list[Path],
    device: str,
    repeats: int,
    note: str,
    reach: Reach | None,
    in_one_pass: bool,
) -> Row:
    trained = {module: load_weights(weights / f"{module.value}.safetensors") for module in Module}
    analyser = Analyser.load(weights, device=device)
    policy = eligibility_policy(Eligibility(burned_in_annotation=False), None)
    networks: dict[Module, nn.Module] = {module: part.network.eval().to(device) for module, part in trained.items()}
    recipes: dict[Module, Recipe] = {module: part.recipe for module, part in trained.items()}
    return timed(
        name,
        lambda: analyser.analyse_study(files, policy),
        lambda: baselines.study(files, networks, recipes, device, in_one_pass=in_one_pass),
        repeats=repeats,
        reach=reach,
        note=note,
        warm=device != "cpu",
    )
