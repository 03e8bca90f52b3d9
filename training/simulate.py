"""Lesions drawn into healthy tissue: lobulated, spiculated masses and clusters of microcalcifications.

Sizes assume a film or detector of about 24 cm on 4096 pixels (60 um a pixel). Ranges are those of virtual trials:
masses 6 to 30 mm; 10 to 50 calcifications of 0.2 to 0.6 mm in a cluster of 5 to 20 mm, scattered or along ducts.
"""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.results import Module
from inference.windows import Window
from training.augment import CONTEXT

Picture = NDArray[np.float32]

PIXELS_PER_MM = 4096 / 240


def simulate_lesion(
    pixels: NDArray[np.uint8], window: Window, module: Module, random: np.random.Generator, detail: float = 1.0
) -> tuple[NDArray[np.uint8], float]:
    """The window with its neighbourhood, CONTEXT windows wide, and a lesion in the window's middle.

    `detail`: normalised pixels that one pixel of the source spans; what is drawn is no sharper than that. Returns
    the region (uint8) and how far, as a share of the window, it may shift until it cuts the lesion.
    """
    region = neighbourhood(pixels, window)
    draw = mass if module is Module.NODULE else cluster
    added, extent = draw(window.size, random)
    whole = np.zeros(region.shape, np.float32)
    first = (region.shape[0] - window.size) // 2
    whole[first : first + window.size, first : first + window.size] = blurred(added, detail)
    drawn = add_density(region, whole)
    return drawn, float(np.clip((window.size - extent) / 2 / window.size, 0.02, 0.3))


def decoy(
    pixels: NDArray[np.uint8], window: Window, random: np.random.Generator, detail: float = 1.0
) -> NDArray[np.uint8]:
    """The same for a control of the microcalcification module: one to three single spots, dust or a scratch."""
    region = neighbourhood(pixels, window)
    side, size = region.shape[0], window.size
    added = np.zeros((side, side), np.float32)
    middle = side / 2
    for _ in range(random.integers(1, 4)):
        place = middle + random.uniform(-0.45, 0.45, 2) * size
        _spot(added, place, random.uniform(0.2, 1.2) * PIXELS_PER_MM / 2, random.uniform(40, 160), random)
    if random.random() < 0.3:
        start = middle + random.uniform(-0.5, 0.5, 2) * size
        end = start + random.uniform(-0.5, 0.5, 2) * size
        line = np.zeros_like(added)
        cv2.line(line, _point(start), _point(end), float(random.uniform(20, 80)), int(random.integers(1, 4)))
        added = np.maximum(added, line)
    return add_density(region, blurred(added, detail))


def add_density(region: NDArray[np.uint8], added: Picture) -> NDArray[np.uint8]:
    """Add brightness, less of it where the tissue is bright already (film and contrast enhancement saturate)."""
    grey = region.astype(np.float32)
    room = np.clip((255 - grey) / 160, 0, 1)
    return np.clip(grey + added * room, 0, 255).astype(np.uint8)


def blurred(added: Picture, detail: float) -> Picture:
    """As sharp as a source whose pixels span `detail` normalised pixels."""
    sigma = 0.45 * max(detail, 1.0)
    return np.asarray(cv2.GaussianBlur(added, (0, 0), sigma), np.float32)


def mass(side: int, random: np.random.Generator) -> tuple[Picture, float]:
    """Brightness (side, side) that a mass in the middle adds, and its extent in pixels."""
    radius = random.uniform(3, 13) * PIXELS_PER_MM
    radius = min(radius, 0.22 * side)
    rows, columns = np.mgrid[:side, :side].astype(np.float32) - side / 2
    angle, distance = np.arctan2(rows, columns), np.hypot(rows, columns) + 1e-3
    border = np.ones_like(angle)
    for wave in range(2, 8):  # lobes, the finer the shallower
        border += random.normal(0, 0.22 / wave) * np.cos(wave * angle + random.uniform(0, 2 * np.pi))
    softness = random.uniform(0.08, 0.35)
    steepness = (distance / (radius * np.clip(border, 0.4, 1.8)) - 1) / softness * 2
    body = 1 / (1 + np.exp(np.minimum(steepness, 50)))
    texture = _cloud(side, random, radius / 3)
    added = random.uniform(25, 85) * body * (1 + 0.25 * texture)
    reach = radius * 1.25
    if random.random() < 0.65:
        added += _spicules(side, radius, random)
        reach = radius * 1.6
    return added.astype(np.float32), float(2 * reach)


