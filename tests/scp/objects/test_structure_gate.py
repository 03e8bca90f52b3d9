"""Planted faults: none of them may leave."""

import math

import pytest
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from phantoms.results import WRITTEN, case_result, image_result, lesion, study_result
from scp.objects import codes
from scp.objects.build import build
from scp.objects.inputs import InvalidObjectError, ObjectOptions, Revision
from scp.objects.measurement_groups import MEASUREMENT_GROUP
from scp.objects.structure_gate import check


def put(ds, keyword, value):
    """Set a value that pydicom itself would warn of."""
    tag = tag_for_keyword(keyword)
    ds.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE))


def no_study_id(ds, find):
    del ds.StudyID


def empty_manufacturer(ds, find):
    ds.Manufacturer = ""


def other_patient(ds, find):
    ds.PatientID = "SYN9999"


def other_study(ds, find):
    ds.StudyInstanceUID = "1.2.3"


def leading_zero_uid(ds, find):
    put(ds, "SeriesInstanceUID", "1.2.03")


def endless_uid(ds, find):
    put(ds, "SeriesInstanceUID", "1." + "2" * 63)


def long_meaning(ds, find):
    put(ds.ContentSequence[0].ConceptNameCodeSequence[0], "CodeMeaning", "x" * 65)


def no_scheme(ds, find):
    del ds.ContentSequence[0].ConceptNameCodeSequence[0].CodingSchemeDesignator


def scheme_without_identification(ds, find):
    del ds.CodingSchemeIdentificationSequence


def verified(ds, find):
    ds.VerificationFlag = "VERIFIED"


def lost_evidence(ds, find):
    del ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]


def wrong_relationship(ds, find):
    find(ds, MEASUREMENT_GROUP)[0].RelationshipType = "HAS PROPERTIES"


def number_without_unit(ds, find):
    del find(ds, codes.CERTAINTY_OF_FINDING)[0].MeasuredValueSequence[0].MeasurementUnitsCodeSequence


def score_over_hundred(ds, find):
    find(ds, codes.CERTAINTY_OF_FINDING)[0].MeasuredValueSequence[0].NumericValue = "910"


def outside_the_image(ds, find):
    region = find(ds, codes.IMAGE_REGION)[0]
    region.GraphicData = [40, 60, 161, 60, 161, 100, 40, 100, 40, 60]


def open_outline(ds, find):
    region = find(ds, codes.IMAGE_REGION)[0]
    region.GraphicData = list(region.GraphicData)[:-2]


def not_a_number(ds, find):
    region = find(ds, codes.IMAGE_REGION)[0]
    region.GraphicData = [40, math.nan, *list(region.GraphicData)[2:]]


def shared_tracking_uid(ds, find):
    first, second, *_ = find(ds, codes.TRACKING_UID)
    second.UID = first.UID


def lost_lesion(ds, find):
    measurements = find(ds, "126010")[0]
    del measurements.ContentSequence[0]


def biopsy_proven(ds, find):
    item = find(ds, codes.ASSESSMENT_CATEGORY)[0]
    code = codes.Code("MA.II.A.5.6", "BI", "6 - Known biopsy proven malignancy", "4.0")
    item.ConceptCodeSequence = code.sequence()


def false_negative(ds, find):
    find(ds, codes.ASSESSMENT_CATEGORY)[-1].ConceptCodeSequence = codes.BI_RADS[1].sequence()


def summary_without_findings(ds, find):
    find(ds, codes.PROCESSING_SUMMARY)[0].ConceptCodeSequence = codes.SUCCEEDED_WITHOUT_FINDINGS.sequence()


def item_without_value(ds, find):
    find(ds, codes.COMMENT)[0].TextValue = ""


def wrong_file_meta(ds, find):
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"


def unencodable(ds, find):
    put(ds, "Rows", 70000)


REPORT_FAULTS = [
    no_study_id, empty_manufacturer, other_patient, other_study, leading_zero_uid, endless_uid, long_meaning,
    no_scheme, scheme_without_identification, verified, lost_evidence, wrong_relationship, number_without_unit,
    score_over_hundred, outside_the_image, open_outline, not_a_number, shared_tracking_uid, lost_lesion,
    biopsy_proven, false_negative, summary_without_findings, item_without_value, wrong_file_meta, unencodable,
]  # fmt: skip


