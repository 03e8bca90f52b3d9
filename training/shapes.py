"""Lesion shapes that no training drew: volumes of a virtual trial, seen from any side."""

from pathlib import Path

import cv2
import h5py  # type: ignore[import-untyped] # h5py ships no types
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inference.results import Module
from training.errors import TrainingError
from training.simulate import PIXELS_PER_MM, Picture

EXTENT_MM = {Module.NODULE: (8.0, 20.0), Module.MICROCALCIFICATION: (6.0, 12.0)}
SPOT_MM = (0.2, 0.5)
"""Diameter of a single calcification."""
SPOTS = (10, 51)


def read_shape(path: Path) -> NDArray[np.float64]:
    """(n, 3) places of the filled voxels of an HDF5 file's 3-D `volume`, or of a `.npy` one, in its longest extent.

    Raises TrainingError: it holds no such volume.
    """
    try:
        if path.suffix == ".npy":
            volume = np.load(path)
        else:
            with h5py.File(path) as file:
                volume = file["volume"][()]
    except (OSError, KeyError, ValueError) as error:
        raise TrainingError(
            f"{path.name} holds no shape ({error}): give HDF5 with a 3-D 'volume', or .npy."
        ) from error
    places = np.argwhere(np.asarray(volume) > 0).astype(float)
    if np.ndim(volume) != 3 or len(places) < 2:
        raise TrainingError(
            f"{path.name} holds no shape: its volume has {len(places)} filled voxels in 3 dimensions."
        )
    centred = places - (places.min(axis=0) + places.max(axis=0)) / 2
    return np.asarray(centred / np.ptp(places, axis=0).max())


def shadow(places: NDArray[np.float64], side: int, module: Module, random: np.random.Generator) -> Picture:
    """What a shape adds to a picture (side, side), at most 1: turned at random, thick parts brighter.

    A cluster keeps 10 to 50 of its voxels, each a calcification.
    """
    extent = random.uniform(*EXTENT_MM[module]) * PIXELS_PER_MM
    if module is Module.MICROCALCIFICATION:
        places = random.permutation(places)[: random.integers(*SPOTS)]
        width = random.uniform(*SPOT_MM) * PIXELS_PER_MM
    else:
        width = extent / len(places) ** (1 / 3)
    turned = Rotation.random(rng=random).apply(places)[:, :2] * extent + side / 2
    edges = np.arange(side + 1)
    counts, _, _ = np.histogram2d(turned[:, 1], turned[:, 0], (edges, edges))
    added = cv2.GaussianBlur(counts.astype(np.float32), (0, 0), max(width / 2.35, 0.5))  # full width at half maximum
    return np.asarray(added / max(float(added.max()), 1e-9), np.float32)
