"""Microcalcification candidates (paper, 'Malignant microcalcification prediction'): windows with a bright pixel."""

from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

from inference.recipe import MicrocalcificationWindows
from inference.sweep import starts


def bright_windows(pixels: NDArray[np.uint8], rule: MicrocalcificationWindows) -> NDArray[np.bool_]:
    """Which windows of the sweep hold a pixel of at least `brightness` of the image's maximum.

    `pixels` (rows, columns) with everything outside the breast black, for a marker burnt into the background must
    not set the maximum. (window rows, window columns); all false for a black image. Pools blocks first, then
    windows of blocks: the same answer as looking at every pixel of every window.
    """
    pooled = _block_maxima(pixels, gcd(rule.window, rule.stride))
    return bright_places(pooled, int(pixels.max()), (pixels.shape[0], pixels.shape[1]), rule)


def bright_places(
    pooled: NDArray[np.uint8], brightest: int, size: tuple[int, int], rule: MicrocalcificationWindows
) -> NDArray[np.bool_]:
    """`bright_windows` from the maxima of an image's blocks, its maximum and its size (rows, columns)."""
    # rounded first, for 0.9 * 250 must not come out above 225
    threshold = ceil(round(rule.brightness * brightest, 6))
    block = gcd(rule.window, rule.stride)
    rows, columns = (starts(extent, rule.window, rule.stride) // block for extent in size)
    span = rule.window // block
    maxima = np.zeros((len(rows), len(columns)), np.uint8)
    for down in range(span):
        for across in range(span):
            np.maximum(maxima, pooled[np.ix_(rows + down, columns + across)], out=maxima)
    return np.asarray((maxima >= threshold) & (maxima > 0))


def _block_maxima(pixels: NDArray[np.uint8], block: int) -> NDArray[np.uint8]:
    """The maximum of each whole block; a window of the sweep never reaches into the rest at the far edges."""
    rows, columns = (size // block for size in pixels.shape)
    whole = pixels[: rows * block, : columns * block]
    lines = whole.reshape(rows, block, columns * block).max(axis=1)
    return np.asarray(lines.reshape(rows, columns, block).max(axis=2))
