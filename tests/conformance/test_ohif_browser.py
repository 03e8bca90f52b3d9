"""OHIF in headless Chromium over Orthanc: what a reader sees of a study and its results.

Once with a drawn lesion and a result made by hand, once with the demonstration study and what the shipped networks
say of it. The screenshots stay in build/ohif, to be looked at.
"""

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

from inference.pipeline import Analyser
from inference.results import Finding, ImageResult, StudyResult
from peers.ohif import ViewerServer, viewer_files
from peers.orthanc import Orthanc
from peers.waiting import wait_for
from phantoms.mammogram import four_views, write_study
from phantoms.picture import Lesion
from phantoms.results import WRITTEN, image_result, lesion, study_result
from phantoms.small_study import policy
from scp.demonstration_study import demonstration_study
from scp.objects import codes
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
# where points of an image, in SCOORD coordinates, are on the screen; null while it is not shown
ON_SCREEN = """([id, points]) => {
  const viewport = cornerstone.getRenderingEngines()[0].getViewports()
    .find(v => v.getCurrentImageId && (v.getCurrentImageId() || '').includes(id));
  if (!viewport) return null;
  const place = viewport.element.getBoundingClientRect();
  return points.map(([x, y]) => {
    // SCOORD 0 is the outer corner of the first pixel, cornerstone's index 0 its centre
    const world = cornerstone.utilities.imageToWorldCoords(viewport.getCurrentImageId(), [x - 0.5, y - 0.5]);
    const [left, top] = viewport.worldToCanvas(world);
    return [left + place.left, top + place.top];
  });
}"""
PICTURES = '[data-cy="study-browser-thumbnail"] img'
DRAWN = """() => {
  const shapes = [...document.querySelectorAll('svg.svg-layer polyline, svg.svg-layer path, svg.svg-layer polygon')]
    .filter(shape => !shape.closest('defs')).map(shape => shape.getBoundingClientRect())
    .filter(box => box.width > 10 && box.height > 10).map(box => [box.left, box.top, box.right, box.bottom]);
  const words = [...document.querySelectorAll('svg.svg-layer text')].map(text => text.textContent);
  return { shapes, words };
}"""


@dataclass(frozen=True)
class Scene:
    """A study, its result, and the objects that the PACS holds beside it."""

    name: str
    instances: list[Dataset]
    result: StudyResult
    objects: list[Dataset]

    @property
    def marked(self) -> ImageResult:
        """The first image with a finding: the one that OHIF opens for the report."""
        return next(image for image in self.result.images if image.findings)

    @property
    def finding(self) -> Finding:
        """The first finding of the report."""
        return self.marked.findings[0]

    @property
    def segmentation(self) -> Dataset:
        """That image's segmentation."""
        return next(ds for ds in self.objects if ds.Modality == "SEG")


def phantom() -> tuple[list[Dataset], StudyResult]:
    """A drawn mass, marked by hand."""
    center, radius = (780.0, 800.0), 90.0
    lesions = {("R", "CC"): [Lesion("nodule", *center, radius * 0.7)]}
    views = four_views(rows=1664, columns=1280, study_date="20260301", lesions=lesions)
    marked = image_result(views[0], [lesion("RCC-nodule-1", center, radius)])
    return views, study_result([marked, *map(image_result, views[1:])], views[0].StudyInstanceUID)


def demonstration(folder: Path) -> tuple[list[Dataset], StudyResult]:
    """The malignant public study, read by the shipped networks."""
    instances = list(demonstration_study())
    return instances, Analyser.load().analyse_study(write_study(folder, instances), policy(datetime.now(UTC).date()))