def cluster(side: int, random: np.random.Generator) -> tuple[Picture, float]:
    """Brightness (side, side) that a cluster of microcalcifications in the middle adds, and its extent in pixels."""
    extent = min(random.uniform(5, 20) * PIXELS_PER_MM, 0.75 * side)
    count = int(random.integers(10, 51))
    places = _along_ducts(count, extent, random) if random.random() < 0.4 else _scattered(count, extent, random)
    brightness = random.uniform(50, 160)
    added = np.zeros((side, side), np.float32)
    for place in places:
        radius = random.uniform(0.2, 0.6) * PIXELS_PER_MM / 2
        _spot(added, side / 2 + place, radius, brightness * random.uniform(0.4, 1.2), random)
    if random.random() < 0.3:  # some lie in a faint density
        rows, columns = np.mgrid[:side, :side].astype(np.float32) - side / 2
        added += random.uniform(5, 25) * np.exp(-(rows**2 + columns**2) / (2 * (extent / 2) ** 2))
    return added, float(np.ptp(places, axis=0).max() + PIXELS_PER_MM)


def neighbourhood(pixels: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """The window and what lies around it, CONTEXT windows wide; beyond the image there is background."""
    extra = (CONTEXT - 1) * window.size // 2
    side = CONTEXT * window.size
    region = np.zeros((side, side), np.uint8)
    top, left = window.y - extra, window.x - extra
    part = pixels[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    row, column = max(-top, 0), max(-left, 0)
    region[row : row + part.shape[0], column : column + part.shape[1]] = part
    return region


def _spicules(side: int, radius: float, random: np.random.Generator) -> Picture:
    """Thin lines that leave the mass, fainter and thinner outward, each a little bent."""
    added = np.zeros((side, side), np.float32)
    for _ in range(int(random.integers(8, 40))):
        angle, length = random.uniform(0, 2 * np.pi), radius * random.uniform(1.1, 2.2)
        bend, strength = random.normal(0, 0.15), random.uniform(10, 45)
        steps = np.linspace(0.5, 1, 5) * length
        turned = angle + bend * np.linspace(0, 1, 5)
        points = side / 2 + np.stack([steps * np.cos(turned), steps * np.sin(turned)], axis=1)
        for index, (start, end) in enumerate(pairwise(points)):
            cv2.line(added, _point(start), _point(end), float(strength * (1 - index / 5)), 6 - index)
    return np.asarray(cv2.GaussianBlur(added, (0, 0), 2.0), np.float32)


def _cloud(side: int, random: np.random.Generator, scale: float) -> Picture:
    """Smooth noise of unit variance."""
    coarse = max(4, round(side / max(scale, 4)))
    noise = random.normal(0, 1, (coarse, coarse)).astype(np.float32)
    return np.asarray(cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def _scattered(count: int, extent: float, random: np.random.Generator) -> NDArray[np.float64]:
    """(count, 2) offsets, denser towards a few centres, within an ellipse."""
    centres = random.uniform(-0.25, 0.25, (int(random.integers(1, 4)), 2))
    offsets = centres[random.integers(0, len(centres), count)] + random.normal(0, 0.18, (count, 2))
    offsets *= np.array([1.0, random.uniform(0.4, 1.0)])
    turn = random.uniform(0, np.pi)
    turned = offsets @ np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
    return np.asarray(np.clip(turned, -0.5, 0.5) * extent)


def _along_ducts(count: int, extent: float, random: np.random.Generator) -> NDArray[np.float64]:
    """(count, 2) offsets along one to three branching lines."""
    branches = int(random.integers(1, 4))
    turn = random.uniform(0, 2 * np.pi)
    angles = turn + random.normal(0, 0.5, branches)
    which = random.integers(0, branches, count)
    along = random.uniform(-0.5, 0.5, count)
    angle = np.where(along > 0, angles[which], turn)
    offsets = along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray((offsets + random.normal(0, 0.02, (count, 2))) * extent)


def _spot(
    added: Picture, place: NDArray[np.float64], radius: float, strength: float, random: np.random.Generator
) -> None:
    """One calcification: an irregular ellipse with a soft rim, drawn four times finer than the pixels."""
    long, short = radius * random.uniform(1.0, 1.8), radius * random.uniform(0.6, 1.0)
    half = int(np.ceil(long)) + 2
    row, column = round(float(place[1])), round(float(place[0]))
    if not (half <= row < added.shape[0] - half and half <= column < added.shape[1] - half):
        return
    fine = np.zeros((8 * half, 8 * half), np.float32)
    axes = (max(1, round(4 * long)), max(1, round(4 * short)))
    cv2.ellipse(fine, (4 * half, 4 * half), axes, float(random.uniform(0, 180)), 0, 360, 1.0, -1)
    spot = cv2.resize(fine, (2 * half, 2 * half), interpolation=cv2.INTER_AREA) * strength
    part = added[row - half : row + half, column - half : column + half]
    np.maximum(part, spot, out=part)


def _point(place: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(place[0])), round(float(place[1]))
