"""Grades of scores, images, breasts, studies: tables with exact numbers."""

import pytest

from inference.grades import (
    GradedImage,
    assess,
    benign_stands,
    can_rule_out,
    empty_grades,
    grade_of,
    image_grade,
    lowest_threshold,
    marking_threshold,
)
from inference.results import (
    Assessment,
    Grade,
    ImageResult,
    Module,
    ModuleResult,
    ModuleStatus,
    OperatingPoint,
    Status,
)
from phantoms.told_study import study
from phantoms.weights import POINTS

SUCCEEDED, FAILED, OFF = ModuleStatus.SUCCEEDED, ModuleStatus.FAILED, ModuleStatus.NOT_ATTEMPTED


def points(**thresholds: float) -> tuple[OperatingPoint, ...]:
    """`six=0.9` and so on."""
    names: dict[str, Grade] = {"six": 6, "five": 5, "four": 4, "three": 3}
    return tuple(
        OperatingPoint(grade=names[name], threshold=threshold, sensitivity=0.9, specificity=0.9)
        for name, threshold in thresholds.items()
    )


@pytest.mark.parametrize(
    ("score", "grade"),
    [(1.0, 6), (0.9, 6), (0.8999, 5), (0.7, 5), (0.6999, 4), (0.5, 4), (0.4999, 3), (0.3, 3), (0.2999, 1), (0.0, 1)],
)
def test_grade_of_a_score(score: float, grade: Grade) -> None:
    assert grade_of(score, POINTS) == grade
    assert grade_of(score, reversed(POINTS)) == grade


@pytest.mark.parametrize(
    ("score", "grade"), [(0.95, 6), (0.6, 5), (0.55, 5), (0.5, 5), (0.49, 3), (0.2, 3), (0.1, 1)]
)
def test_crossing_thresholds_leave_grade_4_empty(score: float, grade: Grade) -> None:
    strong = points(six=0.9, five=0.5, four=0.6, three=0.2)
    assert grade_of(score, strong) == grade
    assert empty_grades(strong) == (4,)


@pytest.mark.parametrize(
    ("thresholds", "empty"),
    [
        ({"six": 0.9, "five": 0.7, "four": 0.5, "three": 0.3}, ()),
        ({"six": 0.9, "five": 0.7, "four": 0.7, "three": 0.3}, (4,)),
        ({"six": 0.9, "five": 0.5, "four": 0.7, "three": 0.6}, (4, 3)),
        ({"six": 0.4, "five": 0.4, "four": 0.5, "three": 0.4}, (5, 4, 3)),
    ],
)
def test_empty_grades_are_named(thresholds: dict[str, float], empty: tuple[int, ...]) -> None:
    assert empty_grades(points(**thresholds)) == empty


def test_findings_begin_at_the_lowest_threshold_even_if_they_cross() -> None:
    assert lowest_threshold(POINTS) == 0.3
    assert lowest_threshold(points(six=0.9, five=0.5, four=0.7, three=0.6)) == 0.5


def test_marks_begin_at_the_lowest_cut_of_a_suspicious_grade() -> None:
    crossed = points(six=0.5, five=0.475, four=0.715, three=0.3)
    assert marking_threshold(crossed) == 0.475
    assert (grade_of(0.475, crossed), grade_of(0.474, crossed)) == (5, 3)
    assert marking_threshold(points(three=0.3)) is None


def module(which: Module, status: ModuleStatus = SUCCEEDED, grade: Grade | None = 1) -> ModuleResult:
    return ModuleResult(module=which, status=status, grade=grade if status is SUCCEEDED else None)


@pytest.mark.parametrize(
    ("nodule", "calcification", "grade"),
    [
        ((SUCCEEDED, 1), (SUCCEEDED, 1), 1),
        ((SUCCEEDED, 3), (SUCCEEDED, 1), 3),
        ((SUCCEEDED, 4), (SUCCEEDED, 6), 6),
        ((SUCCEEDED, 1), (FAILED, None), None),
        ((SUCCEEDED, 1), (OFF, None), None),
        ((SUCCEEDED, 3), (FAILED, None), None),
        ((SUCCEEDED, 3), (OFF, None), None),
        ((SUCCEEDED, 4), (OFF, None), 4),
        ((SUCCEEDED, 5), (FAILED, None), 5),
        ((FAILED, None), (FAILED, None), None),
    ],
)
def test_image_grade(
    nodule: tuple[ModuleStatus, Grade | None],
    calcification: tuple[ModuleStatus, Grade | None],
    grade: Grade | None,
) -> None:
    results = [module(Module.NODULE, *nodule), module(Module.MICROCALCIFICATION, *calcification)]
    assert image_grade(results) == grade


