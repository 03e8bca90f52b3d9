"""Square parts of images: what one step of a training without a GPU learns from."""

import numpy as np
from numpy.typing import NDArray

from training.maps import TrunkMap
from training.window_labels import AIR, UNUSED

SIDE = 24
"""Cells a crop is wide: small for many lesions a step, large enough for windows with their surroundings."""
RIM = 2
"""Cells at a crop's edge where no window is learned from, as the padding tells there and not the neighbourhood. Where
the map ends, too, a scan meets the same padding: those windows count (masses reach the chest wall)."""
ON_LESION = 0.75
"""Share of the crops that hold a lesion, where the map has one; the others lie anywhere in the breast."""


def draw_crop(
    trunk_map: TrunkMap, window: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Features (SIDE, SIDE, k) and labels of the windows in it, every second cell.

    `window`: its cells. Beyond a map that is smaller than a crop there are zeros, as a convolution's padding has.
    """
    start = _start_of_window(trunk_map, window, random)
    free = SIDE - window - 2 * RIM
    corner = [
        int(np.clip(first - RIM - random.integers(free + 1), 0, max(extent - SIDE, 0)))
        for first, extent in zip(start, trunk_map.features.shape[:2], strict=True)
    ]
    features = np.zeros((SIDE, SIDE, trunk_map.features.shape[2]), np.float32)
    part = trunk_map.features[corner[0] : corner[0] + SIDE, corner[1] : corner[1] + SIDE]
    features[: part.shape[0], : part.shape[1]] = part
    places = (SIDE - window) // 2 + 1
    labels = np.full((places, places), UNUSED, np.int8)
    own = trunk_map.labels[corner[0] :: 2, corner[1] :: 2][:places, :places]
    labels[: own.shape[0], : own.shape[1]] = own
    for axis, extent in enumerate(trunk_map.features.shape[:2]):
        lines = np.moveaxis(labels, axis, 0)
        if corner[axis] > 0:
            lines[: RIM // 2] = UNUSED
        if corner[axis] + SIDE < extent:
            lines[places - RIM // 2 :] = UNUSED
    return features, labels


def _start_of_window(trunk_map: TrunkMap, window: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Row and column of a window that the crop shall hold."""
    if random.random() < ON_LESION:
        cases = np.argwhere(trunk_map.labels == 1)
        if len(cases):
            return np.asarray(cases[random.integers(len(cases))], np.int64)
        if trunk_map.centres:
            row, column = trunk_map.centres[random.integers(len(trunk_map.centres))]
            return np.array([round(row - window / 2), round(column - window / 2)], np.int64)
    anywhere = np.argwhere(trunk_map.labels != AIR)
    if not len(anywhere):
        return np.zeros(2, np.int64)
    return np.asarray(anywhere[random.integers(len(anywhere))], np.int64)