@pytest.mark.parametrize("fault", REPORT_FAULTS, ids=lambda fault: fault.__name__)
def test_report_with_a_fault_is_not_sent(one_of, inputs_of, find, fault):
    ds, inputs = one_of("tid1500", "many"), inputs_of("many")
    check("tid1500", ds, inputs)
    fault(ds, find)
    with pytest.raises(InvalidObjectError) as caught:
        check("tid1500", ds, inputs)
    assert caught.value.reason.code == "invalid-object"
    assert "SYN" not in caught.value.reason.text


def dangling_reference(ds, find):
    find(ds, "111010")[0].ContentSequence[0].ReferencedContentItemIdentifier = [1, 2, 99]


def reference_to_a_word(ds, find):
    find(ds, "111010")[0].ContentSequence[0].ReferencedContentItemIdentifier = [1, 1]


def center_of_three(ds, find):
    find(ds, "111010")[0].GraphicData = [10.0, 20.0, 30.0]


@pytest.mark.parametrize("fault", [dangling_reference, reference_to_a_word, center_of_three])
def test_cad_sr_with_a_fault_is_not_sent(one_of, inputs_of, find, fault):
    ds = one_of("cad-sr", "many")
    fault(ds, find)
    with pytest.raises(InvalidObjectError):
        check("cad-sr", ds, inputs_of("many"))


def other_rows(ds):
    ds.Rows = 199


def lost_frame(ds):
    del ds.PerFrameFunctionalGroupsSequence[0]


def empty_segment(ds):
    ds.PixelData = bytes(len(ds.PixelData))


def short_pixels(ds):
    ds.PixelData = ds.PixelData[:-2]


def segment_numbers(ds):
    ds.SegmentSequence[0].SegmentNumber = 7


def frame_of_another_segment(ds):
    ds.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 2


def foreign_source(ds):
    ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID = "1.2.3"


@pytest.mark.parametrize(
    "fault",
    [other_rows, lost_frame, empty_segment, short_pixels, segment_numbers, frame_of_another_segment, foreign_source],
)
def test_segmentation_with_a_fault_is_not_sent(one_of, inputs_of, fault):
    ds = one_of("seg", "many")
    fault(ds)
    with pytest.raises(InvalidObjectError):
        check("seg", ds, inputs_of("many"))


def no_layer(ds):
    ds.GraphicLayerSequence[0].GraphicLayer = "OTHER"


def graphics_outside(ds):
    graphic = ds.GraphicAnnotationSequence[0].GraphicObjectSequence[0]
    graphic.GraphicData = [-1.0, *list(graphic.GraphicData)[1:]]


def no_window_shape(ds):
    del ds.PresentationLUTShape


@pytest.mark.parametrize("fault", [no_layer, graphics_outside, no_window_shape])
def test_presentation_state_with_a_fault_is_not_sent(one_of, inputs_of, fault):
    ds = one_of("gsps", "many")
    fault(ds)
    with pytest.raises(InvalidObjectError):
        check("gsps", ds, inputs_of("many"))


@pytest.mark.parametrize(
    ("kind", "keyword", "value"),
    [
        ("secondary-capture", "PixelData", b"\0\0"),
        ("pdf", "EncapsulatedDocument", b"no pdf"),
        ("kos", "CurrentRequestedProcedureEvidenceSequence", [Dataset()]),
    ],
)
def test_other_objects_with_a_fault_are_not_sent(one_of, inputs_of, kind, keyword, value):
    ds = one_of(kind, "many")
    setattr(ds, keyword, value)
    with pytest.raises(InvalidObjectError):
        check(kind, ds, inputs_of("many"))


def test_build_refuses_a_lesion_outside_its_image(views):
    images = [image_result(views[0], [lesion("RCC-nodule-1", (155.0, 80.0))])]
    result = study_result(images, views[0].StudyInstanceUID)
    with pytest.raises(InvalidObjectError, match="outside image"):
        build(result, {views[0].SOPInstanceUID: views[0]}, ObjectOptions(), Revision(1, WRITTEN))


def test_a_lost_header_is_named(views):
    result = case_result("many", views)
    with pytest.raises(InvalidObjectError, match="is missing"):
        build(result, {view.SOPInstanceUID: view for view in views[1:]}, ObjectOptions(), Revision(1, WRITTEN))
    nothing = ObjectOptions(kinds=frozenset({"pdf"}))
    with pytest.raises(InvalidObjectError, match="No header"):
        build(result, {}, nothing, Revision(1, WRITTEN))


def test_a_picture_of_another_size_is_refused(views):
    result = case_result("many", views)
    sources = {view.SOPInstanceUID: view for view in views}
    options = ObjectOptions(kinds=frozenset({"secondary-capture"}))
    with pytest.raises(InvalidObjectError, match="no picture"):
        build(result, sources, options, Revision(1, WRITTEN))