def image(
    side: str | None,
    view: str | None,
    grade: Grade | None = 1,
    *,
    status: Status = Status.ANALYSED,
    second: ModuleStatus = SUCCEEDED,
    standard: bool | None = None,
) -> GradedImage:
    """One image whose nodule module has the grade and whose other module is `second` with grade 1."""
    modules = [module(Module.NODULE, SUCCEEDED, grade), module(Module.MICROCALCIFICATION, second)]
    analysed = status is Status.ANALYSED
    result = ImageResult.model_validate(
        {
            "sop_instance_uid": "1.2",
            "sop_class_uid": "1.2",
            "series_instance_uid": "1.2",
            "file": "a.dcm",
            "rows": 10,
            "columns": 10,
            "laterality": side,
            "view": view,
            "status": status,
            "modules": modules if analysed else (),
            "grade": image_grade(modules) if analysed else None,
        }
    )
    return GradedImage(
        result, view in ("CC", "MLO") and side is not None and analysed if standard is None else standard
    )


FOUR = [image("R", "CC"), image("L", "CC"), image("R", "MLO"), image("L", "MLO")]
RIGHT = [image("R", "CC"), image("R", "MLO")]
LEFT = [image("L", "CC"), image("L", "MLO")]

Expected = tuple[Grade | None, str | None]

CASES: list[tuple[str, list[GradedImage], Expected, Expected | None, Expected | None]] = [
    # what, images, study, right breast, left breast (grade, code of the reason it is withheld)
    ("four negative views", FOUR, (1, None), (1, None), (1, None)),
    ("the worst of all", [*FOUR[:3], image("L", "MLO", 5)], (5, None), (1, None), (5, None)),
    ("the one breast there is", RIGHT, (1, None), (1, None), None),
    ("one view missing", FOUR[:3], (None, "standard-view-missing"), (1, None), (None, "standard-view-missing")),
    (
        "positive though a view is missing",
        [image("R", "CC", 4), *LEFT],
        (4, None),
        (4, None),
        (1, None),
    ),
    (
        "negative right beside positive left with a view missing",
        [*RIGHT, image("L", "CC", 4)],
        (4, None),
        (1, None),
        (4, None),
    ),
    ("probably benign, all there", [*RIGHT, image("L", "CC", 3), LEFT[1]], (3, None), (1, None), (3, None)),
    (
        "half a breast is not probably benign either",
        [*RIGHT, image("L", "CC", 3)],
        (None, "standard-view-missing"),
        (1, None),
        (None, "standard-view-missing"),
    ),
    (
        "nor one of which an image failed",
        [*RIGHT, *LEFT, image("L", "MLO", 3), image("L", "CC", status=Status.FAILED)],
        (None, "image-failed"),
        (1, None),
        (None, "image-failed"),
    ),
    (
        "a failed image",
        [*RIGHT, *LEFT, image("L", "MLO", status=Status.FAILED)],
        (None, "image-failed"),
        (1, None),
        (None, "image-failed"),
    ),
    (
        "a failed image of nobody knows which breast",
        [*FOUR, image(None, None, status=Status.FAILED)],
        (None, "image-failed"),
        (1, None),
        (1, None),
    ),
    (
        "an excluded image beside four good ones",
        [*FOUR, image("R", "CC", status=Status.EXCLUDED)],
        (1, None),
        (1, None),
        (1, None),
    ),
    (
        "an excluded image of nobody knows which breast beside four good ones",
        [*FOUR, image(None, None, status=Status.EXCLUDED)],
        (1, None),
        (1, None),
        (1, None),
    ),
    (
        "an excluded image of nobody knows which breast beside one breast",
        [*RIGHT, image(None, None, status=Status.EXCLUDED)],
        (None, "laterality-missing"),
        (1, None),
        None,
    ),
    (
        "a breast of which all is excluded",
        [*RIGHT, image("L", "CC", status=Status.EXCLUDED)],
        (None, "breast-not-analysed"),
        (1, None),
        (None, "breast-not-analysed"),
    ),
    (
        "nothing analysed",
        [image("R", "CC", status=Status.EXCLUDED)],
        (None, "nothing-analysed"),
        (None, "breast-not-analysed"),
        None,
    ),
    (
        "a module switched off",
        [image(side, view, second=OFF) for side in "RL" for view in ("CC", "MLO")],
        (None, "module-not-attempted"),
        (None, "module-not-attempted"),
        (None, "module-not-attempted"),
    ),
    (
        "a module switched off, the other positive",
        [image(side, view, 4, second=OFF) for side in "RL" for view in ("CC", "MLO")],
        (4, None),
        (4, None),
        (4, None),
    ),
    (
        "a module that failed on one view",
        [*RIGHT, image("L", "CC", second=FAILED), image("L", "MLO")],
        (None, "module-failed"),
        (1, None),
        (None, "module-failed"),
    ),
    (
        "an image without laterality",
        [*FOUR, image(None, "CC")],
        (None, "laterality-missing"),
        (1, None),
        (1, None),
    ),
    (
        "a positive image without laterality",
        [*FOUR, image(None, "CC", 6)],
        (6, None),
        (1, None),
        (1, None),
    ),
    (
        "an image without view",
        [*FOUR, image("L", None)],
        (None, "view-missing"),
        (1, None),
        (None, "view-missing"),
    ),
    (
        "an ML view does not stand in for an MLO",
        [image("R", "CC"), image("R", "ML"), *LEFT],
        (None, "standard-view-missing"),
        (None, "standard-view-missing"),
        (1, None),
    ),
    (
        "a further view, negative too",
        [*FOUR, image("R", "ML")],
        (1, None),
        (1, None),
        (1, None),
    ),
    (
        "a CC that is not standard (implant displaced)",
        [image("R", "CC", standard=False), image("R", "MLO"), *LEFT],
        (None, "standard-view-missing"),
        (None, "standard-view-missing"),
        (1, None),
    ),
]


