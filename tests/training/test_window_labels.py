"""The label of every window of an image, worked out at once, against each window by itself."""

from pathlib import Path

import cv2
import numpy as np

from inference.geometry import Affine
from inference.normalise import Normalised
from inference.results import Module
from training.annotations import AnnotatedImage, Lesion, Pathology, circle_outline
from training.images import PlacedLesion, PreparedImage
from training.labels import Label, label_of
from training.plan import default_plan
from training.window_labels import AIR, UNUSED, window_at, window_labels

PLAN = default_plan(Module.MICROCALCIFICATION, "upper", 1)
ROWS, COLUMNS = 1600, 1200


def placed(x: float, y: float, radius: float, pathology: Pathology) -> PlacedLesion:
    outline = circle_outline(x, y, radius)
    return PlacedLesion(Lesion("calcification", pathology, outline), outline)


def test_each_window_has_the_label_it_has_by_itself() -> None:
    breast = np.zeros((ROWS, COLUMNS), np.uint8)
    cv2.ellipse(breast, (0, ROWS // 2), (800, 700), 0, 0, 360, (1,), -1)
    lesions = (placed(300, 700, 60, "malignant"), placed(500, 900, 80, "benign"), placed(200, 1200, 30, "unknown"))
    image = AnnotatedImage(Path("a.png"), "P1", "set", lesions=tuple(one.lesion for one in lesions))
    normalised = Normalised(breast * 100, breast.astype(np.bool_), Affine((1.0, 1.0)))
    origin, shape = (2, 1), (36, 28)
    labels = window_labels(PreparedImage(image, normalised, lesions, 1.0), shape, origin, PLAN)
    meant = {Label.CASE: 1, Label.CONTROL: 0, Label.BENIGN: 0, Label.UNUSED: UNUSED}
    for (row, column), label in np.ndenumerate(labels):
        window = window_at(row + origin[0], column + origin[1], PLAN)
        inside = breast[window.y : window.y + window.size, window.x : window.x + window.size].sum()
        enough = inside / window.size**2 >= PLAN.recipe.breast.least_breast
        assert label == (meant[label_of(window, lesions, PLAN.recipe.module)] if enough else AIR)
    assert {int(label) for label in np.unique(labels)} == {1, 0, UNUSED, AIR}


def test_an_image_whose_lesion_nobody_located_teaches_nothing() -> None:
    breast = np.ones((ROWS, COLUMNS), np.bool_)
    image = AnnotatedImage(Path("a.png"), "P1", "set", lesions=(Lesion("calcification", "malignant", None),))
    normalised = Normalised(breast.astype(np.uint8), breast, Affine((1.0, 1.0)))
    labels = window_labels(PreparedImage(image, normalised, (), 1.0), (20, 20), (0, 0), PLAN)
    assert np.unique(labels).tolist() == [UNUSED]
