"""Annotated images to training samples: windows with their labels, cut out with their neighbourhood."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.device import usable_cores
from inference.errors import UnreadablePixelsError
from inference.recipe import Recipe
from inference.results import Module
from inference.windows import Window, candidates
from training.annotations import AnnotatedImage
from training.augment import CONTEXT
from training.errors import TooFewError, TrainingError
from training.images import PlacedLesion, PreparedImage, prepare
from training.labels import Label, label_of
from training.plan import Plan
from training.simulate import decoy, neighbourhood, simulate_lesion
from training.split import patient_key
from training.tissue import place_within

SIMULATED_PER_IMAGE = 4


@dataclass(frozen=True)
class Sample:
    """One window of one image. `reach`: share of the window it may shift by and keep its label."""

    label: Label
    patient: str
    dataset: str
    image: str
    reach: float
    simulated: bool = False
    lesion: int = -1
    """Number of the lesion in its image, -1 for none: windows of one lesion belong together."""


@dataclass(frozen=True)
class PatchSource:
    """Samples as pictures on the device, augmented there.

    `patches` (n, c, c) uint8: each sample's window and its neighbourhood, CONTEXT windows wide, at patch scale.
    """

    samples: tuple[Sample, ...]
    patches: Tensor
    reach: Tensor
    plan: Plan
    skipped: tuple[str, ...] = ()


def build_patches(
    images: Sequence[AnnotatedImage],
    plan: Plan,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> PatchSource:
    """Cut the samples of every image; one that cannot be read is skipped and named.

    Raises TooFewError: there is no case, or no control, among them.
    """
    samples: list[Sample] = []
    patches: list[NDArray[np.uint8]] = []
    skipped: list[str] = []
    with ThreadPoolExecutor(usable_cores()) as pool:  # OpenCV and NumPy let other threads run
        for index, found in enumerate(pool.map(partial(_cut_image, plan), range(len(images)), images)):
            if isinstance(found, str):
                skipped.append(found)
            else:
                samples += [sample for sample, _ in found]
                patches += [patch for _, patch in found]
            if progress:
                progress(index + 1, len(images))
    cases = sum(sample.label is Label.CASE for sample in samples)
    check_both_classes(cases, len(samples) - cases, skipped)
    reach = torch.tensor([sample.reach for sample in samples], device=device)
    return PatchSource(tuple(samples), torch.from_numpy(np.stack(patches)).to(device), reach, plan, tuple(skipped))


def _cut_image(plan: Plan, index: int, image: AnnotatedImage) -> list[tuple[Sample, NDArray[np.uint8]]] | str:
    """The samples of one image, or why it gives none."""
    try:
        return list(image_samples(prepare(image, plan.recipe), plan, np.random.default_rng((plan.seed, index))))
    except (TrainingError, UnreadablePixelsError) as error:
        return f"{image.path.name}: {error}"


def check_both_classes(cases: int, controls: int, skipped: Sequence[str]) -> None:
    """Raises TooFewError: there is no case, or no control."""
    if cases == 0 or controls == 0:
        raise TooFewError(
            f"{cases} case and {controls} control windows: a training needs both. Give located malignant lesions of "
            f"the module and healthy tissue.{''.join(f' Skipped {line}.' for line in skipped[:5])}"
        )


def image_samples(
    prepared: PreparedImage, plan: Plan, random: np.random.Generator
) -> Iterable[tuple[Sample, NDArray[np.uint8]]]:
    """The samples of one image with their patches."""
    module, recipe = plan.recipe.module, plan.recipe
    if plan.controls_per_image is None:
        for window in candidates(prepared.normalised, recipe.model_copy(update={"scan": "candidates"})):
            label = label_of(window, prepared.lesions, module, literal=True)
            if label is not Label.UNUSED and (label is not Label.BENIGN or plan.benign_as_control):
                yield sample_of(prepared, label, plan.shift), cut_patch(prepared.normalised.pixels, window, recipe)
        return
    for number, placed in enumerate(prepared.lesions):
        if placed.lesion.module is module and placed.lesion.pathology in ("malignant", "benign"):
            window = window_on(placed, recipe)
            label = label_of(window, prepared.lesions, module)
            if label is Label.CASE or (label is Label.BENIGN and plan.benign_as_control):
                patch = cut_patch(prepared.normalised.pixels, window, recipe)
                yield sample_of(prepared, label, free_reach(placed, window), lesion=number), patch
    controls = control_windows(prepared, plan, random)
    for window in controls:
        yield sample_of(prepared, Label.CONTROL, 0.05), cut_patch(prepared.normalised.pixels, window, recipe)
    if plan.simulated_share > 0:
        yield from _simulated(prepared, controls, plan, random)


def control_windows(prepared: PreparedImage, plan: Plan, random: np.random.Generator) -> list[Window]:
    """Lesion-free windows: half the paper's candidates (bright), half from anywhere in the breast.

    An image with a malignant lesion that nobody located gives none.
    """
    module = plan.recipe.module
    unlocated = any(lesion.outline is None and lesion.module is module for lesion in prepared.annotated.lesions)
    if unlocated or not plan.controls_per_image:
        return []
    chosen: list[Window] = []
    for scan, wanted in (("candidates", (plan.controls_per_image + 1) // 2), ("dense", plan.controls_per_image // 2)):
        windows = candidates(prepared.normalised, plan.recipe.model_copy(update={"scan": scan}))
        free = [window for window in windows if label_of(window, prepared.lesions, module) is Label.CONTROL]
        order = random.permutation(len(free))[:wanted]
        chosen += [free[index] for index in order]
    return chosen


def _simulated(
    prepared: PreparedImage, controls: Sequence[Window], plan: Plan, random: np.random.Generator
) -> Iterable[tuple[Sample, NDArray[np.uint8]]]:
    """Lesions drawn into lesion-free tissue, and the same tissue without them."""
    recipe, pixels = plan.recipe, prepared.normalised.pixels
    for number, control in enumerate(controls[:SIMULATED_PER_IMAGE]):
        window = place_within(control, prepared, random)
        if window is None:
            continue
        drawn, reach = simulate_lesion(pixels, window, recipe.module, random, prepared.detail)
        yield sample_of(prepared, Label.CASE, reach, simulated=True), shrunk(drawn, recipe)
        undrawn = neighbourhood(pixels, window)
        if recipe.module is Module.MICROCALCIFICATION and number % 2:
            undrawn = decoy(pixels, window, random, prepared.detail)
        if label_of(window, prepared.lesions, recipe.module) is Label.CONTROL:
            yield sample_of(prepared, Label.CONTROL, 0.05, simulated=True), shrunk(undrawn, recipe)


def sample_of(
    prepared: PreparedImage, label: Label, reach: float, *, simulated: bool = False, lesion: int = -1
) -> Sample:
    """A sample of an image, with its patient and data set."""
    image = prepared.annotated
    return Sample(label, patient_key(image), image.dataset, str(image.path), reach, simulated, lesion)


def window_on(placed: PlacedLesion, recipe: Recipe) -> Window:
    """The window centred on a lesion; it may reach beyond the image."""
    size = recipe.windows.window
    x, y = (placed.outline.min(axis=0) + placed.outline.max(axis=0)) / 2 - size / 2
    return Window(round(x), round(y), size)


def free_reach(placed: PlacedLesion, window: Window) -> float:
    """How far a window centred on a lesion may shift until the lesion touches its rim, as a share of the window."""
    extent = float(np.ptp(placed.outline, axis=0).max())
    return float(np.clip((window.size - extent) / 2 / window.size, 0.02, 0.3))


def cut_patch(pixels: NDArray[np.uint8], window: Window, recipe: Recipe) -> NDArray[np.uint8]:
    """A window with its neighbourhood, (c, c) uint8 at patch scale: its middle is what inference sees of it."""
    return shrunk(neighbourhood(pixels, window), recipe)


def shrunk(region: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.uint8]:
    """A neighbourhood at patch scale, by area as inference does."""
    side = CONTEXT * recipe.network.input_size
    return np.asarray(cv2.resize(region, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
