"""Which pixels are breast, and at which side its chest wall lies."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.errors import UnreadablePixelsError
from inference.recipe import Breast
from inference.results import Reason

Mask = NDArray[np.bool_]


def segment_breast(values: NDArray[np.uint8], recipe: Breast) -> Mask:
    """The breast in a grey image (rows, columns), as a smaller mask of the same field.

    Its height is `recipe.height`: Otsu's threshold on the smoothed image, lowered towards the air for
    the thin tissue below the skin; an opening that cuts labels, markers and film borders off; the largest
    component, its holes filled. Raises UnreadablePixelsError where
    nothing is large enough to be a breast.
    """
    rows, columns = values.shape
    height = min(recipe.height, rows)
    width = max(1, round(columns * height / rows))
    small = cv2.GaussianBlur(cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA), (0, 0), 2)
    otsu, _ = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    air = float(np.median(small[small <= otsu]))
    bright = small > air + recipe.skin * (otsu - air)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (height // 32 | 1, height // 32 | 1))
    opened = cv2.morphologyEx(bright.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if count < 2 or areas.max() < recipe.least_area * height * width:
        raise UnreadablePixelsError(
            Reason(
                code="no-breast",
                text="No breast was found in the pixels.",
                remedy="Look at the image; if it shows a breast, send it with its window or VOI LUT.",
            )
        )
    breast = (labels == 1 + int(areas.argmax())).astype(np.uint8)
    outlines, _ = cv2.findContours(breast, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(breast, outlines, -1, 1, cv2.FILLED)
    return np.asarray(breast, np.uint8).view(np.bool_)


def resized_mask(mask: Mask, width: int, height: int) -> Mask:
    """The mask at another size; each pixel takes the nearest."""
    resized = cv2.resize(mask.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized, np.uint8).view(np.bool_)


def chest_wall_side(breast: Mask) -> Literal["left", "right"] | None:
    """The side at which the breast is clearly higher, None where neither is."""
    occupied = np.flatnonzero(breast.any(axis=0))
    if occupied.size == 0:
        return None
    band = max(1, (occupied[-1] - occupied[0] + 1) // 10)
    left = int(breast[:, occupied[0] : occupied[0] + band].sum())
    right = int(breast[:, occupied[-1] + 1 - band : occupied[-1] + 1].sum())
    if max(left, right) < 1.5 * min(left, right):
        return None
    return "left" if left > right else "right"
