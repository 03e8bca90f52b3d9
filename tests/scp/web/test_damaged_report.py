"""A study whose result on disk is damaged: what is known is shown, and the way out is offered."""

import csv
import io
import re
import shutil

import pytest
from structlog.testing import capture_logs

from phantoms.web_node import DIGEST, WebNode
from phantoms.web_study import STUDY
from scp.web import texts

OTHER = f"{STUDY}.9"


@pytest.fixture
def damaged(node):
    """The study's result is cut short."""
    path = node.results.revision(STUDY, DIGEST).path / "result.json"
    path.write_bytes(path.read_bytes()[:100])
    return path


def test_the_report_says_so_and_keeps_patient_and_history(damaged, page) -> None:
    answer = page.get(f"/studies/{STUDY}")
    assert answer.status_code == 200
    assert f'<p role="status">{texts.UNREADABLE_RESULT}</p>' in answer.text
    text = re.sub(r"<[^>]+>|\s+", " ", answer.text)
    assert "Synthetic Mammo" in text
    assert "SYN0001" in text
    assert "4 of 4 to be analysed" in text
    assert "RCC-nodule-1" not in text


@pytest.mark.parametrize(
    ("state", "offered"), [("delivered", True), ("analysed", True), ("delivering", True), ("analysing", False)]
)
def test_retry_is_offered_unless_it_is_on_its_way(damaged, node, page, state, offered) -> None:
    node.journal.record_study(STUDY, state=state)
    for path in (f"/studies/{STUDY}", f"/studies/{STUDY}/history"):
        assert page.get(path).text.count(f'id="retry-{STUDY}"') == int(offered), path


def test_the_retry_button_works(damaged, node, page) -> None:
    answer = page.post(f"/api/studies/{STUDY}/retry")
    assert (answer.status_code, answer.json()["ok"]) == (200, True)
    assert node.results.is_to_be_redone(STUDY, DIGEST)
    assert not damaged.exists()
    assert texts.UNREADABLE_RESULT not in page.get(f"/studies/{STUDY}").text


def test_what_needs_the_result_says_what_to_do(damaged, page) -> None:
    for path in ("result", "objects.zip", "feedback.csv"):
        answer = page.get(f"/api/studies/{STUDY}/{path}")
        assert (answer.status_code, answer.json()["detail"]) == (404, texts.UNREADABLE_RESULT), path


def test_the_feedback_of_all_studies_leaves_it_out_and_the_log_names_it(node, result, page, tmp_path) -> None:
    _judge(node, page, STUDY, tmp_path)
    _judge(node, page, OTHER, tmp_path)
    both = page.get("/api/feedback.csv").text
    path = node.results.revision(STUDY, DIGEST).path / "result.json"
    path.write_text("{")
    with capture_logs() as lines:
        answer = page.get("/api/feedback.csv")
    assert answer.status_code == 200
    rows, of_both = (list(csv.DictReader(io.StringIO(text))) for text in (answer.text, both))
    assert rows == [row for row in of_both if OTHER in row["file"]]
    assert (len(rows), len(of_both)) == (1, 2)
    assert [line["study"] for line in lines if line["event"].startswith("a study is left out")] == [STUDY]


def _judge(node: WebNode, page, study: str, folder) -> None:
    """Keep the first finding of a study, made here if it is not there."""
    if node.journal.study(study) is None:
        (folder / study).mkdir()
        node.add_study(folder / study, study)
        shutil.rmtree(folder / study)
    kept = node.results.revision(study, DIGEST).result
    word = {"verdict": "accepted", "subject": kept.findings[0].tracking_uid}
    assert page.post(f"/api/studies/{study}/feedback", json=word).status_code == 201
