"""TID 1500 measurement reports: every group with a region on an image is a lesion.

Reports are those our node writes and a reader corrected: a group that was deleted is no lesion, one that was added
or kept is. Its pathology is what the group states (assessment category or a word), else malignant: the node marks
nothing else. A group that cannot be understood leaves its images in doubt.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from training.annotations import Lesion, Pathology, box_outline
from training.dicom_items import Said, Sizes, concept, meaning, referenced, value
from training.dicom_segments import SegmentFrame
from training.outlines import check_inside, polygon_outline
from training.stated import UNREADABLE
from training.words import lesion_type_of, pathology_of, pathology_of_category

REPORT, TEMPLATE = "126000", "1500"
MEASUREMENT_GROUP = "125007"
FINDING = "121071"
ASSESSMENT = "111005"
OBSERVER_TYPE, PERSON, DEVICE = "121005", "121006", "121007"
IMAGE_REGION = "111030"
SEGMENTS = ("121214", "121191")
"""Code values (DCM) of TID 1410 and 1411; a region repeated for a viewer has another concept name."""

Segmentations = Mapping[str, list[SegmentFrame]]
"""Frames of the SEGs that are there, by SOP Instance UID."""


def is_measurement_report(sr: Dataset) -> bool:
    """Whether its root is a TID 1500 'Imaging Measurement Report'."""
    templates = sr.get("ContentTemplateSequence") or ()
    return concept(sr) == REPORT or any(item.get("TemplateIdentifier") == TEMPLATE for item in templates)


def report_said(report: Dataset, segmentations: Segmentations, sizes: Sizes) -> Said:
    """Its lesions on every image it looked at, and the images that it leaves in doubt."""
    said = Said()
    images = _evidence(report)
    for uid in images:
        said.marks[uid] += []
    for group in groups(report):
        try:
            found = list(_lesions(group, segmentations))
            for uid, lesion in found:
                if lesion.outline is not None and uid in sizes:
                    check_inside(lesion.outline, sizes[uid])
        except UNREADABLE as error:
            named = [uid for uid in referenced(group) if uid in images]
            # a group that names none of them may be of any
            said.doubts |= dict.fromkeys(named or images, f"a measurement group cannot be understood: {error}")
        else:
            for uid, lesion in found:
                said.marks[uid].append(lesion)
    return said


def groups(item: Dataset) -> Iterator[Dataset]:
    """Every measurement group of a report, however deep."""
    for child in item.get("ContentSequence") or ():
        if concept(child) == MEASUREMENT_GROUP:
            yield child
        else:
            yield from groups(child)


def is_by_a_device(report: Dataset) -> bool:
    """Whether no person is among its observers."""
    observers = {value(item) for item in report.get("ContentSequence") or () if concept(item) == OBSERVER_TYPE}
    return DEVICE in observers and PERSON not in observers


def _evidence(report: Dataset) -> list[str]:
    """The images a report looked at."""
    evidence = Dataset()
    for name in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        if report.get(name):
            evidence[name] = report[name]
    return list(dict.fromkeys(referenced(evidence)))


def _walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence") or ():
        yield child
        yield from _walk(child)


def _lesions(group: Dataset, segmentations: Segmentations) -> Iterator[tuple[str, Lesion]]:
    """The group's regions, each with its image. Raises ValueError: it has none, or one of another kind."""
    items = list(_walk(group))
    kind = lesion_type_of(next((meaning(item) for item in items if concept(item) == FINDING), ""))
    places: list[tuple[str, NDArray[np.float64]]] = []
    for item in items:
        if concept(item) == IMAGE_REGION and item.get("ValueType") == "SCOORD":
            places.append((_image_of(item), _region(item)))
        elif concept(item) in SEGMENTS:
            places += _segmented(item, segmentations)
    if not places:
        raise ValueError("it has no region on an image")
    for uid, outline in places:
        yield uid, Lesion(kind, _pathology(items), outline)


def _image_of(region: Dataset) -> str:
    """SCOORD, SELECTED FROM an image (PS3.3 C.18.6)."""
    for child in region.get("ContentSequence") or ():
        if "ReferencedSOPSequence" in child:
            return str(child.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
    raise ValueError("a region names no image")


def _region(item: Dataset) -> NDArray[np.float64]:
    points = np.array(item.GraphicData, dtype=float).reshape(-1, 2)
    if item.GraphicType == "POLYLINE":
        closed = len(points) > 1 and np.array_equal(points[0], points[-1])
        return polygon_outline(points[:-1] if closed else points)
    if item.GraphicType == "CIRCLE":
        center, radius = points[0], float(np.hypot(*(points[1] - points[0])))
        points = np.stack([center - radius, center + radius])
    return box_outline(*points.min(axis=0), *points.max(axis=0))


def _segmented(item: Dataset, segmentations: Segmentations) -> list[tuple[str, NDArray[np.float64]]]:
    """The outlines of the frames or the segment that a group refers to. Raises ValueError: they are not there."""
    reference = item.ReferencedSOPSequence[0]
    frames = segmentations.get(str(reference.ReferencedSOPInstanceUID), [])
    numbers, wanted = (_numbers(reference.get(f"Referenced{name}Number")) for name in ("Frame", "Segment"))
    chosen = [
        (frame.image, frame.lesion.outline)
        for frame in frames
        if (not numbers or frame.number in numbers) and (not wanted or frame.segment in wanted)
    ]
    if not chosen:
        raise ValueError("the SEG with its region is not there, or cannot be read")
    return [(uid, outline) for uid, outline in chosen if outline is not None]


def _numbers(numbers: Any) -> set[int]:
    """None, one number, or several."""
    if numbers is None:
        return set()
    return {int(number) for number in (numbers if isinstance(numbers, MultiValue | list) else [numbers])}


def _pathology(items: list[Dataset]) -> Pathology:
    assessment = next((meaning(item) for item in items if concept(item) == ASSESSMENT), "")
    stated = [pathology_of(meaning(item)) for item in items if concept(item) != FINDING]
    stated.append(pathology_of_category(assessment))
    return next((pathology for pathology in stated if pathology != "unknown"), "malignant")
