"""What is good goes to the spool, what is not is answered kindly, file by file, and nothing is left behind."""

import io
import zipfile

import httpx
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from phantoms.mammogram import mammogram, tomosynthesis
from phantoms.web_study import STUDY
from scp.web import archives, texts


def part10(ds) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def small(**keywords):
    return mammogram(rows=64, columns=48, study_uid="1.2.3.4", **keywords)


def zipped(files, **keywords) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **keywords) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def send(page, files):
    answer = page.post("/api/upload", files=[("files", (name, data)) for name, data in files.items()])
    assert answer.status_code == 200, answer.text
    return answer.json()["files"]


def test_a_mammogram_goes_to_the_spool(node, page) -> None:
    ds = small(sop_uid="1.2.3.4.5")
    (file,) = send(page, {"image.dcm": part10(ds)})
    assert file == {"name": "image.dcm", "accepted": True, "study_instance_uid": "1.2.3.4", "reason": None}
    (kept,) = node.spool.instances("1.2.3.4")
    assert kept.sop_instance_uid == "1.2.3.4.5"
    assert kept.sender.ae_title == "WEB"
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert (node.spool.inbox / "1.2.3.4").exists()
    assert list(node.spool.incoming.iterdir()) == []


def test_a_deflated_file(node, page) -> None:
    (file,) = send(page, {"x": part10(small(transfer_syntax=DeflatedExplicitVRLittleEndian))})
    assert file["accepted"], file


def test_zip_with_folders_rubbish_and_housekeeping(node, page) -> None:
    files = {
        "a/1.dcm": part10(small(sop_uid="1.2.3.4.1")),
        "a/2": part10(small(sop_uid="1.2.3.4.2")),
        "a/readme.txt": b"hello",
        "DICOMDIR": b"x",
        "__MACOSX/._1.dcm": b"x",
    }
    answers = {file["name"]: file for file in send(page, {"study.zip": zipped(files)})}
    assert {name: answer["accepted"] for name, answer in answers.items()} == {
        "a/1.dcm": True,
        "a/2": True,
        "a/readme.txt": False,
    }
    assert len(node.spool.instances("1.2.3.4")) == 2
    assert list(node.spool.incoming.iterdir()) == []


good = part10(small())


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", texts.EMPTY_FILE),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 3000, texts.NOT_DICOM),
        (b"\0" * 128 + b"DICM", texts.NO_UIDS),
        (b"\0" * 128 + b"DICM" + b"\xff" * 300, texts.NO_UIDS),
        (good[:-100], texts.TRUNCATED),
        (good[:500], texts.TRUNCATED),
        (zipped({"x": b"y"})[:-30], texts.DAMAGED_ARCHIVE),
        (b"PK\x03\x04 not a zip", texts.DAMAGED_ARCHIVE),
    ],
    ids=["empty", "png", "preamble", "undefined", "cut", "header", "cut-zip", "no-zip"],
)
def test_rubbish_is_answered_kindly(node, page, data, text) -> None:
    (file,) = send(page, {"file": data})
    assert not file["accepted"]
    assert file["reason"]["text"].startswith(text), file
    assert list(node.spool.incoming.iterdir()) == []
    assert list(node.spool.study_uids()) == [STUDY]


def test_another_kind_of_dicom_file(node, page) -> None:
    ds = small()
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    (file,) = send(page, {"ct": part10(ds)})
    assert "CT Image Storage" in file["reason"]["text"]
    (file,) = send(page, {"tomo": part10(tomosynthesis())})
    assert file["accepted"]


def test_our_own_result_is_not_analysed(node, result, page) -> None:
    answer = page.get(f"/api/studies/{STUDY}/objects/cad-sr")
    (file,) = send(page, {"sr": answer.content})
    assert not file["accepted"]


def test_a_zip_bomb_is_stopped(node, page, make_node, serve) -> None:
    bomb = zipped({"bomb": b"\0" * (40 << 20)})
    assert len(bomb) < 100_000
    limited = make_node(web={"maximum_upload": 1 << 20})
    with httpx.Client(base_url=serve(limited), timeout=60) as client:
        token = client.get("/").text.split('csrf-token" content="')[1].split('"')[0]
        answer = client.post("/api/upload", files={"files": bomb}, headers={"X-CSRF-Token": token})
    (file,) = answer.json()["files"]
    assert file["reason"]["text"] == texts.UNPACKS_TOO_LARGE
    assert list(limited.spool.incoming.iterdir()) == []


def test_too_many_files_in_a_zip(page, monkeypatch) -> None:
    monkeypatch.setattr(archives, "MAXIMUM_ENTRIES", 2)
    (file,) = send(page, {"many.zip": zipped({str(number): b"" for number in range(3)})})
    assert file["reason"]["text"] == texts.too_many_files(2)


def test_an_encrypted_zip(page) -> None:
    data = bytearray(zipped({"x": b"secret"}))
    for start in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[start] |= 1
    (file,) = send(page, {"x.zip": bytes(data)})
    assert file["reason"]["text"] == texts.ENCRYPTED_ARCHIVE


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_beyond_the_limit(make_node, serve, chunked) -> None:
    limited = make_node(web={"maximum_upload": 1 << 20})
    with httpx.Client(base_url=serve(limited), timeout=60) as client:
        token = client.get("/").text.split('csrf-token" content="')[1].split('"')[0]
        body = b'--b\r\nContent-Disposition: form-data; name="files"; filename="x"\r\n\r\n' + b"x" * (2 << 20)
        content = (body[start : start + 65536] for start in range(0, len(body), 65536)) if chunked else body
        headers = {"X-CSRF-Token": token, "Content-Type": "multipart/form-data; boundary=b"}
        answer = client.post("/api/upload", content=content, headers=headers)
    assert answer.status_code == 413
    assert "web.maximum_upload" in answer.json()["detail"]
    assert list(limited.spool.incoming.iterdir()) == []


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\ncut"),
        ("multipart/form-data; boundary=b", b"no boundary at all"),
    ],
)
def test_what_is_no_upload(node, page, content_type, body) -> None:
    answer = page.post("/api/upload", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 400, answer.text
    assert list(node.spool.incoming.iterdir()) == []


def test_a_name_in_a_character_set_that_there_is_not(node, page) -> None:
    head = b"--b\r\nContent-Disposition: form-data; name=\"files\"; filename*=undefined''x.dcm\r\n\r\n"
    answer = page.post(
        "/api/upload",
        content=head + good + b"\r\n--b--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code < 500, answer.text
    assert list(node.spool.incoming.iterdir()) == []


def test_a_full_disk_is_said(make_node, serve) -> None:
    full = make_node(listener={"free_space": 1 << 60})
    full.spool._free_space = 1 << 60
    with httpx.Client(base_url=serve(full), timeout=60) as client:
        token = client.get("/").text.split('csrf-token" content="')[1].split('"')[0]
        answer = client.post("/api/upload", files={"files": good}, headers={"X-CSRF-Token": token})
        ready = client.get("/readyz")
    assert answer.json()["files"][0]["reason"]["text"] == texts.DISK_FULL
    assert ready.status_code == 503
    assert ready.json() == {"ready": False, "checks": {"journal": True, "disk": False}}
