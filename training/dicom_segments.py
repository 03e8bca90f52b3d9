"""The segments of a SEG as lesions, each on the image its frames derive from (PS3.3 A.51)."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from training.annotations import Lesion, LesionType, Pathology
from training.dicom_items import Marks, Sizes
from training.outlines import mask_outline
from training.words import lesion_type_of, pathology_of


@dataclass(frozen=True)
class SegmentFrame:
    """One frame: a lesion on one image. Frames and segments count from 1."""

    number: int
    segment: int
    image: str
    lesion: Lesion


def read_segments(path: Path, sizes: Sizes) -> list[SegmentFrame]:
    """Every frame of a SEG. Raises ValueError, and what pydicom raises: one of them is no mask of its image."""
    seg: Dataset = pydicom.dcmread(path)
    pixels = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    segments = {int(segment.SegmentNumber): segment for segment in seg.SegmentSequence}
    frames = []
    for number, (mask, groups) in enumerate(zip(pixels, seg.PerFrameFunctionalGroupsSequence, strict=True), 1):
        segment = int(_group(seg, groups, "SegmentIdentificationSequence").ReferencedSegmentNumber)
        source = _group(seg, groups, "DerivationImageSequence").SourceImageSequence[0]
        image = str(source.ReferencedSOPInstanceUID)
        size = int(seg.Columns), int(seg.Rows)
        if sizes.get(image, size) != size:
            raise ValueError(f"it has {size[0]} x {size[1]} pixels, unlike its image")
        kind, pathology = _said_of(segments[segment])
        outline = mask_outline((mask > 0).astype(np.uint8))
        frames.append(SegmentFrame(number, segment, image, Lesion(kind, pathology, outline)))
    return frames


def marks_of(frames: list[SegmentFrame]) -> Marks:
    """The frames' lesions by image."""
    marks: Marks = defaultdict(list)
    for frame in frames:
        marks[frame.image].append(frame.lesion)
    return marks


def _group(seg: Dataset, groups: Dataset, keyword: str) -> Dataset:
    """A frame's own functional group, else the one that all share. Raises ValueError: there is none."""
    own = groups.get(keyword)
    shared = seg.get("SharedFunctionalGroupsSequence")
    found = own or (shared[0].get(keyword) if shared else None)
    if not found:
        raise ValueError(f"a frame has no {keyword}")
    item: Dataset = found[0]
    return item


def _said_of(segment: Dataset) -> tuple[LesionType, Pathology]:
    words = f"{segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning} {segment.get('SegmentLabel', '')}"
    pathology = pathology_of(f"{words} {segment.get('SegmentDescription', '')}")
    return lesion_type_of(words), "malignant" if pathology == "unknown" else pathology
