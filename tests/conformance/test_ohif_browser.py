"""OHIF in headless Chromium over Orthanc: what a reader sees of a study and its results."""

import io

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from peers.ohif import ViewerServer, viewer_files
from peers.orthanc import Orthanc
from peers.waiting import wait_for
from phantoms.mammogram import four_views
from phantoms.picture import Lesion
from phantoms.results import WRITTEN, image_result, lesion, study_result
from scp.objects.build import build
from scp.objects.inputs import ObjectOptions, Revision

pytestmark = [pytest.mark.viewer, pytest.mark.timeout(900)]

PATIENCE = 240_000  # ms; software rendering on a busy machine
CHROMIUM = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
CENTER, RADIUS = (780.0, 800.0), 90.0
BOX = [690, 710, 870, 890]
EXPECTED = """([id, box]) => {
  const viewport = cornerstone.getRenderingEngines()[0].getViewports()
    .find(v => v.getCurrentImageId && (v.getCurrentImageId() || '').includes(id));
  if (!viewport) return null;
  const place = viewport.element.getBoundingClientRect();
  const corner = (x, y) => {
    // SCOORD 0 is the outer corner of the first pixel, cornerstone's index 0 its centre
    const world = cornerstone.utilities.imageToWorldCoords(viewport.getCurrentImageId(), [x - 0.5, y - 0.5]);
    const [left, top] = viewport.worldToCanvas(world);
    return [left + place.left, top + place.top];
  };
  return [...corner(box[0], box[1]), ...corner(box[2], box[3])];
}"""
DRAWN = """() => {
  const shapes = [...document.querySelectorAll('svg.svg-layer polyline, svg.svg-layer path, svg.svg-layer polygon')]
    .filter(shape => !shape.closest('defs')).map(shape => shape.getBoundingClientRect())
    .filter(box => box.width > 10 && box.height > 10).map(box => [box.left, box.top, box.right, box.bottom]);
  const words = [...document.querySelectorAll('svg.svg-layer text')].map(text => text.textContent);
  return { shapes, words };
}"""


@pytest.fixture(scope="module")
def views():
    lesions = {("R", "CC"): [Lesion("nodule", *CENTER, RADIUS * 0.7)]}
    return four_views(rows=1664, columns=1280, study_date="20260301", lesions=lesions)


@pytest.fixture(scope="module")
def page(views, tmp_path_factory, pytestconfig):
    """The study in the viewer, with SR and SEG of one marked lesion in the PACS beside it."""
    sources = {view.SOPInstanceUID: view for view in views}
    options = ObjectOptions(kinds=frozenset({"tid1500", "seg"}), plane_orientation=True)
    marked = image_result(views[0], [lesion("RCC-nodule-1", CENTER, RADIUS)])
    result = study_result([marked, *map(image_result, views[1:])], views[0].StudyInstanceUID)
    made = build(result, sources, options, Revision(1, WRITTEN))
    pacs = Orthanc(tmp_path_factory.mktemp("pacs")).start()
    try:
        for ds in (*views, *(item.dataset for item in made)):
            buffer = io.BytesIO()
            ds.save_as(buffer, enforce_file_format=True)
            url = f"http://127.0.0.1:{pacs.http_port}/instances"
            httpx.post(url, content=buffer.getvalue(), timeout=60).raise_for_status()
        files = viewer_files(pytestconfig.rootpath / ".cache/ohif")
        with ViewerServer(files, pacs.http_port) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
            page = browser.new_page(viewport={"width": 1500, "height": 950})
            page.set_default_timeout(PATIENCE)
            page.add_init_script("localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))")
            page.goto(f"{server.address}/viewer?StudyInstanceUIDs={views[0].StudyInstanceUID}")
            page.wait_for_selector('[data-cy="study-browser-thumbnail-no-image"]')
            yield page
            browser.close()
    finally:
        pacs.stop()


@pytest.fixture(scope="module")
def pictures(pytestconfig):
    """Where the screenshots stay, to be looked at."""
    folder = pytestconfig.rootpath / "build" / "ohif"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def open_series(page, modality):
    thumbnails = '[data-cy="study-browser-thumbnail-no-image"], [data-cy="study-browser-thumbnail"]'
    page.locator(thumbnails).filter(has_text=modality).first.dblclick()


def test_report_is_drawn_at_the_lesion_with_score_and_grade(page, views, pictures):
    open_series(page, "SR")
    page.wait_for_function(f"() => ({DRAWN})().words.some(words => words.includes('Suspicion grade'))")
    drawn = page.evaluate(DRAWN)
    page.screenshot(path=pictures / "report.png")
    words = " ".join(drawn["words"])
    assert "Certainty of Finding: 91.00 %" in words
    assert "Suspicion grade: 5.00" in words
    expected = page.evaluate(EXPECTED, [views[0].SOPInstanceUID, BOX])
    assert expected is not None, "the marked image is not shown"
    distances = [np.abs(np.subtract(shape, expected)).max() for shape in drawn["shapes"]]
    assert min(distances) < 3, (expected, drawn["shapes"])


def test_segmentation_is_coloured_exactly_where_the_lesion_is(page, views, pictures):
    open_series(page, "SEG")
    page.wait_for_function("() => cornerstoneTools.segmentation.state.getSegmentations().length > 0")
    page.wait_for_function(f"(asked) => ({EXPECTED})(asked) !== null", arg=[views[0].SOPInstanceUID, BOX])
    expected = page.evaluate(EXPECTED, [views[0].SOPInstanceUID, BOX])
    left, top, right, bottom = (round(value) for value in expected)
    middle = ((top + bottom) // 2, (left + right) // 2)

    def colors():
        """Where the page is not grey."""
        picture = Image.open(io.BytesIO(page.screenshot(path=pictures / "segmentation.png")))
        return np.ptp(np.asarray(picture)[..., :3].astype(int), axis=2) > 25

    wait_for(lambda: colors()[middle], 120)
    colored = colors()
    inside = colored[top:bottom, left:right]
    assert 0.6 < inside.mean() < 0.95, "a disc fills 79 % of its box"
    margin = 12
    ring = colored[top - margin : bottom + margin, left - margin : right + margin].sum() - inside.sum()
    assert ring < 0.02 * inside.size, "nothing beside the lesion is coloured"
