"""Mammography CAD SR for mammography workstations (TID 4000)."""

from pydicom import Dataset
from pydicom.uid import MammographyCADSRStorage

from inference.results import ImageResult, Module, StudyResult
from scp.objects import codes
from scp.objects.cad_findings import impressions
from scp.objects.content_tree import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_PROPERTIES,
    INFERRED_FROM,
    Code,
    Item,
    code,
    container,
    reference,
    text,
)
from scp.objects.detections import NOT_ATTEMPTED, detections, processing_summary
from scp.objects.finding_items import algorithm
from scp.objects.image_library import Library, cad_library
from scp.objects.inputs import Inputs
from scp.objects.operating_points import operating_point_items
from scp.objects.sr_document import language, sr_document
from scp.objects.words import not_analysed_lines, study_lines

CAD_REPORT = Code("111036", "DCM", "Mammography CAD Report")
IMPRESSION_DESCRIPTION = Code("111033", "DCM", "Impression Description")
SUMMARY_OF_DETECTIONS = Code("111064", "DCM", "Summary of Detections")
SUMMARY_OF_ANALYSES = Code("111065", "DCM", "Summary of Analyses")
SUCCESSFUL_DETECTIONS = Code("111063", "DCM", "Successful Detections")
FAILED_DETECTIONS = Code("111025", "DCM", "Failed Detections")
DETECTION_PERFORMED = Code("111022", "DCM", "Detection Performed")


def cad_sr(inputs: Inputs) -> Dataset:
    """The report of a study: library, impressions, which detector ran on which image, and that none analysed."""
    library = cad_library(inputs)
    root = container(None, CAD_REPORT, template="4000")
    root.add(language(), library.item, _summary(inputs, library), _detections(inputs, library))
    # an 'analysis' (CID 6043) is a measurement of what was detected: none is claimed
    root.add(code(CONTAINS, SUMMARY_OF_ANALYSES, NOT_ATTEMPTED))
    return sr_document(inputs, "cad-sr", MammographyCADSRStorage, "mammography CAD", root)


def _summary(inputs: Inputs, library: Library) -> Item:
    """TID 4001, with the assessment of the study in TID 4002."""
    result = inputs.result
    summary = code(CONTAINS, codes.PROCESSING_SUMMARY, processing_summary(inputs))
    if inputs.options.assessment_category and result.study.grade is not None:
        summary.add(_assessment(result))
    summary.add(
        text(HAS_PROPERTIES, IMPRESSION_DESCRIPTION, " ".join([*study_lines(result), *not_analysed_lines(result)]))
    )
    summary.add(
        text(HAS_PROPERTIES, codes.ALGORITHM_NAME, "mammonode"),
        text(HAS_PROPERTIES, codes.ALGORITHM_VERSION, result.software_version),
    )
    return summary.add(*impressions(inputs, library))


def _assessment(result: StudyResult) -> Item:
    """The category of the study, for the breast or breasts that it comes from."""
    grade = result.study.grade
    assert grade is not None
    item = code(HAS_PROPERTIES, codes.ASSESSMENT_CATEGORY, codes.assessment_category(grade))
    sides = [side for side, breast in result.breasts.items() if breast.grade == grade]
    if sides:
        breasts = codes.BOTH_BREASTS if len(sides) == 2 else codes.BREASTS[sides[0]]
        item.add(code(HAS_CONCEPT_MOD, codes.LATERALITY, breasts))
    return item


def _detections(inputs: Inputs, library: Library) -> Item:
    """TID 4015: every attempted image is named, under what succeeded or under what failed."""
    outcome = detections(inputs)
    summary = code(CONTAINS, SUMMARY_OF_DETECTIONS, outcome.status)
    for name, by_module in ((SUCCESSFUL_DETECTIONS, outcome.succeeded), (FAILED_DETECTIONS, outcome.failed)):
        if not by_module:
            continue
        performed = container(INFERRED_FROM, name)
        for module, images in by_module.items():
            performed.add(_performed(inputs, library, module, images))
        summary.add(performed)
    return summary


def _performed(inputs: Inputs, library: Library, module: Module, images: tuple[ImageResult, ...]) -> Item:
    item = code(CONTAINS, DETECTION_PERFORMED, codes.CAD_FINDINGS[module])
    item.add(*algorithm(inputs.result, module, HAS_PROPERTIES))
    item.add(*(reference(HAS_PROPERTIES, library.images[image.sop_instance_uid]) for image in images))
    if inputs.options.operating_points:
        item.add(*operating_point_items(inputs.result, module))
    return item
