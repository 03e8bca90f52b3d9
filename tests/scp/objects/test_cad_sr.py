"""Mammography CAD SR: what each case may and must say."""

import pytest

from inference.results import Assessment, Module, Reason, Status
from phantoms.results import CASES, UNREADABLE, case_result, image_result, lesion, study_result
from scp.objects import codes
from scp.objects.cad_findings import COMPOSITE_FEATURE, INDIVIDUAL_IMPRESSION, OUTLINE, SINGLE_IMAGE_FINDING
from scp.objects.cad_sr import DETECTION_PERFORMED, FAILED_DETECTIONS, IMPRESSION_DESCRIPTION, SUMMARY_OF_DETECTIONS


def item_at(ds, position):
    """The item a by-reference identifier points at."""
    found = ds
    for step in position[1:]:
        found = found.ContentSequence[step - 1]
    return found


@pytest.mark.parametrize(
    ("case", "summary", "detections"),
    [
        ("one", "111242", "111222"),
        ("many", "111242", "111222"),
        ("none", "111241", "111222"),
        ("partial", "111244", "111223"),
        ("partial-without", "111243", "111223"),
        ("failed", "111245", "111224"),
        ("excluded", "111245", "111224"),
    ],
)
def test_summary_of_each_case(one_of, find, coded, case, summary, detections):
    ds = one_of("cad-sr", case)
    assert coded(find(ds, codes.PROCESSING_SUMMARY)) == [summary]
    expected = "111225" if case == "excluded" else detections  # nothing was attempted on excluded images
    assert coded(find(ds, SUMMARY_OF_DETECTIONS)) == [expected]


def test_every_case_is_covered():
    assert set(CASES) == {"one", "many", "none", "partial", "partial-without", "failed", "excluded"}


def test_failed_detections_name_their_images(one_of, views, find):
    ds = one_of("cad-sr", "partial")
    named = {}
    for performed in find(find(ds, FAILED_DETECTIONS)[0], DETECTION_PERFORMED):
        images = [
            item_at(ds, item.ReferencedContentItemIdentifier).ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            for item in performed.ContentSequence
            if "ReferencedContentItemIdentifier" in item
        ]
        named[performed.ConceptCodeSequence[0].CodeValue] = images
    unreadable, half = views[3].SOPInstanceUID, views[2].SOPInstanceUID
    assert named == {"129793001": [unreadable], "129769006": [half, unreadable]}


def test_a_module_that_is_off_is_in_neither_list(one_of, views, find, coded):
    images = [image_result(view, off=[Module.MICROCALCIFICATION]) for view in views]
    withheld = Assessment(grade=None, withheld=Reason(code="module-off", text="A module is switched off."))
    models = case_result("none", views).models[:1]
    result = study_result(
        images,
        views[0].StudyInstanceUID,
        models=models,
        study=withheld,
        breasts={"R": withheld, "L": withheld},
    )
    ds = one_of("cad-sr", result=result)
    assert coded(find(ds, DETECTION_PERFORMED)) == ["129793001"]
    assert find(ds, codes.ASSESSMENT_CATEGORY) == []


def test_outline_is_closed_and_selected_from_its_image_by_reference(one_of, views, find):
    ds = one_of("cad-sr", "one")
    (outline,) = find(ds, OUTLINE)
    data = list(outline.GraphicData)
    assert outline.GraphicType == "POLYLINE"
    assert data[:2] == data[-2:] == [80.0, 80.0]
    assert len(data) == 2 * 25
    (selected,) = outline.ContentSequence
    assert selected.RelationshipType == "SELECTED FROM"
    image = item_at(ds, selected.ReferencedContentItemIdentifier)
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == views[0].SOPInstanceUID


def test_score_is_a_certainty_and_a_probability_only_when_calibrated(one_of, views, find):
    plain = one_of("cad-sr", "one")
    assert [item.MeasuredValueSequence[0].NumericValue for item in find(plain, codes.CERTAINTY_OF_FINDING)] == [91]
    assert find(plain, codes.PROBABILITY_OF_CANCER) == []
    marked = lesion("RCC-nodule-1", (60.0, 80.0), probability=0.123)
    images = [image_result(views[0], [marked]), *map(image_result, views[1:])]
    calibrated = one_of("cad-sr", result=study_result(images, views[0].StudyInstanceUID))
    (probability,) = find(calibrated, codes.PROBABILITY_OF_CANCER)
    assert probability.MeasuredValueSequence[0].NumericValue == 12.3


def test_linked_marks_make_one_composite_feature(one_of, find):
    ds = one_of("cad-sr", "many")
    impressions = find(ds, INDIVIDUAL_IMPRESSION)
    assert len(impressions) == 4
    (composite,) = find(ds, COMPOSITE_FEATURE)
    assert composite in find(impressions[0], COMPOSITE_FEATURE), "the most suspicious lesion comes first"
    joined = [item.TextValue for item in find(composite, codes.TRACKING_IDENTIFIER)]
    assert joined == ["RCC-nodule-1", "RMLO-nodule-1"]
    assert len(find(ds, SINGLE_IMAGE_FINDING)) == 5


