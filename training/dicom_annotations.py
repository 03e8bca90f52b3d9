"""DICOM as its own annotation: images with SEG objects and TID 1500 reports that refer to them.

Reports are those our node writes and a reader corrected: a group that was deleted is no lesion, one that was added
or kept is. Its pathology is what the group states (assessment category or a word), else malignant: the node marks
nothing else. An image that a report covers without a group on it is healthy; one that nothing refers to is unusable.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    SegmentationStorage,
)

from inference.view import read_laterality, read_view
from training.annotations import AnnotatedImage, Annotations, Lesion, Pathology
from training.coco import mask_outline
from training.words import lesion_type_of, pathology_of, pathology_of_category

REPORTS = {EnhancedSRStorage, ComprehensiveSRStorage, Comprehensive3DSRStorage}
MEASUREMENT_GROUP = "125007"
FINDING = "121071"
ASSESSMENT = "111005"
OBSERVER_TYPE, PERSON, DEVICE = "121005", "121006", "121007"
IMAGE_REGION = "111030"
"""Code values (DCM) of TID 1410; a region repeated for a viewer has another concept name."""

Marks = dict[str, list[Lesion]]
"""Lesions by the SOP Instance UID of the image they lie on; an empty list: looked at, nothing there."""


def read_dicom(folder: Path) -> Annotations:
    """Read a folder tree of DICOM files. A report's word counts more than a SEG's: readers correct reports."""
    found = Annotations()
    images: dict[str, tuple[Path, Dataset]] = {}
    header: Dataset
    segmented: Marks = defaultdict(list)
    reports: list[tuple[Dataset, Marks]] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            header = pydicom.dcmread(path, specific_tags=None, defer_size=1 << 16)
            if header.SOPClassUID == SegmentationStorage:
                _collect(segmented, _segments(path))
            elif header.SOPClassUID in REPORTS:
                reports.append((header, report_lesions(header)))
            elif header.get("Modality") == "MG":
                images[str(header.SOPInstanceUID)] = (path, header)
        except InvalidDicomError:
            continue  # other files lie about in such folders
        except (AttributeError, ValueError, KeyError, IndexError, NotImplementedError) as error:
            found.reject(str(path.relative_to(folder)), f"cannot be read: {error}")
    marks = {**segmented, **_reported(reports, found)}
    for uid, (path, header) in images.items():
        if uid not in marks:
            found.reject(str(path.relative_to(folder)), "no SEG and no report refers to this image")
        elif not header.get("PatientID"):
            found.reject(str(path.relative_to(folder)), "PatientID is empty: patients cannot be kept apart")
        else:
            found.images.append(_image(folder, path, header, marks[uid]))
    return found


def _reported(reports: list[tuple[Dataset, Marks]], found: Annotations) -> Marks:
    """What the reports say that no other one replaces; a note where they are a computer's alone."""
    replaced = {
        str(reference.ReferencedSOPInstanceUID)
        for report, _ in reports
        for study in report.get("PredecessorDocumentsSequence", ())
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    }
    current = [(report, own) for report, own in reports if str(report.SOPInstanceUID) not in replaced]
    unread = sum(report.get("VerificationFlag") != "VERIFIED" and _is_by_a_device(report) for report, _ in current)
    if unread:
        found.notes.append(
            f"{unread} report(s) are a computer's, and no reader has verified them. What they mark was taken as "
            "true, and the rest as healthy: a network trained or calibrated on that learns its own mistakes."
        )
    marks: Marks = defaultdict(list)
    for _, own in current:
        _collect(marks, own)
    return marks


def _is_by_a_device(report: Dataset) -> bool:
    observers = {_value(item) for item in report.get("ContentSequence", ()) if _code(item) == OBSERVER_TYPE}
    return DEVICE in observers and PERSON not in observers


def _value(item: Dataset) -> str:
    codes = item.get("ConceptCodeSequence")
    return str(codes[0].get("CodeValue", "")) if codes else ""


