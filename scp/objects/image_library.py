"""The images a report speaks of, with laterality, view, orientation, size and spacing.

TID 4020 (Mammography CAD SR) and TID 1600 to 1603 (measurement report) ask for nearly the same; a descriptor is
written only where the source has it.
"""

import math
from typing import NamedTuple

from pydicom import Dataset

from inference.results import ImageResult
from scp.objects import codes
from scp.objects.content_tree import (
    CONTAINS,
    HAS_ACQ_CONTEXT,
    HAS_CONCEPT_MOD,
    Code,
    Item,
    code,
    container,
    date,
    image,
    num,
    text,
    time,
)
from scp.objects.inputs import Inputs

IMAGE_LIBRARY_GROUP = Code("126200", "DCM", "Image Library Group")
MODALITY = Code("121139", "DCM", "Modality")
MAMMOGRAPHY = Code("MG", "DCM", "Mammography")
VIEWS = {  # CID 4014, for sources that name the view without a code
    "CC": Code("399162004", "SCT", "cranio-caudal"),
    "MLO": Code("399368009", "SCT", "medio-lateral oblique"),
    "ML": Code("399260004", "SCT", "medial-lateral"),
    "LM": Code("399352003", "SCT", "latero-medial"),
    "LMO": Code("399099002", "SCT", "latero-medial oblique"),
    "XCCL": Code("399192008", "SCT", "cranio-caudal exaggerated laterally"),
    "XCCM": Code("399101009", "SCT", "cranio-caudal exaggerated medially"),
    "FB": Code("399196006", "SCT", "caudo-cranial"),
    "SIO": Code("399188001", "SCT", "superolateral to inferomedial oblique"),
    "ISO": Code("441555000", "SCT", "inferomedial to superolateral oblique"),
}


class Library(NamedTuple):
    """The library's container, and in it the item of each image by SOP Instance UID, to be referred to."""

    item: Item
    images: dict[str, Item]


def cad_library(inputs: Inputs) -> Library:
    """Image Library of a Mammography CAD SR (TID 4000, TID 4020): lengths in micrometers."""
    library = container(CONTAINS, codes.IMAGE_LIBRARY)
    images = {}
    for result in inputs.referenced:
        source = inputs.source(result)
        item = image(CONTAINS, source.SOPClassUID, source.SOPInstanceUID)
        if result.laterality:
            item.add(code(HAS_ACQ_CONTEXT, codes.IMAGE_LATERALITY, codes.BREASTS[result.laterality]))
        item.add(_view(result, source), *_orientation(source), *_dates(source))
        item.add(*_spacing(source, 1000, codes.MICROMETER), *_size(source))
        images[result.sop_instance_uid] = item
    return Library(library.add(*images.values()), images)


def report_library(inputs: Inputs) -> Library:
    """Image Library of a measurement report (TID 1600, 1601, 1602): lengths in millimeters."""
    group = container(CONTAINS, IMAGE_LIBRARY_GROUP)
    images = {}
    for result in inputs.referenced:
        source = inputs.source(result)
        item = image(CONTAINS, source.SOPClassUID, source.SOPInstanceUID, codes.SOURCE)
        item.add(code(HAS_ACQ_CONTEXT, MODALITY, MAMMOGRAPHY))
        if result.laterality:
            item.add(code(HAS_ACQ_CONTEXT, codes.IMAGE_LATERALITY, codes.SIDES[result.laterality]))
        item.add(_view(result, source), *_orientation(source), *_dates(source))
        item.add(*_spacing(source, 1, codes.MILLIMETER), *_size(source))
        images[result.sop_instance_uid] = item
    library = container(CONTAINS, codes.IMAGE_LIBRARY)
    return Library(library.add(group.add(*images.values())), images)


def _view(result: ImageResult, source: Dataset) -> Item | None:
    """The view as the source codes it, else from its name."""
    coded = source.get("ViewCodeSequence")
    if not coded:
        known = VIEWS.get(result.view or "")
        return code(HAS_ACQ_CONTEXT, codes.IMAGE_VIEW, known) if known else None
    item = code(HAS_ACQ_CONTEXT, codes.IMAGE_VIEW, Code.of(coded[0]))
    for modifier in coded[0].get("ViewModifierCodeSequence") or []:
        item.add(code(HAS_CONCEPT_MOD, codes.IMAGE_VIEW_MODIFIER, Code.of(modifier)))
    return item


def _orientation(source: Dataset) -> list[Item]:
    directions = source.get("PatientOrientation")
    if not directions or isinstance(directions, str) or len(directions) != 2 or not all(directions):
        return []
    names = (codes.PATIENT_ORIENTATION_ROW, codes.PATIENT_ORIENTATION_COLUMN)
    return [text(HAS_ACQ_CONTEXT, name, str(value)) for name, value in zip(names, directions, strict=True)]


def _dates(source: Dataset) -> list[Item]:
    items = []
    for make, name, keyword in (
        (date, codes.STUDY_DATE, "StudyDate"),
        (time, codes.STUDY_TIME, "StudyTime"),
        (date, codes.CONTENT_DATE, "ContentDate"),
        (time, codes.CONTENT_TIME, "ContentTime"),
    ):
        if source.get(keyword):
            items.append(make(HAS_ACQ_CONTEXT, name, str(source.get(keyword))))
    return items


def _spacing(source: Dataset, per_millimeter: float, unit: Code) -> list[Item]:
    """At the detector (the definition of 111026 and 111066), never corrected for magnification."""
    spacing = source.get("ImagerPixelSpacing")
    if not spacing or isinstance(spacing, float) or len(spacing) != 2:
        return []
    row, column = (float(value) * per_millimeter for value in spacing)
    if not all(math.isfinite(value) and value > 0 for value in (row, column)):
        return []
    return [
        num(HAS_ACQ_CONTEXT, codes.HORIZONTAL_SPACING, round(column, 6), unit),
        num(HAS_ACQ_CONTEXT, codes.VERTICAL_SPACING, round(row, 6), unit),
    ]


def _size(source: Dataset) -> list[Item]:
    return [
        num(HAS_ACQ_CONTEXT, codes.PIXEL_DATA_ROWS, int(source.Rows), codes.PIXELS),
        num(HAS_ACQ_CONTEXT, codes.PIXEL_DATA_COLUMNS, int(source.Columns), codes.PIXELS),
    ]