@pytest.mark.parametrize(
    ("grade", "category"), [(6, "397145000"), (5, "397145000"), (4, "397144001"), (3, "397143007")]
)
def test_category_of_a_positive_study_names_its_breast(one_of, views, find, coded, grade, category):
    images = [
        image_result(views[0], [lesion("RCC-nodule-1", (60.0, 80.0), grade=grade)]),
        *map(image_result, views[1:]),
    ]
    ds = one_of("cad-sr", result=study_result(images, views[0].StudyInstanceUID))
    (assessment,) = find(ds, codes.ASSESSMENT_CATEGORY)
    assert coded([assessment]) == [category]
    assert coded(assessment.ContentSequence) == ["73056007"]


def test_negative_is_said_for_both_breasts_when_all_four_views_succeeded(one_of, find, coded):
    (assessment,) = find(one_of("cad-sr", "none"), codes.ASSESSMENT_CATEGORY)
    assert coded([assessment]) == ["397140005"]
    assert coded(assessment.ContentSequence) == ["63762007"]


@pytest.mark.parametrize("case", ["partial-without", "failed", "excluded"])
def test_negative_is_withheld_with_the_reason(one_of, find, case):
    ds = one_of("cad-sr", case)
    assert find(ds, codes.ASSESSMENT_CATEGORY) == []
    (words,) = find(ds, IMPRESSION_DESCRIPTION)
    assert "no grade (Only one view of this breast was analysed)" in words.TextValue
    assert "Research use, not a diagnosis" in words.TextValue


def test_impression_names_what_failed_and_what_never_came(one_of, views, find):
    images = [
        image_result(views[0], [lesion("RCC-nodule-1", (60.0, 80.0))]),
        image_result(views[1], status=Status.FAILED, reason=UNREADABLE),
        image_result(views[3]),
    ]
    (words,) = find(one_of("cad-sr", result=study_result(images, views[0].StudyInstanceUID)), IMPRESSION_DESCRIPTION)
    assert words.TextValue.startswith(
        "Study: suspicion grade 5 (very high suspicion of malignancy). "
        "Right breast: suspicion grade 5 (very high suspicion of malignancy), incomplete. "
        "Left breast: no grade (Only one view of this breast was analysed). "
        "Standard views: RCC analysed, RMLO not received, LCC FAILED, LMLO analysed. "
    )
    assert words.TextValue.endswith(" FAILED: LCC (The pixels cannot be decoded).")


def test_workstations_are_not_told_a_negative_that_is_withheld(one_of, views, find, coded):
    """A breast of which all is excluded, and nothing failed: 'all algorithms succeeded' would show as negative."""
    implant = Reason(code="implant", text="An implant is in the picture.")
    images = [
        image_result(view, status=Status.EXCLUDED, reason=implant) if number % 2 else image_result(view)
        for number, view in enumerate(views)
    ]
    ds = one_of("cad-sr", result=study_result(images, views[0].StudyInstanceUID))
    assert coded(find(ds, codes.PROCESSING_SUMMARY)) == ["111243"]
    assert coded(find(ds, SUMMARY_OF_DETECTIONS)) == ["111222"]


def test_assessment_category_can_be_switched_off(one_of, find):
    assert find(one_of("cad-sr", "many", assessment_category=False), codes.ASSESSMENT_CATEGORY) == []


def test_operating_points_are_a_setting(one_of, find):
    assert find(one_of("cad-sr"), "111071") == []
    ds = one_of("cad-sr", "one", operating_points=True)
    (maximum, *_) = find(ds, "111072")
    assert maximum.MeasuredValueSequence[0].NumericValue == 4
    (finding,) = find(ds, SINGLE_IMAGE_FINDING)
    (point,) = find(finding, "111071")
    assert point.MeasuredValueSequence[0].NumericValue == 2, "grade 5"
    words = [item.TextValue for item in find(ds, "111081")][:3]
    assert words[1] == "1: grade 6 and above; image specificity 99.0 %, image sensitivity 40.0 %"


def test_private_codes_are_not_used(one_of):
    ds = one_of("cad-sr", operating_points=True)
    assert "CodingSchemeIdentificationSequence" not in ds
    assert UNREADABLE.code not in ds.to_json()


def test_grade_stands_in_the_parameters(one_of, find):
    ds = one_of("cad-sr", "one")
    (finding,) = find(ds, SINGLE_IMAGE_FINDING)
    (parameters,) = find(finding, codes.ALGORITHM_PARAMETERS)
    assert parameters.TextValue.startswith(
        "Grade 5: very high suspicion (specificity 95-99 %); score 91; weights 0a0a"
    )
