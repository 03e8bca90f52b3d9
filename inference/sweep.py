"""Sweeping an image with a square window: where it stands, and sums over it as two small matrix products.

The sweep holds full windows only, as the paper's words have it: starts are 0, stride, 2 stride, ... while the
window still ends inside the image. An image smaller than the window has the one start 0.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 8


def starts(size: int, window: int, stride: int) -> NDArray[np.int64]:
    """First pixels of the windows along an axis of `size` pixels."""
    return np.arange(0, max(size - window, 0) + 1, stride)


def counts(mask: NDArray[np.bool_], window: int, stride: int) -> NDArray[np.int64]:
    """For each window the number of its pixels that are set, (window rows, window columns)."""
    table = cv2.integral(mask.view(np.uint8))
    rows, columns = (starts(size, window, stride) for size in mask.shape)
    bottom, right = (
        np.minimum(first + window, size) for first, size in zip((rows, columns), mask.shape, strict=True)
    )
    wide = table[:, right] - table[:, columns]
    return np.asarray(wide[bottom] - wide[rows], np.int64)


def weighted_sums(image: NDArray[np.uint8], weights: NDArray[np.int64], stride: int) -> NDArray[np.int64]:
    """For each window the sum of its pixels times `weights[y] * weights[x]`, exactly: (window rows, window columns).

    `image` (rows, columns) uint8. Whole-number weights keep every partial sum a whole number that its float type
    holds exactly, so the result is the same for every order of summation, library and device.
    """
    window = len(weights)
    rows, columns = (starts(size, window, stride) for size in image.shape)
    exact_in_float32 = int(weights.sum()) * 255 < 2**24
    pixels = image.astype(np.float32 if exact_in_float32 else np.float64)
    down = np.empty((len(rows), image.shape[1]), np.float64)
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[first : first + _ROWS_AT_ONCE]
        band = pixels[some[0] : some[-1] + window]
        down[first : first + len(some)] = bands(some - some[0], weights, len(band)).astype(pixels.dtype) @ band
    sums = down @ bands(columns, weights, image.shape[1]).T
    return sums.astype(np.int64)


def bands(firsts: NDArray[np.int64], weights: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """(windows, size): each row holds the weights from its window's first pixel on, cut at the image's end."""
    matrix = np.zeros((len(firsts), size))
    for row, first in zip(matrix, firsts, strict=True):
        row[first : first + len(weights)] = weights[: size - first]
    return matrix
