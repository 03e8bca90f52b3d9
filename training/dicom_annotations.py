"""DICOM as its own annotation: images with SEG objects and TID 1500 reports that refer to them.

An image that a report covers without a group on it is healthy; one that nothing refers to is unusable.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage, SegmentationStorage

from inference.view import read_laterality, read_view
from training.annotations import AnnotatedImage, Annotations, Lesion
from training.dicom_items import Said, Sizes, referenced
from training.dicom_reports import groups, is_by_a_device, is_measurement_report, report_said
from training.dicom_segments import SegmentFrame, marks_of, read_segments
from training.stated import UNREADABLE


@dataclass
class _Folder:
    """The objects of a folder tree, sorted by what they are."""

    images: dict[str, tuple[str, Path, Dataset]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    segmentations: list[tuple[str, Path, Dataset]] = field(default_factory=list)
    reports: list[Dataset] = field(default_factory=list)
    other_reports: list[str] = field(default_factory=list)


@dataclass
class _Reported:
    """What reports say: those with measurement groups, and those without any."""

    grouped: Said = field(default_factory=Said)
    groupless: Said = field(default_factory=Said)


def read_dicom(folder: Path) -> Annotations:
    """Read a folder tree of DICOM files. A report's word counts more than a SEG's: readers correct reports.

    But a report without any measurement group takes no lesion away: it may have been about something else.
    """
    found = Annotations()
    objects = _sorted_out(folder, found)
    frames, segmented = _segmented(objects, found)
    reported = _reported(objects.reports, frames, objects.sizes)
    _note(objects, reported, segmented, found)
    for uid, (name, path, header) in objects.images.items():
        lesions = _lesions_of(uid, reported, segmented)
        if isinstance(lesions, str):
            found.reject(name, lesions)
        elif not header.get("PatientID"):
            found.reject(name, "PatientID is empty: patients cannot be kept apart")
        else:
            found.images.append(_image(folder, path, header, lesions))
    return found


def _lesions_of(uid: str, reported: _Reported, segmented: Said) -> list[Lesion] | str:
    """The lesions of an image, or why nobody can tell."""
    if uid in reported.grouped.doubts:
        return reported.grouped.doubts[uid]
    told = reported.grouped.marks.get(uid)
    if told or (told is not None and uid not in segmented.doubts):
        return told
    if uid in segmented.doubts:
        return segmented.doubts[uid]
    if uid in segmented.marks:
        return segmented.marks[uid]
    return [] if uid in reported.groupless.marks else "no SEG and no report refers to this image"


def _sorted_out(folder: Path, found: Annotations) -> _Folder:
    objects = _Folder()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        try:
            header: Dataset = pydicom.dcmread(path, defer_size=1 << 16)
            _sort(objects, name, path, header, found)
        except InvalidDicomError:
            continue  # other files lie about in such folders
        except UNREADABLE as error:
            found.reject(name, f"cannot be read: {error}")
    return objects


def _sort(objects: _Folder, name: str, path: Path, header: Dataset, found: Annotations) -> None:
    if header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return  # the table of contents of a disc
    modality = header.get("Modality") or "empty"
    if header.SOPClassUID == SegmentationStorage or modality == "SEG":
        objects.segmentations.append((name, path, header))
    elif is_measurement_report(header):
        objects.reports.append(header)
    elif modality == "SR":
        objects.other_reports.append(name)
    elif modality != "MG":
        found.reject(name, f"its Modality is {modality}: only MG images are read")
    elif not header.get("Rows") or not header.get("Columns"):
        found.reject(name, "it has no pixels")
    else:
        uid = str(header.SOPInstanceUID)
        objects.sizes[uid] = (int(header.Columns), int(header.Rows))
        objects.images[uid] = (name, path, header)


def _segmented(objects: _Folder, found: Annotations) -> tuple[dict[str, list[SegmentFrame]], Said]:
    """The frames of every SEG, and what they say of images; one that cannot be read leaves its images in doubt."""
    frames: dict[str, list[SegmentFrame]] = {}
    said = Said()
    for name, path, header in objects.segmentations:
        try:
            own = read_segments(path, objects.sizes)
        except UNREADABLE as error:
            found.reject(name, f"cannot be read: {error}")
            said.doubts |= dict.fromkeys(referenced(header), f"its segmentation {name} cannot be read")
            continue
        frames[str(header.SOPInstanceUID)] = own
        said.add(Said(marks_of(own)))
    return frames, said


def _reported(reports: Iterable[Dataset], frames: dict[str, list[SegmentFrame]], sizes: Sizes) -> _Reported:
    """What the reports say that no other one replaces."""
    reported = _Reported()
    for report in _current(reports):
        said = report_said(report, frames, sizes)
        (reported.grouped if any(groups(report)) else reported.groupless).add(said)
    return reported


def _current(reports: Iterable[Dataset]) -> list[Dataset]:
    """The reports that no other one replaces."""
    reports = list(reports)
    replaced = {
        uid
        for report in reports
        for study in report.get("PredecessorDocumentsSequence") or ()
        for uid in referenced(study)
    }
    return [report for report in reports if str(report.get("SOPInstanceUID")) not in replaced]


def _note(objects: _Folder, reported: _Reported, segmented: Said, found: Annotations) -> None:
    """Say what was assumed."""
    unread = sum(
        report.get("VerificationFlag") != "VERIFIED" and is_by_a_device(report)
        for report in _current(objects.reports)
    )
    if unread:
        found.notes.append(
            f"{unread} report(s) are a computer's, and no reader has verified them. What they mark was taken as "
            "true, and the rest as healthy: a network trained or calibrated on that learns its own mistakes."
        )
    if objects.other_reports:
        found.notes.append(
            f"{', '.join(objects.other_reports)} is no measurement report (TID 1500), and was not read: it makes no "
            "image healthy."
        )
    kept = [uid for uid in reported.groupless.marks if segmented.marks.get(uid) and uid not in reported.grouped.marks]
    if kept:
        found.notes.append(
            f"{len(kept)} image(s) have lesions in a SEG, and a report without measurement groups: the SEG was kept."
        )


def _image(folder: Path, path: Path, header: Dataset, lesions: list[Lesion]) -> AnnotatedImage:
    return AnnotatedImage(
        path=path.resolve(),
        patient_id=str(header.PatientID),
        dataset=folder.name,
        view=read_view(header) or "",
        laterality=read_laterality(header) or "",
        lesions=tuple(lesions),
    )
