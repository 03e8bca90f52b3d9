"""Nodule candidates (paper, 'Malignant nodules prediction'): the brightest windows of each ninth of the image."""

import numpy as np
from numpy.typing import NDArray

from inference.recipe import NoduleWindows
from inference.sweep import starts, weighted_sums


def centre_weights(rule: NoduleWindows) -> NDArray[np.int64]:
    """'More weight to the pixels in the center': a Gaussian along one axis, in whole `weight_levels`ths."""
    from_centre = np.arange(rule.window) - (rule.window - 1) / 2
    gaussian = np.exp(-0.5 * (from_centre / (rule.sigma_over_window * rule.window)) ** 2)
    return np.asarray(np.rint(rule.weight_levels * gaussian), np.int64)


def brightness_map(pixels: NDArray[np.uint8], rule: NoduleWindows) -> NDArray[np.int64]:
    """Weighted brightness of each window of the sweep, (window rows, window columns), times the sum of weights."""
    return weighted_sums(pixels, centre_weights(rule), rule.stride)


def brightest_windows(
    brightness: NDArray[np.int64], allowed: NDArray[np.bool_], rule: NoduleWindows, size: tuple[int, int]
) -> list[tuple[int, int]]:
    """Sweep indices (row, column) of the chosen windows, brightest first.

    The image of `size` (rows, columns) is `grid` x `grid` equal parts; a window belongs to the part its centre is
    in. Windows are taken from the brightest down, at most `per_part` in a part, each at least `separation` pixels
    from all taken before it, in whatever part (centre to centre). Among equals the upper, then the left one.
    """
    y, x = (starts(extent, rule.window, rule.stride) + rule.window / 2 for extent in size)
    row_part, column_part = (
        np.minimum(centre * rule.grid // extent, rule.grid - 1) for centre, extent in zip((y, x), size, strict=True)
    )
    part = (row_part[:, None] * rule.grid + column_part[None, :]).astype(np.int64)
    left = np.where(allowed, brightness, -1)
    taken = np.zeros(rule.grid**2, np.int64)
    chosen = []
    while left.max() >= 0:
        row, column = (int(index) for index in np.unravel_index(int(left.argmax()), left.shape))
        chosen.append((row, column))
        near = (y - y[row])[:, None] ** 2 + (x - x[column])[None, :] ** 2 < rule.separation**2
        left[near] = -1
        taken[part[row, column]] += 1
        if taken[part[row, column]] == rule.per_part:
            left[part == part[row, column]] = -1
    return chosen
