"""The report never hides what was not analysed, and says no negative that is not given."""

import re

import pytest

from inference.results import Assessment, Status
from phantoms.mammogram import mammogram
from phantoms.told_study import FOREIGN, IMPLANT, TRUNCATED, image, incomplete_study, study
from phantoms.web_node import DIGEST
from phantoms.web_study import STUDY
from scp.gaps import STANDARD_IMAGES
from scp.web import texts


@pytest.fixture
def told(node, page):
    """Puts a result in the place of the study's; returns the report as it is written and as it is read."""

    def put(result) -> tuple[str, str]:
        node.results.revision(STUDY, DIGEST).write_result(result.model_copy(update={"study_instance_uid": STUDY}))
        html = page.get(f"/studies/{STUDY}").text
        return html, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))

    return put


def test_what_was_not_judged_stands_first(told) -> None:
    html, _ = told(incomplete_study())
    banner = html.split('<div class="lacking alarm"')[1].split("</div>")[0]
    assert re.findall(r"<li>(.*?)</li>", banner) == [
        "<b>L CC</b>: FAILED: The pixel data end before the image does.",
        "<b>R MLO</b>: not received",
        "<b>L MLO</b>: not received: "
        "No image says that it is this one; one came that does not say its breast or view.",
    ]
    assert html.index("lacking alarm") < html.index('class="grades"') < html.index('class="viewer"')


def test_an_empty_place_says_why(told) -> None:
    html, _ = told(incomplete_study())
    assert '<div class="no-view"><p><b>L CC</b>: FAILED: The pixel data end before the image does.</p></div>' in html
    assert '<div class="no-view"><p><b>R MLO</b>: not received</p></div>' in html


def test_excluded_images(told) -> None:
    four = [image(n, side, view) for n, (side, view) in enumerate(STANDARD_IMAGES)]
    html, text = told(study(image(8, "R", "CC", IMPLANT), *four[1:], image(9, "L", "CC", IMPLANT)))
    assert f"<li><b>R CC</b>: not analysed, excluded: {IMPLANT.text}</li>" in html
    assert f"{texts.BESIDE_ANALYSED} L CC (2) : {IMPLANT.text}" in text
    html, text = told(study(*four, image(9, "L", "CC", IMPLANT)))
    assert "lacking alarm" not in html
    assert f"{texts.BESIDE_ANALYSED} L CC (2) : {IMPLANT.text}" in text


def test_no_finding_is_not_said_of_what_was_not_analysed(told) -> None:
    _, text = told(study(*(image(n, side, view, TRUNCATED) for n, (side, view) in enumerate(STANDARD_IMAGES))))
    assert "Findings Not analysed." in text
    assert "No finding" not in text
    _, text = told(incomplete_study())
    assert texts.NO_FINDINGS_IN_PART in text


def test_grade_1_of_an_image_only_beside_that_of_its_breast(told) -> None:
    four = [image(n, side, view) for n, (side, view) in enumerate(STANDARD_IMAGES)]
    given, withheld = Assessment(grade=1), Assessment(grade=None)
    html, text = told(study(*four, right=given, left=withheld))
    # one for the breast, two for its images, one for the legend
    assert html.count('class="grade grade-1"') == 4
    assert text.count("analysed, no mark") == 2
    assert text.count("score 0.12, grade 1") == 4


def test_a_module_that_failed_is_said_beside_its_image(result, page) -> None:
    html = page.get(f"/studies/{STUDY}").text
    assert '<span class="bad">Microcalcification failed</span>' in html
    assert "<b>L CC</b>: FAILED in part: Microcalcification: The module ran out of memory." in html


def test_a_view_tells_a_screen_reader_what_became_of_its_image(result, told) -> None:
    first, second, third, fourth = result.images
    assert [len(one.findings) for one in result.images] == [1, 0, 1, 1]
    html, _ = told(result)
    assert labels(html) == {
        "R CC": "1 finding",
        "L CC": "Microcalcification failed",
        "R MLO": "1 finding",
        "L MLO": "1 finding",
    }
    twice = third.model_copy(update={"modules": (*third.modules, *first.modules[:1])})
    whole = second.model_copy(update={"modules": second.modules[:1]})
    failed = fourth.model_copy(update={"status": Status.FAILED, "reason": TRUNCATED, "modules": ()})
    excluded = first.model_copy(update={"status": Status.EXCLUDED, "reason": IMPLANT, "modules": ()})
    html, _ = told(result.model_copy(update={"images": (excluded, whole, twice, failed)}))
    assert labels(html) == {
        "R CC": f"not analysed: {IMPLANT.text}",
        "L CC": "analysed, no mark",
        "R MLO": "2 findings",
        "L MLO": f"FAILED: {TRUNCATED.text}",
    }


def labels(html: str) -> dict[str, str]:
    """What each view is called for those who hear it, by image."""
    named = re.findall(r'<figure class="view"[^>]* aria-label="([^"]*)"', html)
    return {name: said for name, _, said in (label.partition(", ") for label in named)}


def test_the_first_lines_say_what_it_is_and_from_when(result, page) -> None:
    html = page.get(f"/studies/{STUDY}").text
    line = re.sub(r"<[^>]+>", "", html.split('<p class="unverified">')[1].split("</p>")[0])
    assert line == f"{texts.UNVERIFIED} Analysed 2026-03-01 09:30 UTC, mammonode 0.1.0"
    legend = html.split("<summary>")[1].split("</ul>")[0]
    assert re.findall(r'<li><span class="grade grade-\d">(\d)</span> (.*?)</li>', legend) == [
        ("6", "malignant"),
        ("5", "very high suspicion of malignancy"),
        ("4", "suspicion of malignancy"),
        ("3", "probably benign"),
        ("1", "benign"),
    ]


def test_the_view_position_of_an_unknown_view_is_shown(node, told, tmp_path) -> None:
    (tmp_path / "odd").mkdir()
    node.keep([mammogram("L", "MLO", study_uid=STUDY, sop_uid="1.2.3.77", ViewPosition="XYZ")], tmp_path / "odd")
    odd = image(1, "L", None).model_copy(update={"sop_instance_uid": "1.2.3.77"})
    html, _ = told(study(odd, image(2, None, None, FOREIGN)))
    assert "<b>L, view XYZ</b>" in html
    assert ">CT Image</th>" in html
