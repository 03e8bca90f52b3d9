"""Versions of a whole image for training on trunk maps: mirrored, turned, stretched, with simulated lesions in it."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.normalise import Normalised
from inference.results import Module
from inference.windows import Window
from training.annotations import Lesion, circle_outline
from training.images import PlacedLesion, PreparedImage
from training.plan import Plan
from training.simulate import decoy, simulate_lesion
from training.tissue import place_within

LESIONS_DRAWN = 4
DECOYS_DRAWN = 3


def as_variant(prepared: PreparedImage, plan: Plan, index: int, variant: int) -> PreparedImage:
    """Variant 0 is the image itself; others are changed by a random draw of (seed, index, variant).

    Where a plan has simulated lesions, they are drawn into every other variant.
    """
    if variant == 0:
        return prepared
    random = np.random.default_rng((plan.seed, 104729, index, variant))
    if plan.simulated_share > 0 and variant % 2 == 1:
        prepared = with_simulated(prepared, plan.recipe.module, random)
    # by number and not by chance: the first is always mirrored, and half of those with simulated lesions are
    return changed(prepared, plan, random, mirror=plan.mirrored and variant % 4 in (1, 2))


def changed(prepared: PreparedImage, plan: Plan, random: np.random.Generator, *, mirror: bool) -> PreparedImage:
    """Turned, narrower or wider, with another contrast, and mirrored where it shall be."""
    pixels, breast = prepared.normalised.pixels, prepared.normalised.breast
    wide = float(np.exp(random.uniform(-plan.stretch, plan.stretch)))
    gamma = float(np.exp(random.uniform(-plan.contrast, plan.contrast)))
    angle = np.deg2rad(random.uniform(-plan.rotation, plan.rotation))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([-wide if mirror else wide, 1.0])
    height, width = pixels.shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ linear.T
    shift = -corners.min(axis=0)
    matrix = np.column_stack([linear, shift])
    size = (round(float(np.ptp(corners[:, 0]))), round(float(np.ptp(corners[:, 1]))))
    table = (255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    new_pixels = np.asarray(cv2.LUT(cv2.warpAffine(pixels, matrix, size), table), np.uint8)
    new_breast = cv2.warpAffine(breast.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST).astype(np.bool_)
    lesions = tuple(PlacedLesion(own.lesion, own.outline @ linear.T + shift) for own in prepared.lesions)
    normalised = Normalised(new_pixels, new_breast, prepared.normalised.map)  # the way back to the file is not needed
    return replace(prepared, normalised=normalised, lesions=lesions)


def with_simulated(prepared: PreparedImage, module: Module, random: np.random.Generator) -> PreparedImage:
    """Lesions drawn into the breast where there are none, and single spots that are none beside them."""
    pixels, lesions = prepared.normalised.pixels.copy(), list(prepared.lesions)
    size = 800 if module is Module.NODULE else 400
    for _ in range(LESIONS_DRAWN):
        window = place_within(_anywhere(prepared, size, random), prepared, random)
        if window is None or _near_lesion(window, lesions):
            continue
        drawn, reach = simulate_lesion(pixels, window, module, random, prepared.detail)
        _paste_back(pixels, drawn, window)
        radius = max((1 - 2 * reach) * size / 2, 8.0)
        outline = circle_outline(window.x + size / 2, window.y + size / 2, radius)
        kind = Lesion("mass" if module is Module.NODULE else "calcification", "malignant", outline)
        lesions.append(PlacedLesion(kind, outline))
    for _ in range(DECOYS_DRAWN if module is Module.MICROCALCIFICATION else 0):
        window = place_within(_anywhere(prepared, size, random), prepared, random)
        if window is not None and not _near_lesion(window, lesions):
            _paste_back(pixels, decoy(pixels, window, random, prepared.detail), window)
    return replace(prepared, normalised=replace(prepared.normalised, pixels=pixels), lesions=tuple(lesions))


def _anywhere(prepared: PreparedImage, size: int, random: np.random.Generator) -> Window:
    rows, columns = prepared.normalised.pixels.shape
    x, y = random.integers(-size // 2, max(columns - size // 2, 1)), random.integers(-size // 2, rows - size // 2)
    return Window(int(x), int(y), size)


def _near_lesion(window: Window, lesions: list[PlacedLesion]) -> bool:
    corner, end = np.array([window.x, window.y]), np.array([window.x, window.y]) + window.size
    return any(
        (placed.outline.max(axis=0) > corner).all() and (placed.outline.min(axis=0) < end).all() for placed in lesions
    )


def _paste_back(pixels: NDArray[np.uint8], drawn: NDArray[np.uint8], window: Window) -> None:
    first = (drawn.shape[0] - window.size) // 2
    top, left = max(window.y, 0), max(window.x, 0)
    bottom, right = min(window.y + window.size, pixels.shape[0]), min(window.x + window.size, pixels.shape[1])
    pixels[top:bottom, left:right] = drawn[
        first + top - window.y : first + bottom - window.y, first + left - window.x : first + right - window.x
    ]
