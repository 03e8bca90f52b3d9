"""Windows of a normalised image to the network's input: the same function for training and inference."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.recipe import Network, Recipe

if TYPE_CHECKING:
    from inference.windows import Window


def grey_batch(pixels: NDArray[np.uint8] | Tensor, windows: Sequence["Window"], recipe: Recipe) -> Tensor:
    """Crop windows and shrink them by area: (rows, columns) uint8 -> (n, 1, s, s) float32 grey in 0..1.

    Where `pixels` is a tensor the work is done on its device, else on the CPU; the numbers agree to 1e-5.
    What lies beyond the image is background (0).
    """
    size = recipe.network.input_size
    if isinstance(pixels, Tensor):
        if not windows:
            return torch.zeros((0, 1, size, size), device=pixels.device)
        return _shrink_on_device(_crop_on_device(pixels, windows), size)
    batch = np.empty((len(windows), 1, size, size), np.float32)
    for index, window in enumerate(windows):
        crop = _crop_array(pixels, window).astype(np.float32)
        batch[index, 0] = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(batch).div_(255)


def window_batch(
    pixels: NDArray[np.uint8] | Tensor, windows: Sequence["Window"], recipe: Recipe, device: torch.device | str
) -> Tensor:
    """The windows as ResNet50 takes them: (n, 3, s, s) float32, ImageNet normalisation, on `device`."""
    return to_network_input(grey_batch(pixels, windows, recipe).to(device), recipe.network)


def to_network_input(grey: Tensor, network: Network) -> Tensor:
    """(n, 1, s, s) grey in 0..1 -> (n, 3, s, s), less mean, over standard deviation of each channel."""
    mean = torch.tensor(network.mean, device=grey.device, dtype=grey.dtype).view(1, 3, 1, 1)
    std = torch.tensor(network.std, device=grey.device, dtype=grey.dtype).view(1, 3, 1, 1)
    return (grey - mean) / std


def _crop_array(pixels: NDArray[np.uint8], window: "Window") -> NDArray[np.uint8]:
    x, y, size = window.x, window.y, window.size
    crop = pixels[max(y, 0) : y + size, max(x, 0) : x + size]
    if crop.shape == (size, size):
        return crop
    whole = np.zeros((size, size), np.uint8)
    top, left = max(-y, 0), max(-x, 0)
    whole[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    return whole


def _crop_on_device(pixels: Tensor, windows: Sequence["Window"]) -> Tensor:
    """(rows, columns) uint8 -> (n, w, w) uint8 in one gather, 0 beyond the image; all windows are of one size."""
    offsets = torch.arange(windows[0].size, device=pixels.device)
    corners = torch.tensor([(window.y, window.x) for window in windows], device=pixels.device)
    rows, columns = corners[:, :1] + offsets, corners[:, 1:] + offsets  # (n, w) each
    inside_rows, inside_columns = (
        (index >= 0) & (index < limit) for index, limit in zip((rows, columns), pixels.shape, strict=True)
    )
    rows, columns = rows.clamp(0, pixels.shape[0] - 1), columns.clamp(0, pixels.shape[1] - 1)
    crops = pixels[rows[:, :, None], columns[:, None, :]]
    return crops * (inside_rows[:, :, None] & inside_columns[:, None, :])


def _shrink_on_device(crops: Tensor, size: int) -> Tensor:
    """(n, w, w) uint8 -> (n, 1, s, s): two matrix products with the weights of area interpolation."""
    weights = area_weights(crops.shape[-1], size, crops.device)
    return (weights @ crops.float() @ weights.T).div_(255).unsqueeze(1)


@lru_cache(maxsize=8)
def area_weights(source: int, target: int, device: torch.device | None = None) -> Tensor:
    """(target, source): the share of each source pixel in each target pixel, rows add up to 1."""
    edges = np.arange(target + 1) * source / target
    starts = np.maximum(edges[:-1, None], np.arange(source)[None])
    ends = np.minimum(edges[1:, None], np.arange(1, source + 1)[None])
    return torch.from_numpy((np.clip(ends - starts, 0, None) * target / source).astype(np.float32)).to(device)
