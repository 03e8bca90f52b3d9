"""Windows become lesions: merged, outlined, in place."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.activation import HEAT_SCALE, ScoredWindows, heat_canvas, heat_map
from inference.findings import find_lesions
from inference.outlines import MOST_POINTS, contour_around, is_simple, simplified
from inference.windows import Window

Scene = list[tuple[float, float, float, float]]
"""Spots: x, y, radius in normalised pixels, height in logits."""


def evidence_of(spots: Scene, window: Window, places: int = 14) -> NDArray[np.float32]:
    """What an ideal network would say of a window: Gaussian spots on a floor of -3."""
    centres = (np.arange(places) + 0.5) * window.size / places
    x, y = np.meshgrid(window.x + centres, window.y + centres)
    floor = np.full((places, places), -3.0)
    for sx, sy, radius, height in spots:
        floor += height * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / radius**2)
    return floor.astype(np.float32)


def scored(spots: Scene, windows: list[Window], scores: list[float]) -> ScoredWindows:
    evidence = np.stack([evidence_of(spots, window) for window in windows])
    return ScoredWindows(tuple(windows), np.array(scores, np.float32), evidence)


SWEEP = [Window(x, y, 400) for y in range(0, 1201, 100) for x in range(0, 801, 100)]


def sweep(spots: Scene) -> ScoredWindows:
    """Every window scores 0.9 that holds a spot's centre, else 0.1."""
    scores = [
        0.9 if any(w.x <= x < w.x + w.size and w.y <= y < w.y + w.size for x, y, _, _ in spots) else 0.1
        for w in SWEEP
    ]
    return scored(spots, SWEEP, scores)


def test_canvas_covers_exactly_its_windows() -> None:
    one = ScoredWindows((Window(160, 320, 400),), np.ones(1, np.float32), np.full((1, 7, 7), 2.5, np.float32))
    canvas = heat_canvas(one, 1600, 1200)
    assert canvas.shape == (100, 75)
    seen = np.argwhere(np.isfinite(canvas))
    assert (seen.min(axis=0) == (20, 10)).all()
    assert (seen.max(axis=0) == (44, 34)).all()
    np.testing.assert_allclose(canvas[20:45, 10:35], 2.5, atol=1e-6)


def test_canvas_clips_windows_at_the_images_edge() -> None:
    wide = ScoredWindows((Window(-80, 1400, 400),), np.ones(1, np.float32), np.ones((1, 7, 7), np.float32))
    canvas = heat_canvas(wide, 1600, 1200)
    assert np.isfinite(canvas).sum() == 20 * 12  # 320 of 400 columns, 200 of 400 rows


def test_heat_map_is_between_0_and_1_and_0_outside_the_breast() -> None:
    canvas = heat_canvas(sweep([(400, 600, 60, 8.0)]), 1600, 1200)
    breast = np.zeros((1600, 1200), np.bool_)
    breast[:, :800] = True
    heat = heat_map(canvas, breast)
    assert heat.dtype == np.float16
    assert heat.shape == (100, 75)
    assert float(heat.min()) == 0
    assert 0.9 < float(heat.max()) <= 1
    assert np.unravel_index(int(heat.argmax()), heat.shape) in {(37, 24), (37, 25), (36, 24), (36, 25)}
    assert float(heat[:, 51:].max()) == 0


def test_one_spot_in_many_windows_is_one_lesion_in_its_place() -> None:
    spots: Scene = [(500, 700, 60, 8.0)]
    result = sweep(spots)
    lesions = find_lesions(result, heat_canvas(result, 1600, 1200), 0.3)
    assert len(lesions) == 1
    lesion = lesions[0]
    assert lesion.score == pytest.approx(0.9)
    assert lesion.center == pytest.approx((500, 700), abs=10)
    # half the height of the Gaussian lies at radius 60 * sqrt(ln 2) = 50
    low, high = lesion.outline.min(axis=0), lesion.outline.max(axis=0)
    assert low == pytest.approx((450, 650), abs=15)
    assert high == pytest.approx((550, 750), abs=15)
    assert is_simple(lesion.outline)


def test_two_spots_in_shared_windows_are_two_lesions() -> None:
    spots: Scene = [(300, 400, 50, 9.0), (300, 650, 50, 8.0)]
    result = sweep(spots)
    lesions = find_lesions(result, heat_canvas(result, 1600, 1200), 0.3)
    assert sorted(round(lesion.center[1], -1) for lesion in lesions) == [400, 650]
    assert [round(lesion.center[0], -1) for lesion in lesions] == [300, 300]


def test_lesions_come_worst_first() -> None:
    windows = [Window(0, 0, 400), Window(800, 0, 400), Window(0, 800, 400)]
    spots: Scene = [(200, 200, 60, 8.0), (1000, 200, 60, 8.0), (200, 1000, 60, 8.0)]
    result = scored(spots, windows, [0.5, 0.8, 0.3])
    lesions = find_lesions(result, heat_canvas(result, 1600, 1200), 0.3)
    assert [round(lesion.score, 4) for lesion in lesions] == [0.8, 0.5, 0.3]
    assert [round(lesion.center[0], -1) for lesion in lesions] == [1000, 200, 200]


