"""COCO's segmentations: polygons, and run lengths (compressed or not). All raise ValueError with the reason."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.annotations import box_outline
from training.outlines import check_inside, hull, mask_outline, polygon_outline


def annotation_outline(annotation: Mapping[str, Any], size: tuple[int, int]) -> NDArray[np.float64] | None:
    """The outline of an annotation in an image of `size` (columns, rows); None where it has no place."""
    segmentation, box = annotation.get("segmentation"), annotation.get("bbox")
    if isinstance(segmentation, Mapping):
        return mask_outline(_decode(segmentation, size))
    if segmentation:
        outline = _polygon(segmentation)
    elif box:
        outline = _box(box)
    else:
        return None
    check_inside(outline, size)
    return outline


def _polygon(segmentation: Any) -> NDArray[np.float64]:
    """One polygon, or the hull of several."""
    if not isinstance(segmentation, list) or not all(isinstance(part, list) for part in segmentation):
        raise ValueError("the segmentation is no list of polygons")
    if any(len(part) % 2 for part in segmentation):
        raise ValueError("a polygon has an odd number of coordinates")
    parts = [np.asarray(part, dtype=float).reshape(-1, 2) for part in segmentation]
    if len(parts) == 1:
        return polygon_outline(parts[0])
    for part in parts:
        if len(part) < 3 or not np.isfinite(part).all():
            polygon_outline(part)  # says why
    return polygon_outline(hull(np.concatenate(parts)))


def _box(box: Any) -> NDArray[np.float64]:
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError("the bbox is no list of x, y, width, height")
    x, y, width, height = (float(value) for value in box)
    return box_outline(x, y, x + width, y + height)


def _decode(segmentation: Mapping[str, Any], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Run lengths, down the columns, background first. Raises ValueError: they do not fill the image."""
    columns, rows = size
    stated = segmentation.get("size")
    if stated and (not isinstance(stated, Sequence) or list(stated) != [rows, columns]):
        raise ValueError(f"the run lengths are of size {stated}, and the file has {rows} rows and {columns} columns")
    counts = segmentation.get("counts") or []
    lengths = _run_lengths(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
    if lengths.size == 0 or lengths.min() < 0 or lengths.sum() != rows * columns:
        raise ValueError(f"the run lengths do not fill {rows} x {columns} pixels")
    values = np.arange(lengths.size) % 2
    return np.repeat(values, lengths).reshape((rows, columns), order="F").astype(np.uint8)


def _run_lengths(encoded: str) -> NDArray[np.int64]:
    """COCO's compressed counts: 5 bits a character from '0' on, bit 6 says that more follow, the highest bit is
    the sign; from the third on each is the difference to the last but one (maskApi.c, rleFrString)."""
    lengths: list[int] = []
    value = shift = 0
    for character in encoded:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    return np.array(lengths, np.int64)
