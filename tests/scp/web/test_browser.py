"""The page in a browser: what is seen is what was stored, by mouse, by touch and by keyboard."""

import io
import math
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from sqlalchemy import insert

from inference.pixels import read_grey
from phantoms.mammogram import mammogram
from phantoms.picture import breast_picture
from phantoms.web_node import DIGEST, STUDY
from scp.journal_rows import StudyState
from scp.tables import studies
from scp.web import texts

REPORT = f"/studies/{STUDY}"
SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"
MATRIX = "element => { const m = element.getScreenCTM(); return [m.a, m.d, m.e, m.f]; }"


def read_report(browse, **options):
    tab = browse(REPORT, **options)
    tab.wait_for_selector("#reading[data-ready=yes]")
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return tab


def keep(tab, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=SCREENSHOTS / f"{name}.png")


def view(tab, number: int):
    """Image `number` of the study, from 1."""
    return tab.locator(f'figure[data-sop="{STUDY}.1.{number}"]')


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


def walk(item):
    for child in item.get("ContentSequence", ()):
        yield child
        yield from walk(child)


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


def wait_for_matrix(tab, number: int, condition: str) -> None:
    stored = f"document.querySelector('figure[data-sop=\"{STUDY}.1.{number}\"] .stored')"
    tab.wait_for_function(f"() => {{ const m = {stored}.getScreenCTM(); return {condition}; }}")


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
    assert np.median(contrasted[plain > 170]) > np.median(plain[plain > 170])
    assert np.median(contrasted[(plain > 30) & (plain < 90)]) < np.median(plain[(plain > 30) & (plain < 90)])


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


def test_feedback_is_saved_and_exported(browse, node, result) -> None:
    tab = read_report(browse)
    first = tab.locator(".finding").first
    first.get_by_role("button", name=texts.ACCEPT).click()
    expect(first.get_by_role("button", name=texts.ACCEPT)).to_have_attribute("aria-pressed", "true")
    expect(tab.locator("#notice")).to_have_text(texts.SAVED)
    tab.get_by_role("button", name=texts.TOOL_DRAW).click()
    figure = view(tab, 2)
    a, d, e, f = figure.locator(".stored").evaluate(MATRIX)
    corners = [(200, 300), (330, 420)]
    (x0, y0), (x1, y1) = [(a * x + e, d * y + f) for x, y in corners]
    tab.mouse.move(x0, y0)
    tab.mouse.down()
    tab.mouse.move((x0 + x1) / 2, y1, steps=2)
    tab.mouse.move(x1, y1, steps=2)
    tab.mouse.up()
    dialog = tab.locator("dialog")
    expect(dialog).to_be_visible()
    keep(tab, "draw")
    dialog.get_by_label(texts.MODULE).select_option("microcalcification")
    with tab.expect_navigation():
        dialog.get_by_role("button", name=texts.SAVE).click()
    expect(tab.locator(".findings.added .finding")).to_have_count(1)
    accepted, added = node_opinions(node)
    assert (accepted.verdict, accepted.subject) == ("accepted", result.findings[0].tracking_uid)
    assert (added.verdict, added.module, added.sop_instance_uid) == ("added", "microcalcification", f"{STUDY}.1.2")
    assert added.box == pytest.approx((200, 300, 330, 420), abs=1.0 / abs(a))
    with tab.expect_download() as download:
        tab.get_by_role("link", name=texts.EXPORT_SR).click()
    report = pydicom.dcmread(io.BytesIO(Path(download.value.path()).read_bytes()))
    boxes = [list(item.GraphicData) for item in walk(report) if item.get("ValueType") == "SCOORD"]
    assert [*added.box] == pytest.approx([boxes[1][0], boxes[1][1], boxes[1][4], boxes[1][5]])


def node_opinions(node):
    from scp.web.opinions import Opinions

    return Opinions(node.settings.node.folder / "feedback").said(STUDY)


def test_everything_by_keyboard(browse, node) -> None:
    tab = read_report(browse)
    view(tab, 1).focus()
    start = view(tab, 1).locator(".stored").evaluate(MATRIX)[0]
    tab.keyboard.press("+")
    wait_for_matrix(tab, 1, f"m.a > {start * 1.3}")
    tab.keyboard.press("0")
    wait_for_matrix(tab, 1, f"Math.abs(m.a - {start}) < 1e-9")
    tab.keyboard.press("n")
    expect(tab.locator(".finding.selected")).to_have_count(1)
    wait_for_matrix(tab, 1, f"m.a > {start * 1.2}")
    tab.keyboard.press("r")
    expect(tab.locator("#notice")).to_have_text(texts.SAVED)
    assert [word.verdict for word in node_opinions(node)] == ["rejected"]
    tab.get_by_role("button", name=texts.TOOL_DRAW).focus()
    tab.keyboard.press("Enter")
    view(tab, 3).focus()
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Shift+ArrowDown")
    tab.keyboard.press("Enter")
    expect(tab.locator("dialog")).to_be_visible()
    with tab.expect_navigation():
        tab.keyboard.press("Tab")
        tab.locator("dialog").get_by_role("button", name=texts.SAVE).press("Enter")
    assert [word.verdict for word in node_opinions(node)] == ["rejected", "added"]


