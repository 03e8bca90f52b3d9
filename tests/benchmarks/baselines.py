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

from inference.dense import at_patch_scale
from inference.evidence import STRIDE
from inference.nodules import brightest_windows
from inference.recipe import MicrocalcificationWindows, NoduleWindows, Recipe
from inference.results import Module
from inference.scoring import to_network_input, window_batch
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


def scan(
    network: nn.Module, pixels: Pixels, breast: NDArray[np.bool_], recipe: Recipe, device: str
) -> NDArray[np.float32]:
    """The whole image at patch scale through the trained network at once, eager, float32; each place's logits are
    averaged over every window that holds enough breast."""
    image, size = at_patch_scale(pixels, recipe), recipe.network.input_size
    parts = dict(network.named_children())
    with torch.inference_mode():
        x = to_network_input(image[None, None].to(device), recipe.network)
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            x = parts[name](x)
        fc = parts["fc"]
        assert isinstance(fc, nn.Linear)
        logits = functional.conv2d(x, fc.weight[:, :, None, None], fc.bias)
        scores = functional.avg_pool2d(logits, size // STRIDE, stride=1).softmax(dim=1)[0, 1].cpu().numpy()
    step = STRIDE * recipe.windows.window / size
    down, across = (np.rint(np.arange(count) * step).astype(int) for count in scores.shape)
    return np.asarray(scores[_shares(breast, down, across, recipe.windows.window) >= recipe.breast.least_breast])


def scan_windows(pixels: Pixels, breast: NDArray[np.bool_], recipe: Recipe) -> tuple[Window, ...]:
    """Every window of a dense scan that holds enough breast."""
    window = recipe.windows.window
    step = STRIDE * window / recipe.network.input_size
    down, across = (np.rint(np.arange(0, max(size - window, 0) + 1, step)).astype(int) for size in pixels.shape)
    chosen = np.argwhere(_shares(breast, down, across, window) >= recipe.breast.least_breast)
    return tuple(Window(int(across[column]), int(down[row]), window) for row, column in chosen)


def study(
    files: Sequence[Path],
    networks: Mapping[Module, nn.Module],
    recipes: Mapping[Module, Recipe],
    device: str,
    *,
    in_one_pass: bool = False,
) -> list[NDArray[np.float32]]:
    """The scores of every window that the recipes ask for, one image and module after the other.

    A dense recipe's windows are cut out and scored as one batch, or by one pass over the whole image.
    """
    scores = []
    for path in files:
        first = next(iter(recipes.values()))
        pixels, breast = normalise(grey(dcmread(path)), first)
        for module, recipe in recipes.items():
            if recipe.scan == "dense" and in_one_pass:
                scores.append(scan(networks[module], pixels, breast, recipe, device))
                continue
            choose = scan_windows if recipe.scan == "dense" else CANDIDATES[module]
            windows = choose(pixels, breast, recipe)
            scores.append(score(networks[module], pixels, windows, recipe, device))
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
    """Windows of the sweep that hold enough breast."""
    window, stride = recipe.windows.window, recipe.windows.stride
    y, x = (np.arange(0, max(size - window, 0) + 1, stride) for size in breast.shape)
    return np.asarray(_shares(breast, y, x, window) >= recipe.breast.least_breast)


def _shares(
    breast: NDArray[np.bool_], y: NDArray[np.int64], x: NDArray[np.int64], window: int
) -> NDArray[np.float64]:
    """The part of each window that is breast, from an integral image, (len(y), len(x))."""
    total = cv2.integral(breast.view(np.uint8))
    (top, bottom), (left, right) = (
        (np.minimum(start, size), np.minimum(start + window, size))
        for start, size in zip((y, x), breast.shape, strict=True)
    )
    inside = total[np.ix_(bottom, right)] - total[np.ix_(top, right)] - total[np.ix_(bottom, left)]
    return np.asarray((inside + total[np.ix_(top, left)]) / window**2)
