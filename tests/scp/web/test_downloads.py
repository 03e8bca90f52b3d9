"""What is downloaded is what was built."""

import io
import zipfile

import pydicom

from phantoms.web_node import DIGEST
from phantoms.web_study import STUDY

OBJECTS = f"/api/studies/{STUDY}/objects"


def test_one_object_is_the_stored_bytes(node, page) -> None:
    built = {item.kind: item for item in node.results.revision(STUDY, DIGEST).objects}
    for kind in ("cad-sr", "tid1500"):
        answer = page.get(f"{OBJECTS}/{kind}")
        assert answer.headers["Content-Type"] == "application/dicom"
        stored = node.results.revision(STUDY, DIGEST).objects_folder / built[kind].file
        assert answer.content == stored.read_bytes()
        assert "SYN" not in answer.headers["Content-Disposition"]


def test_several_are_zipped(page, result) -> None:
    with zipfile.ZipFile(io.BytesIO(page.get(f"{OBJECTS}/seg").content)) as archive:
        found = [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()]
    assert len(found) == 3
    assert {ds.Modality for ds in found} == {"SEG"}


def test_the_pdf_is_made_when_asked_for(page) -> None:
    answer = page.get(f"{OBJECTS}/pdf")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert answer.content.rstrip().endswith(b"%%EOF")


def test_everything(page) -> None:
    with zipfile.ZipFile(io.BytesIO(page.get(f"{OBJECTS}.zip").content)) as archive:
        names = archive.namelist()
    assert {"report.pdf", "result.json"} < set(names)
    assert len(names) == 7


def test_an_image_that_is_gone_costs_the_pdf_only(node, page) -> None:
    for instance in node.spool.instances(STUDY):
        instance.path.unlink()
    answer = page.get(f"{OBJECTS}/pdf")
    assert answer.status_code == 404
    with zipfile.ZipFile(io.BytesIO(page.get(f"{OBJECTS}.zip").content)) as archive:
        names = archive.namelist()
        why = archive.read("report.pdf is missing.txt").decode().strip()
    assert len(names) == 7
    assert "report.pdf" not in names
    assert why == answer.json()["detail"] == "No header of this study's images was kept. Send the study again."


def test_the_result_as_json(page, result) -> None:
    answer = page.get(f"/api/studies/{STUDY}/result").json()
    assert answer["study"]["grade"] == 6
    assert tuple(answer["images"][0]["modules"][0]["findings"][0]["box"]) == result.findings[0].box


def test_what_there_is_not(node, page) -> None:
    node.journal.record_study("1.2.3", state="waiting")
    assert page.get("/api/studies/1.2.3/result").status_code == 404
    assert page.get("/api/studies/1.2.3/objects.zip").status_code == 404
    assert page.get(f"{OBJECTS}/kos").status_code == 404
    assert page.get(f"{OBJECTS}/..%2fresult.json").status_code == 404


def test_a_damaged_result(node, page) -> None:
    (node.results.revision(STUDY, DIGEST).path / "result.json").write_text("{")
    answer = page.get(f"/api/studies/{STUDY}/result")
    assert answer.status_code == 404
    assert "Retry" in answer.json()["detail"]
