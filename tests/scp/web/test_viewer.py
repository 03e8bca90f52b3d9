"""What is seen is what was stored: pixels and marks, by mouse, by touch and by keyboard."""

import math

import cv2
import numpy as np
import pydicom
import pytest
from playwright.sync_api import expect

from inference.pixels import read_grey
from peers.report_tab import MATRIX, keep, read_report, view, wait_for_matrix, walk
from phantoms.mammogram import mammogram
from phantoms.picture import breast_picture
from phantoms.web_node import DIGEST
from phantoms.web_study import STUDY
from scp.web import texts


def seen(figure) -> tuple[np.ndarray, tuple[float, float]]:
    """The figure's pixels as they are on the screen, without marks and words; and its place."""
    tab = figure.page
    tab.evaluate(
        "() => document.querySelectorAll('.overlay, figcaption').forEach(one => one.style.visibility = 'hidden')"
    )
    picture = cv2.imdecode(np.frombuffer(figure.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    tab.evaluate("() => document.querySelectorAll('.overlay, figcaption').forEach(one => one.style.visibility = '')")
    place = figure.bounding_box()
    return picture, (place["x"], place["y"])


def expected(node, figure, number: int, shape) -> np.ndarray:
    """The stored pixels, put where the marks' own transformation puts them."""
    a, d, e, f = figure.locator(".stored").evaluate(MATRIX)
    place = figure.bounding_box()
    path = {item.sop_instance_uid: item.path for item in node.spool.instances(STUDY)}[f"{STUDY}.1.{number}"]
    grey = read_grey(path, memory=1 << 30).values
    small = cv2.GaussianBlur(grey, (0, 0), max(0.3, 0.45 / abs(a)))
    # OpenCV counts from pixel centres, SCOORD from corners
    # and the browser cuts its picture, and puts the image, on whole pixels of the screen
    x, y = (round(place[key]) - place[key] - math.floor(place[key]) for key in "xy")
    matrix = np.array([[a, 0, e + x + a / 2 - 0.5], [0, d, f + y + d / 2 - 0.5]])
    return cv2.warpAffine(small, matrix, (shape[1], shape[0]), flags=cv2.INTER_LINEAR)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of fine structure."""
    fine = [image.astype(float) - cv2.GaussianBlur(image, (0, 0), 12).astype(float) for image in (one, other)]
    return float(np.corrcoef(fine[0].ravel(), fine[1].ravel())[0, 1])


def test_pixels_lie_where_the_marks_say(browse, node) -> None:
    """Image and marks share one mapping, mirrored image included: no shift fits better than none."""
    tab = read_report(browse)
    for number in (1, 2, 3, 4):
        figure = view(tab, number)
        picture, _ = seen(figure)
        wanted = expected(node, figure, number, picture.shape)
        inner = (slice(8, -8), slice(8, -8))
        fit = {
            (dx, dy): alike(np.roll(picture, (dy, dx), (0, 1))[inner], wanted[inner])
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
        }
        assert max(fit, key=fit.get) == (0, 0), (number, fit)
        assert fit[0, 0] > 0.97, (number, fit)


def test_marks_are_the_reports_coordinates(browse, node, result) -> None:
    """The polygons on the screen against the outlines of the Mammography CAD SR."""
    tab = read_report(browse)
    folder = node.results.revision(STUDY, DIGEST)
    report = next(item for item in folder.objects if item.kind == "cad-sr")
    outlines = [
        np.array(item.GraphicData).reshape(-1, 2)[:-1].tolist()
        for item in walk(pydicom.dcmread(folder.objects_folder / report.file))
        if item.get("ValueType") == "SCOORD" and item.GraphicType == "POLYLINE"
    ]
    drawn = tab.locator(".mark polygon").evaluate_all(
        "all => all.map(one => [...one.points].map(at => [at.x, at.y]))"
    )
    assert len(drawn) == len(outlines) == 3
    for polygon in drawn:
        assert any(np.allclose(polygon, outline, atol=1e-3) for outline in outlines if len(outline) == len(polygon))


def test_it_hangs_as_radiologists_hang(browse) -> None:
    tab = read_report(browse)
    keep(tab, "report")
    boxes = [view(tab, number).bounding_box() for number in (1, 2, 3, 4)]
    right_cc, left_cc, right_mlo, left_mlo = boxes
    assert right_cc["x"] < left_cc["x"]
    assert right_cc["y"] == left_cc["y"] < right_mlo["y"] == left_mlo["y"]
    for number, side in ((1, "right"), (2, "left"), (3, "right"), (4, "left")):
        figure = view(tab, number)
        picture, _ = seen(figure)
        half = picture.shape[1] // 2
        wall, air = (
            (picture[:, half:], picture[:, :half]) if side == "right" else (picture[:, :half], picture[:, half:])
        )
        assert wall.mean() > 2 * air.mean(), number
    assert texts.MIRRORED in view(tab, 2).inner_text()
    assert texts.MIRRORED not in view(tab, 1).inner_text()


def test_as_stored_and_back(browse) -> None:
    tab = read_report(browse)
    a = view(tab, 2).locator(".stored").evaluate(MATRIX)[0]
    assert a < 0
    tab.keyboard.press("f")
    expect(view(tab, 2)).not_to_contain_text(texts.MIRRORED)
    wait_for_matrix(tab, 2, "m.a > 0")
    tab.keyboard.press("f")
    wait_for_matrix(tab, 2, "m.a < 0")


def test_full_resolution_is_lossless(browse, node) -> None:
    """At 1:1 the screen shows the stored pixels themselves, cut from tiles."""
    tab = read_report(browse)
    figure = view(tab, 1)
    with tab.expect_response(lambda response: "/tiles/0/" in response.url):
        figure.focus()
        tab.keyboard.press("1")
    tab.wait_for_load_state("networkidle")
    wait_for_matrix(tab, 1, "Math.abs(m.a - 1) < 1e-9")
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    picture, (x, y) = seen(figure)
    _, _, e, f = figure.locator(".stored").evaluate(MATRIX)
    path = next(item.path for item in node.spool.instances(STUDY) if item.sop_instance_uid.endswith(".1.1"))
    grey = read_grey(path, memory=1 << 30).values
    left, top = round(x - e), round(y - f)
    # of the picture, where the image is: the chest wall of a right breast is at its right
    down, across, height, width = 50, picture.shape[1] - 240, 200, 200

    def shifted(dx: int, dy: int) -> np.ndarray:
        row, column = top + down + dy, left + across + dx
        return grey[row : row + height, column : column + width]

    offsets = [
        np.abs(picture[down : down + height, across : across + width].astype(int) - shifted(dx, dy)).max()
        for dx in (-1, 0, 1)
        for dy in (-1, 0, 1)
    ]
    assert min(offsets) <= 1
    keep(tab, "full-size")


def test_zoom_pan_and_enlarge_by_mouse(browse) -> None:
    tab = read_report(browse)
    figure = view(tab, 1)
    before = figure.locator(".stored").evaluate(MATRIX)
    box = figure.bounding_box()
    x, y = round(box["x"] + 0.8 * box["width"]), round(box["y"] + 0.5 * box["height"])
    under = ((x - before[2]) / before[0], (y - before[3]) / before[1])
    tab.mouse.move(x, y)
    tab.mouse.wheel(0, -600)
    wait_for_matrix(tab, 1, f"m.a > {before[0] * 1.5}")
    a, d, e, f = figure.locator(".stored").evaluate(MATRIX)
    assert ((x - e) / a, (y - f) / d) == pytest.approx(under, abs=0.5)
    tab.mouse.down()
    tab.mouse.move(x - 50, y - 20, steps=4)
    tab.mouse.up()
    wait_for_matrix(tab, 1, f"Math.abs(m.e - {e - 50}) < 0.5 && Math.abs(m.f - {f - 20}) < 0.5")
    tab.mouse.dblclick(x, y)
    expect(figure).to_have_class("view enlarged")
    expect(view(tab, 2)).to_be_hidden()
    keep(tab, "enlarged")
    tab.keyboard.press("Escape")
    expect(view(tab, 2)).to_be_visible()


def test_window_by_keyboard_and_mouse(browse) -> None:
    tab = read_report(browse)
    plain, _ = seen(view(tab, 4))
    for _ in range(4):
        tab.keyboard.press("]")
    brighter, _ = seen(view(tab, 4))
    assert np.median(brighter[plain > 60].astype(int) - plain[plain > 60]) == pytest.approx(0.16 * 255, abs=3)
    tab.keyboard.press("i")
    inverted, _ = seen(view(tab, 4))
    assert inverted[plain > 60].mean() < plain[plain > 60].mean()
    tab.get_by_role("button", name=texts.RESET).click()
    again, _ = seen(view(tab, 4))
    assert np.array_equal(again, plain)
    box = view(tab, 4).bounding_box()
    tab.mouse.move(box["x"] + 100, box["y"] + 100)
    tab.mouse.down(button="right")
    tab.mouse.move(box["x"] + 200, box["y"] + 100, steps=3)
    tab.mouse.up(button="right")
    contrasted, _ = seen(view(tab, 4))
    bright, dim = (plain > 150) & (plain < 210), (plain > 30) & (plain < 90)  # the focus ring is brighter
    assert contrasted[bright].mean() > plain[bright].mean() + 10
    assert contrasted[dim].mean() < plain[dim].mean() - 10


def test_marks_can_be_hidden(browse) -> None:
    tab = read_report(browse)
    mark = tab.locator(".mark").first
    expect(mark).to_be_visible()
    tab.keyboard.press("o")
    expect(mark).to_be_hidden()
    expect(tab.get_by_role("button", name=texts.OVERLAY, exact=True)).to_have_attribute("aria-pressed", "false")


def test_pinch_on_a_tablet(browse) -> None:
    tab = read_report(browse, viewport={"width": 820, "height": 1180}, has_touch=True)
    keep(tab, "tablet")
    figure = view(tab, 1)
    figure.scroll_into_view_if_needed()
    before = figure.locator(".stored").evaluate(MATRIX)
    box = figure.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = tab.context.new_cdp_session(tab)
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 80)):
        points = [{"x": x - apart, "y": y}, {"x": x + apart, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait_for_matrix(tab, 1, f"m.a > {before[0] * 3}")


@pytest.mark.alone
def test_a_large_image_moves_smoothly(browse, node, tmp_path) -> None:
    """4096 x 3328 at three times the fitted size, redrawn while it moves: a frame, at best, within 34 ms."""
    small = breast_picture(512, 416, "R", "CC", 1)
    large = cv2.resize(small, (3328, 4096), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    node.keep([mammogram("R", "CC", picture=large, study_uid=STUDY, sop_uid=f"{STUDY}.1.1")], tmp_path)
    tab = read_report(browse)
    figure = view(tab, 1)
    assert figure.evaluate("figure => figure.querySelector('canvas').width") > 500
    figure.focus()
    with tab.expect_response(lambda response: "/tiles/" in response.url):
        for _ in range(4):
            tab.keyboard.press("+")
    tab.wait_for_load_state("networkidle")
    frames = tab.evaluate(
        """async () => {
            const figure = document.activeElement, times = [];
            for (let number = 0; number < 30; number += 1) {
                const key = number % 2 ? 'ArrowLeft' : 'ArrowRight';
                figure.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
                await new Promise(requestAnimationFrame);
                const begun = performance.now();
                await new Promise(requestAnimationFrame);
                times.push(performance.now() - begun);
            }
            return times;
        }"""
    )
    assert sorted(frames)[len(frames) // 4] < 34, frames
