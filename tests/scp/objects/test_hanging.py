"""Which view hangs where, and what stands with it."""

from copy import deepcopy

import pytest

from inference.results import Module, Status
from phantoms.results import SPOT, UNREADABLE, image_result, lesion
from scp.objects.hanging import hanging


def captions(images):
    return [tuple(place.caption if place else None for place in row) for row in hanging(images)]


def with_view(image, laterality, view):
    return image.model_copy(update={"laterality": laterality, "view": view})


def test_right_beside_left_and_cc_above_mlo(views):
    marked = [lesion("RCC-nodule-1", (60.0, 80.0)), lesion("RCC-nodule-2", (40.0, 150.0), 12)]
    images = [image_result(views[0], marked), image_result(views[1], marked[:1]), *map(image_result, views[2:])]
    assert captions(images[::-1]) == [
        ("R CC: analysed, 2 marks", "L CC: analysed, 1 mark"),
        ("R MLO: analysed, no mark", "L MLO: analysed, no mark"),
    ]


def test_a_place_without_a_picture_says_why(views):
    images = [
        image_result(views[0]),
        image_result(views[1], status=Status.FAILED, reason=UNREADABLE),
        image_result(views[2], status=Status.EXCLUDED, reason=SPOT),
    ]
    assert captions(images) == [
        ("R CC: analysed, no mark", "L CC: FAILED, The pixels cannot be decoded"),
        ("R MLO: EXCLUDED, A spot compression view is not analysed", "L MLO: not received"),
    ]
    assert [place.failed for row in hanging(images) for place in row] == [False, True, False, False]


@pytest.mark.parametrize("order", [1, -1])
def test_what_was_analysed_takes_the_place_and_then_what_failed(views, order):
    twin = deepcopy(views[0])
    twin.SOPInstanceUID = "1.2.3"
    failed = image_result(views[0], status=Status.FAILED, reason=UNREADABLE)
    again, spot = image_result(twin), image_result(twin, status=Status.EXCLUDED, reason=SPOT)
    assert captions([failed, again][::order])[0][0] == "R CC: analysed, no mark"
    assert captions([failed, spot][::order])[0][0] == "R CC: FAILED, The pixels cannot be decoded"


def test_other_views_and_unknown_sides_follow(views):
    image = image_result(views[0])
    images = [
        with_view(image, "L", None),
        with_view(image, None, None),
        with_view(image, "R", "ML"),
        with_view(image, None, "CC"),
        with_view(image_result(views[0], status=Status.FAILED, reason=UNREADABLE), "L", "ML"),
    ]
    assert captions(images) == [
        ("R CC: not received", "L CC: not received"),
        ("CC, side not stated: analysed, no mark", None),
        ("R MLO: not received", "L MLO: not received"),
        ("R ML: analysed, no mark", None),
        (None, "L, view not stated: analysed, no mark"),
        ("side and view not stated: analysed, no mark", None),
    ]


def test_two_images_of_a_view_hang_below_each_other(views):
    images = [image_result(views[0]), image_result(views[0]), image_result(views[1])]
    assert captions(images)[:2] == [
        ("R CC: analysed, no mark", "L CC: analysed, no mark"),
        ("R CC: analysed, no mark", None),
    ]


def test_no_mark_is_not_said_of_a_module_that_did_not_look(views):
    image = image_result(views[0], failed=[Module.NODULE], off=[Module.MICROCALCIFICATION])
    assert captions([image])[0][0] == "R CC: analysed, no mark; nodule failed; microcalcification not attempted"
