"""Measurement report (TID 1500) for general viewers: OHIF, 3D Slicer, Weasis; IHE AI Results."""

from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from inference.grades import is_suspicious
from scp.objects import codes
from scp.objects.content_tree import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    Code,
    Item,
    code,
    container,
    text,
    uidref,
)
from scp.objects.detections import processing_summary
from scp.objects.identity import MODEL_NAME, device_uid, serial_number
from scp.objects.image_library import report_library
from scp.objects.inputs import Inputs
from scp.objects.measurement_groups import measurement_group
from scp.objects.sr_document import language, sr_document
from scp.objects.words import image_lines, study_lines

# OHIF recognises the report by exactly these meanings
IMAGING_MEASUREMENT_REPORT = Code("126000", "DCM", "Imaging Measurement Report")
IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
OBSERVER_TYPE = Code("121005", "DCM", "Observer Type")
DEVICE = Code("121007", "DCM", "Device")
DEVICE_OBSERVER_UID = Code("121012", "DCM", "Device Observer UID")
DEVICE_OBSERVER_NAME = Code("121013", "DCM", "Device Observer Name")
DEVICE_OBSERVER_MANUFACTURER = Code("121014", "DCM", "Device Observer Manufacturer")
DEVICE_OBSERVER_MODEL = Code("121015", "DCM", "Device Observer Model Name")
DEVICE_OBSERVER_SERIAL = Code("121016", "DCM", "Device Observer Serial Number")
PROCEDURE_REPORTED = Code("121058", "DCM", "Procedure reported")
MAMMOGRAPHY = Code("71651007", "SCT", "Mammography")


def tid1500(inputs: Inputs) -> Dataset:
    """The report of a study, negative ones too: a group for each mark, and what was done with each image."""
    root = container(None, IMAGING_MEASUREMENT_REPORT, template="1500")
    root.add(language(), *_observer(inputs), _procedure(inputs), report_library(inputs).item)
    marks = [(image, finding) for image in inputs.result.images for finding in image.findings]
    if marks:
        measurements = container(CONTAINS, IMAGING_MEASUREMENTS)
        root.add(measurements.add(*(measurement_group(inputs, image, finding) for image, finding in marks)))
    root.add(_evaluations(inputs))
    sop_class_uid = Comprehensive3DSRStorage if inputs.options.comprehensive_3d else ComprehensiveSRStorage
    ds = sr_document(inputs, "tid1500", sop_class_uid, "measurements", root)
    ds.PreliminaryFlag = "PRELIMINARY"
    return ds


def _observer(inputs: Inputs) -> list[Item]:
    """TID 1004: a device, known by its networks."""
    return [
        code(HAS_OBS_CONTEXT, OBSERVER_TYPE, DEVICE),
        uidref(HAS_OBS_CONTEXT, DEVICE_OBSERVER_UID, device_uid(inputs.result)),
        text(HAS_OBS_CONTEXT, DEVICE_OBSERVER_NAME, MODEL_NAME),
        text(HAS_OBS_CONTEXT, DEVICE_OBSERVER_MANUFACTURER, inputs.options.manufacturer),
        text(HAS_OBS_CONTEXT, DEVICE_OBSERVER_MODEL, MODEL_NAME),
        text(HAS_OBS_CONTEXT, DEVICE_OBSERVER_SERIAL, serial_number(inputs.result)),
    ]


def _procedure(inputs: Inputs) -> Item:
    """The procedure the source names, else plain mammography."""
    coded = Code.of(inputs.first.get("ProcedureCodeSequence"))
    return code(HAS_CONCEPT_MOD, PROCEDURE_REPORTED, coded or MAMMOGRAPHY)


def _evaluations(inputs: Inputs) -> Item:
    """What holds for the study, its breasts and its images, and why anything is missing."""
    result = inputs.result
    box = container(CONTAINS, QUALITATIVE_EVALUATIONS)
    box.add(code(CONTAINS, codes.PROCESSING_SUMMARY, processing_summary(inputs)))
    if result.study.grade is not None:
        # a category names no breast here: a benign one of a single breast would speak for both
        speaks_for_both = is_suspicious(result.study.grade) or len(result.breasts) == 2
        if inputs.options.assessment_category and speaks_for_both:
            category = codes.assessment_category(result.study.grade)
            box.add(code(CONTAINS, codes.ASSESSMENT_CATEGORY, category))
        box.add(code(CONTAINS, codes.STUDY_GRADE, codes.GRADES[result.study.grade]))
    for side, breast in sorted(result.breasts.items(), reverse=True):
        if breast.grade is not None:
            box.add(code(CONTAINS, codes.BREAST_GRADES[side], codes.GRADES[breast.grade]))
    lines = [*study_lines(result), *image_lines(result)]
    return box.add(*(text(CONTAINS, codes.COMMENT, line) for line in lines))