def test_the_threshold_itself_is_a_finding() -> None:
    result = scored([(200, 200, 60, 8.0)], [Window(0, 0, 400)], [0.5])
    canvas = heat_canvas(result, 1600, 1200)
    assert len(find_lesions(result, canvas, 0.5)) == 1
    assert find_lesions(result, canvas, 0.5000001) == ()


def test_nothing_scored_nothing_found() -> None:
    nothing = ScoredWindows((), np.zeros(0, np.float32), np.zeros((0, 7, 7), np.float32))
    assert find_lesions(nothing, heat_canvas(nothing, 1600, 1200), 0.0) == ()


def test_a_flat_window_is_outlined_whole() -> None:
    flat = ScoredWindows((Window(160, 320, 400),), np.array([0.9], np.float32), np.full((1, 7, 7), 2.0, np.float32))
    (lesion,) = find_lesions(flat, heat_canvas(flat, 1600, 1200), 0.3)
    assert lesion.outline.min(axis=0) == pytest.approx((160, 320), abs=HEAT_SCALE)
    assert lesion.outline.max(axis=0) == pytest.approx((560, 720), abs=HEAT_SCALE)


@pytest.mark.parametrize("spot", [(0, 0), (1199, 0), (0, 1599), (1199, 1599), (600, 0), (1199, 800)])
def test_outlines_never_leave_the_image(spot: tuple[float, float]) -> None:
    window = Window(min(max(int(spot[0]) - 200, 0), 800), min(max(int(spot[1]) - 200, 0), 1200), 400)
    result = scored([(*spot, 80, 8.0)], [window], [0.9])
    (lesion,) = find_lesions(result, heat_canvas(result, 1600, 1200), 0.3)
    assert (lesion.outline >= 0).all()
    assert (lesion.outline <= (1200, 1600)).all()
    assert 3 <= len(lesion.outline) <= MOST_POINTS
    assert is_simple(lesion.outline)


def test_random_evidence_always_gives_simple_outlines_around_their_centres() -> None:
    rng = np.random.default_rng(17)
    for _ in range(20):
        windows = [Window(int(x), int(y), 400) for x, y in rng.integers(0, (800, 1200), (30, 2))]
        evidence = rng.normal(0, 2, (30, 7, 7)).astype(np.float32)
        result = ScoredWindows(tuple(windows), rng.random(30).astype(np.float32), evidence)
        for lesion in find_lesions(result, heat_canvas(result, 1600, 1200), 0.5):
            assert 3 <= len(lesion.outline) <= MOST_POINTS
            assert is_simple(lesion.outline)
            assert (lesion.outline >= 0).all()
            assert (lesion.outline <= (1200, 1600)).all()
            low, high = lesion.outline.min(axis=0), lesion.outline.max(axis=0)
            assert (low < high).all()
            assert low[0] <= lesion.center[0] <= high[0]
            assert low[1] <= lesion.center[1] <= high[1]


def test_contour_of_one_pixel_is_a_diamond_inside_it() -> None:
    values = np.zeros((5, 6), np.float32)
    values[2, 3] = 1
    outline = contour_around(values, values > 0.5, 0.5)
    assert outline.min(axis=0) == pytest.approx((3.0, 2.0))
    assert outline.max(axis=0) == pytest.approx((4.0, 3.0))
    assert is_simple(outline)


def test_contour_keeps_to_its_own_region() -> None:
    values = np.zeros((20, 20), np.float32)
    values[2:6, 2:6] = 2
    values[2:6, 8:18] = 3
    region = np.zeros(values.shape, np.bool_)
    region[2:6, 2:6] = True
    outline = contour_around(values, region, 1.0)
    assert outline.max(axis=0) == pytest.approx((6.5, 6.5), abs=0.51)


def test_long_outlines_are_simplified() -> None:
    angles = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    wavy = np.stack((np.cos(angles), np.sin(angles)), 1) * (40 + 3 * np.sin(15 * angles))[:, None] + 50
    result = simplified(wavy)
    assert 3 <= len(result) <= MOST_POINTS
    assert is_simple(result)
    assert result.min(axis=0) == pytest.approx(wavy.min(axis=0), abs=4)


@pytest.mark.parametrize(
    ("polygon", "simple"),
    [
        ([(0, 0), (4, 0), (4, 4), (0, 4)], True),
        ([(0, 0), (4, 4), (4, 0), (0, 4)], False),
        ([(0, 0), (4, 0), (0, 3)], True),
        ([(0, 0), (6, 0), (6, 2), (3, 0), (0, 2)], False),  # a corner touches a side
        ([(0, 0), (2, 0), (2, 1), (4, 1), (4, 0), (6, 0), (6, 3), (0, 3)], True),  # two sides on one line, apart
    ],
)
def test_simple_polygons(polygon: list[tuple[float, float]], simple: bool) -> None:
    assert is_simple(np.array(polygon, np.float64)) is simple


def test_evidence_far_from_zero_is_no_overflow() -> None:
    canvas = np.array([[-1000.0, 0.0, 1000.0, -np.inf]], np.float32)
    assert heat_map(canvas, np.ones((16, 64), np.bool_)).tolist() == [[0.0, 0.5, 1.0, 0.0]]
