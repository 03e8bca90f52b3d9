"""Outlines as pixels: a pixel belongs to a polygon when its centre lies inside (even-odd rule)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.results import Finding, Point


def draw_finding(mask: NDArray[np.uint8], finding: Finding, value: int = 1) -> None:
    """Write `value` into `mask` (rows, columns) where the finding is; at least into the pixel of its centre."""
    fill_polygon(mask, finding.outline, value)
    column, row = (math.floor(coordinate) for coordinate in finding.center)
    if not covers_a_pixel(finding.outline):
        mask[min(row, mask.shape[0] - 1), min(column, mask.shape[1] - 1)] = value


def fill_polygon(mask: NDArray[np.uint8], outline: Sequence[Point], value: int) -> None:
    """Fill an open or closed polygon of SCOORD (column, row) points, clipped to the mask."""
    for row, first, last in _runs(outline):
        if 0 <= row < mask.shape[0]:
            mask[row, max(first, 0) : max(last, 0)] = value


def covers_a_pixel(outline: Sequence[Point]) -> bool:
    """Whether any pixel centre lies inside."""
    return any(last > first for _, first, last in _runs(outline))


def _runs(outline: Sequence[Point]) -> list[tuple[int, int, int]]:
    """(row, first column, last column + 1) of every run of pixels whose centres are inside."""
    x0, y0 = np.asarray(outline, dtype=np.float64).T
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    runs: list[tuple[int, int, int]] = []
    for row in range(math.floor(y0.min()), math.ceil(y0.max())):
        centre = row + 0.5
        crosses = (y0 <= centre) != (y1 <= centre)
        along = (centre - y0[crosses]) / (y1[crosses] - y0[crosses])
        columns = np.sort(x0[crosses] + along * (x1[crosses] - x0[crosses]))
        # the first centre at or right of a crossing: column + 0.5 >= x
        firsts = np.ceil(columns - 0.5).astype(int)
        runs.extend((row, int(a), int(b)) for a, b in zip(firsts[::2], firsts[1::2], strict=True) if b > a)
    return runs
