"""Candidate windows of a normalised image: the paper's two rules, inside the breast."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.calcifications import bright_windows
from inference.nodules import brightest_windows, brightness_map
from inference.normalise import Normalised
from inference.recipe import NoduleWindows, Recipe
from inference.sweep import counts


@dataclass(frozen=True)
class Window:
    """A square of `size` normalised pixels with its top left pixel at (x, y).

    It ends inside the image, unless the image is smaller than one window.
    """

    x: int
    y: int
    size: int


def candidates(normalised: Normalised, recipe: Recipe) -> tuple[Window, ...]:
    """The windows to score: by the recipe's rule, or for a dense scan every one that holds enough breast.

    Pixels outside the breast count as black. Nodule windows come brightest first, the others row by row.
    """
    rule = recipe.windows
    allowed = breast_windows(normalised.breast, recipe)
    if recipe.scan == "dense":
        chosen = indices(allowed)
    else:
        inside = cv2.bitwise_and(normalised.pixels, normalised.pixels, mask=normalised.breast.view(np.uint8))
        pixels = np.asarray(inside, np.uint8)
        if isinstance(rule, NoduleWindows):
            chosen = brightest_windows(brightness_map(pixels, rule), allowed, rule, pixels.shape)
        else:
            chosen = indices(bright_windows(pixels, rule) & allowed)
    return placed_windows(chosen, recipe)


def placed_windows(chosen: Iterable[tuple[int, int]], recipe: Recipe) -> tuple[Window, ...]:
    """Sweep indices (row, column) as windows."""
    rule = recipe.windows
    return tuple(Window(column * rule.stride, row * rule.stride, rule.window) for row, column in chosen)


def breast_windows(breast: NDArray[np.bool_], recipe: Recipe) -> NDArray[np.bool_]:
    """Which windows of the sweep hold at least `least_breast` of breast, (window rows, window columns)."""
    rule = recipe.windows
    inside = counts(breast, rule.window, rule.stride)
    return np.asarray(inside >= recipe.breast.least_breast * rule.window**2)


def indices(which: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where `which` is true, row by row."""
    return [(int(row), int(column)) for row, column in np.argwhere(which)]
