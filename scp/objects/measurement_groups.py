"""One mark as a planar ROI measurement group (TID 1410), drawn and labelled by OHIF as it stands.

OHIF 3.13.2 labels a group with its NUM items and finding site only, so the score and the grade are NUMs.
"""

from inference.results import Finding, ImageResult
from scp.objects import codes
from scp.objects.content_tree import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    INFERRED_FROM,
    SELECTED_FROM,
    Code,
    Item,
    code,
    container,
    image,
    num,
    scoord,
    text,
)
from scp.objects.finding_items import algorithm, certainty, probability, tracking
from scp.objects.inputs import Inputs

MEASUREMENT_GROUP = Code("125007", "DCM", "Measurement Group")
FINDING = Code("121071", "DCM", "Finding")
FINDING_SITE = Code("363698007", "SCT", "Finding Site")
GEOMETRIC_PURPOSE = Code("130400", "DCM", "Geometric purpose of region")
BOUNDED_BY = Code("75958009", "SCT", "Bounded by")

HYDRATABLE = "Cornerstone3DTools@^0.1.0:RectangleROI:"
"""A tracking identifier that starts so makes OHIF turn the group into an editable rectangle, without our label."""


def measurement_group(inputs: Inputs, result: ImageResult, finding: Finding) -> Item:
    """The Tracking Unique Identifier is the group's first UIDREF, as OHIF wants it."""
    prefix = HYDRATABLE if inputs.options.hydratable else ""
    group = container(CONTAINS, MEASUREMENT_GROUP)
    group.add(
        *tracking(finding, prefix),
        code(CONTAINS, FINDING, codes.FINDINGS[finding.module]),
        _site(result),
        *algorithm(inputs.result, finding.module, HAS_CONCEPT_MOD),
        _score(inputs, result, finding),
        *probability(CONTAINS, finding),
        num(CONTAINS, codes.GRADE, finding.grade, codes.ONE_TO_SIX),
    )
    if inputs.options.assessment_category:
        group.add(code(CONTAINS, codes.ASSESSMENT_CATEGORY, codes.assessment_category(finding.grade)))
    return group.add(
        code(CONTAINS, codes.GRADE, codes.GRADES[finding.grade]),
        code(CONTAINS, GEOMETRIC_PURPOSE, BOUNDED_BY),
        _rectangle(CONTAINS, codes.IMAGE_REGION, result, finding),
        text(CONTAINS, codes.COMMENT, _comment(inputs, finding)),
    )


def _site(result: ImageResult) -> Item:
    site = code(HAS_CONCEPT_MOD, FINDING_SITE, codes.BREAST)
    if result.laterality:
        site.add(code(HAS_CONCEPT_MOD, codes.LATERALITY, codes.SIDES[result.laterality]))
    return site


def _score(inputs: Inputs, result: ImageResult, finding: Finding) -> Item:
    """The score; to hydrate, OHIF wants the rectangle again as first child of the first NUM (TID 320)."""
    score = certainty(CONTAINS, finding)
    if inputs.options.hydratable:
        score.add(_rectangle(INFERRED_FROM, codes.SOURCE, result, finding))
    return score


def _rectangle(relationship: str, name: Code, result: ImageResult, finding: Finding) -> Item:
    """The bounding box as a closed POLYLINE of five points."""
    left, top, right, bottom = finding.box
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    source = image(SELECTED_FROM, result.sop_class_uid, result.sop_instance_uid, codes.SOURCE)
    return scoord(relationship, name, "POLYLINE", corners).add(source)


def _comment(inputs: Inputs, finding: Finding) -> str:
    linked = [other.tracking_id for other in inputs.result.findings if other.tracking_uid in finding.linked]
    same = f"; the same lesion as {', '.join(linked)}" if linked else ""
    return f"{codes.label(finding)} - not a diagnosis{same}"
