"""Annotated files to normalised images, through inference's own steps, with their lesions beside them."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.normalise import Normalised, normalise
from inference.pixels import GreyImage, grey_from_array, read_grey
from inference.recipe import Recipe
from training.annotations import AnnotatedImage, Lesion
from training.errors import TrainingError
from training.outlines import check_inside

PIXEL_MEMORY = 4 << 30
"""Bytes that decoding one training image may take."""


@dataclass(frozen=True)
class PlacedLesion:
    """A located lesion; `outline` (n, 2) is in normalised pixels."""

    lesion: Lesion
    outline: NDArray[np.float64]


@dataclass(frozen=True)
class PreparedImage:
    """A normalised image with its located lesions in its own pixels.

    `detail`: normalised pixels that one pixel of the file spans, down its height.
    """

    annotated: AnnotatedImage
    normalised: Normalised
    lesions: tuple[PlacedLesion, ...]
    detail: float


def prepare(image: AnnotatedImage, recipe: Recipe, width_over_height: float | None = None) -> PreparedImage:
    """Read, un-stretch and normalise one image. `width_over_height` overrides its own (augmentation).

    Raises TrainingError: the file cannot be read as a grey image, or a lesion lies outside it; UnreadablePixelsError:
    it holds no mammogram.
    """
    stored = read_image(image.path)
    _check_places(image, stored)
    grey, stretch = _unstretched(stored, width_over_height or image.width_over_height)
    normalised = normalise(grey, recipe)
    to_normalised = normalised.map.inverse()
    placed = tuple(
        PlacedLesion(lesion, to_normalised.apply(lesion.outline * stretch))
        for lesion in image.lesions
        if lesion.outline is not None
    )
    detail = normalised.pixels.shape[0] / stored.values.shape[0]
    return PreparedImage(image, normalised, placed, detail)


def _check_places(image: AnnotatedImage, stored: GreyImage) -> None:
    """Raises TrainingError: a lesion lies outside the pixels, and its patch would be black."""
    rows, columns = stored.values.shape
    for lesion in image.lesions:
        if lesion.outline is not None:
            try:
                check_inside(lesion.outline, (columns, rows))
            except ValueError as error:
                raise TrainingError(f"{error}.") from error


def read_image(path: Path) -> GreyImage:
    """DICOM as inference reads it; PNG, TIFF, PGM, WebP and JPEG with 0 as black.

    Raises TrainingError: it is none of these.
    """
    with path.open("rb") as file:
        is_dicom = file.read(132)[128:] == b"DICM"
    if is_dicom:
        return read_grey(path, memory=PIXEL_MEMORY)
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise TrainingError(f"{path.name} is no image that can be read: use DICOM, PNG, TIFF, PGM, WebP or JPEG.")
    if values.ndim == 3:
        values = cv2.cvtColor(values[..., :3], cv2.COLOR_BGR2GRAY)
    if values.dtype not in (np.uint8, np.uint16):
        raise TrainingError(f"{path.name} has {values.dtype} pixels: store it with 8 or 16 bits.")
    return grey_from_array(np.asarray(values))  # type: ignore[arg-type] # 8 or 16 bits, checked above


def _unstretched(grey: GreyImage, width_over_height: float | None) -> tuple[GreyImage, NDArray[np.float64]]:
    """An image of the wanted shape, only ever enlarged, and what its coordinates (x, y) are multiplied by."""
    rows, columns = grey.values.shape
    if width_over_height is None or abs(columns / rows - width_over_height) < 1e-3:
        return grey, np.ones(2)
    if columns / rows > width_over_height:
        size = (columns, round(columns / width_over_height))
    else:
        size = (round(rows * width_over_height), rows)
    values = np.asarray(cv2.resize(grey.values, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    padding = None
    if grey.padding is not None:
        padding = cv2.resize(grey.padding.view(np.uint8), size, interpolation=cv2.INTER_NEAREST).view(np.bool_)
    return GreyImage(values, padding, grey.bits_stored), np.array(size) / (columns, rows)
