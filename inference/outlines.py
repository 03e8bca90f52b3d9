"""The border of a lesion in a heat map, as a simple polygon."""

import cv2
import numpy as np
from contourpy import LineType, contour_generator
from numpy.typing import NDArray

MOST_POINTS = 64

Polygon = NDArray[np.float64]
"""(n, 2) of (column, row), open: the first point is not repeated."""


def contour_around(values: NDArray[np.float32], region: NDArray[np.bool_], level: float) -> Polygon:
    """The iso-line of `values` at `level` around a connected `region` of pixels at or above it.

    Coordinates are the heat map's, (0, 0) its outer corner, and never leave it. At least 3, at most 64 points.
    """
    rows, columns = values.shape
    below = np.float32(level - max(1.0, abs(level)))
    nearby = cv2.dilate(region.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    padded = np.full((rows + 2, columns + 2), below, np.float32)
    padded[1:-1, 1:-1] = np.where(region, values, np.where(nearby, np.minimum(values, level), below))
    padded[~np.isfinite(padded)] = below
    # pixel centres, and the image's edges themselves: no line can cross them
    x = np.concatenate(([0.0], np.arange(columns) + 0.5, [float(columns)]))
    y = np.concatenate(([0.0], np.arange(rows) + 0.5, [float(rows)]))
    generator = contour_generator(x, y, padded, line_type=LineType.Separate)
    lines = [np.asarray(line, np.float64) for line in generator.lines(np.nextafter(level, -np.inf))]
    return simplified(max(lines, key=_area)[:-1])


def simplified(polygon: Polygon) -> Polygon:
    """The same shape with at most 64 points; its convex hull where dropping points made its sides cross."""
    tolerance, result = 0.05, polygon
    while len(result) > MOST_POINTS:
        result = cv2.approxPolyDP(polygon.astype(np.float32), tolerance, closed=True)[:, 0].astype(np.float64)
        tolerance *= 1.5
    if len(result) >= 3 and is_simple(result):
        return result
    return cv2.convexHull(result.astype(np.float32))[:, 0].astype(np.float64)


def is_simple(polygon: Polygon) -> bool:
    """No two sides cross or touch, neighbours' common corners aside."""
    count = len(polygon)
    first, second = np.triu_indices(count, k=2)
    apart = (first > 0) | (second < count - 1)  # the last side ends where the first begins
    a, c = polygon[first[apart]], polygon[second[apart]]
    following = np.roll(polygon, -1, axis=0)
    b, d = following[first[apart]], following[second[apart]]
    beside = (np.maximum(a, b) < np.minimum(c, d)) | (np.maximum(c, d) < np.minimum(a, b))
    straddle = (_turn(a, b, c) * _turn(a, b, d) <= 0) & (_turn(c, d, a) * _turn(c, d, b) <= 0)
    return not bool((straddle & ~beside.any(axis=1)).any())


def _turn(a: Polygon, b: Polygon, c: Polygon) -> NDArray[np.float64]:
    """1 where c lies on one side of the line from a to b, -1 on the other, 0 on it."""
    along, across = b - a, c - a
    return np.sign(along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0])


def _area(line: Polygon) -> float:
    x, y = line.T
    return abs(float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1])))
