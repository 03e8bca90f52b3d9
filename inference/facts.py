"""What the eligibility rules look at, read once from a header."""

from dataclasses import dataclass
from datetime import date

from pydicom import uid
from pydicom.dataset import Dataset

from inference.header import age_in_years, day, first, frames, items, values
from inference.view import Laterality, read_laterality, read_modifiers, read_view

FOR_PRESENTATION = uid.DigitalMammographyXRayImageStorageForPresentation
FOR_PROCESSING = uid.DigitalMammographyXRayImageStorageForProcessing
SECONDARY_CAPTURE = uid.SecondaryCaptureImageStorage
TOMOSYNTHESIS = frozenset(
    {
        uid.BreastTomosynthesisImageStorage,
        uid.BreastProjectionXRayImageStorageForPresentation,
        uid.BreastProjectionXRayImageStorageForProcessing,
    }
)
MULTI_FRAME_SECONDARY_CAPTURE = frozenset(
    {
        uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    }
)
_SYNTHESISED = {"GENERATED_2D", "TOMO_2D"}
"""Image Type values of a 2D image computed from tomosynthesis (PS3.3 C.8.11.7.1.4, and the vendors')."""
_SYNTHESISED_NAMES = ("CVIEW", "SVIEW", "VPREVIEW", "INSIGHT2D", "INTELLIGENT2D", "SYNTHETIC2D", "SYNTHESIZED2D")
"""The vendors' names for it in Series Description, without spaces, hyphens and underscores."""


@dataclass(frozen=True)
class Facts:
    """One instance. `sources` are the SOP Instance UIDs that it says it was made from."""

    sop_instance: str
    sop_class: str
    modality: str
    image_type: frozenset[str]
    synthesised: bool
    frames: int
    laterality: Laterality | None
    view: str | None
    modifiers: frozenset[str]
    study_date: date | None
    sex: str
    age: int | None
    implant: bool
    partial: bool
    burned_in: bool
    quality_control: bool
    sources: frozenset[str]

    @property
    def full_field(self) -> bool:
        """A For Presentation image of the whole field, not computed from tomosynthesis."""
        return self.sop_class == FOR_PRESENTATION and not self.synthesised

    def shows_the_same_as(self, other: "Facts") -> bool:
        """The same breast in the same view with the same modifiers, as far as both say."""
        known = self.laterality is not None and self.view is not None
        mine = (self.laterality, self.view, self.modifiers)
        return known and mine == (other.laterality, other.view, other.modifiers)


def read_facts(ds: Dataset) -> Facts:
    """The facts of one header. Never raises: values that make no sense count as absent."""
    image_type = frozenset(values(ds, "ImageType"))
    description = first(ds, "SeriesDescription").translate({ord(mark): None for mark in " -_"})
    return Facts(
        sop_instance=first(ds, "SOPInstanceUID"),
        sop_class=first(ds, "SOPClassUID"),
        modality=first(ds, "Modality"),
        image_type=image_type,
        synthesised=bool(image_type & _SYNTHESISED) or any(name in description for name in _SYNTHESISED_NAMES),
        frames=frames(ds),
        laterality=read_laterality(ds),
        view=read_view(ds),
        modifiers=read_modifiers(ds),
        study_date=day(ds, "StudyDate"),
        sex=first(ds, "PatientSex"),
        age=age_in_years(ds),
        implant=first(ds, "BreastImplantPresent") == "YES",
        partial=first(ds, "PartialView") == "YES",
        burned_in=first(ds, "BurnedInAnnotation") == "YES",
        quality_control=first(ds, "QualityControlImage") == "YES",
        sources=frozenset(first(item, "ReferencedSOPInstanceUID") for item in items(ds, "SourceImageSequence")),
    )
