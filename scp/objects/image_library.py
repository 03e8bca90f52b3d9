"""The images a report speaks of, with laterality, view, orientation, size and spacing.

TID 4020 (Mammography CAD SR) and TID 1600 to 1603 (measurement report) ask for nearly the same; a descriptor is
written only where the source has it.
"""

import math
from typing import NamedTuple

from pydicom import Dataset, config
from pydicom.valuerep import validate_value

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
from scp.objects.context import patient_orientation
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
    sequence = source.get("ViewCodeSequence")
    coded = Code.of(sequence)
    view = coded or VIEWS.get(result.view or "")
    if view is None:
        return None
    item = code(HAS_ACQ_CONTEXT, codes.IMAGE_VIEW, view)
    for modifier in (sequence[0].get("ViewModifierCodeSequence") or []) if coded else []:
        modifying = Code.of([modifier])
        if modifying:
            item.add(code(HAS_CONCEPT_MOD, codes.IMAGE_VIEW_MODIFIER, modifying))
    return item


def _orientation(source: Dataset) -> list[Item]:
    names = (codes.PATIENT_ORIENTATION_ROW, codes.PATIENT_ORIENTATION_COLUMN)
    directions = patient_orientation(source)
    return [text(HAS_ACQ_CONTEXT, name, value) for name, value in zip(names, directions, strict=False)]


def _dates(source: Dataset) -> list[Item]:
    items = []
    for make, name, keyword in (
        (date, codes.STUDY_DATE, "StudyDate"),
        (time, codes.STUDY_TIME, "StudyTime"),
        (date, codes.CONTENT_DATE, "ContentDate"),
        (time, codes.CONTENT_TIME, "ContentTime"),
    ):
        value = str(source.get(keyword) or "")
        if value and _valid(source[keyword].VR, value):
            items.append(make(HAS_ACQ_CONTEXT, name, value))
    return items


def _spacing(source: Dataset, per_millimeter: float, unit: Code) -> list[Item]:
    """At the detector (the definition of 111026 and 111066), never corrected for magnification."""
    try:
        row, column = (float(value) * per_millimeter for value in source.get("ImagerPixelSpacing") or ())
    except (TypeError, ValueError):  # one value, three, or no numbers
        return []
    if not all(math.isfinite(value) and value > 0 for value in (row, column)):
        return []
    return [
        num(HAS_ACQ_CONTEXT, codes.HORIZONTAL_SPACING, round(column, 6), unit),
        num(HAS_ACQ_CONTEXT, codes.VERTICAL_SPACING, round(row, 6), unit),
    ]


def _valid(vr: str, value: str) -> bool:
    """Whether a source's date or time may be said again."""
    try:
        validate_value(vr, value, config.RAISE)
    except ValueError:
        return False
    return True


def _size(source: Dataset) -> list[Item]:
    return [
        num(HAS_ACQ_CONTEXT, codes.PIXEL_DATA_ROWS, int(source.Rows), codes.PIXELS),
        num(HAS_ACQ_CONTEXT, codes.PIXEL_DATA_COLUMNS, int(source.Columns), codes.PIXELS),
    ]
