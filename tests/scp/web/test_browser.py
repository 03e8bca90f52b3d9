"""The pages in a browser: feedback, worklist, upload, login; by keyboard alone; accessible and quick."""

import io
from pathlib import Path

import pydicom
import pytest
from argon2 import PasswordHasher
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from sqlalchemy import insert

from inference.results import Reason
from peers.report_tab import MATRIX, REPORT, keep, read_report, view, wait_for_matrix, walk
from phantoms.mammogram import mammogram
from phantoms.told_study import incomplete_study
from phantoms.web_node import DIGEST
from phantoms.web_study import STUDY
from scp.journal_rows import StudyState
from scp.tables import studies
from scp.web import texts
from scp.web.opinions import Opinions


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


def test_upload_says_what_the_worklist_says_and_follows_until_the_real_end(browse, node, tmp_path) -> None:
    lacking = incomplete_study()
    uid = lacking.study_instance_uid
    node.results.revision(uid, DIGEST).write_result(lacking)
    image = mammogram(rows=64, columns=48, study_uid=uid, sop_uid=f"{uid}.1")
    image.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    tab = browse("/upload")
    tab.clock.install()
    tab.set_input_files("#files", tmp_path / "image.dcm")
    line = tab.locator("#upload-studies li")
    expect(line).to_have_text(f"{texts.OPEN_REPORT} received {uid}")
    node.journal.record_study(uid, state=StudyState.DELIVERING, images=4, analysed=2, failed=1, digest=DIGEST)
    told = f"{texts.OPEN_REPORT} delivering, incomplete 1 failed: L CC; 2 not received: R MLO, L MLO {uid}"
    expect(line).to_have_text(told)
    expect(line.locator(".state")).to_have_class("state state-incomplete")
    tab.clock.run_for(20_000)
    expect(line.locator("[data-ended]")).to_have_count(0)
    reason = Reason(code="refused", text="The PACS refused it.", remedy="Ask its operator.")
    node.journal.record_study(uid, state=StudyState.FAILED, reason=reason)
    tab.clock.run_for(2_000)
    expect(line.locator("[data-ended]")).to_have_count(1)
    expect(line.locator(".state")).to_have_class("state state-failed")
    said = ["1 failed: L CC; 2 not received: R MLO, L MLO", f"{reason.text} {reason.remedy}"]
    expect(line.locator(".reason")).to_have_text(said)


def test_more_images_of_a_study_that_had_ended_are_followed_again(browse, node, tmp_path) -> None:
    for number in (1, 2):
        image = mammogram(rows=64, columns=48, study_uid="1.2.3.78", sop_uid=f"1.2.3.78.{number}")
        image.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    node.journal.record_study("1.2.3.78", state=StudyState.DELIVERED, grade=4)
    tab = browse("/upload")
    tab.clock.install()
    tab.set_input_files("#files", tmp_path / "1.dcm")
    state = tab.locator("#upload-studies .state")
    expect(state).to_have_text("delivered, grade 4")
    tab.clock.run_for(6_000)
    ended = tab.locator("#upload-studies [data-ended]")
    expect(ended).to_have_count(1)
    tab.set_input_files("#files", tmp_path / "2.dcm")
    expect(tab.locator("#upload-count")).to_have_text("2 / 2")
    expect(ended).to_have_count(0)
    node.journal.record_study("1.2.3.78", state=StudyState.ANALYSING)
    tab.clock.run_for(2_000)
    expect(state).to_have_text("analysing, grade 4")


@pytest.mark.parametrize("absence", ["no connection", "an error"])
def test_a_page_whose_node_is_gone_says_since_when(chromium, node, serve, absence) -> None:
    context = chromium.new_context(base_url=serve(node), timezone_id="UTC")
    tab = context.new_page()
    tab.clock.install(time="2026-03-01T09:30:05Z")
    tab.goto("/")
    asked = []

    def gone(route) -> None:
        asked.append(route.request.url)
        if absence == "an error":
            route.fulfill(status=503, body="busy")
        else:
            route.abort()

    alert = tab.get_by_role("alert")
    with tab.expect_response("**/worklist/rows"):
        tab.clock.run_for(2_000)
    tab.route("**/worklist/rows", gone)
    with tab.expect_event("requestfinished" if absence == "an error" else "requestfailed"):
        tab.clock.run_for(2_000)
    expect(alert).to_have_count(0)
    tab.clock.run_for(2_000)
    expect(alert).to_have_text("No answer from the node since 09:30; what is shown may be out of date.")
    assert len(asked) >= 2
    keep(tab, "silent")
    tab.unroute("**/worklist/rows")
    tab.clock.run_for(2_000)
    expect(alert).to_have_count(0)
    context.close()


def test_nothing_is_wider_than_a_telephone(make_node, serve, chromium, tmp_path) -> None:
    user = {"name": "ruth-of-the-night", "password_hash": PasswordHasher(1, 8, 1).hash("reading room")}
    guarded = make_node(web={"users": [user | {"role": "operator"}]})
    guarded.add_study(tmp_path)
    context = chromium.new_context(base_url=serve(guarded), viewport={"width": 420, "height": 800})
    tab = context.new_page()
    tab.goto("/login")
    tab.get_by_label(texts.LOGIN_NAME).fill("ruth-of-the-night")
    tab.get_by_label(texts.LOGIN_SECRET).fill("reading room")
    tab.get_by_role("button", name=texts.LOGIN_BUTTON).click()
    tab.wait_for_url("**/")
    widths = {}
    for path in ("/", "/upload", "/node", REPORT):
        tab.goto(path)
        expect(tab.get_by_role("button", name=texts.LOGOUT_BUTTON)).to_be_in_viewport()
        widths[path] = tab.evaluate("() => document.documentElement.scrollWidth")
    assert widths == dict.fromkeys(widths, 420)
    context.close()


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


@pytest.mark.alone
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


def test_a_browser_logs_in(make_node, serve, chromium) -> None:
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
