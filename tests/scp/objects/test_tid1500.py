"""Measurement report: what a general viewer reads."""

import pytest

from phantoms.results import lesion
from scp.objects import codes
from scp.objects.measurement_groups import MEASUREMENT_GROUP, measurement_group


def values(items):
    return [float(item.MeasuredValueSequence[0].NumericValue) for item in items if item.ValueType == "NUM"]


def test_score_and_grade_are_numbers_that_ohif_labels(one_of, find):
    ds = one_of("tid1500", "one")
    (group,) = find(ds, MEASUREMENT_GROUP)
    numbers = [item for item in group.ContentSequence if item.ValueType == "NUM"]
    assert [item.ConceptNameCodeSequence[0].CodeMeaning for item in numbers] == [
        "Certainty of Finding",
        "Suspicion grade",
    ]
    assert values(numbers) == [91.0, 5.0]
    first_uidref = next(item for item in group.ContentSequence if item.ValueType == "UIDREF")
    assert first_uidref.ConceptNameCodeSequence[0].CodeMeaning == "Tracking Unique Identifier"
    (comment,) = find(group, codes.COMMENT)
    assert comment.TextValue == "AI nodule score 91 (grade 5) - not a diagnosis"


def test_every_item_has_a_concept_name(one_of):
    def names(ds):
        for item in ds.ContentSequence:
            assert item.get("ConceptNameCodeSequence"), item
            if "ContentSequence" in item:
                names(item)

    names(one_of("tid1500", "many"))


def test_rectangle_is_the_box_in_stored_pixels(one_of, find, views):
    (region,) = find(one_of("tid1500", "one"), codes.IMAGE_REGION)
    assert list(region.GraphicData) == [40, 60, 80, 60, 80, 100, 40, 100, 40, 60]
    reference = region.ContentSequence[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == views[0].SOPInstanceUID


@pytest.mark.parametrize("rotation", ["0", "180"])
@pytest.mark.parametrize("flip", ["NO", "YES"])
def test_what_the_modality_turned_moves_no_coordinate(one_of, views, find, rotation, flip):
    for view in views:
        view.FieldOfViewRotation, view.FieldOfViewHorizontalFlip = rotation, flip
    (region,) = find(one_of("tid1500", "one"), codes.IMAGE_REGION)
    assert list(region.GraphicData)[:4] == [40, 60, 80, 60]


def test_linked_marks_name_each_other_and_keep_their_own_uids(one_of, find):
    ds = one_of("tid1500", "many")
    uids = [item.UID for item in find(ds, codes.TRACKING_UID)]
    assert len(set(uids)) == len(uids) == 5
    comments = [item.TextValue for item in find(ds, codes.COMMENT)]
    assert "AI nodule score 97 (grade 6) - not a diagnosis; the same lesion as RMLO-nodule-1" in comments


def test_negative_report_is_a_report(one_of, find, coded):
    ds = one_of("tid1500", "none")
    assert find(ds, MEASUREMENT_GROUP) == []
    assert coded(find(ds, codes.PROCESSING_SUMMARY)) == ["111241"]
    assert coded(find(ds, codes.ASSESSMENT_CATEGORY)) == ["397140005"]
    assert coded(find(ds, codes.STUDY_GRADE)) == ["G1"]
    assert coded(find(ds, codes.BREAST_GRADES["L"])) == ["G1"]


def test_images_that_were_not_analysed_are_named_with_the_reason(one_of, find, views):
    ds = one_of("tid1500", "partial")
    comments = " ".join(item.TextValue for item in find(ds, codes.COMMENT))
    assert f"LMLO: failed; The pixels cannot be decoded. (SOP Instance {views[3].SOPInstanceUID})" in comments
    assert "microcalcification: failed (The pixels cannot be decoded)" in comments
    assert "Left breast: no grade (Only one view of this breast was analysed)." in comments
    assert "grade 1" not in comments, "no negative for a breast that was not fully read"
    assert coded_grades(ds, find) == {"GRADE-STUDY": "G5", "GRADE-R": "G5"}


def coded_grades(ds, find):
    names = [codes.STUDY_GRADE, *codes.BREAST_GRADES.values()]
    return {name.value: item.ConceptCodeSequence[0].CodeValue for name in names for item in find(ds, name)}


def test_never_the_word_probability_without_calibration(one_of):
    assert "robability" not in one_of("tid1500", "many").to_json()


def test_hydratable_is_a_setting(one_of, find):
    plain = one_of("tid1500", "one")
    assert find(plain, codes.TRACKING_IDENTIFIER)[0].TextValue == "RCC-nodule-1"
    hydratable = one_of("tid1500", "one", hydratable=True)
    assert (
        find(hydratable, codes.TRACKING_IDENTIFIER)[0].TextValue
        == "Cornerstone3DTools@^0.1.0:RectangleROI:RCC-nodule-1"
    )
    score = find(hydratable, codes.CERTAINTY_OF_FINDING)[0]
    assert list(score.ContentSequence[0].GraphicData) == [40, 60, 80, 60, 80, 100, 40, 100, 40, 60]


def test_sop_class_is_a_setting(one_of):
    assert one_of("tid1500").SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    assert one_of("tid1500", comprehensive_3d=False).SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.33"


def test_private_grades_are_identified(one_of):
    ds = one_of("tid1500")
    (scheme,) = ds.CodingSchemeIdentificationSequence
    assert (scheme.CodingSchemeDesignator, scheme.CodingSchemeUID) == (codes.GRADE_SCHEME, codes.GRADE_SCHEME_UID)
    assert ds.PreliminaryFlag == "PRELIMINARY"
    assert ds.VerificationFlag == "UNVERIFIED"


def test_grade_six_is_never_bi_rads_six(inputs_of):
    inputs = inputs_of("many")
    group = measurement_group(inputs, inputs.result.images[0], lesion("RCC-nodule-9", (60.0, 80.0), grade=6))
    categories = [
        item.attributes["ConceptCodeSequence"][0].CodeMeaning
        for item in group.children
        if item.name == codes.ASSESSMENT_CATEGORY
    ]
    assert categories == ["5 - Highly suggestive of malignancy"]
