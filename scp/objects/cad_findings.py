"""The impressions of a Mammography CAD SR: single image findings, and composite features over two views.

TID 4003 (individual impression), 4004 and 4005 (composite feature), 4006 (single image finding), 4021 (geometry).
"""

from inference.results import Finding, ImageResult, StudyResult
from scp.objects import codes
from scp.objects.content_tree import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_PROPERTIES,
    INFERRED_FROM,
    SELECTED_FROM,
    Code,
    Item,
    code,
    container,
    reference,
    scoord,
    text,
)
from scp.objects.finding_items import algorithm, certainty, probability, tracking
from scp.objects.image_library import Library
from scp.objects.inputs import Inputs
from scp.objects.operating_points import operating_point
from scp.objects.words import model_words

INDIVIDUAL_IMPRESSION = Code("111034", "DCM", "Individual Impression/Recommendation")
RENDERING_INTENT = Code("111056", "DCM", "Rendering Intent")
PRESENTATION_REQUIRED = Code("111150", "DCM", "Presentation Required: Rendering device is expected to present")
PRESENTATION_OPTIONAL = Code("111151", "DCM", "Presentation Optional: Rendering device may present")
SINGLE_IMAGE_FINDING = Code("111059", "DCM", "Single Image Finding")
CENTER = Code("111010", "DCM", "Center")
OUTLINE = Code("111041", "DCM", "Outline")
COMPOSITE_FEATURE = Code("111015", "DCM", "Composite Feature")
COMPOSITE_TYPE = Code("111016", "DCM", "Composite Type")
RELATED_SPATIALLY = Code("111154", "DCM", "Target content items are related spatially")
SCOPE_OF_FEATURE = Code("111057", "DCM", "Scope of Feature")
ON_MULTIPLE_IMAGES = Code("111158", "DCM", "Feature detected on multiple images")


def impressions(inputs: Inputs, library: Library) -> list[Item]:
    """One Individual Impression for each lesion, the most suspicious first."""
    return [_impression(inputs, library, marks) for marks in lesions(inputs.result)]


def lesions(result: StudyResult) -> list[list[tuple[ImageResult, Finding]]]:
    """The marks of each lesion: several where they are linked across views, the most suspicious lesion first."""
    marks = [(image, finding) for image in result.images for finding in image.findings]
    groups: list[list[tuple[ImageResult, Finding]]] = []
    for mark in marks:
        joined = [group for group in groups if any(_linked(mark[1], other) for _, other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([*(other for group in joined for other in group), mark])
    return sorted(groups, key=lambda group: max((f.grade, f.score) for _, f in group), reverse=True)


def _linked(one: Finding, other: Finding) -> bool:
    return one.tracking_uid in other.linked or other.tracking_uid in one.linked


def _impression(inputs: Inputs, library: Library, marks: list[tuple[ImageResult, Finding]]) -> Item:
    impression = container(INFERRED_FROM, INDIVIDUAL_IMPRESSION)
    impression.add(_rendering_intent(inputs))
    if len(marks) == 1:
        return impression.add(_single_image_finding(inputs, library, CONTAINS, *marks[0]))
    return impression.add(_composite_feature(inputs, library, marks))


def _composite_feature(inputs: Inputs, library: Library, marks: list[tuple[ImageResult, Finding]]) -> Item:
    feature = code(CONTAINS, COMPOSITE_FEATURE, codes.FINDINGS[marks[0][1].module])
    feature.add(
        _rendering_intent(inputs),
        code(HAS_PROPERTIES, COMPOSITE_TYPE, RELATED_SPATIALLY),
        code(HAS_PROPERTIES, SCOPE_OF_FEATURE, ON_MULTIPLE_IMAGES),
        text(HAS_PROPERTIES, codes.ALGORITHM_NAME, "mammonode link of views"),
        text(HAS_PROPERTIES, codes.ALGORITHM_VERSION, inputs.result.software_version),
    )
    for image, finding in marks:
        feature.add(_single_image_finding(inputs, library, INFERRED_FROM, image, finding))
    return feature


def _single_image_finding(
    inputs: Inputs, library: Library, relationship: str, image: ImageResult, finding: Finding
) -> Item:
    return code(relationship, SINGLE_IMAGE_FINDING, codes.CAD_FINDINGS[finding.module]).add(
        _rendering_intent(inputs, finding),
        *tracking(finding),
        *_finding_algorithm(inputs.result, finding),
        certainty(HAS_PROPERTIES, finding),
        *probability(HAS_PROPERTIES, finding),
        *_geometry(library.images[image.sop_instance_uid], finding),
    )


def _finding_algorithm(result: StudyResult, finding: Finding) -> list[Item]:
    """TID 4000 takes no item of our own, so the grade stands in the Algorithm Parameters."""
    model = next((model for model in result.models if model.module is finding.module), None)
    parameters = [codes.GRADES[finding.grade].meaning, f"score {codes.per_cent(finding.score):g}"]
    if model:
        parameters.append(model_words(model))
    name_and_version = algorithm(result, finding.module, HAS_PROPERTIES)[:2]
    return [*name_and_version, text(HAS_PROPERTIES, codes.ALGORITHM_PARAMETERS, "; ".join(parameters))]


def _rendering_intent(inputs: Inputs, finding: Finding | None = None) -> Item:
    """Required, or optional with the operating point above which a workstation shows the mark (TID 4023)."""
    if not inputs.options.operating_points:
        return code(HAS_CONCEPT_MOD, RENDERING_INTENT, PRESENTATION_REQUIRED)
    intent = code(HAS_CONCEPT_MOD, RENDERING_INTENT, PRESENTATION_OPTIONAL)
    return intent.add(operating_point(finding.grade)) if finding else intent


def _geometry(image: Item, finding: Finding) -> list[Item]:
    """Center and closed Outline, each SELECTED FROM the image of the library (by reference)."""
    outline = [*finding.outline, finding.outline[0]]
    return [
        scoord(HAS_PROPERTIES, CENTER, "POINT", [finding.center]).add(reference(SELECTED_FROM, image)),
        scoord(HAS_PROPERTIES, OUTLINE, "POLYLINE", outline).add(reference(SELECTED_FROM, image)),
    ]
