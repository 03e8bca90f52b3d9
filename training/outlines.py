"""Outlines of lesions: what makes one usable, and how masks become one. All raise ValueError with the reason."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

LEAST_AREA = 1e-6
"""Square pixels; below it an outline is a line, or crosses itself so that its halves cancel."""


def polygon_outline(points: ArrayLike) -> NDArray[np.float64]:
    """(n, 2) points as an outline. Raises ValueError: not finite, fewer than 3 points, or no area."""
    outline = np.asarray(points, dtype=float)
    if outline.ndim != 2 or outline.shape[1] != 2:
        raise ValueError("an outline is no list of points with x and y")
    if not np.isfinite(outline).all():
        raise ValueError("an outline is not finite")
    if len(outline) < 3:
        raise ValueError(f"an outline has {len(outline)} point(s): it needs 3")
    if polygon_area(outline) < LEAST_AREA:
        raise ValueError("an outline has no area: its points lie on a line, or it crosses itself")
    return outline


def polygon_area(outline: NDArray[np.float64]) -> float:
    """Area of a simple polygon (n, 2), by the shoelace formula."""
    # measured from its own corner: far from the origin the products would cost the last digits
    x, y = (outline - outline[0]).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def check_inside(outline: NDArray[np.float64], size: tuple[int, int]) -> None:
    """Raises ValueError: no part of the outline lies in an image of `size` (columns, rows)."""
    if (outline.max(axis=0) <= 0).any() or (outline.min(axis=0) >= size).any():
        raise ValueError(f"an outline lies entirely outside the image of {size[0]} x {size[1]} pixels")


def hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) points to the (m, 2) convex polygon around them."""
    convex: NDArray[np.float64] = cv2.convexHull(points.astype(np.float32))[:, 0].astype(float)
    return convex


def mask_outline(mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(rows, columns) mask to one polygon: its outline, or the hull of its parts. Raises ValueError: it is empty.

    Polygon points are pixel corners: the right and bottom edge of a pixel lie one beyond its index.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        raise ValueError("the mask is empty")
    corners = np.stack([columns, rows], axis=1)[:, None] + np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    return hull(corners.reshape(-1, 2).astype(float))