@pytest.fixture(scope="module", params=["phantom", "demonstration"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("study")
    instances, result = phantom() if request.param == "phantom" else demonstration(folder)
    sources = {ds.SOPInstanceUID: ds for ds in instances}
    options = ObjectOptions(kinds=frozenset({"tid1500", "seg"}), plane_orientation=True)
    made = build(result, sources, options, Revision(1, WRITTEN))
    return Scene(request.param, instances, result, [item.dataset for item in made])


@pytest.fixture(scope="module")
def page(scene: Scene, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Page]:
    """The study in the viewer."""
    pacs = Orthanc(tmp_path_factory.mktemp("pacs")).start()
    try:
        for ds in (*scene.instances, *scene.objects):
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
            open_study(page, f"{server.address}/viewer?StudyInstanceUIDs={scene.result.study_instance_uid}", scene)
            yield page
            browser.close()
    finally:
        pacs.stop()


@pytest.fixture(scope="module")
def pictures(pytestconfig: pytest.Config) -> Path:
    """Where the screenshots stay."""
    folder = pytestconfig.rootpath / "build" / "ohif"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def open_study(page: Page, address: str, scene: Scene) -> None:
    """The study's page, with a picture of each image and a thumbnail of each result."""
    page.goto(address)
    page.wait_for_selector('[data-cy="study-browser-thumbnail-no-image"]')
    page.wait_for_function(f"() => document.querySelectorAll('{PICTURES}').length === {len(scene.instances)}")


def open_report(page: Page, scene: Scene) -> None:
    """Open the report until its words are drawn.

    A report opened before its image is loaded is drawn on an empty page, and OHIF does not mend that before the study
    is opened again.
    """
    drawn = f"() => ({DRAWN})().words.some(words => words.includes('Suspicion grade'))"
    for _ in range(2):
        open_series(page, "SR")
        with suppress(PlaywrightTimeoutError):
            page.wait_for_function(drawn, timeout=60_000)
            return
        open_study(page, page.url, scene)
    open_series(page, "SR")
    page.wait_for_function(drawn)


def open_series(page: Page, modality: str) -> None:
    """As a reader does, by its thumbnail."""
    thumbnails = '[data-cy="study-browser-thumbnail-no-image"], [data-cy="study-browser-thumbnail"]'
    page.locator(thumbnails).filter(has_text=modality).first.dblclick()


def test_report_is_drawn_at_the_lesion_with_score_and_grade(page, scene, pictures):
    open_report(page, scene)
    left, top, right, bottom = scene.finding.box
    asked = [scene.marked.sop_instance_uid, [[left, top], [right, bottom]]]

    def at_the_lesion():
        """An overlay within three pixels of the screen, once the viewer has settled."""
        corners = page.evaluate(ON_SCREEN, asked)
        shapes = page.evaluate(DRAWN)["shapes"]
        return corners and any(np.abs(np.subtract(shape, np.ravel(corners))).max() < 3 for shape in shapes)

    wait_for(at_the_lesion, 120)
    page.screenshot(path=pictures / f"{scene.name}-report.png")
    words = " ".join(page.evaluate(DRAWN)["words"])
    assert f"Certainty of Finding: {codes.per_cent(scene.finding.score):.2f} %" in words
    assert f"Suspicion grade: {scene.finding.grade:.2f}" in words


def test_segmentation_is_coloured_exactly_where_the_lesions_are(page, scene, pictures):
    open_series(page, f"S:{scene.segmentation.SeriesNumber}")
    page.wait_for_function("() => cornerstoneTools.segmentation.state.getSegmentations().length > 0")
    inside, outside = sample_points(scene)
    asked = [scene.marked.sop_instance_uid, [*inside, *outside]]
    page.wait_for_function(f"(asked) => ({ON_SCREEN})(asked) !== null", arg=asked)

    def colored():
        """For each point, whether the page is not grey there."""
        picture = Image.open(io.BytesIO(page.screenshot(path=pictures / f"{scene.name}-segmentation.png")))
        columns, rows = np.rint(page.evaluate(ON_SCREEN, asked)).astype(int).T
        return np.ptp(np.asarray(picture)[rows, columns, :3].astype(int), axis=1) > 25

    def seen():
        """The whole of the lesions is coloured."""
        return colored()[: len(inside)].all()

    wait_for(seen, 120)
    assert not colored()[len(inside) :].any()


def sample_points(scene: Scene) -> tuple[list[list[float]], list[list[float]]]:
    """Points well inside the first image's segments, and around them, some screen pixels off their edges."""
    seg = scene.segmentation
    mask = pixel_array(seg).reshape(-1, seg.Rows, seg.Columns).any(axis=0).astype(np.uint8)
    margin = round(seg.Rows / 100)
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    near = cv2.dilate(mask, kernel, iterations=4)
    whole = [cv2.erode(mask, kernel).astype(bool), ~cv2.dilate(mask, kernel).astype(bool) & near.astype(bool)]
    inside, outside = (np.argwhere(region)[:, ::-1] + 0.5 for region in whole)
    assert len(inside) > 50, "the lesion is too small on the screen"
    return [points[:: max(1, len(points) // 50)].tolist() for points in (inside, outside)]
