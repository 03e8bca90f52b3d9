"""The paper's words on cases and controls, in exact numbers."""

import numpy as np
import pytest

from inference.results import Module
from inference.windows import Window
from training.annotations import Lesion, LesionType, Pathology, box_outline
from training.images import PlacedLesion
from training.labels import Label, label_of, polygon_area, share_inside

WINDOW = Window(100, 100, 800)


def placed(
    box: tuple[float, float, float, float], kind: LesionType = "mass", pathology: Pathology = "malignant"
) -> PlacedLesion:
    outline = box_outline(*box)
    return PlacedLesion(Lesion(kind, pathology, outline), outline)


@pytest.mark.parametrize(
    ("x0", "share", "label"),
    [
        (500.0, 1.0, Label.CASE),
        (820.0, 0.8, Label.CASE),
        (821.0, 0.79, Label.UNUSED),
        (899.0, 0.01, Label.UNUSED),
        (900.0, 0.0, Label.CONTROL),
    ],
)
def test_a_nodule_window_is_a_case_from_80_percent(x0: float, share: float, label: Label) -> None:
    lesion = placed((x0, 300, x0 + 100, 400))
    assert share_inside(lesion.outline, WINDOW) == pytest.approx(share)
    assert label_of(WINDOW, [lesion], Module.NODULE) is label


def test_a_microcalcification_window_is_a_case_only_with_the_whole_lesion() -> None:
    window = Window(100, 100, 400)
    whole, cut = placed((150, 150, 300, 300), "calcification"), placed((450, 150, 501, 300), "calcification")
    assert label_of(window, [whole], Module.MICROCALCIFICATION) is Label.CASE
    assert label_of(window, [cut], Module.MICROCALCIFICATION) is Label.UNUSED
    assert label_of(window, [cut], Module.MICROCALCIFICATION, literal=True) is Label.CONTROL


def test_what_else_lies_in_a_window() -> None:
    benign = placed((300, 300, 400, 400), pathology="benign")
    assert label_of(WINDOW, [benign], Module.NODULE) is Label.BENIGN
    assert label_of(WINDOW, [placed((880, 300, 980, 400), pathology="benign")], Module.NODULE) is Label.UNUSED
    assert label_of(WINDOW, [placed((300, 300, 400, 400), "calcification")], Module.NODULE) is Label.UNUSED
    assert label_of(WINDOW, [placed((300, 300, 400, 400), pathology="unknown")], Module.NODULE) is Label.UNUSED
    assert label_of(WINDOW, [benign, placed((500, 500, 600, 600))], Module.NODULE) is Label.CASE


def test_a_lesion_larger_than_any_window_is_found_by_a_window_full_of_it() -> None:
    assert label_of(WINDOW, [placed((0, 0, 1000, 1000))], Module.NODULE) is Label.CASE


def test_share_of_a_slanted_and_of_a_hollow_outline() -> None:
    diamond = np.array([(100.0, 0.0), (200.0, 100.0), (100.0, 200.0), (0.0, 100.0)])
    assert polygon_area(diamond) == 20000
    assert share_inside(diamond, Window(100, 0, 200)) == pytest.approx(0.5)
    hollow = np.array([(0.0, 0.0), (300.0, 0.0), (300.0, 100.0), (200.0, 100.0), (200.0, 50.0), (0.0, 50.0)])
    assert share_inside(hollow, Window(0, 0, 100)) == pytest.approx(5000 / 20000)
