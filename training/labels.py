"""What a window is an example of: the paper's 'case' and 'control', and what lies between.

Paper, 'Malignant nodules prediction': case when the window holds at least 80 % of a malignant nodule, control
when it holds 0 % of any. 'Malignant microcalcification prediction': case when it holds the whole lesion.
"""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from inference.results import Module
from inference.windows import Window
from training.images import PlacedLesion
from training.outlines import polygon_area

NODULE_SHARE = 0.8
WHOLE_SHARE = 0.999
"""The whole lesion, but for rounding."""


class Label(StrEnum):
    """`BENIGN` windows hold a benign lesion of the module: a control of the harder protocol only."""

    CASE = "case"
    CONTROL = "control"
    BENIGN = "benign"
    UNUSED = "unused"


def label_of(window: Window, lesions: Sequence[PlacedLesion], module: Module, *, literal: bool = False) -> Label:
    """The label of one window.

    A window that cuts a malignant lesion, or touches one of unknown pathology or another module, is unused.
    `literal` is the paper to the letter for microcalcifications: whatever is no case is a control.
    """
    shares = [(placed, share_inside(placed.outline, window)) for placed in lesions]
    own = [(placed, share) for placed, share in shares if placed.lesion.module is module]
    malignant = [(placed, share) for placed, share in own if placed.lesion.pathology == "malignant"]
    if any(_is_case(placed, share, window, module) for placed, share in malignant):
        return Label.CASE
    if literal and module is Module.MICROCALCIFICATION:
        return Label.CONTROL
    touched = [placed.lesion for placed, share in shares if share > 0]
    if any(lesion.pathology != "benign" for lesion in touched):
        return Label.UNUSED
    if any(placed.lesion.pathology == "benign" and share >= NODULE_SHARE for placed, share in own):
        return Label.BENIGN
    return Label.UNUSED if any(lesion.module is module for lesion in touched) else Label.CONTROL


def _is_case(placed: PlacedLesion, share: float, window: Window, module: Module) -> bool:
    """A lesion too large for any window counts when it fills as much of the window as the rule asks of itself."""
    needed = NODULE_SHARE if module is Module.NODULE else WHOLE_SHARE
    if share >= needed:
        return True
    width, height = np.ptp(placed.outline, axis=0)
    if max(width, height) <= window.size:
        return False
    covered = share * polygon_area(placed.outline)
    return bool(covered >= NODULE_SHARE * min(width, window.size) * min(height, window.size))


def share_inside(outline: NDArray[np.float64], window: Window) -> float:
    """Share, 0 to 1, of a polygon's area (n, 2) inside a window, both in normalised pixels."""
    low = outline.min(axis=0)
    high = outline.max(axis=0)
    corner = np.array([window.x, window.y])
    if (high <= corner).any() or (low >= corner + window.size).any():
        return 0.0
    if (low >= corner).all() and (high <= corner + window.size).all():
        return 1.0
    area = polygon_area(outline)
    if area == 0:  # nothing to have a share of: its points count
        return float(((outline >= corner) & (outline <= corner + window.size)).all(axis=1).mean())
    inside = _clip(outline, window)
    return polygon_area(inside) / area if len(inside) > 2 else 0.0


def _clip(outline: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """Sutherland-Hodgman against the four sides; edges that double back along a side enclose no area."""
    sides = ((0, window.x, 1), (0, window.x + window.size, -1), (1, window.y, 1), (1, window.y + window.size, -1))
    points = outline
    for axis, limit, sign in sides:
        kept: list[NDArray[np.float64]] = []
        for here, after in zip(points, np.roll(points, -1, axis=0), strict=True):
            inside_here, inside_after = sign * (here[axis] - limit) >= 0, sign * (after[axis] - limit) >= 0
            if inside_here:
                kept.append(here)
            if inside_here != inside_after:
                part = (limit - here[axis]) / (after[axis] - here[axis])
                kept.append(here + part * (after - here))
        if not kept:
            return np.empty((0, 2))
        points = np.array(kept)
    return points
