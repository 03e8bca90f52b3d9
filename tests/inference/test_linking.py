"""The same lesion in CC and MLO: linked when clearly one, else left apart."""

import numpy as np
import pytest

from inference.geometry import Affine
from inference.linking import Landmarks, find_landmarks, link_views
from inference.results import Finding, ImageResult, Module, ModuleResult, ModuleStatus, Status

NIPPLE = Landmarks(nipple=(700.0, 500.0), depth=700.0)
"""Tolerance 70 stored pixels."""


def finding(uid: str, distance: float, module: Module = Module.NODULE) -> Finding:
    """A finding so far from the nipple."""
    x, y = 700.0 - distance, 500.0
    return Finding(
        module=module,
        score=0.9,
        probability=None,
        grade=5,
        center=(x, y),
        box=(x - 5, y - 5, x + 5, y + 5),
        outline=((x - 5, y - 5), (x + 5, y - 5), (x, y + 5)),
        tracking_id=uid,
        tracking_uid=uid,
    )


def image(view: str, *findings: Finding, side: str = "L", **changes: object) -> ImageResult:
    modules = tuple(
        ModuleResult(
            module=module,
            status=ModuleStatus.SUCCEEDED,
            findings=tuple(item for item in findings if item.module is module),
        )
        for module in Module
    )
    fields = {
        "sop_instance_uid": f"{side}{view}",
        "sop_class_uid": "1.2",
        "series_instance_uid": "1.2",
        "file": "a.dcm",
        "rows": 1000,
        "columns": 800,
        "laterality": side,
        "view": view,
        "status": Status.ANALYSED,
        "modules": modules,
    }
    return ImageResult.model_validate(fields | changes)


def links(*images: ImageResult, landmarks: dict[str, Landmarks] | None = None) -> dict[str, tuple[str, ...]]:
    known = landmarks if landmarks is not None else {item.sop_instance_uid: NIPPLE for item in images}
    linked = link_views(images, known)
    return {item.tracking_uid: item.linked for result in linked for item in result.findings if item.linked}


def test_one_lesion_at_one_distance_is_linked_both_ways() -> None:
    assert links(image("CC", finding("a", 300)), image("MLO", finding("b", 365))) == {"a": ("b",), "b": ("a",)}


def test_another_distance_is_another_lesion() -> None:
    assert links(image("CC", finding("a", 300)), image("MLO", finding("b", 371))) == {}


def test_two_that_fit_one_are_left_apart() -> None:
    assert links(image("CC", finding("a", 300)), image("MLO", finding("b", 310), finding("c", 290))) == {}


def test_two_pairs_that_cannot_be_confused() -> None:
    cc, mlo = image("CC", finding("a", 100), finding("b", 400)), image("MLO", finding("c", 390), finding("d", 120))
    assert links(cc, mlo) == {"a": ("d",), "d": ("a",), "b": ("c",), "c": ("b",)}


def test_modules_do_not_mix() -> None:
    calcification = finding("b", 300, Module.MICROCALCIFICATION)
    assert links(image("CC", finding("a", 300)), image("MLO", calcification)) == {}


def test_breasts_do_not_mix() -> None:
    assert links(image("CC", finding("a", 300)), image("MLO", finding("b", 300), side="R")) == {}


@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_two_images_of_a_view_are_left_apart(view: str) -> None:
    again = image(view, finding("c", 300), sop_instance_uid="again")
    assert links(image("CC", finding("a", 300)), image("MLO", finding("b", 300)), again) == {}


def test_millimetres_count_where_they_are_known() -> None:
    cc = image("CC", finding("a", 200), pixel_spacing=(0.1, 0.1))
    assert links(cc, image("MLO", finding("b", 400), pixel_spacing=(0.05, 0.05))) == {"a": ("b",), "b": ("a",)}
    assert links(cc, image("MLO", finding("b", 200), pixel_spacing=(0.05, 0.05))) == {}


def test_pixels_of_unknown_and_different_size_are_not_compared() -> None:
    cc = image("CC", finding("a", 300))
    assert links(cc, image("MLO", finding("b", 300), rows=2000)) == {}
    assert links(cc, image("MLO", finding("b", 300), pixel_spacing=(0.1, 0.1))) == {}


def test_without_landmarks_nothing_is_linked() -> None:
    images = image("CC", finding("a", 300)), image("MLO", finding("b", 300))
    assert links(*images, landmarks={"LCC": NIPPLE}) == {}


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_nipple_is_the_farthest_point_from_the_chest_wall(mirrored: bool) -> None:
    y, x = np.mgrid[0:1000, 0:800]
    breast = (x / 600) ** 2 + ((y - 400) / 380) ** 2 < 1
    if mirrored:
        breast = breast[:, ::-1]
    landmarks = find_landmarks(breast, Affine((0.5, 0.25)))
    assert landmarks is not None
    assert landmarks.nipple == pytest.approx((100 if mirrored else 300, 100), abs=1)
    assert landmarks.depth == pytest.approx(300, abs=1)


def test_a_breast_without_a_clear_side_has_no_landmarks() -> None:
    breast = np.zeros((1000, 800), np.bool_)
    breast[200:800, 200:600] = True
    assert find_landmarks(breast, Affine((1.0, 1.0))) is None
