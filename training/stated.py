"""What a source states of an image file, against the file itself. All raise ValueError with the reason."""

import math
from pathlib import Path

import cv2
import pydicom
from PIL import Image

RATIOS = (0.2, 3.0)
"""Width over height of anything that could be a mammogram; the option of the commands has the same limits."""
UNREADABLE = (AttributeError, ValueError, KeyError, IndexError, TypeError, RuntimeError, OSError, EOFError)
"""What pydicom and its codecs raise on a damaged file (NotImplementedError is a RuntimeError)."""


def file_size(path: Path) -> tuple[int, int]:
    """Columns and rows of an image file, from its header where that says it. Raises ValueError: it has none."""
    try:
        with path.open("rb") as file:
            is_dicom = file.read(132)[128:] == b"DICM"
        if is_dicom:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
            return int(header.Columns), int(header.Rows)
        with Image.open(path) as picture:
            return picture.size
    except (*UNREADABLE, Image.DecompressionBombError):
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)  # it knows kinds of TIFF that Pillow does not
    if values is None:
        raise ValueError(f"{path.name} is no image that can be read: use DICOM, PNG, TIFF, PGM, WebP or JPEG")
    return int(values.shape[1]), int(values.shape[0])


def stated_ratio(value: object) -> float | None:
    """width_over_height as a source states it; None where it does not."""
    return _number("width_over_height", value, *RATIOS)


def stated_pixel(value: object) -> float | None:
    """pixel_um as a source states it; None where it does not."""
    return _number("pixel_um", value, 1.0, 10_000.0)


def _number(name: str, value: object, low: float, high: float) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:  # type: ignore[arg-type, operator] # a number, by then
        raise ValueError(f"{name} {value} is no number from {low:g} to {high:g}")
    return float(value)  # type: ignore[arg-type] # a number, by then
