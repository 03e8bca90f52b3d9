"""Where in a breast something may be drawn."""

import numpy as np

from inference.windows import Window
from training.images import PreparedImage

ATTEMPTS = 10
WHOLLY_BREAST = 0.98


def place_within(area: Window, prepared: PreparedImage, random: np.random.Generator) -> Window | None:
    """A window whose middle is breast all around, centred somewhere in `area`; None where none was found."""
    breast, half = prepared.normalised.breast, area.size // 8
    for _ in range(ATTEMPTS):
        x, y = (int(start + random.uniform(0, area.size)) for start in (area.x, area.y))
        around = breast[max(y - half, 0) : max(y + half, 0), max(x - half, 0) : max(x + half, 0)]
        if around.size == 4 * half * half and around.mean() > WHOLLY_BREAST:
            return Window(x - area.size // 2, y - area.size // 2, area.size)
    return None