@pytest.mark.parametrize(
    ("images", "study", "right", "left"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_when_a_negative_may_be_said(
    images: list[GradedImage], study: Expected, right: Expected | None, left: Expected | None
) -> None:
    breasts, whole = assess(images)
    found = {side: (breast.grade, breast.withheld and breast.withheld.code) for side, breast in breasts.items()}
    assert (whole.grade, whole.withheld and whole.withheld.code) == study
    assert found == {side: expected for side, expected in (("R", right), ("L", left)) if expected is not None}


@pytest.mark.parametrize(("breast", "stands"), [(1, True), (3, True), (None, False), (4, False)])
def test_an_images_benign_grade_is_told_only_in_a_benign_breast(breast: Grade | None, stands: bool) -> None:
    result = study(*(each.result for each in FOUR), right=Assessment(grade=breast))
    assert benign_stands(result, FOUR[2].result) is stands
    assert not benign_stands(result, image(None, "CC").result)


def test_a_study_without_images_says_nothing() -> None:
    breasts, study = assess([])
    assert breasts == {}
    assert study.grade is None
    assert study.withheld is not None
    assert study.withheld.code == "nothing-analysed"


def test_a_module_that_misses_too_much_rules_nothing_out_and_still_finds() -> None:
    def blunt(grade: Grade) -> tuple[ModuleResult, ...]:
        return (
            module(Module.NODULE),
            module(Module.MICROCALCIFICATION, SUCCEEDED, grade).model_copy(update={"rules_out": False}),
        )

    assert [image_grade(blunt(grade)) for grade in (1, 3, 4, 6)] == [None, None, 4, 6]
    pair = [
        GradedImage(one.result.model_copy(update={"modules": blunt(1), "grade": image_grade(blunt(1))}), True)
        for one in RIGHT
    ]
    breasts, whole = assess(pair)
    assert breasts["R"].withheld is not None
    assert breasts["R"].withheld.code == "nothing-ruled-out"
    assert "microcalcification" in breasts["R"].withheld.text
    assert whole.grade is None


@pytest.mark.parametrize(("sensitivity", "can"), [(0.95, True), (1.0, True), (0.9499, False), (1 / 3, False)])
def test_what_is_needed_to_rule_out(sensitivity: float, can: bool) -> None:
    found = [point.model_copy(update={"sensitivity": sensitivity}) if point.grade == 4 else point for point in POINTS]
    assert can_rule_out(found) is can
