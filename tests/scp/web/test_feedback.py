"""What readers say is kept for ever and comes out as DICOM and as training annotations."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from inference.results import Module
from phantoms.web_study import STUDY
from scp.web.opinions import Opinion, Opinions
from training.annotations import read_annotations
from training.dicom_reports import report_said

FEEDBACK = f"/api/studies/{STUDY}/feedback"


def say(page, **word):
    answer = page.post(FEEDBACK, json=word)
    assert answer.status_code == 201, answer.text
    return answer.json()


def judge_everything(page, result) -> tuple[dict, ...]:
    first, second, third = result.findings
    return (
        say(page, verdict="accepted", subject=first.tracking_uid),
        say(page, verdict="rejected", subject=second.tracking_uid),
        say(page, verdict="accepted", subject=third.tracking_uid, pathology="benign"),
        say(
            page,
            verdict="added",
            sop_instance_uid=result.images[1].sop_instance_uid,
            module="nodule",
            box=[100.5, 200, 180, 290],
        ),
    )


def test_words_are_kept_in_order_and_the_last_counts(node, page, result) -> None:
    finding = result.findings[0]
    say(page, verdict="accepted", subject=finding.tracking_uid)
    say(page, verdict="rejected", subject=finding.tracking_uid)
    said = page.get(FEEDBACK).json()
    assert [word["verdict"] for word in said] == ["accepted", "rejected"]
    assert said[0]["box"] == list(finding.box)
    html = page.get(f"/studies/{STUDY}").text
    line = html.split(f'<li class="finding" data-subject="{finding.tracking_uid}"')[1].split("</li>")[0]
    pressed = [
        button.split('data-verdict="')[1].split('"')[0]
        for button in line.split("<button")
        if 'aria-pressed="true"' in button
    ]
    assert pressed == ["rejected"]
    say(page, verdict="withdrawn", subject=finding.tracking_uid)
    store = Opinions(node.settings.node.folder / "feedback")
    assert store.current(STUDY) == ()
    assert len(store.said(STUDY)) == 3


def test_an_added_finding_is_drawn_and_can_be_withdrawn(page, result) -> None:
    *_, added = judge_everything(page, result)
    html = page.get(f"/studies/{STUDY}").text
    assert '<polygon points="100.5,200.0 180.0,200.0 180.0,290.0 100.5,290.0"/>' in html
    say(page, verdict="withdrawn", subject=added["subject"])
    assert "100.5,200.0" not in page.get(f"/studies/{STUDY}").text


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ({"verdict": "accepted", "subject": "1.2.3"}, 404),
        ({"verdict": "withdrawn", "subject": "1.2.3"}, 404),
        ({"verdict": "praised", "subject": "1.2.3"}, 422),
        ({"verdict": "accepted", "subject": "../../etc"}, 422),
        ({"verdict": "accepted"}, 422),
        ({"verdict": "added", "sop_instance_uid": f"{STUDY}.1.1", "module": "nodule", "box": [0, 0, 901, 10]}, 422),
        ({"verdict": "added", "sop_instance_uid": f"{STUDY}.1.1", "module": "nodule", "box": [10, 0, 10, 10]}, 422),
        ({"verdict": "added", "sop_instance_uid": f"{STUDY}.1.9", "module": "nodule", "box": [0, 0, 9, 9]}, 404),
        ({"verdict": "added", "sop_instance_uid": f"{STUDY}.1.1", "module": "nodule", "box": [0, 0, "NaN", 9]}, 422),
    ],
)
def test_what_cannot_be_said(page, word, status) -> None:
    assert page.post(FEEDBACK, json=word).status_code == status
    assert page.get(FEEDBACK).json() == []


def test_training_reads_the_table(node, page, result, tmp_path) -> None:
    judge_everything(page, result)
    text = page.get(f"{FEEDBACK}.csv").text
    assert "SYN0001" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len({row["patient_id"] for row in rows}) == 1
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(text)
    found = read_annotations([manifest])
    assert found.unusable == []
    lesions = {
        (image.laterality, image.view): [(lesion.module, lesion.pathology) for lesion in image.lesions]
        for image in found.images
    }
    assert lesions == {
        ("R", "CC"): [(Module.NODULE, "malignant")],
        ("L", "CC"): [(Module.NODULE, "malignant")],
        ("R", "MLO"): [],
        ("L", "MLO"): [(Module.MICROCALCIFICATION, "benign")],
    }
    accepted = next(image for image in found.images if (image.laterality, image.view) == ("R", "CC"))
    x0, y0, x1, y1 = result.findings[0].box
    assert accepted.lesions[0].outline.tolist() == [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    assert page.get("/api/feedback.csv").text == text


def test_training_reads_the_report(page, result, tmp_path) -> None:
    judge_everything(page, result)
    answer = page.get(f"{FEEDBACK}.dcm")
    report = pydicom.dcmread(io.BytesIO(answer.content))
    assert report.SOPClassUID == pydicom.uid.ComprehensiveSRStorage
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert "Person Observer Name" in str(report)
    path = tmp_path / "feedback.dcm"
    path.write_bytes(answer.content)
    checker = Path(sys.executable).with_name("dciodvfy")
    said = subprocess.run([checker, path], capture_output=True, text=True, check=True)
    assert "Error" not in said.stdout + said.stderr
    marks = report_said(report, {}, {}).marks
    assert {
        uid.rsplit(".", 1)[-1]: [(lesion.module, lesion.pathology) for lesion in lesions]
        for uid, lesions in marks.items()
    } == {
        "1": [(Module.NODULE, "malignant")],
        "2": [(Module.NODULE, "malignant")],
        "3": [],
        "4": [(Module.MICROCALCIFICATION, "benign")],
    }
    assert page.get(f"{FEEDBACK}.dcm").content == answer.content


def test_nothing_is_said_of_images_that_nobody_judged(page, result) -> None:
    assert page.get(f"{FEEDBACK}.dcm").status_code == 404
    assert page.get(f"{FEEDBACK}.csv").text.count("\n") == 1
    say(page, verdict="rejected", subject=result.findings[0].tracking_uid)
    report = pydicom.dcmread(io.BytesIO(page.get(f"{FEEDBACK}.dcm").content))
    assert list(report_said(report, {}, {}).marks) == [f"{STUDY}.1.1"]


def test_a_torn_last_line_is_passed_over(tmp_path) -> None:
    store = Opinions(tmp_path / "feedback")
    opinion = Opinion(
        reader="ruth",
        verdict="accepted",
        subject="1.2",
        study_instance_uid="1.2.3",
        sop_instance_uid="1.2.3.4",
        digest="d",
        module=Module.NODULE,
        box=(0, 0, 1, 1),
        pathology="malignant",
    )
    store.add(opinion)
    path = tmp_path / "feedback" / "1.2.3.jsonl"
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    assert store.said("1.2.3") == (opinion,)
    store.add(opinion)
    assert store.said("1.2.3") == (opinion, opinion)
    assert path.stat().st_mode & 0o777 == 0o600


def test_pseudonyms_differ_from_node_to_node(tmp_path) -> None:
    one, other = Opinions(tmp_path / "a"), Opinions(tmp_path / "b")
    assert one.pseudonym("P1") == one.pseudonym("P1") != one.pseudonym("P2")
    assert one.pseudonym("P1") != other.pseudonym("P1")
