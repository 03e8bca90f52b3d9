"""What SEG and SR objects have in common: coded items, references, and what is said of an image."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from training.annotations import Lesion

Marks = dict[str, list[Lesion]]
"""Lesions by the SOP Instance UID of the image they lie on; an empty list: looked at, nothing there."""
Sizes = Mapping[str, tuple[int, int]]
"""Columns and rows of the images that are there."""


@dataclass
class Said:
    """What objects say of images; `doubts`: images of which a part could not be understood, with the reason."""

    marks: Marks = field(default_factory=lambda: defaultdict(list))
    doubts: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Said") -> None:
        """Say what another object says too."""
        for uid, lesions in other.marks.items():
            self.marks[uid] += lesions
        self.doubts |= other.doubts


def concept(item: Dataset) -> str:
    """Code value of an item's name; empty where it has none."""
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].get("CodeValue", "")) if names else ""


def value(item: Dataset) -> str:
    """Code value that a CODE item states."""
    codes = item.get("ConceptCodeSequence")
    return str(codes[0].get("CodeValue", "")) if codes else ""


def meaning(item: Dataset) -> str:
    """Meaning that a CODE item states."""
    codes = item.get("ConceptCodeSequence")
    return str(codes[0].get("CodeMeaning", "")) if codes else ""


def referenced(ds: Dataset) -> Iterator[str]:
    """SOP Instance UIDs of every object that is referred to anywhere in it, but for SEGs."""
    if "ReferencedSOPInstanceUID" in ds and ds.get("ReferencedSOPClassUID") != SegmentationStorage:
        yield str(ds.ReferencedSOPInstanceUID)
    for element in ds:
        if element.VR == "SQ":
            for item in element.value or ():
                yield from referenced(item)
