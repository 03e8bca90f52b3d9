"""Normalisation on the device that holds the image: CLAHE and resize as OpenCV does them, in plain PyTorch.

Grey levels are those of `inference.normalise`; only where an averaged area falls right between two levels, either.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.geometry import Affine
from inference.normalise import map_to_stored, normalised_breast, normalised_size
from inference.pixels import GreyImage
from inference.recipe import Normalisation, Recipe

_LEVELS = 256


@dataclass(frozen=True)
class OnDevice:
    """`pixels` uint8 and `breast` bool, both (recipe height, width) on one device; `breast_here` is its copy here."""

    pixels: Tensor
    breast: Tensor
    breast_here: NDArray[np.bool_]
    map: Affine


def normalise_on_device(grey: GreyImage, recipe: Recipe, device: torch.device) -> OnDevice:
    """`inference.normalise.normalise` with the image uploaded once; the breast is looked for in a small one, here.

    Raises UnreadablePixelsError where no breast is found.
    """
    breast = normalised_breast(grey, recipe)
    height, width = normalised_size(grey, recipe)
    uploaded = torch.from_numpy(grey.values).to(device)
    pixels = resized(contrast_limited(uploaded, recipe.normalisation), width, height)
    return OnDevice(pixels, torch.from_numpy(breast).to(device), breast, map_to_stored(grey, recipe))


def contrast_limited(values: Tensor, recipe: Normalisation) -> Tensor:
    """`cv2.createCLAHE(clip_limit, (tile_grid, tile_grid)).apply` of a uint8 tensor (rows, columns)."""
    tables, tile = _tile_tables(values, recipe)
    rows, columns = (
        _between_tiles(size, length, recipe.tile_grid, values.device)
        for size, length in zip(values.shape, tile, strict=True)
    )
    grey = values.long()

    def looked_up(row_tiles: Tensor, column_tiles: Tensor) -> Tensor:
        return tables[(row_tiles[:, None] * recipe.tile_grid + column_tiles[None]) * _LEVELS + grey]

    (upper, lower, down), (left, right, across) = rows, columns
    down, across = down[:, None], across[None]
    top = looked_up(upper, left) * (1 - across) + looked_up(upper, right) * across
    bottom = looked_up(lower, left) * (1 - across) + looked_up(lower, right) * across
    return (top * (1 - down) + bottom * down).round_().clamp_(0, 255).to(torch.uint8)


def resized(values: Tensor, width: int, height: int) -> Tensor:
    """A uint8 tensor (rows, columns) at (height, width): areas averaged down, linear up."""
    if values.shape == (height, width):
        return values
    if height < values.shape[0]:
        areas = values.float()
        for size in (width, height):  # columns first, then, turned over, rows
            areas = _summed(areas, *_area_taps(areas.shape[1], size)).T.contiguous()
        return areas.round_().clamp_(0, 255).to(torch.uint8)
    # OpenCV's fixed point: weights of 11 bits, 4 dropped between the axes, 18 in all
    wide = _summed(values.int(), *_linear_taps(values.shape[1], width)) >> 4
    first, weights = _linear_taps(values.shape[0], height)
    upper, lower = (_summed(wide.T, first + tap, weights[:, tap : tap + 1]).T >> 16 for tap in (0, 1))
    return ((upper + lower + 2) >> 2).clamp_(0, 255).to(torch.uint8)


def _tile_tables(values: Tensor, recipe: Normalisation) -> tuple[Tensor, tuple[int, int]]:
    """The grey level that each level becomes in each tile, (tiles * tiles * 256,) float32, and a tile's size."""
    grid = recipe.tile_grid
    if any(size % grid for size in values.shape):
        # OpenCV fills up both sides if either does not divide, a divisible one by a whole grid
        below, right = (grid - size % grid for size in values.shape)
        rows, columns = (
            _mirrored(size, extra, values.device) for size, extra in zip(values.shape, (below, right), strict=True)
        )
        values = values[rows[:, None], columns[None]]
    height, width = (size // grid for size in values.shape)
    tiles = values.view(grid, height, grid, width).transpose(1, 2).reshape(grid * grid, height * width).long()
    offsets = torch.arange(grid * grid, device=values.device)[:, None] * _LEVELS
    counts = torch.bincount((tiles + offsets).view(-1), minlength=grid * grid * _LEVELS).view(-1, _LEVELS)
    limit = max(int(recipe.clip_limit * height * width / _LEVELS), 1)
    sums = _redistributed(counts, limit).cumsum(dim=1)
    scale = torch.tensor((_LEVELS - 1) / (height * width), dtype=torch.float32, device=values.device)
    return (sums.float() * scale).round_().clamp_(0, 255).view(-1), (height, width)


def _mirrored(size: int, extra: int, device: torch.device) -> Tensor:
    """Indices of `size` pixels and `extra` more beyond the end, mirrored at the last one."""
    indices = torch.arange(size + extra, device=device)
    return torch.where(indices < size, indices, 2 * (size - 1) - indices)


def _redistributed(counts: Tensor, limit: int) -> Tensor:
    """Histograms (tiles, 256) with what lies above `limit` shared out; what does not divide goes to every nth."""
    clipped = (counts - limit).clamp(min=0).sum(dim=1, keepdim=True)
    share, rest = clipped // _LEVELS, clipped % _LEVELS
    step = (_LEVELS // rest.clamp(min=1)).clamp(min=1)
    level = torch.arange(_LEVELS, device=counts.device)[None]
    one_more = (level % step == 0) & (level // step < rest)
    return counts.clamp(max=limit) + share + one_more.long()


def _between_tiles(size: int, tile: int, grid: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each pixel of an axis the tiles whose centres it lies between, and how far towards the second, 0 to 1."""
    place = torch.arange(size, device=device, dtype=torch.float32) * np.float32(1 / tile).item() - 0.5
    first = place.floor()
    return first.long().clamp(min=0), (first.long() + 1).clamp(max=grid - 1), place - first


def _summed(image: Tensor, first: NDArray[np.int64], weights: NDArray[Any]) -> Tensor:
    """(rows, columns) -> (rows, targets): each target the weighted sum of the pixels from its first one on.

    Beyond either end the end pixel stands.
    """
    last = image.shape[1] - 1
    shares = torch.from_numpy(weights).to(image.device)
    summed = torch.zeros((image.shape[0], len(first)), device=image.device, dtype=image.dtype)
    for tap in range(weights.shape[1]):
        pixels = torch.from_numpy(np.clip(first + tap, 0, last)).to(image.device)
        summed += image[:, pixels] * shares[:, tap]
    return summed


def _area_taps(source: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each target pixel its first source pixel (target,) and the share of each from there on, (target, n)."""
    scale = source / target
    edges = np.arange(target + 1) * scale
    first = np.floor(edges[:-1]).astype(np.int64)
    pixels = first[:, None] + np.arange(int(np.ceil(scale)) + 1)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return first, (np.clip(covered, 0, None) / scale).astype(np.float32)


def _linear_taps(source: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """For each target pixel the source pixel whose centre lies before its own, and the weights of both in 2048ths."""
    place = ((np.arange(target) + 0.5) * (source / target) - 0.5).astype(np.float32)
    first = np.floor(place)
    towards = place - first
    weights = np.stack([1 - towards, towards], axis=1) * np.float32(2048)
    return first.astype(np.int64), np.rint(weights).astype(np.int32)
