"""STOW-RS as its clients speak it."""

import io

import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

from phantoms.mammogram import mammogram

STUDY = "1.2.3.4"


def small(**keywords) -> Dataset:
    return mammogram(rows=64, columns=48, **{"study_uid": STUDY, **keywords})


def part10(ds) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def multipart(*parts: bytes, kind: str = "application/dicom") -> bytes:
    head = f"--b\r\nContent-Type: {kind}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + b"--b--\r\n"


def post(page, body, path="/dicom-web/studies", **headers):
    del page.headers["X-CSRF-Token"]  # a program has none
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    return page.post(path, content=body, headers={"Content-Type": kind, **headers})


def test_dicomweb_client(node, page) -> None:
    client = DICOMwebClient(f"{page.base_url}/dicom-web")
    answer = client.store_instances([small(sop_uid="1.2.3.4.1"), small(sop_uid="1.2.3.4.2")])
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == ["1.2.3.4.1", "1.2.3.4.2"]
    assert "FailedSOPSequence" not in answer
    kept = node.spool.instances(STUDY)
    assert [instance.sop_instance_uid for instance in kept] == ["1.2.3.4.1", "1.2.3.4.2"]
    assert {instance.sender.ae_title for instance in kept} == {"STOW-RS"}


def test_dicomweb_client_in_chunks(node, page) -> None:
    client = DICOMwebClient(f"{page.base_url}/dicom-web", chunk_size=4096)
    client.store_instances([small(sop_uid="1.2.3.4.1")], study_instance_uid=STUDY)
    assert len(node.spool.instances(STUDY)) == 1


def test_some_are_refused(node, page) -> None:
    ct = small(sop_uid="1.2.3.4.3")
    ct.SOPClassUID = ct.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    body = multipart(part10(small(sop_uid="1.2.3.4.1")), part10(ct), part10(small(sop_uid="1.2.3.4.2"))[:-50])
    answer = post(page, body)
    assert answer.status_code == 202
    assert answer.headers["Content-Type"] == "application/dicom+json"
    said = Dataset.from_json(answer.text)
    assert [item.ReferencedSOPInstanceUID for item in said.ReferencedSOPSequence] == ["1.2.3.4.1"]
    failures = {item.ReferencedSOPInstanceUID: item.FailureReason for item in said.FailedSOPSequence}
    assert failures == {"1.2.3.4.3": 0x0122, "1.2.3.4.2": 0xC000}


def test_a_routed_report_is_taken_and_dropped(node, page) -> None:
    report = small(sop_uid="1.2.3.4.9")
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    answer = post(page, multipart(part10(report)))
    assert answer.status_code == 200
    assert node.spool.instances(STUDY) == ()


def test_another_study_than_the_request_says(node, page) -> None:
    answer = post(page, multipart(part10(small())), "/dicom-web/studies/1.2.3.5")
    assert answer.status_code == 409
    assert Dataset.from_json(answer.text).FailedSOPSequence[0].FailureReason == 0xA900
    assert node.spool.instances(STUDY) == ()


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/dicom"}, b"x", 415),
        ({"Content-Type": 'multipart/related; type="application/dicom+json"; boundary=b'}, b"x", 415),
        ({"Content-Type": 'multipart/related; type="application/dicom"'}, b"x", 400),
        ({}, b"--b\r\nContent-Type: application/dicom\r\n\r\ncut short", 400),
        ({}, b"", 400),
        ({}, multipart(b"x", kind="text/plain"), 415),
        ({"Accept": "application/dicom+xml"}, multipart(b"x"), 406),
        ({}, multipart(b"rubbish"), 409),
    ],
)
def test_what_is_no_stow_request(node, page, headers, body, status) -> None:
    assert post(page, body, **headers).status_code == status
    assert list(node.spool.incoming.iterdir()) == []


def test_an_identical_instance_twice(node, page) -> None:
    body = multipart(part10(small(sop_uid="1.2.3.4.1")))
    assert [post(page, body).status_code, page_again(page, body).status_code] == [200, 200]
    assert len(node.spool.versions(STUDY)) == 1


def page_again(page, body):
    return page.post("/dicom-web/studies", content=body, headers={"Content-Type": "multipart/related; boundary=b"})
