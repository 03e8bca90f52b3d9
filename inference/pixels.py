"""An instance's pixels as every later step wants them: 256 grey levels, MONOCHROME2, checked."""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.decoding import Words, stored_words
from inference.errors import UnreadablePixelsError
from inference.grey import full_range_shades, grey_table, padding_values, stored_values, word_counts
from inference.header import values
from inference.instance import read_instance
from inference.results import Reason

LEAST_SIDE = 64
"""Pixels; a smaller image holds no mammogram."""
TALLEST, WIDEST = 4, 2
"""Height over width, width over height: beyond them no mammogram, and the normalised image would be huge."""
REQUIRED = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PhotometricInterpretation",
)
BYTES_PER_PIXEL = 12
"""Peak of decoding and normalising one image, for each stored pixel of two bytes."""


@dataclass(frozen=True)
class GreyImage:
    """`values` (rows, columns) uint8, 0 black, tissue bright; `padding` marks pixel padding, None without any."""

    values: NDArray[np.uint8]
    padding: NDArray[np.bool_] | None
    bits_stored: int


def read_grey(source: Path | Dataset, *, memory: int) -> GreyImage:
    """Decode one instance into grey levels.

    The declared size is checked against `memory` (bytes) before anything is decoded.
    Raises UnreadablePixelsError with a coded reason, whatever is wrong with the instance.
    """
    try:
        ds = read_instance(source, memory=memory) if isinstance(source, Path) else source
        check_declared(ds, memory)
        return _grey(ds)
    except UnreadablePixelsError:
        raise
    except MemoryError as error:
        raise UnreadablePixelsError(_too_large("more memory than there is")) from error
    except Exception as error:  # pydicom and the codecs raise anything on a damaged file; all of it means the same
        raise UnreadablePixelsError(
            Reason(
                code="damaged-file",
                text=f"The file cannot be read as a DICOM image ({type(error).__name__}).",
                remedy="Send the image again from the modality or the PACS.",
            )
        ) from error


def grey_from_array(values: NDArray[np.uint8] | NDArray[np.uint16]) -> GreyImage:
    """An image that is no DICOM object (PNG, WebP, JPEG), treated as an instance without a window.

    `values` (rows, columns), 0 black. Raises UnreadablePixelsError where it is no image.
    """
    _check_shape(*values.shape)
    counts = word_counts(values)
    shades = full_range_shades(np.arange(counts.size, dtype=np.float64), counts)
    table = np.rint(shades * 255).astype(np.uint8)
    return _checked(GreyImage(look_up(table, values), None, 8 * values.dtype.itemsize))


def check_declared(ds: Dataset, memory: int) -> None:
    """Refuse what the header alone shows to be no single grey image, or larger than `memory` allows.

    Raises UnreadablePixelsError.
    """
    missing = [keyword for keyword in REQUIRED if ds.get(keyword) in (None, "")]
    if "PixelData" not in ds or len(ds.PixelData) == 0:
        missing.append("PixelData")
    if missing:
        raise UnreadablePixelsError(
            Reason(
                code="no-pixel-data" if "PixelData" in missing else "missing-attributes",
                text=f"The instance has no {', '.join(missing)}.",
                remedy="Send an instance with its image, not a header or a reference alone.",
            )
        )
    _check_shape(int(ds.Rows), int(ds.Columns))
    if int(ds.Rows) * int(ds.Columns) * BYTES_PER_PIXEL > memory:
        raise UnreadablePixelsError(
            _too_large(f"{ds.Rows} x {ds.Columns} pixels declared, {memory >> 20} MiB allowed")
        )
    bits = (int(ds.BitsAllocated), int(ds.BitsStored), int(ds.HighBit))
    grey = ds.SamplesPerPixel == 1 and ds.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2")
    if not grey or bits[0] not in (8, 16) or not 2 <= bits[1] <= bits[2] + 1 <= bits[0]:
        raise UnreadablePixelsError(
            Reason(
                code="unsupported-pixels",
                text=f"The pixels are {ds.PhotometricInterpretation} with {bits[1]} of {bits[0]} bits.",
                remedy="Send the mammogram as a grey image of 8 to 16 bits.",
            )
        )
    if int(ds.get("NumberOfFrames") or 1) > 1:
        raise UnreadablePixelsError(
            Reason(
                code="multi-frame",
                text="The instance has several frames.",
                remedy="Send the 2D mammograms of the study.",
            )
        )


