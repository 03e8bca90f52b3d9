"""Readers' opinions as a DICOM SR: a TID 1500 measurement report by persons, with what they kept and added.

A rejected mark has no group: a report that covers an image without a group on it says that nothing is there. Hence
only images are referenced of which every mark was judged, or on which something was added.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage

from inference.results import ImageResult, StudyResult
from scp.objects import codes
from scp.objects.content_tree import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    SELECTED_FROM,
    Code,
    Item,
    code,
    container,
    image,
    scoord,
    text,
    uidref,
)
from scp.objects.identity import uid_from
from scp.objects.image_library import report_library
from scp.objects.inputs import Inputs, ObjectOptions, Revision
from scp.objects.measurement_groups import FINDING, FINDING_SITE, MEASUREMENT_GROUP
from scp.objects.sr_document import language, sr_document
from scp.objects.tid1500 import (
    IMAGING_MEASUREMENT_REPORT,
    IMAGING_MEASUREMENTS,
    MAMMOGRAPHY,
    OBSERVER_TYPE,
    PROCEDURE_REPORTED,
    QUALITATIVE_EVALUATIONS,
)
from scp.web.opinions import Opinion

KIND = "reader-feedback"
PERSON = Code("121006", "DCM", "Person")
PERSON_OBSERVER_NAME = Code("121008", "DCM", "Person Observer Name")
IMPRESSION = Code("IMPRESSION", codes.GRADE_SCHEME, "Reader impression")
IMPRESSIONS = {
    "malignant": Code("MALIGNANT", codes.GRADE_SCHEME, "Suspicious of malignancy"),
    "benign": Code("BENIGN", codes.GRADE_SCHEME, "Benign lesion"),
}


def judged(result: StudyResult, opinions: Sequence[Opinion]) -> tuple[ImageResult, ...]:
    """Images of which every mark was judged, or on which a reader added something, or kept something."""
    subjects = {opinion.subject for opinion in opinions}
    with_lesions = {opinion.sop_instance_uid for opinion in opinions if opinion.verdict != "rejected"}
    return tuple(
        image
        for image in result.analysed
        if image.sop_instance_uid in with_lesions
        or (image.findings and all(finding.tracking_uid in subjects for finding in image.findings))
    )


def feedback_report(
    result: StudyResult, sources: Mapping[str, Dataset], opinions: Sequence[Opinion], options: ObjectOptions
) -> Dataset | None:
    """The report, the same for the same opinions; None where no image has been judged yet.

    `sources`: headers by SOP Instance UID. Raises InvalidObjectError: a header is missing.
    """
    images = judged(result, opinions)
    if not images:
        return None
    written: datetime = max(opinion.at for opinion in opinions)
    inputs = Inputs(
        result=result.model_copy(update={"images": images}),
        sources=sources,
        options=options,
        revision=Revision(number=len(opinions), written=written),
        digest=uid_from("feedback", *sorted(opinion.id for opinion in opinions)),
    )
    ds = sr_document(inputs, KIND, ComprehensiveSRStorage, "reader feedback", _tree(inputs, opinions))
    ds.SeriesDescription = f"Reader feedback - {codes.RESEARCH_USE.lower()}"
    ds.PreliminaryFlag = "PRELIMINARY"
    return ds


def _tree(inputs: Inputs, opinions: Sequence[Opinion]) -> Item:
    root = container(None, IMAGING_MEASUREMENT_REPORT, template="1500")
    root.add(language())
    for reader in dict.fromkeys(opinion.reader for opinion in opinions):
        root.add(code(HAS_OBS_CONTEXT, OBSERVER_TYPE, PERSON), _person(reader))
    root.add(code(HAS_CONCEPT_MOD, PROCEDURE_REPORTED, MAMMOGRAPHY), report_library(inputs).item)
    images = {result.sop_instance_uid: result for result in inputs.result.images}
    kept = [one for one in opinions if one.verdict in ("accepted", "added") and one.sop_instance_uid in images]
    if kept:
        measurements = container(CONTAINS, IMAGING_MEASUREMENTS)
        root.add(measurements.add(*(_group(one, images[one.sop_instance_uid]) for one in kept)))
    evaluations = container(CONTAINS, QUALITATIVE_EVALUATIONS)
    lines = [_line(opinion) for opinion in opinions]
    return root.add(evaluations.add(*(text(CONTAINS, codes.COMMENT, line) for line in lines)))


def _person(reader: str) -> Item:
    """The login name as a family name: with one component alone it would be the retired form (PS3.5 6.2)."""
    return Item("PNAME", HAS_OBS_CONTEXT, PERSON_OBSERVER_NAME, {"PersonName": f"{reader}^"})


def _group(opinion: Opinion, result: ImageResult) -> Item:
    """A planar ROI (TID 1410) with the reader's impression."""
    x0, y0, x1, y1 = opinion.box
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    region = scoord(CONTAINS, codes.IMAGE_REGION, "POLYLINE", corners)
    region.add(image(SELECTED_FROM, result.sop_class_uid, result.sop_instance_uid, codes.SOURCE))
    site = code(HAS_CONCEPT_MOD, FINDING_SITE, codes.BREAST)
    if result.laterality:
        site.add(code(HAS_CONCEPT_MOD, codes.LATERALITY, codes.SIDES[result.laterality]))
    return container(CONTAINS, MEASUREMENT_GROUP).add(
        text(HAS_OBS_CONTEXT, codes.TRACKING_IDENTIFIER, f"{opinion.verdict}-{opinion.id[:8]}"),
        uidref(HAS_OBS_CONTEXT, codes.TRACKING_UID, opinion.subject),
        code(CONTAINS, FINDING, codes.FINDINGS[opinion.module]),
        site,
        code(CONTAINS, IMPRESSION, IMPRESSIONS[opinion.pathology]),
        region,
        text(CONTAINS, codes.COMMENT, _line(opinion)),
    )


def _line(opinion: Opinion) -> str:
    what = f"{opinion.module.value} {opinion.subject}"
    impression = "" if opinion.verdict == "rejected" else f", {opinion.pathology} in the reader's impression"
    return f"{what}: {opinion.verdict} by {opinion.reader} on {opinion.at.date().isoformat()}{impression}"
