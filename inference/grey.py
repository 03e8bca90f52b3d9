"""What a stored word looks like: one table from words to 256 grey levels, MONOCHROME2.

With at most 16 bits a word has 65,536 values, so modality LUT, VOI LUT, window, polarity and padding are worked
out once for each value and looked up for each pixel.
"""

from math import isfinite
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import DigitalMammographyXRayImageStorageForProcessing

from inference.decoding import Words

Values = NDArray[np.float64]

FULL_RANGE_TAIL = 1e-5
"""Without a window: one pixel in 100,000 may lie above white, so that a dead detector element darkens nothing."""


def grey_table(ds: Dataset, words: Words) -> NDArray[np.uint8]:
    """Grey level (0 black to 255 white) of each possible word, air dark and tissue bright.

    VOI LUT or window where the image is meant for presentation and has one, else the range of its own pixels
    without padding. Raises ValueError where the LUT or rescale attributes make no sense.
    """
    stored = stored_values(ds, words.dtype.itemsize * 8)
    padding = padding_values(ds, stored)
    modality = modality_values(ds, stored)
    shades = None
    if ds.get("SOPClassUID") != DigitalMammographyXRayImageStorageForProcessing:
        shades = voi_shades(ds, modality)
    if shades is None:
        shades = full_range_shades(modality, np.where(padding, 0, word_counts(words)))
    if is_inverse(ds):
        shades = 1 - shades
    shades[padding] = 0
    return np.rint(shades * 255).astype(np.uint8)


def stored_values(ds: Dataset, bits_allocated: int) -> Values:
    """The stored value of each word: Bits Stored below High Bit, sign extended; the bits beside them may be
    overlays or anything else (PS3.5 8.1.1)."""
    bits, high = int(ds.BitsStored), int(ds.HighBit)
    words = np.arange(2**bits_allocated, dtype=np.int64)
    values = (words >> (high + 1 - bits)) & (2**bits - 1)
    if ds.PixelRepresentation == 1:
        values = np.where(values >= 2 ** (bits - 1), values - 2**bits, values)
    return np.asarray(values, np.float64)


def padding_values(ds: Dataset, stored: Values) -> NDArray[np.bool_]:
    """Which words are pixel padding: the value, or all up to the range limit (PS3.3 C.7.5.1.1.2)."""
    first = ds.get("PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, np.bool_)
    last = ds.get("PixelPaddingRangeLimit")
    ends = [_as_stored(ds, int(value)) for value in (first, first if last is None else last)]
    return np.asarray((stored >= min(ends)) & (stored <= max(ends)))


def _as_stored(ds: Dataset, value: int) -> int:
    """The VR of padding (US or SS) is often wrong for the pixels: read its bits as theirs."""
    bits = int(ds.BitsStored)
    value &= 2**bits - 1
    return value - 2**bits if ds.PixelRepresentation == 1 and value >= 2 ** (bits - 1) else value


def modality_values(ds: Dataset, stored: Values) -> Values:
    """Modality LUT, or rescale slope and intercept (PS3.3 C.11.1)."""
    if ds.get("ModalityLUTSequence"):
        return lut_values(ds.ModalityLUTSequence[0], stored)
    slope, intercept = _number(ds.get("RescaleSlope")), _number(ds.get("RescaleIntercept"))
    if slope is None or intercept is None:
        return stored
    return stored * slope + intercept


def voi_shades(ds: Dataset, values: Values) -> Values | None:
    """Brightness 0 to 1 by the first VOI LUT or else the first window, None where there is neither."""
    if ds.get("VOILUTSequence"):
        item = ds.VOILUTSequence[0]
        looked_up = lut_values(item, values)
        return np.asarray(looked_up / max(2 ** _lut_bits(item) - 1, float(looked_up.max())))
    center, width = _number(ds.get("WindowCenter")), _number(ds.get("WindowWidth"))
    if center is None or width is None or width <= 0:
        return None
    return window_shades(values, center, width, str(ds.get("VOILUTFunction") or "LINEAR"))


def window_shades(values: Values, center: float, width: float, function: str) -> Values:
    """PS3.3 C.11.2.1.2 (LINEAR) and C.11.2.1.3 (SIGMOID, LINEAR_EXACT)."""
    if function == "SIGMOID":
        # beyond 700 the exponential overflows and the shade is 0 anyway
        return np.asarray(1 / (1 + np.exp(np.minimum(-4 * (values - center) / width, 700))))
    if function == "LINEAR_EXACT" or width <= 1:
        return np.clip((values - center) / width + 0.5, 0, 1)
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


def full_range_shades(values: Values, counts: Values) -> Values:
    """Brightness 0 to 1 from the lowest value that occurs to the highest but for `FULL_RANGE_TAIL` of the pixels.

    Where nothing or one value occurs, all is 0.
    """
    order = np.argsort(values, kind="stable")
    ascending, cumulated = values[order], np.cumsum(counts[order])
    total = cumulated[-1]
    if total == 0:
        return np.zeros_like(values)
    low = ascending[np.searchsorted(cumulated, 1)]
    high = ascending[np.searchsorted(cumulated, total - np.floor(total * FULL_RANGE_TAIL))]
    if high <= low:
        return np.zeros_like(values)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1))


def word_counts(words: Words) -> Values:
    """How often each word occurs; OpenCV's histogram is five times quicker than a bincount."""
    size = 2 ** (8 * words.dtype.itemsize)
    return np.asarray(cv2.calcHist([words], [0], None, [size], [0, size]).ravel(), np.float64)


def is_inverse(ds: Dataset) -> bool:
    """Whether the lowest value is white: either attribute says it (PS3.3 C.7.6.3.1.2, C.8.11.3.1.2)."""
    return bool(ds.PhotometricInterpretation == "MONOCHROME1" or ds.get("PresentationLUTShape") == "INVERSE")


def lut_values(item: Dataset, values: Values) -> Values:
    """Look `values` up in a LUT item; values beyond its ends take its end entries (PS3.3 C.11.1.1.1)."""
    count, first, _ = (int(number) for number in item.LUTDescriptor)
    count = count or 65536
    data = item.LUTData
    if isinstance(data, bytes):
        # pydicom leaves OW as it lies in the file; some writers pack entries of 8 bits
        order = ">" if item.original_encoding[1] is False else "<"
        entries = np.frombuffer(data, np.uint8 if len(data) < 2 * count else f"{order}u2")
    else:
        entries = np.atleast_1d(np.asarray(data))
    if not 0 < entries.size >= count:
        raise ValueError("a LUT has fewer entries than its descriptor says")
    indices = np.clip(np.rint(values) - first, 0, count - 1).astype(np.int64)
    return np.asarray(entries[indices], np.float64)


def _lut_bits(item: Dataset) -> int:
    return int(item.LUTDescriptor[2])


def _number(value: Any) -> float | None:
    """The first of one or several decimal strings, None where it is empty or no finite number."""
    if isinstance(value, MultiValue):
        value = value[0] if len(value) else None
    if value is None or value == "":
        return None
    number = float(value)
    return number if isfinite(number) else None
