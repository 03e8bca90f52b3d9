"""Both candidate rules on the device that holds the image: the same windows as `inference.windows`, to the last one.

Sums of whole numbers are exact in float64 in whatever order a device adds them, and maxima are exact anyhow.
"""

from math import gcd

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference.calcifications import bright_places
from inference.nodules import brightest_windows, centre_weights
from inference.recipe import NoduleWindows, Recipe
from inference.sweep import bands, starts
from inference.windows import Window, indices, placed_windows


def candidates_on_device(pixels: Tensor, breast: Tensor, recipe: Recipe) -> tuple[Window, ...]:
    """The windows to score; `pixels` uint8 and `breast` bool, both (rows, columns) on one device.

    Only maps of the sweep come back from the device, a few thousand numbers an image.
    """
    rule = recipe.windows
    size = (pixels.shape[0], pixels.shape[1])
    inside = pixels * breast
    counted = weighted_sums_on_device(breast, np.ones(rule.window, np.int64), rule.stride)
    allowed = np.asarray(counted >= recipe.breast.least_breast * rule.window**2)
    if isinstance(rule, NoduleWindows):
        brightness = weighted_sums_on_device(inside, centre_weights(rule), rule.stride)
        return placed_windows(brightest_windows(brightness, allowed, rule, size), recipe)
    pooled = block_maxima_on_device(inside, gcd(rule.window, rule.stride))
    bright = bright_places(pooled, int(inside.max()), size, rule)
    return placed_windows(indices(bright & allowed), recipe)


def weighted_sums_on_device(image: Tensor, weights: NDArray[np.int64], stride: int) -> NDArray[np.int64]:
    """`inference.sweep.weighted_sums` of a uint8 or bool tensor (rows, columns)."""
    by_row, by_column = (
        torch.from_numpy(bands(starts(size, len(weights), stride), weights, size)).to(image.device)
        for size in image.shape
    )
    sums = by_row @ image.double() @ by_column.T  # (window rows, window columns)
    return np.asarray(sums.cpu().numpy(), np.int64)


def block_maxima_on_device(image: Tensor, block: int) -> NDArray[np.uint8]:
    """The maximum of each whole block of a uint8 tensor (rows, columns)."""
    # float16 holds 0 to 255 exactly; CUDA pools no bytes
    values = image.to(torch.float16 if image.is_cuda else torch.float32)[None, None]
    return np.asarray(functional.max_pool2d(values, block)[0, 0].cpu().numpy(), np.uint8)
