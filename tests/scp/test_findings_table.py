"""In a narrow terminal, too, one reads what failed and why, and no negative that is not given."""

import io

from rich.console import Console

from inference.results import Assessment
from phantoms.told_study import image, incomplete_study, study
from scp.findings_table import Told, print_result, study_line
from scp.objects import words
from scp.objects.words import unmarked_lines


def printed(result, width: int) -> str:
    out = io.StringIO()
    print_result(result, Console(file=out, width=width))
    return out.getvalue()


def test_a_narrow_terminal_keeps_the_reason_whole() -> None:
    lines = printed(incomplete_study(), 80).splitlines()
    assert "L CC failed (2.dcm): The pixel data end before the image does." in lines
    assert "CT Image excluded (4.dcm): The instance is no mammogram." in lines
    assert "R MLO not received: No such image came." in lines
    assert all(len(line) <= 80 for line in lines)


def test_no_grade_1_where_the_breasts_grade_is_withheld() -> None:
    rows = [line.split("│")[1:-1] for line in printed(incomplete_study(), 100).splitlines() if "no mark" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        [name, module, "0.125", "", "no mark", ""]
        for name in ("R CC", "L, view unknown")
        for module in ("nodule", "microcalcification")
    ]
    four = [
        image(number, side, view) for number, (side, view) in enumerate((s, v) for v in ("CC", "MLO") for s in "RL")
    ]
    given = study(*four, right=Assessment(grade=1), left=Assessment(grade=1))
    assert printed(given, 100).count("│ 1 ") == 8


def test_the_study_line_says_that_it_is_incomplete() -> None:
    assert study_line(Told.of(incomplete_study())) == (
        "study: no grade (An image could not be analysed.); R breast: no grade (An image could not be analysed.); "
        "L breast: no grade (An image could not be analysed.); "
        "INCOMPLETE (1 failed: L CC; 2 not received: R MLO, L MLO)"
    )


def test_places_beyond_the_most_marks_are_told_apart_from_those_below_the_cut() -> None:
    full = image(1, "R", "CC", unmarked=3)
    first, second = full.modules
    beyond = first.model_copy(update={"beyond": 2, "beyond_grade": 6})
    result = study(full.model_copy(update={"modules": (beyond, second)}))
    assert unmarked_lines(result) == [
        "2 places on 1 image (nodule 2) reach the cut for a mark (worst: grade 6), beyond the most marks of an "
        "image: NOT marked.",
        "4 places on 1 image (nodule 1, microcalcification 3) scored below the cut for a mark: not findings.",
    ]
    assert [line for line in words.study_lines(result) if "the cut" in line] == unmarked_lines(result)


def test_a_study_of_one_breast_says_which() -> None:
    one = study(image(1, "R", "CC"), right=Assessment(grade=1))
    one = one.model_copy(update={"breasts": {"R": Assessment(grade=1)}, "study": Assessment(grade=1)})
    assert words.study_lines(one)[0] == "Study: suspicion grade 1 (benign), right breast only."


def test_places_without_a_mark_are_no_findings() -> None:
    assert unmarked_lines(incomplete_study()) == [
        "6 places on 1 image (nodule 3, microcalcification 3) scored below the cut for a mark: not findings."
    ]
