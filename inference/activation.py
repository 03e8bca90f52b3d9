"""Where in an image the evidence lies: class activation maps of many windows in one heat map.

The heat map's frame: its pixel (row r, column c) covers the square of HEAT_SCALE normalised pixels whose outer
corner is (c, r) x HEAT_SCALE. What is left of the image beyond its last whole square has no heat.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.geometry import Affine
from inference.windows import Window

HEAT_SCALE = 16
"""Normalised pixels along each side of a heat map's pixel: finer than one place of a map (57 or 114)."""

_RIM_WEIGHT = 0.05
"""A window sees less around its rim, so there it counts least where windows overlap; never nothing."""


@dataclass(frozen=True)
class ScoredWindows:
    """What the network says of one image: for each window its score, 0 to 1, and its evidence (c, c), in logits."""

    windows: tuple[Window, ...]
    scores: NDArray[np.float32]
    evidence: NDArray[np.float32]


@dataclass(frozen=True)
class HeatMap:
    """`values` (rows, columns) float16, 0 to 1; `to_stored` carries its pixels (corner at 0) to stored pixels."""

    values: NDArray[np.float16]
    to_stored: Affine


def heat_canvas(scored: ScoredWindows, rows: int, columns: int) -> NDArray[np.float32]:
    """The evidence of all windows, averaged where they overlap: (rows, columns) / HEAT_SCALE, logits.

    Where no window looked it is -inf. `rows` and `columns` are the normalised image's.
    """
    shape = (rows // HEAT_SCALE, columns // HEAT_SCALE)
    total = np.zeros(shape, np.float32)
    weight = np.zeros(shape, np.float32)
    for window, evidence in zip(scored.windows, scored.evidence, strict=True):
        place, part = _clipped(window, shape)
        side = round(window.size / HEAT_SCALE)
        spread = cv2.resize(evidence, (side, side), interpolation=cv2.INTER_LINEAR)
        towards_rim = _tent(side)
        total[place] += (spread * towards_rim)[part]
        weight[place] += towards_rim[part]
    seen = weight > 0
    return np.divide(total, weight, out=np.full(shape, -np.inf, np.float32), where=seen)


def window_mask(windows: tuple[Window, ...], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Heat map pixels inside any of the windows."""
    mask = np.zeros(shape, np.bool_)
    for window in windows:
        mask[window_place(window, shape)] = True
    return mask


def window_place(window: Window, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the heat map that a window covers."""
    return _clipped(window, shape)[0]


def heat_map(canvas: NDArray[np.float32], breast: NDArray[np.bool_]) -> NDArray[np.float16]:
    """Evidence as 0 to 1 (its logistic function), 0 where no window looked or there is no breast."""
    rows, columns = canvas.shape
    whole = breast[: rows * HEAT_SCALE, : columns * HEAT_SCALE].astype(np.uint8)
    inside = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA) > 0
    # beyond 80 the exponential leaves float32, and the answer is 0 anyhow
    return np.where(inside, 1 / (1 + np.exp(np.minimum(-canvas, 80))), 0).astype(np.float16)


def at_stored_size(heat: HeatMap, rows: int, columns: int) -> NDArray[np.float32]:
    """The heat map resampled, linearly between its pixels' centres, to the stored image's (rows, columns)."""
    (sx, sy), (ox, oy) = heat.to_stored.scale, heat.to_stored.offset
    # cv2 counts from pixel centres, our frames from corners: half a pixel on either side
    to_heat = np.array(
        [[1 / sx, 0, (0.5 - ox) / sx - 0.5], [0, 1 / sy, (0.5 - oy) / sy - 0.5]],
        np.float64,
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    values = heat.values.astype(np.float32)
    return np.asarray(
        cv2.warpAffine(values, to_heat, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def _clipped(window: Window, shape: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a window lies in the heat map, clipped, and which part of the window's own map that is."""
    side = round(window.size / HEAT_SCALE)
    place, part = [], []
    for start, limit in ((window.y, shape[0]), (window.x, shape[1])):
        first = round(start / HEAT_SCALE)
        low, high = max(first, 0), min(first + side, limit)
        place.append(slice(low, max(high, low)))
        part.append(slice(low - first, max(high, low) - first))
    return (place[0], place[1]), (part[0], part[1])


def _tent(side: int) -> NDArray[np.float32]:
    ramp = 1 - np.abs(np.linspace(-1, 1, side + 2, dtype=np.float32)[1:-1])
    return np.outer(ramp, ramp).astype(np.float32) + np.float32(_RIM_WEIGHT)