def look_up(table: NDArray[np.uint8], words: Words) -> NDArray[np.uint8]:
    """`table[words]`; OpenCV does it four times quicker than NumPy."""
    return np.asarray(cv2.LUT(words, table[None]), np.uint8)


def pixel_spacing(ds: Dataset) -> tuple[float, float] | None:
    """(row, column) spacing in mm at the breast, None where the header does not say.

    Pixel Spacing where it is calibrated, which is where it differs from the detector's (PS3.3 10.7.1.3); else
    Imager Pixel Spacing, which is at the detector, divided by the magnification (PS3.3 C.8.11.7).
    """
    detector, other = _spacing(ds, "ImagerPixelSpacing"), _spacing(ds, "PixelSpacing")
    if other is not None and (other != detector or ds.get("PixelSpacingCalibrationType")):
        return other
    magnification = _magnification(ds)
    if detector is None or magnification is None:
        return None
    return detector[0] / magnification, detector[1] / magnification


def _magnification(ds: Dataset) -> float | None:
    """Estimated Radiographic Magnification Factor, by definition the ratio of the two distances (PS3.3 C.8.11.7)."""
    factor = _numbers(ds, "EstimatedRadiographicMagnificationFactor", 1)
    if factor is not None:
        return factor[0]
    detector, patient = _numbers(ds, "DistanceSourceToDetector", 1), _numbers(ds, "DistanceSourceToPatient", 1)
    return None if detector is None or patient is None else detector[0] / patient[0]


def _spacing(ds: Dataset, keyword: str) -> tuple[float, float] | None:
    numbers = _numbers(ds, keyword, 2)
    return None if numbers is None else (numbers[0], numbers[1])


def _numbers(ds: Dataset, keyword: str, count: int) -> list[float] | None:
    """The `count` values of a decimal string if all are finite and positive."""
    try:
        numbers = [float(text) for text in values(ds, keyword)]
    except ValueError:
        # no number: the spacing is unknown, which is an answer
        return None
    usable = len(numbers) == count and all(isfinite(number) and number > 0 for number in numbers)
    return numbers if usable else None


def _grey(ds: Dataset) -> GreyImage:
    words = stored_words(ds)
    padding = None
    if "PixelPaddingValue" in ds:
        padded = padding_values(ds, stored_values(ds, words.dtype.itemsize * 8))
        padding = look_up(padded.view(np.uint8), words).view(np.bool_)
    values = look_up(grey_table(ds, words), words)
    return _checked(GreyImage(values, padding, int(ds.BitsStored)))


def _checked(grey: GreyImage) -> GreyImage:
    lowest, highest, _, _ = cv2.minMaxLoc(grey.values)
    if lowest == highest:
        raise UnreadablePixelsError(
            Reason(
                code="blank-image",
                text="All pixels have the same grey level.",
                remedy="Send the exposed image; if it looks right at the modality, its window is wrong.",
            )
        )
    return grey


def _check_shape(rows: int, columns: int) -> None:
    if min(rows, columns) < LEAST_SIDE or rows > TALLEST * columns or columns > WIDEST * rows:
        raise UnreadablePixelsError(
            Reason(
                code="no-mammogram-shape",
                text=f"The image is {rows} x {columns} pixels.",
                remedy="Send the full mammogram, not a strip, an icon or an empty image.",
            )
        )


def _too_large(what: str) -> Reason:
    return Reason(
        code="image-too-large",
        text=f"The image needs too much memory: {what}.",
        remedy="Raise analysis.pixel_memory if the image is a real one.",
    )
