"""A hospital's own calibration and thresholds for weights it already has."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from inference.results import Module
from inference.site_calibration import ModuleCalibration, SiteCalibration, save_site_calibration
from inference.weights_file import load_weights
from training.annotations import AnnotatedImage
from training.evaluate import check_enough, examine
from training.records import all_scores
from training.thresholds import calibration_from, thresholds_from


def calibrate(
    weights: Sequence[Path],
    images: Sequence[AnnotatedImage],
    population: str,
    output: Path,
    device: torch.device,
    progress: Callable[[int, int], None],
) -> tuple[SiteCalibration, str]:
    """Score the images, fit calibration and thresholds of each module, and write the file; returns its SHA-256.

    The images must be of patients that the weights were not trained on, in the site's own mix: all that are not
    malignant are controls, those with benign lesions as well. Raises TooFewError: a module has too few
    patients of a class; WeightsError: a file cannot be used.
    """
    modules: dict[Module, ModuleCalibration] = {}
    for number, path in enumerate(weights):
        trained = load_weights(path)
        module = trained.recipe.module

        def advance(done: int, number: int = number) -> None:
            progress(number * len(images) + done, len(weights) * len(images))

        records, _ = examine(trained, images, device, advance)
        check_enough(records, module)
        scores = all_scores(records)
        modules[module] = ModuleCalibration(
            weights_sha256=trained.sha256,
            calibration=calibration_from(scores, population),
            thresholds=thresholds_from(scores).points,
        )
    content = SiteCalibration(created=datetime.now(UTC).isoformat(timespec="seconds"), modules=modules)
    return content, save_site_calibration(output, content)