def test_the_worklist_is_live(browse, node) -> None:
    tab = browse("/")
    expect(tab.locator("tbody tr")).to_have_count(1)
    node.journal.record_study("1.2.3", state=StudyState.ANALYSING, images=4)
    row = tab.locator("tr", has_text="1.2.3")
    expect(row).to_contain_text("analysing")
    link = row.get_by_role("link")
    link.focus()
    node.journal.record_study("1.2.3", state=StudyState.DELIVERED, grade=5)
    expect(row).to_contain_text("delivered")
    expect(link).to_be_focused()
    keep(tab, "worklist")


def test_a_study_on_its_way_becomes_its_report(browse, node) -> None:
    row = node.journal.study(STUDY)
    node.journal.record_study(STUDY, state=StudyState.ANALYSING, revision=0)
    current = node.results.folder / STUDY / "current.json"
    kept = current.read_bytes()
    current.unlink()
    tab = browse(REPORT)
    expect(tab.get_by_text(texts.REPORT_WAITING)).to_be_visible()
    current.write_bytes(kept)
    node.journal.record_study(STUDY, state=StudyState.DELIVERED, revision=row.revision)
    expect(tab.locator(".finding")).to_have_count(3)


def test_upload_of_images_and_rubbish(browse, node, tmp_path) -> None:
    source = next(item.path for item in node.spool.instances(STUDY))
    ds = pydicom.dcmread(source)
    ds.StudyInstanceUID, ds.SOPInstanceUID = "1.2.3.77", "1.2.3.77.1"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    (tmp_path / "holiday.jpg").write_bytes(b"\xff\xd8\xff" + bytes(1000))
    tab = browse("/upload")
    tab.set_input_files("#files", [tmp_path / "image.dcm", tmp_path / "holiday.jpg"])
    expect(tab.locator("#upload-count")).to_have_text("2 / 2")
    expect(tab.locator("#upload-files")).to_contain_text(f"holiday.jpg {texts.NOT_DICOM}")
    expect(tab.locator("#upload-studies li")).to_have_count(1)
    assert tab.locator("#upload-studies a").get_attribute("href") == "/studies/1.2.3.77"
    node.journal.record_study("1.2.3.77", state=StudyState.DELIVERED, grade=4)
    expect(tab.locator("#upload-studies .state")).to_have_text("delivered, grade 4")
    keep(tab, "upload")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(browse, node, scheme) -> None:
    node.journal.record_study("1.2.3", state=StudyState.FAILED, images=4)
    tab = browse("/", color_scheme=scheme)
    for path in ("/", "/upload", "/node", "/login", "/studies/1.2.3", REPORT):
        tab.goto(path)
        if path == REPORT:
            tab.wait_for_selector("#reading[data-ready=yes]")
            tab.keyboard.press("?")
        found = Axe().run(tab).response["violations"]
        assert [(one["id"], one["impact"], [item["html"] for item in one["nodes"]]) for one in found] == [], path
        keep(tab, f"{path.strip('/').split('/')[0] or 'worklist'}-{scheme}")


def test_theme_is_remembered(browse) -> None:
    tab = browse("/", color_scheme="light")
    background = "() => getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(background)
    tab.get_by_role("button", name=texts.THEME).click()
    dark = tab.evaluate(background)
    assert dark != light
    tab.reload()
    assert tab.evaluate(background) == dark


def test_first_paint_with_ten_thousand_studies(browse, node) -> None:
    with node.journal.engine.begin() as connection:
        rows = [
            {"study_instance_uid": f"1.2.{n}", "state": "delivered", "severity": 8, "updated": float(n), "grade": 4}
            for n in range(10_000)
        ]
        connection.execute(insert(studies), rows)
    tab = browse("/")
    script = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    paints = []
    for _ in range(5):
        tab.reload()
        tab.wait_for_function(script)
        paints.append(tab.evaluate(script))
    assert min(paints) < 1000, paints


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


def test_a_browser_logs_in(make_node, serve, chromium) -> None:
    from argon2 import PasswordHasher

    user = {"name": "ruth", "password_hash": PasswordHasher(1, 8, 1).hash("reading room"), "role": "operator"}
    guarded = make_node(web={"users": [user]})
    guarded.journal.record_study("1.2.3", state=StudyState.FAILED, images=1)
    context = chromium.new_context(base_url=serve(guarded))
    tab = context.new_page()
    tab.goto("/studies/1.2.3")
    tab.get_by_label(texts.LOGIN_NAME).fill("ruth")
    tab.get_by_label(texts.LOGIN_SECRET).fill("wrong")
    tab.get_by_role("button", name=texts.LOGIN_BUTTON).click()
    expect(tab.get_by_role("alert")).to_have_text(texts.LOGIN_REFUSED)
    tab.get_by_label(texts.LOGIN_NAME).fill("ruth")
    tab.get_by_label(texts.LOGIN_SECRET).fill("reading room")
    tab.get_by_role("button", name=texts.LOGIN_BUTTON).click()
    tab.wait_for_url("**/studies/1.2.3")
    tab.get_by_role("button", name=texts.RETRY).click()
    expect(tab.locator("#notice")).to_contain_text("taken up again")
    tab.get_by_role("button", name=texts.LOGOUT_BUTTON).click()
    tab.wait_for_url("**/login")
    context.close()
