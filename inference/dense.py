"""Every window's score in one fully convolutional pass over the image at patch scale (224 / window).

A window scored alone ends in zeros at each layer's padding; in the pass its neighbourhood goes on instead, so the
two scores of a window differ: a recipe says which is meant (`scan`), and its thresholds are of that kind.
"""

from math import gcd

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference.activation import ScoredWindows
from inference.errors import DeviceError
from inference.evidence import STRIDE
from inference.recipe import Recipe
from inference.results import Reason
from inference.scorer import Scorer
from inference.scoring import area_weights
from inference.windows import Window

STRIP = {"cpu": 64, "cuda": 128}
"""Places a strip is high, margins aside: bounds the memory of a pass."""


def scan_densely(scorer: Scorer, pixels: NDArray[np.uint8] | Tensor, breast: NDArray[np.bool_]) -> ScoredWindows:
    """Score every window position, `window * 32 / 224` normalised pixels apart, that has enough breast in it.

    A window whose strongest place is mostly air is left out: dust, labels and film edges are no lesions.

    `pixels` as `Scorer.place` gives them, `breast` the same (rows, columns). Window corners are rounded to whole
    pixels. Raises DeviceError: the device's memory does not suffice for one strip.
    """
    recipe = scorer.recipe
    scaled = at_patch_scale(pixels, recipe)  # (h, w) grey 0..1, multiples of STRIDE
    top, bottom, left, right = _breast_places(breast, recipe, scaled.shape[0] // STRIDE, scaled.shape[1] // STRIDE)
    part = scaled[top * STRIDE : bottom * STRIDE, left * STRIDE : right * STRIDE]
    views = [view[None] for view in _evidence(scorer, part)]  # each (1, rows, columns) of places
    places = recipe.network.input_size // STRIDE
    scores = torch.stack([functional.avg_pool2d(view, places, stride=1).sigmoid() for view in views]).mean(dim=0)[0]
    mean = torch.stack(views).mean(dim=0)[0]
    evidence = mean.unfold(0, places, 1).unfold(1, places, 1)  # (rows, columns, places, places)
    windows = _windows(top, left, scores.shape[0], scores.shape[1], recipe)
    maps = evidence.reshape(-1, places, places).cpu().numpy()
    enough = _share(breast, windows) >= recipe.breast.least_breast
    kept = np.flatnonzero(enough & (_share(breast, _strongest_places(windows, maps)) >= 0.5))
    return ScoredWindows(
        windows=tuple(windows[index] for index in kept),
        scores=scores.reshape(-1).cpu().numpy()[kept],
        evidence=maps[kept],
    )


def at_patch_scale(pixels: NDArray[np.uint8] | Tensor, recipe: Recipe) -> Tensor:
    """The image shrunk by area so that a window has the network's input size: (h, w) float32 in 0..1.

    Background is added right and below until whole pixels and whole places fit, at least one window.
    """
    size, window = recipe.network.input_size, recipe.windows.window
    unit = window // gcd(window, size)  # the fewest pixels that become whole pixels
    rows, columns = (-(-side // unit) * unit for side in pixels.shape)
    height, width = rows * size // window, columns * size // window
    if isinstance(pixels, Tensor):
        image = functional.pad(pixels.float(), (0, columns - pixels.shape[1], 0, rows - pixels.shape[0]))
        by_row, by_column = (area_weights(*sides).to(pixels.device) for sides in ((rows, height), (columns, width)))
        scaled = by_row @ image @ by_column.T
    else:
        padded = np.zeros((rows, columns), np.float32)
        padded[: pixels.shape[0], : pixels.shape[1]] = pixels
        scaled = torch.from_numpy(cv2.resize(padded, (width, height), interpolation=cv2.INTER_AREA))
    below, right = (max(-(-side // STRIDE) * STRIDE, size) - side for side in (height, width))
    return functional.pad(scaled, (0, right, 0, below)).div_(255)


def _breast_places(breast: NDArray[np.bool_], recipe: Recipe, rows: int, columns: int) -> tuple[int, int, int, int]:
    """The breast's box in places (top, bottom, left, right), half a window wider, at least one window."""
    size = recipe.network.input_size
    places, pixels = size // STRIDE, STRIDE * recipe.windows.window / size
    box = []
    for axis, limit in ((1, rows), (0, columns)):
        inside = np.flatnonzero(breast.any(axis=axis))
        first, last = (inside[0], inside[-1]) if len(inside) else (0, 0)
        low = max(int(first / pixels) - places // 2, 0)
        high = min(int(last / pixels) + 1 + places // 2, limit)
        low = max(min(low, high - places), 0)
        box += [low, max(high, low + places)]
    return box[0], box[1], box[2], box[3]


def _evidence(scorer: Scorer, image: Tensor) -> list[Tensor]:
    """(h, w) grey -> (h/32, w/32) of each view, strip by strip with the same numbers as in one pass.

    Beside each strip as many places are computed and dropped as the network reaches.
    """
    strip = STRIP[scorer.device.type]
    while strip >= 1:
        try:
            return _strips(scorer, image, strip)
        except torch.OutOfMemoryError:
            strip //= 2
        torch.cuda.empty_cache()
    raise DeviceError(
        Reason(
            code="device-memory",
            text=f"{scorer.device} has too little free memory for a dense scan.",
            remedy="Stop other programs on the device, or set analysis.device to cpu.",
        )
    )


def _strips(scorer: Scorer, image: Tensor, strip: int) -> list[Tensor]:
    rows = image.shape[0] // STRIDE
    parts = []
    for start in range(0, rows, strip):
        first, last = max(start - scorer.reach, 0), min(start + strip + scorer.reach, rows)
        views = scorer.evidence(image[None, None, first * STRIDE : last * STRIDE])
        parts.append([view[0, start - first : min(start + strip, rows) - first] for view in views])
    return [torch.cat(same_view) for same_view in zip(*parts, strict=True)]


def _windows(top: int, left: int, rows: int, columns: int, recipe: Recipe) -> tuple[Window, ...]:
    size = recipe.windows.window
    step = STRIDE * size / recipe.network.input_size
    return tuple(
        Window(round((left + column) * step), round((top + row) * step), size)
        for row in range(rows)
        for column in range(columns)
    )


def _strongest_places(windows: tuple[Window, ...], maps: NDArray[np.float32]) -> tuple[Window, ...]:
    """The square of each window in which its evidence (c, c) is strongest."""
    places = maps.shape[-1]
    strongest = maps.reshape(len(maps), -1).argmax(axis=1)
    side = windows[0].size / places if windows else 0
    return tuple(
        Window(round(window.x + place % places * side), round(window.y + place // places * side), round(side))
        for window, place in zip(windows, strongest, strict=True)
    )


def _share(breast: NDArray[np.bool_], windows: tuple[Window, ...]) -> NDArray[np.float64]:
    """The part of each window that is breast, 0 to 1."""
    sums = cv2.integral(breast.astype(np.uint8))
    corners = np.array([(w.x, w.y, w.x + w.size, w.y + w.size) for w in windows]).reshape(-1, 4)
    x0, x1 = np.clip(corners[:, (0, 2)], 0, breast.shape[1]).T
    y0, y1 = np.clip(corners[:, (1, 3)], 0, breast.shape[0]).T
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    areas = (corners[:, 2] - corners[:, 0]) ** 2.0
    return np.asarray(inside / areas, np.float64)
