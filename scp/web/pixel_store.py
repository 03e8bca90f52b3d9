"""Pictures of stored images for the page: a small one first, then tiles, cut on demand from a bounded cache."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.pixels import read_grey
from scp.web.hanging import Side, chest_wall_side

TILE = 512
"""Side of a tile in pixels of its level."""
PREVIEW = 1024
"""Longest side of the picture that is shown first."""
CACHE_BYTES = 384 << 20
"""Eight full-field images of 4096 x 3328 with their halves."""


@dataclass(frozen=True)
class Picture:
    """The windowed 8-bit image at full (level 0) and half (level 1) size, MONOCHROME2."""

    levels: tuple[NDArray[np.uint8], ...]
    preview: bytes
    chest_wall: Side | None

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(level.nbytes for level in self.levels) + len(self.preview)

    def tile(self, level: int, column: int, row: int) -> bytes | None:
        """A lossless PNG of one tile; None where the level or the place does not exist."""
        if level >= len(self.levels):
            return None
        pixels = self.levels[level][row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
        return encode(pixels, "png") if pixels.size else None


def encode(pixels: NDArray[np.uint8], form: Literal["png", "jpeg"]) -> bytes:
    """Compressed pixels, (rows, columns) grey; PNG is lossless."""
    settings = [cv2.IMWRITE_PNG_COMPRESSION, 1] if form == "png" else [cv2.IMWRITE_JPEG_QUALITY, 90]
    encoded, data = cv2.imencode(f".{form}", pixels, settings)
    if not encoded:
        raise RuntimeError(f"{form} of {pixels.shape} could not be encoded")
    return data.tobytes()


def render(path: Path, memory: int) -> Picture:
    """Decode one instance. Raises UnreadablePixelsError: the pixels make no image."""
    grey = read_grey(path, memory=memory).values
    half = cv2.resize(grey, (max(1, grey.shape[1] // 2), max(1, grey.shape[0] // 2)), interpolation=cv2.INTER_AREA)
    scale = min(1.0, PREVIEW / max(grey.shape))
    small_size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    small = np.asarray(cv2.resize(grey, small_size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return Picture((grey, np.asarray(half, dtype=np.uint8)), encode(small, "jpeg"), chest_wall_side(small))


@dataclass
class PixelStore:
    """Pictures by file, least recently used out first; one file is decoded once, however many tiles are asked for."""

    memory: int
    limit: int = CACHE_BYTES
    _pictures: OrderedDict[Path, Picture] = field(default_factory=OrderedDict)
    _decoding: dict[Path, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _render: Callable[[Path, int], Picture] = render

    def picture(self, path: Path) -> Picture:
        """The picture of one spooled file (files in the spool never change).

        Raises UnreadablePixelsError: the pixels make no image; OSError: the file is gone.
        """
        with self._lock:
            decoding = self._decoding.setdefault(path, threading.Lock())
        with decoding:
            kept = self._kept(path)
            if kept is None:
                kept = self._render(path, self.memory)
                self._keep(path, kept)
        with self._lock:
            self._decoding.pop(path, None)
        return kept

    def _kept(self, path: Path) -> Picture | None:
        with self._lock:
            if path in self._pictures:
                self._pictures.move_to_end(path)
            return self._pictures.get(path)

    def _keep(self, path: Path, picture: Picture) -> None:
        with self._lock:
            self._pictures[path] = picture
            while len(self._pictures) > 1 and sum(kept.size for kept in self._pictures.values()) > self.limit:
                self._pictures.popitem(last=False)
