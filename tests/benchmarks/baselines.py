"""The same answers the plain way: OpenCV and NumPy on whole arrays, PyTorch as it comes.

Everything is vectorised; nothing is made slow on purpose. Each part is what the node's part is measured against.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from torch import nn
from torch.nn import functional

from inference.nodules import brightest_windows
from inference.recipe import MicrocalcificationWindows, NoduleWindows, Recipe
from inference.results import Module
from inference.scoring import window_batch
from inference.windows import Window

Pixels = NDArray[np.uint8]


def grey(ds: Dataset) -> Pixels:
    """Stored values through modality and VOI LUT to 256 grey levels, pixel by pixel."""
    values = np.asarray(apply_voi_lut(apply_modality_lut(ds.pixel_array, ds), ds), np.float64)
    values = (values - values.min()) / max(np.ptp(values), 1) * 255
    if ds.PhotometricInterpretation == "MONOCHROME1":
        values = 255 - values
    return np.asarray(np.rint(values), np.uint8)


def normalise(values: Pixels, recipe: Recipe) -> tuple[Pixels, NDArray[np.bool_]]:
    """CLAHE, height 4096, and the breast as the largest component above Otsu's threshold, at full size."""
    height = recipe.normalisation.height
    width = round(values.shape[1] * height / values.shape[0])
    contrast = cv2.createCLAHE(recipe.normalisation.clip_limit, (recipe.normalisation.tile_grid,) * 2).apply(values)
    area = cv2.INTER_AREA if height < values.shape[0] else cv2.INTER_LINEAR
    pixels = np.asarray(cv2.resize(contrast, (width, height), interpolation=area), np.uint8)
    _, bright = cv2.threshold(cv2.GaussianBlur(pixels, (0, 0), 4), 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(np.asarray(bright, np.uint8))
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax()) if count > 1 else 0
    return pixels, np.asarray(labels == largest)


def nodule_brightness(pixels: Pixels, rule: NoduleWindows) -> NDArray[np.float32]:
    """Weighted brightness of every window as two dense matrix products, (window rows, window columns)."""
    rows, columns = (_weights(size, rule) for size in pixels.shape)
    return np.asarray(rows @ pixels.astype(np.float32) @ columns.T)


def nodule_windows(pixels: Pixels, breast: NDArray[np.bool_], recipe: Recipe) -> tuple[Window, ...]:
    """The brightest windows of each ninth."""
    rule = recipe.windows
    assert isinstance(rule, NoduleWindows)
    inside = np.where(breast, pixels, 0).astype(np.uint8)
    brightness = nodule_brightness(inside, rule).astype(np.int64)
    chosen = brightest_windows(brightness, _enough(breast, recipe), rule, (pixels.shape[0], pixels.shape[1]))
    return tuple(Window(column * rule.stride, row * rule.stride, rule.window) for row, column in chosen)


def bright_windows(pixels: Pixels, rule: MicrocalcificationWindows) -> NDArray[np.bool_]:
    """A max-pool with the window and the stride."""
    image = torch.from_numpy(pixels).float()[None, None]
    maxima = functional.max_pool2d(image, rule.window, rule.stride)[0, 0].numpy()
    return np.asarray(maxima >= rule.brightness * float(pixels.max()))


def microcalcification_windows(pixels: Pixels, breast: NDArray[np.bool_], recipe: Recipe) -> tuple[Window, ...]:
    """The windows with a bright pixel."""
    rule = recipe.windows
    assert isinstance(rule, MicrocalcificationWindows)
    inside = np.where(breast, pixels, 0).astype(np.uint8)
    chosen = np.argwhere(bright_windows(inside, rule) & _enough(breast, recipe))
    return tuple(Window(int(column) * rule.stride, int(row) * rule.stride, rule.window) for row, column in chosen)


def score(
    network: nn.Module, pixels: Pixels, windows: Sequence[Window], recipe: Recipe, device: str
) -> NDArray[np.float32]:
    """One image's windows as one batch, eager, float32."""
    if not windows:
        return np.zeros(0, np.float32)
    with torch.inference_mode():
        logits = network(window_batch(pixels, windows, recipe, device))
    return np.asarray(logits.softmax(dim=1)[:, 1].cpu().numpy())


def study(
    files: Sequence[Path], networks: Mapping[Module, nn.Module], recipes: Mapping[Module, Recipe], device: str
) -> list[NDArray[np.float32]]:
    """The scores of every window of every image, one image and module after the other."""
    scores = []
    for path in files:
        first = next(iter(recipes.values()))
        pixels, breast = normalise(grey(dcmread(path)), first)
        for module, choose in CANDIDATES.items():
            windows = choose(pixels, breast, recipes[module])
            scores.append(score(networks[module], pixels, windows, recipes[module], device))
    return scores


CANDIDATES = {Module.NODULE: nodule_windows, Module.MICROCALCIFICATION: microcalcification_windows}


def _weights(size: int, rule: NoduleWindows) -> NDArray[np.float32]:
    from_centre = np.arange(rule.window) - (rule.window - 1) / 2
    gaussian = np.exp(-0.5 * (from_centre / (rule.sigma_over_window * rule.window)) ** 2)
    starts = range(0, max(size - rule.window, 0) + 1, rule.stride)
    matrix = np.zeros((len(starts), size), np.float32)
    for row, start in zip(matrix, starts, strict=True):
        row[start : start + rule.window] = gaussian[: size - start]
    return matrix


def _enough(breast: NDArray[np.bool_], recipe: Recipe) -> NDArray[np.bool_]:
    """Windows that hold enough breast, from an integral image."""
    window, stride = recipe.windows.window, recipe.windows.stride
    total = cv2.integral(breast.view(np.uint8))
    y, x = (np.arange(0, max(size - window, 0) + 1, stride) for size in breast.shape)
    bottom, right = (np.minimum(start + window, size) for start, size in zip((y, x), breast.shape, strict=True))
    inside = total[np.ix_(bottom, right)] - total[np.ix_(y, right)] - total[np.ix_(bottom, x)] + total[np.ix_(y, x)]
    return np.asarray(inside >= recipe.breast.least_breast * window**2)
