"""The report says what the result says, no more, and identity stays in the body."""

import re

import cv2
import numpy as np
import pytest

from inference.pixels import read_grey
from phantoms.web_node import DIGEST
from phantoms.web_study import COLUMNS, LESIONS, ROWS, STUDY
from scp.objects.words import unmarked_lines
from scp.result_records import Current
from scp.web import texts


def test_the_report(result, page) -> None:
    html = page.get(f"/studies/{STUDY}").text
    assert "Research use, not a diagnosis" in html
    assert html.index('aria-label="R CC') < html.index('aria-label="L CC') < html.index('aria-label="R MLO')
    assert "The left CC could not be read by the microcalcification module." in html
    assert "The module ran out of memory." in html
    assert "a" * 64 in html
    assert "b" * 64 in html
    text = re.sub(r"<[^>]+>|\s+", " ", html)
    assert "score 0.97 · probability 34&nbsp;% · RCC-nodule-1" in text
    assert "Probability of malignancy, nodule: calibrated on screening, 50 to 69 years, prevalence 0.6&nbsp;%" in text
    # the second model is not calibrated: its score is a score
    assert "none: the score is a score, not a probability" in text
    assert "score 0.71 · LMLO-microcalcification-1" in text
    assert "microcalcification: calibrated on" not in text


def test_outlines_are_in_stored_pixels(result, page) -> None:
    html = page.get(f"/studies/{STUDY}").text
    for finding in result.findings:
        points = "".join(f"{x},{y} " for x, y in finding.outline)
        assert f'<polygon points="{points}"/>' in html


def test_identity_is_in_the_body_alone(result, page) -> None:
    answer = page.get(f"/studies/{STUDY}")
    head, body = answer.text.split("</head>")
    assert "Synthetic" not in head + str(answer.headers)
    assert "Synthetic Mammo" in body
    assert "SYN0001" in body
    assert not re.findall(r'(?:href|src|data-\w+)="[^"]*(?:SYN0001|Synthetic)', answer.text)
    for path in ("/", "/worklist/rows"):
        html = page.get(path).text
        assert "Synthetic Mammo <small>SYN0001" in html.split("</head>")[-1]
        assert not re.findall(r'(?:href|src|data-\w+|id|title)="[^"]*(?:SYN0001|Synthetic)', html)
    for path in (f"/studies/{STUDY}/history", "/node", "/api/studies", "/metrics"):
        assert not re.search("SYN0001|Synthetic", page.get(path).text), path


def test_a_study_on_its_way(node, page) -> None:
    node.journal.record_study("1.2.3", state="analysing", images=4)
    html = page.get("/studies/1.2.3").text
    assert "The analysis has not finished yet." in html
    assert 'data-pending="yes"' in html


@pytest.mark.parametrize("path", ["/studies/1.2.99", "/studies/..%2f..", "/studies/1.2.a", "/nothing"])
def test_not_here(page, path) -> None:
    answer = page.get(path, headers={"Accept": "text/html"})
    assert answer.status_code in (404, 422)
    assert "<h1>" in answer.text


def test_hanging_of_a_mirrored_image(result, page) -> None:
    said = {
        image.sop_instance_uid: page.get(f"/api/studies/{STUDY}/images/{image.sop_instance_uid}").json()
        for image in result.images
    }
    assert [hanging["mirror"] for hanging in said.values()] == [False, True, False, False]
    assert {hanging["chest_wall"] for hanging in said.values()} == {"left", "right"}
    assert all((hanging["rows"], hanging["columns"]) == (ROWS, COLUMNS) for hanging in said.values())


def test_tiles_are_the_stored_pixels(node, result, page) -> None:
    image = result.images[0]
    grey = read_grey(next(item.path for item in node.spool.instances(STUDY)), memory=1 << 30).values
    url = f"/api/studies/{STUDY}/images/{image.sop_instance_uid}"
    rows = []
    for row in range(3):
        line = [_decoded(page.get(f"{url}/tiles/0/{column}/{row}.png")) for column in range(2)]
        rows.append(np.hstack(line))
    assert np.array_equal(np.vstack(rows), grey)
    half = _decoded(page.get(f"{url}/tiles/1/0/0.png"))
    assert half.shape == (512, 450)
    assert page.get(f"{url}/tiles/0/2/0.png").status_code == 404
    assert page.get(f"{url}/tiles/2/0/0.png").status_code == 422
    preview = _decoded(page.get(f"{url}/preview.jpeg"))
    assert preview.shape == (1024, 768)
    lesion = LESIONS["R", "CC"]
    x, y = (int(value * 1024 / ROWS) for value in (lesion.x, lesion.y))
    around = preview[y - 5 : y + 5, x - 5 : x + 5]
    assert around.mean() > np.median(preview[preview > 30]) + 30


def test_an_image_that_retention_has_removed(node, result, page) -> None:
    node.spool.remove(STUDY, [version.path.name for version in node.spool.versions(STUDY)])
    answer = page.get(f"/api/studies/{STUDY}/images/{result.images[0].sop_instance_uid}/preview.jpeg")
    assert answer.status_code == 404
    assert "retention" in answer.json()["detail"]
    assert page.get(f"/studies/{STUDY}").status_code == 200


def _decoded(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_GRAYSCALE)


def test_the_earlier_result_is_shown_while_a_later_one_is_made(node, page) -> None:
    node.results.set_current(STUDY, Current(digest="e" * 64, content="e" * 64))
    html = page.get(f"/studies/{STUDY}").text
    assert texts.OVERTAKEN in html
    assert "RCC-nodule-1" in html
    node.results.set_current(STUDY, Current(digest=DIGEST, content=DIGEST))
    assert texts.OVERTAKEN not in page.get(f"/studies/{STUDY}").text


def test_places_beside_marks(result) -> None:
    assert unmarked_lines(result) == [
        "3 places on 3 images (nodule 2, microcalcification 1) scored below the cut for a mark: not findings."
    ]
