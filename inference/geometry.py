"""Where a point of the normalised image lies in the stored one.

Both use the SCOORD convention (PS3.3 C.18.6.1.1): (x, y) = (column, row), (0, 0) the outer corner of the first
pixel, so that a resize is a pure scale and half a pixel is never lost.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Pair = tuple[float, float]


@dataclass(frozen=True)
class Affine:
    """`point * scale + offset`, for each of (x, y)."""

    scale: Pair
    offset: Pair = (0.0, 0.0)

    def apply(self, points: ArrayLike) -> NDArray[np.float64]:
        """(n, 2) points (or one) carried over, float64."""
        return np.asarray(points, np.float64) * self.scale + self.offset

    def inverse(self) -> "Affine":
        """The way back."""
        (sx, sy), (ox, oy) = self.scale, self.offset
        return Affine((1 / sx, 1 / sy), (-ox / sx, -oy / sy))
