"""Every image in one form: contrast and size (paper, 'Image normalization')."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.breast import resized_mask, segment_breast
from inference.geometry import Affine
from inference.pixels import GreyImage
from inference.recipe import Recipe


@dataclass(frozen=True)
class Normalised:
    """`pixels` uint8 and `breast` bool, both (recipe height, width); `map` carries normalised points to stored."""

    pixels: NDArray[np.uint8]
    breast: NDArray[np.bool_]
    map: Affine


def normalise(grey: GreyImage, recipe: Recipe) -> Normalised:
    """CLAHE, then the recipe's height with the width in scale.

    Area interpolation down, linear up. Width is a whole number, so both axes keep their own exact scale in `map`.
    Raises UnreadablePixelsError where no breast is found.
    """
    height, width = normalised_size(grey, recipe)
    tiles = recipe.normalisation.tile_grid
    clahe = cv2.createCLAHE(recipe.normalisation.clip_limit, (tiles, tiles))
    breast = normalised_breast(grey, recipe)
    pixels = _resized(np.asarray(clahe.apply(grey.values), np.uint8), width, height)
    return Normalised(pixels, breast, map_to_stored(grey, recipe))


def normalised_size(grey: GreyImage, recipe: Recipe) -> tuple[int, int]:
    """(height, width) of the normalised image."""
    rows, columns = grey.values.shape
    height = recipe.normalisation.height
    return height, round(columns * height / rows)


def normalised_breast(grey: GreyImage, recipe: Recipe) -> NDArray[np.bool_]:
    """Which normalised pixels are breast. Raises UnreadablePixelsError where none is found."""
    height, width = normalised_size(grey, recipe)
    breast = resized_mask(segment_breast(grey.values, recipe.breast), width, height)
    if grey.padding is not None:
        breast &= ~resized_mask(grey.padding, width, height)
    return breast


def map_to_stored(grey: GreyImage, recipe: Recipe) -> Affine:
    """From normalised to stored pixels."""
    (rows, columns), (height, width) = grey.values.shape, normalised_size(grey, recipe)
    return Affine(scale=(columns / width, rows / height))


def _resized(values: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if values.shape == (height, width):
        return values
    interpolation = cv2.INTER_AREA if height < values.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (width, height), interpolation=interpolation), np.uint8)
