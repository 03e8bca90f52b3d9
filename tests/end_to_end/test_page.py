"""The page of a running node: the demonstration study through a browser, and STOW-RS both ways with Orthanc."""

from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from playwright.sync_api import expect
from pydicom import dcmread
from pydicom.dataset import Dataset

from peers.chromium import open_tab, started_chromium
from peers.ports import free_port
from peers.waiting import wait_for
from phantoms.mammogram import write_study
from scp.demonstration_study import demonstration_study
from scp.web import texts

Make = Callable[..., Any]
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


def _walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        yield child
        yield from _walk(child)


def test_a_clinician_uploads_and_gets_the_report(node: Make, tmp_path: Path) -> None:
    port = free_port()
    mammonode = node(sections={"web": {"enabled": True, "port": port}})
    files = write_study(tmp_path / "study", list(demonstration_study(malignant=True)))
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: _answers(url), 200, "the page did not start")
    complaints: list[str] = []
    with started_chromium() as browser:
        tab = open_tab(browser, url, "/upload", complaints, color_scheme="dark")
        tab.set_input_files("#files", files)
        expect(tab.locator("#upload-count")).to_have_text("4 / 4", timeout=60_000)
        expect(tab.locator("#upload-studies .state")).to_contain_text("analysed", timeout=60_000)
        tab.get_by_role("link", name=texts.OPEN_REPORT).click()
        tab.wait_for_selector("#reading[data-ready=yes]")
        drawn = tab.locator(".mark polygon").evaluate_all(
            "all => all.map(one => [...one.points].map(at => [at.x, at.y]))"
        )
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=SCREENSHOTS / "real-study.png")
        tab.locator(".finding .show").first.click()
        tab.wait_for_load_state("networkidle")
        tab.screenshot(path=SCREENSHOTS / "real-finding.png")
    report = dcmread(BytesIO(httpx.get(f"{url}/api/studies/{study}/objects/cad-sr").content))
    outlines = [
        np.array(item.GraphicData).reshape(-1, 2)[:-1]
        for item in _walk(report)
        if item.get("ValueType") == "SCOORD" and item.GraphicType == "POLYLINE"
    ]
    assert len(drawn) == len(outlines) == 4
    for polygon in drawn:
        assert any(len(polygon) == len(outline) and np.allclose(polygon, outline, atol=1e-3) for outline in outlines)
    assert httpx.get(f"{url}/api/studies/{study}/objects/pdf").content.startswith(b"%PDF-")
    metrics = httpx.get(f"{url}/metrics").text
    assert 'mammonode_studies{state="analysed"} 1.0' in metrics
    assert 'mammonode_images_total{reason="",status="analysed"} 4.0' in metrics
    assert mammonode.status(study)["senders"] == ["WEB"]
    assert complaints == []


def test_stow_from_orthanc_and_back_into_it(orthanc: Make, node: Make, tmp_path: Path) -> None:
    port = free_port()
    servers = {"Enable": True, "Root": "/dicom-web/", "Servers": {"node": [f"http://127.0.0.1:{port}/dicom-web/"]}}
    pacs = orthanc(settings={"DicomWeb": servers})
    destination = {"name": "pacs", "url": f"http://127.0.0.1:{pacs.http_port}/dicom-web"}
    mammonode = node(sections={"web": {"enabled": True, "port": port}}, destinations=[destination])
    wait_for(lambda: _answers(f"http://127.0.0.1:{port}"), 200, "the page did not start")
    files = write_study(tmp_path / "study")
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)

    pacs.send(files)
    sent = pacs.post("/dicom-web/servers/node/stow", {"Resources": [tags["ID"] for tags in pacs.instances()]})
    assert sent is not None

    said = mammonode.wait_for_state(study, "delivered")
    assert said["senders"] == ["STOW-RS"]
    assert Counter(tags["Modality"] for tags in pacs.instances()) == {"MG": 4, "SR": 2, "SEG": 4}


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.HTTPError:
        return False
