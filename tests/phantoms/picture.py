"""The pixels of a synthetic mammogram: one picture, any size, any bit depth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lesion:
    """A bright spot to find, centre and radius in stored pixels of the picture."""

    kind: Literal["nodule", "microcalcification"]
    x: float
    y: float
    radius: float


def breast_picture(
    rows: int, columns: int, laterality: str = "R", view: str = "CC", seed: int = 0, lesions: Sequence[Lesion] = ()
) -> NDArray[np.float32]:
    """Brightness 0 (air) to 1 (rows, columns): chest wall at the left for L, at the right for R."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    if laterality == "R":
        x = columns - 1 - x
    middle = rows * (0.5 if view == "CC" else 0.48)
    distance = (x / (columns * 0.72)) ** 2 + ((y - middle) / (rows * 0.40)) ** 2
    inside = distance < 1
    thickness = np.sqrt(np.clip(1 - distance, 0, 1))
    picture = 0.22 + 0.36 * thickness + 0.04 * _texture(rng, rows, columns)
    if laterality == "R":
        x = columns - 1 - x
    for lesion in lesions:
        picture += _lesion(rng, lesion, x, y)
    picture += rng.normal(0, 0.003, picture.shape).astype(np.float32)
    return np.where(inside, np.clip(picture, 0.02, 1), 0).astype(np.float32)


def _texture(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    texture = np.zeros((rows, columns), np.float32)
    for block in (64, 32, 16, 8):
        coarse = rng.standard_normal((rows // block + 1, columns // block + 1)).astype(np.float32)
        texture += np.repeat(np.repeat(coarse, block, 0), block, 1)[:rows, :columns] * (block / 64)
    return texture


def _lesion(
    rng: np.random.Generator, lesion: Lesion, x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.float32]:
    if lesion.kind == "nodule":
        return np.asarray(0.3 * np.exp(-(((x - lesion.x) ** 2 + (y - lesion.y) ** 2) / lesion.radius**2)), np.float32)
    spots = np.zeros_like(x)
    for dx, dy in rng.normal(0, 0.4 * lesion.radius, (14, 2)):
        spots += np.exp(-((x - lesion.x - dx) ** 2 + (y - lesion.y - dy) ** 2) / 2.0)
    return 0.5 * np.clip(spots, 0, 1)


def stored_values(picture: NDArray[np.float32], bits: int, *, signed: bool = False) -> NDArray[np.generic]:
    """The picture as whole numbers of `bits` bits, the full range used; signed ones are centred on 0."""
    whole = np.rint(picture.astype(np.float64) * (2**bits - 1)).astype(np.int64)
    if signed:
        return (whole - 2 ** (bits - 1)).astype(np.int8 if bits <= 8 else np.int16)
    return whole.astype(np.uint8 if bits <= 8 else np.uint16)
