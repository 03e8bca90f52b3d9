"""R left, L right, CC over MLO, chest walls together; pixels are never touched."""

import numpy as np
import pytest

from scp.web.hanging import Row, chest_wall_side, hang, turn


@pytest.mark.parametrize(
    ("laterality", "view", "orientation", "seen", "mirror", "flip", "conflict"),
    [
        ("R", "CC", ["P", "L"], "right", False, False, False),
        ("L", "CC", ["A", "R"], "left", False, False, False),
        ("R", "MLO", ["P", "FL"], "right", False, False, False),
        ("L", "MLO", ["A", "F"], "left", False, False, False),
        ("R", "CC", ["A", "L"], "left", True, False, False),
        ("L", "CC", ["P", "R"], "right", True, False, False),
        # turned by 180 degrees: both ways, which is a rotation and no mirror image
        ("R", "CC", ["A", "R"], "left", True, True, False),
        ("L", "MLO", ["P", "H"], "right", True, True, False),
        ("R", "MLO", ["P", "HL"], "right", False, True, False),
        # header and pixels disagree: the pixels say where the chest wall is, and the page says so
        ("R", "CC", ["P", "L"], "left", True, False, True),
        # no header: by the pixels
        ("R", "CC", [], "left", True, False, False),
        ("L", "CC", [], "left", False, False, False),
        # pixels unclear: by the header
        ("L", "CC", ["P", "R"], None, True, False, False),
        # nothing known: as stored
        ("R", "CC", [], None, False, False, False),
        (None, "CC", ["A", "L"], "left", False, False, False),
    ],
)
def test_turn(laterality, view, orientation, seen, mirror, flip, conflict) -> None:
    shown = turn(laterality, view, orientation, seen)
    assert (shown.mirror, shown.flip, shown.conflict) == (mirror, flip, conflict)


def test_says_when_nothing_is_known() -> None:
    assert turn("R", "CC", [], None).basis == "unknown"
    assert turn(None, None, [], "left").basis == "unknown"


@pytest.mark.parametrize(
    ("columns", "side"), [(slice(0, 60), "left"), (slice(40, 100), "right"), (slice(20, 80), None)]
)
def test_chest_wall_side(columns, side) -> None:
    pixels = np.zeros((80, 100), np.uint8)
    pixels[10:70, columns] = 120
    assert chest_wall_side(pixels) == side


def test_chest_wall_of_an_even_image_is_unclear() -> None:
    assert chest_wall_side(np.zeros((10, 10), np.uint8)) is None


def test_rows_of_pairs() -> None:
    images = [
        ("a", "L", "MLO"),
        ("b", "R", "CC"),
        ("c", "L", "CC"),
        ("d", "R", "MLO"),
        ("e", "R", "ML"),
        ("f", None, "CC"),
    ]
    rows, homeless = hang([*images, ("g", "R", "CC")])
    assert rows == [
        Row("CC", "b", "c", True),
        Row("CC", "g", None, False),
        Row("MLO", "d", "a", True),
        Row("ML", "e", None, True),
    ]
    assert homeless == ["f"]


def test_the_standard_views_have_a_row_without_any_image() -> None:
    assert hang([("a", "L", "MLO")]) == ([Row("CC", None, None, True), Row("MLO", None, "a", True)], [])