def _collect(marks: Marks, more: Marks) -> None:
    for uid, lesions in more.items():
        marks[uid] += lesions


def _image(folder: Path, path: Path, header: Dataset, lesions: list[Lesion]) -> AnnotatedImage:
    return AnnotatedImage(
        path=path.resolve(),
        patient_id=str(header.PatientID),
        dataset=folder.name,
        view=read_view(header) or "",
        laterality=read_laterality(header) or "",
        lesions=tuple(lesions),
    )


def report_lesions(report: Dataset) -> Marks:
    """Every measurement group of a TID 1500 report with a region on an image, and every image it looked at."""
    marks: Marks = defaultdict(list)
    for evidence in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in report.get(evidence, ()):
            for series in study.ReferencedSeriesSequence:
                for reference in series.ReferencedSOPSequence:
                    marks[str(reference.ReferencedSOPInstanceUID)] += []
    for group in _groups(report):
        items = list(_walk(group))
        finding = next((_meaning(item) for item in items if _code(item) == FINDING), "")
        for item in items:
            if item.get("ValueType") == "SCOORD" and _code(item) == IMAGE_REGION:
                uid = _image_of(item)
                marks[uid].append(Lesion(lesion_type_of(finding), _pathology(items), _region(item)))
    return marks


def _groups(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        if _code(child) == MEASUREMENT_GROUP:
            yield child
        else:
            yield from _groups(child)


def _walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        yield child
        yield from _walk(child)


def _code(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].get("CodeValue", "")) if names else ""


def _meaning(item: Dataset) -> str:
    codes = item.get("ConceptCodeSequence")
    return str(codes[0].get("CodeMeaning", "")) if codes else ""


def _image_of(region: Dataset) -> str:
    """SCOORD, SELECTED FROM an image (PS3.3 C.18.6)."""
    for child in region.ContentSequence:
        if "ReferencedSOPSequence" in child:
            return str(child.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
    raise ValueError("a region names no image")


def _region(item: Dataset) -> NDArray[np.float64]:
    points = np.array(item.GraphicData, dtype=float).reshape(-1, 2)
    if item.GraphicType == "CIRCLE":
        center, radius = points[0], float(np.hypot(*(points[1] - points[0])))
        points = np.stack([center - radius, center + radius])
    if item.GraphicType == "POLYLINE" and len(points) > 3:
        return points[:-1] if np.array_equal(points[0], points[-1]) else points
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    if x1 <= x0 or y1 <= y0:
        raise ValueError("a region has no area")
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _pathology(items: list[Dataset]) -> Pathology:
    assessment = next((_meaning(item) for item in items if _code(item) == ASSESSMENT), "")
    stated = [pathology_of(_meaning(item)) for item in items if _code(item) != FINDING]
    stated.append(pathology_of_category(assessment))
    return next((pathology for pathology in stated if pathology != "unknown"), "malignant")


def _segments(path: Path) -> Marks:
    """The segments of a SEG, each on the image its frames derive from (PS3.3 A.51)."""
    seg: Dataset = pydicom.dcmread(path)
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    segments = {int(segment.SegmentNumber): segment for segment in seg.SegmentSequence}
    marks: Marks = defaultdict(list)
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        identification = groups.get("SegmentIdentificationSequence") or seg.SharedFunctionalGroupsSequence[0].get(
            "SegmentIdentificationSequence"
        )
        segment = segments[int(identification[0].ReferencedSegmentNumber)]
        derivation = groups.get("DerivationImageSequence") or seg.SharedFunctionalGroupsSequence[0].get(
            "DerivationImageSequence"
        )
        uid = str(derivation[0].SourceImageSequence[0].ReferencedSOPInstanceUID)
        words = f"{segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning} {segment.get('SegmentLabel', '')}"
        pathology = pathology_of(f"{words} {segment.get('SegmentDescription', '')}")
        kept: Pathology = "malignant" if pathology == "unknown" else pathology
        marks[uid].append(Lesion(lesion_type_of(words), kept, mask_outline((frame > 0).astype(np.uint8))))
    return marks
