"""Versions of an image: what is drawn on it must stay where the lesion is."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.geometry import Affine
from inference.normalise import Normalised
from inference.results import Module
from training.annotations import AnnotatedImage, Lesion, circle_outline
from training.images import PlacedLesion, PreparedImage
from training.plan import Plan, default_plan
from training.variants import as_variant

ROWS, COLUMNS = 600, 400
X, Y, RADIUS = 130, 400, 30


@pytest.fixture
def plan() -> Plan:
    return default_plan(Module.NODULE, "frozen", 1)


@pytest.fixture
def prepared() -> PreparedImage:
    """A dark breast with one bright lesion in it, far from the middle."""
    pixels = np.zeros((ROWS, COLUMNS), np.uint8)
    cv2.ellipse(pixels, (0, ROWS // 2), (300, 280), 0, 0, 360, (60,), -1)
    breast = pixels > 0
    cv2.circle(pixels, (X, Y), RADIUS, (255,), -1)
    outline = circle_outline(X, Y, RADIUS)
    lesion = Lesion("mass", "malignant", outline)
    image = AnnotatedImage(path=Path("a.png"), patient_id="P1", dataset="set", lesions=(lesion,))
    normalised = Normalised(pixels, breast, Affine((1.0, 1.0)))
    return PreparedImage(image, normalised, (PlacedLesion(lesion, outline),), 1.0)


def centre(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(np.argwhere(mask).mean(axis=0)[::-1], np.float64)


@pytest.mark.parametrize("variant", [1, 2, 3, 4])
def test_outline_and_breast_follow_the_pixels(prepared: PreparedImage, plan: Plan, variant: int) -> None:
    changed = as_variant(prepared, plan, 0, variant)
    pixels, breast = changed.normalised.pixels, changed.normalised.breast
    outline = changed.lesions[0].outline
    assert (pixels.shape, pixels.max()) == (breast.shape, 255)
    assert outline.mean(axis=0) == pytest.approx(centre(pixels > 200), abs=1.0)
    assert np.ptp(outline, axis=0) == pytest.approx(np.ptp(np.argwhere(pixels > 200), axis=0)[::-1], abs=3)
    assert np.mean(breast == (pixels > 5)) > 0.995
    assert (outline[:, 0].mean() > pixels.shape[1] / 2) == (variant in (1, 2))  # mirrored


def test_the_first_is_the_image_itself_and_each_is_always_the_same(prepared: PreparedImage, plan: Plan) -> None:
    assert as_variant(prepared, plan, 0, 0) is prepared
    once, again, other = (as_variant(prepared, plan, index, 3).normalised.pixels for index in (5, 5, 6))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)
