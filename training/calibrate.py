"""A hospital's own calibration and thresholds for weights it already has."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from inference.results import Module
from inference.site_calibration import ModuleCalibration, SiteCalibration, save_site_calibration
from inference.weights_file import load_weights
from training.annotations import AnnotatedImage
from training.evaluate import check_enough, check_modules, examine
from training.records import all_scores
from training.thresholds import calibration_from, population_of, thresholds_from


def calibrate(
    weights: Sequence[Path],
    images: Sequence[AnnotatedImage],
    population: str | None,
    output: Path,
    device: torch.device,
    progress: Callable[[int, int], None],
) -> tuple[SiteCalibration, str, list[str]]:
    """Score the images, fit calibration and thresholds of each module, and write the file.

    Returns its content, its SHA-256, and the images that could not be read with the reason; without `population`
    results name the data sets and how many of their images were scored.

    The images must be of patients that the weights were not trained on, in the site's own mix: all that are not
    malignant are controls, those with benign lesions as well. Raises TooFewError: a module has too few
    patients of a class; WeightsError: a file cannot be used.
    """
    modules: dict[Module, ModuleCalibration] = {}
    skipped: dict[str, None] = {}
    check_modules(networks := [load_weights(path) for path in weights])
    for number, trained in enumerate(networks):
        module = trained.recipe.module

        def advance(done: int, number: int = number) -> None:
            progress(number * len(images) + done, len(weights) * len(images))

        records, unread = examine(trained, images, device, advance)
        skipped |= dict.fromkeys(unread)
        check_enough(records, module)
        scores = all_scores(records)
        modules[module] = ModuleCalibration(
            weights_sha256=trained.sha256,
            calibration=calibration_from(scores, population or population_of(scores)),
            thresholds=thresholds_from(scores).points,
        )
    content = SiteCalibration(created=datetime.now(UTC).isoformat(timespec="seconds"), modules=modules)
    return content, save_site_calibration(output, content), list(skipped)
