"""The label of every window of an image, 16 input pixels apart."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.windows import Window
from training.cells import CELL
from training.images import PlacedLesion, PreparedImage
from training.labels import Label, label_of
from training.plan import Plan

UNUSED, AIR = -1, -2


def window_labels(
    prepared: PreparedImage, shape: tuple[int, ...], origin: tuple[int, int], plan: Plan
) -> NDArray[np.int8]:
    """The label of the window that starts in each cell of a map of `shape`, whose first cell is `origin`."""
    recipe, module = plan.recipe, plan.recipe.module
    cells = recipe.network.input_size // CELL
    rows, columns = (max(extent - cells + 1, 0) for extent in shape)
    labels = np.full((rows, columns), UNUSED, np.int8)
    if any(lesion.outline is None and lesion.module is module for lesion in prepared.annotated.lesions):
        return labels
    near = _lesions_near(prepared.lesions)
    places = [
        [window_at(row + origin[0], column + origin[1], plan) for column in range(columns)] for row in range(rows)
    ]
    enough = _breast_shares(prepared.normalised.breast, places) >= recipe.breast.least_breast
    labels[~enough] = AIR
    for row, column in np.argwhere(enough):
        window = places[row][column]
        label = label_of(window, near(window), module)
        if label is Label.CASE:
            labels[row, column] = 1
        elif label is Label.CONTROL or (label is Label.BENIGN and plan.benign_as_control):
            labels[row, column] = 0
    return labels


def window_at(row: int, column: int, plan: Plan) -> Window:
    """The window that starts in this cell of the image, in normalised pixels."""
    size = plan.recipe.windows.window
    step = CELL * size / plan.recipe.network.input_size
    return Window(round(column * step), round(row * step), size)


def _lesions_near(lesions: Sequence[PlacedLesion]) -> Callable[[Window], list[PlacedLesion]]:
    """Which lesions a window can touch: most windows of an image touch none, and need no polygon cut."""
    low = np.array([placed.outline.min(axis=0) for placed in lesions]).reshape(-1, 2)
    high = np.array([placed.outline.max(axis=0) for placed in lesions]).reshape(-1, 2)

    def near(window: Window) -> list[PlacedLesion]:
        corner = (window.x, window.y)
        touched = ((high > corner) & (low < np.add(corner, window.size))).all(axis=1)
        return [lesions[int(index)] for index in np.flatnonzero(touched)]

    return near


def _breast_shares(breast: NDArray[np.bool_], places: Sequence[Sequence[Window]]) -> NDArray[np.float64]:
    """How much of each window is breast, 0 to 1; what lies beyond the image is none."""
    if not places or not places[0]:
        return np.zeros((len(places), 0))
    sums, size = np.asarray(cv2.integral(breast.astype(np.uint8)), np.int64), places[0][0].size
    rows, columns = np.array([line[0].y for line in places]), np.array([window.x for window in places[0]])
    top, bottom = (np.clip(edge, 0, breast.shape[0])[:, None] for edge in (rows, rows + size))
    left, right = (np.clip(edge, 0, breast.shape[1])[None] for edge in (columns, columns + size))
    inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return np.asarray(inside / size**2, np.float64)
