"""A picture as cells: squares of CELL x CELL pixels at patch scale, one to each place of layer3's output."""

import numpy as np
from numpy.typing import NDArray

from inference.evidence import STRIDE

CELL = STRIDE // 2
"""Input pixels between neighbouring places of layer3's output."""


def to_cells(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(CELL rows, CELL columns) -> (rows, columns, CELL * CELL), each cell's pixels row by row."""
    rows, columns = (side // CELL for side in pixels.shape)
    blocks = pixels.reshape(rows, CELL, columns, CELL).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(blocks).reshape(rows, columns, CELL * CELL)


def turned(
    cells: NDArray[np.float32], labels: NDArray[np.int8], random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """A square part in cells of pixels, and its windows' labels, by quarter turns and mirrored, as drawn."""
    quarters, mirrored = int(random.integers(4)), bool(random.integers(2))
    inner = cells.reshape(*cells.shape[:2], CELL, CELL)
    for axes in ((0, 1), (2, 3)):  # the cells, and the pixels in each
        inner = np.rot90(inner, quarters, axes)
        inner = np.flip(inner, axes[1]) if mirrored else inner
    labels = np.rot90(labels, quarters)
    return inner.reshape(cells.shape), np.flip(labels, 1) if mirrored else labels
