"""What a network is worth on annotated images: every figure of the paper, with intervals, and those it lacks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inference.calibration import Calibration
from inference.errors import UnreadablePixelsError
from inference.grades import marking_threshold
from inference.results import Module, OperatingPoint
from inference.scorer import Scorer
from inference.weights_file import TrainedModule, load_weights
from training.annotations import AnnotatedImage
from training.contrast import contrast_figures
from training.errors import TooFewError, TrainingError
from training.figures import auc_with_interval, brier, froc, reliability
from training.images import prepare
from training.labels import Label
from training.records import Record, benign_scores, healthy_scores, scan_image, window_scores
from training.thresholds import table_with_intervals

GROUPS: dict[str, Callable[[Record], str]] = {
    "dataset": lambda record: record.image.dataset,
    "view": lambda record: record.image.view or "unknown",
    "density": lambda record: record.image.density or "unknown",
    "lesion_type": lambda record: "+".join(sorted({lesion.lesion_type for lesion in record.image.lesions})),
}


def evaluate(
    weights: Sequence[Path],
    images: Sequence[AnnotatedImage],
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
    shapes: Mapping[Module, Sequence[NDArray[np.float64]]] = MappingProxyType({}),
) -> tuple[dict[str, Any], dict[Module, list[Record]]]:
    """Scan the images with each network. Returns the figures by module, and the records they are made of.

    With `shapes` of a module they are pasted into the images too, at several contrasts. Raises WeightsError: a file
    cannot be used; TooFewError: the images say nothing about a module.
    """
    figures: dict[str, Any] = {module.value: None for module in Module}
    records: dict[Module, list[Record]] = {}
    cuts: dict[Module, float] = {}
    check_modules(networks := [load_weights(path) for path in weights])
    for number, trained in enumerate(networks):

        def advance(done: int, number: int = number) -> None:
            if progress:
                progress(number * len(images) + done, len(weights) * len(images))

        found, skipped = examine(trained, images, device, advance)
        module = trained.recipe.module
        check_enough(found, module)
        records[module] = found
        figures[module.value] = module_figures(found, trained.header.thresholds, trained.header.calibration)
        figures[module.value]["skipped"] = skipped
        figures[module.value]["weights_sha256"] = trained.sha256
        figures[module.value]["contrast"] = (
            contrast_figures(trained, images, shapes[module], device, advance) if module in shapes else None
        )
        cut = marking_threshold(trained.header.thresholds)
        if cut is not None:
            cuts[module] = cut
    figures["study_specificity"] = study_specificity({module: records[module] for module in cuts}, cuts)
    return figures, records


def check_modules(networks: Sequence[TrainedModule]) -> None:
    """Raises TrainingError: two networks for one module."""
    modules = [trained.recipe.module for trained in networks]
    twice = sorted({module.value for module in modules if modules.count(module) > 1})
    if twice:
        raise TrainingError(f"Several weights files are for {', '.join(twice)}: give one a module.")


def study_specificity(records: Mapping[Module, Sequence[Record]], cuts: Mapping[Module, float]) -> float | None:
    """Share of healthy patients none of whose images reaches the cut of any module (worst of images x modules).

    Healthy are those on whose images nothing was found, of any kind.
    """
    everyone = [(record, record.score >= cuts[module]) for module, own in records.items() for record in own]
    healthy = {record.patient for record, _ in everyone} - {r.patient for r, _ in everyone if not r.image.healthy}
    marked = healthy & {record.patient for record, reached in everyone if reached}
    return 1 - len(marked) / len(healthy) if healthy else None


def examine(
    trained: TrainedModule, images: Sequence[AnnotatedImage], device: torch.device, progress: Callable[[int], None]
) -> tuple[list[Record], list[str]]:
    """Scan every image; those that cannot be read are named with the reason."""
    scorer = Scorer(trained, device)
    found: list[Record] = []
    skipped: list[str] = []
    for index, image in enumerate(images):
        try:
            found.append(scan_image(scorer, prepare(image, trained.recipe)))
        except (TrainingError, UnreadablePixelsError) as error:
            skipped.append(f"{image.path.name}: {error}")
        progress(index + 1)
    return found, skipped


def check_enough(records: Sequence[Record], module: Module) -> None:
    """Raises TooFewError: nothing could be said at all."""
    malignant = {record.patient for record in records if record.malignant}
    others = {record.patient for record in records} - malignant
    if not malignant or not others:
        raise TooFewError(
            f"The images hold {len(malignant)} patient(s) with a malignant {module.value} and {len(others)} without: "
            "no figure can be given. Add patients of the class that is missing."
        )


def module_figures(
    records: Sequence[Record], points: tuple[OperatingPoint, ...], calibration: Calibration | None
) -> dict[str, Any]:
    """Every figure of one module; None where the data cannot say."""
    healthy = healthy_scores(records)
    return {
        **_discrimination(records),
        "candidate_recall": _recall(records),
        "localisation_top1": _share([r.top_on_lesion for r in records if r.top_on_lesion is not None]),
        "froc": _froc(records),
        **_calibration(records, calibration),
        "table": table_with_intervals(points, healthy) if healthy.cases and healthy.controls and points else None,
        "groups": {name: _by(records, key) for name, key in GROUPS.items()},
        "images": len(records),
        "patients": len({record.patient for record in records}),
    }


def _discrimination(records: Sequence[Record]) -> dict[str, Any]:
    """The paper's protocol and the harder one, side by side."""
    control, both = frozenset({Label.CONTROL}), frozenset({Label.CONTROL, Label.BENIGN})
    return {
        "patch": auc_with_interval(window_scores(records, control)),
        "patch_benign_as_control": auc_with_interval(window_scores(records, both)),
        "image": auc_with_interval(healthy_scores(records)),
        "image_malignant_vs_benign": auc_with_interval(benign_scores(records)),
    }


def _by(records: Sequence[Record], key: Callable[[Record], str]) -> dict[str, Any]:
    """Discrimination within each group; lesion types are each set against all images without a malignant one."""
    groups: Mapping[str, list[Record]] = {name: [] for name in sorted({key(record) for record in records} - {""})}
    for record in records:
        if key(record):
            groups[key(record)].append(record)
    if key is GROUPS["lesion_type"]:
        controls = [record for record in records if not record.malignant]
        groups = {
            name: [r for r in own if r.malignant] + controls
            for name, own in groups.items()
            if any(r.malignant for r in own)
        }
    return {name: {"images": len(own), **_discrimination(own)} for name, own in groups.items()}


def _recall(records: Sequence[Record]) -> float | None:
    return _share([reached for record in records for reached in record.reached])


def _share(values: Sequence[bool]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def _froc(records: Sequence[Record]) -> list[dict[str, float]]:
    """False marks are counted on healthy images; where there are none, on every image without a malignant lesion."""
    controls = [record.image.healthy for record in records]
    if not any(controls):
        controls = [not record.malignant for record in records]
    return froc([record.marks for record in records], sum(len(record.reached) for record in records), controls)


def _calibration(records: Sequence[Record], calibration: Calibration | None) -> dict[str, Any]:
    """Brier score and reliability of the probabilities of malignant and healthy images."""
    scores = healthy_scores(records)
    if calibration is None or not scores.cases or not scores.controls:
        return {"brier": None, "reliability": None}
    probabilities = np.array([calibration.probability(score) for score in scores.scores])
    return {
        "brier": round(brier(probabilities, scores.truth), 4),
        "reliability": reliability(probabilities, scores.truth),
    }
