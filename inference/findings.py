"""Window scores of one image and module become lesions: what lies where, in normalised pixels.

Windows at or above the lowest threshold whose evidence peaks in the same place are one lesion; its outline is
the evidence's contour around that place, half-way between the peak and what is usual in its windows.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.activation import HEAT_SCALE, ScoredWindows, window_mask, window_place
from inference.outlines import Polygon, contour_around
from inference.windows import Window


@dataclass(frozen=True)
class Lesion:
    """`outline` (n, 2) is open, `center` lies inside it; both (column, row) in normalised pixels, corner at 0."""

    score: float
    center: tuple[float, float]
    outline: Polygon


@dataclass
class _Group:
    score: float
    windows: list[Window]
    peak: tuple[int, int]


def find_lesions(scored: ScoredWindows, canvas: NDArray[np.float32], lowest: float) -> tuple[Lesion, ...]:
    """Lesions of one image, worst first, for the windows that score `lowest` or more.

    `canvas` is the image's `heat_canvas`.
    """
    order = [index for index in np.argsort(-scored.scores, kind="stable") if scored.scores[index] >= lowest]
    if not order:
        return ()
    suspicious = window_mask(tuple(scored.windows[index] for index in order), _shape(canvas))
    hills = np.where(suspicious, canvas, -np.inf).astype(np.float32)
    groups = _by_peak([(float(scored.scores[i]), scored.windows[i]) for i in order], hills)
    lesions: list[tuple[Lesion, NDArray[np.bool_]]] = []
    for group in groups:
        if any(region[group.peak] for _, region in lesions):
            continue  # the shoulder of a worse lesion
        level, region = _region(group, hills)
        outline = contour_around(hills, region, level) * HEAT_SCALE
        center = _center(region, group.peak, outline)
        lesions.append((Lesion(group.score, center, outline), region))
    return tuple(lesion for lesion, _ in lesions)


def _by_peak(scored: list[tuple[float, Window]], hills: NDArray[np.float32]) -> list[_Group]:
    """Windows, worst first, that lead uphill to the same peak of the evidence."""
    groups: dict[tuple[int, int], _Group] = {}
    for score, window in scored:
        place = window_place(window, _shape(hills))
        inside = hills[place]
        row, column = np.unravel_index(int(np.argmax(inside)), inside.shape)
        peak = _climb(hills, place[0].start + int(row), place[1].start + int(column))
        groups.setdefault(peak, _Group(score, [], peak)).windows.append(window)
    return list(groups.values())


def _climb(hills: NDArray[np.float32], row: int, column: int) -> tuple[int, int]:
    """From a place to the next local maximum of `hills`."""
    while True:
        top, left = max(row - 1, 0), max(column - 1, 0)
        around = hills[top : row + 2, left : column + 2]
        step = np.unravel_index(int(np.argmax(around)), around.shape)
        if around[step] <= hills[row, column]:
            return row, column
        row, column = top + int(step[0]), left + int(step[1])


def _region(group: _Group, hills: NDArray[np.float32]) -> tuple[float, NDArray[np.bool_]]:
    """The level half-way down from the peak, and the pixels around the peak that reach it."""
    inside = window_mask(tuple(group.windows), _shape(hills)) & np.isfinite(hills)
    inside[group.peak] = True
    peak = float(hills[group.peak])
    level = (peak + float(np.median(hills[inside]))) / 2
    _, parts = cv2.connectedComponents((inside & (hills >= level)).astype(np.uint8), connectivity=4)
    return level, parts == parts[group.peak]


def _center(region: NDArray[np.bool_], peak: tuple[int, int], outline: Polygon) -> tuple[float, float]:
    """Centre of the region's pixels; its peak where the region is bent around its centre."""
    rows, columns = np.nonzero(region)
    center = ((float(columns.mean()) + 0.5) * HEAT_SCALE, (float(rows.mean()) + 0.5) * HEAT_SCALE)
    if cv2.pointPolygonTest(outline.astype(np.float32), center, measureDist=False) > 0:
        return center
    return ((peak[1] + 0.5) * HEAT_SCALE, (peak[0] + 0.5) * HEAT_SCALE)


def _shape(canvas: NDArray[np.float32]) -> tuple[int, int]:
    return canvas.shape[0], canvas.shape[1]
