"""What the eligibility rules look at, read once from a header."""

from dataclasses import dataclass
from datetime import date

from pydicom import uid
from pydicom.dataset import Dataset

from inference.header import age_in_years, day, first, frames, items, number, values
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
_BIOPSY = ("STEREO_", "PREFIRE", "POSTFIRE", "POSTBIOPSY", "POSTMARKER")
"""Beginnings of Image Type values of images made for a biopsy (PS3.3 C.8.11.7.1.4)."""
_COMPUTED_CONTRAST = {"SUBTRACTION", "ADDITION", "HIGH_ENERGY"}
"""Of contrast enhanced mammography (PS3.3 C.8.11.7.1.4): not what an ordinary exposure shows."""
_CONTRAST = {"LOW_ENERGY", "PRE_CONTRAST", "POST_CONTRAST"}
_MAGNIFIED = 1.3
"""Estimated Radiographic Magnification Factor from which a view was magnified: a contact view has 1.0 to 1.1."""
_BREAST = {"", "BREAST", "MAMMO"}
"""Body Part Examined of a mammogram; the last is no defined term, but some write it."""
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
    magnified: bool
    other_body_part: bool
    sources: frozenset[str]

    @property
    def full_field(self) -> bool:
        """A For Presentation image as an ordinary exposure gives it, not computed from others."""
        computed = self.synthesised or self.computed_contrast or self.biopsy
        return self.sop_class == FOR_PRESENTATION and not computed

    @property
    def biopsy(self) -> bool:
        """Made for a stereotactic localisation or a biopsy."""
        return any(value.startswith(_BIOPSY) for value in self.image_type)

    @property
    def computed_contrast(self) -> bool:
        """A subtraction, addition or high energy image of contrast enhanced mammography."""
        return bool(self.image_type & _COMPUTED_CONTRAST)

    @property
    def contrast(self) -> bool:
        """An exposure of contrast enhanced mammography that looks like an ordinary one."""
        return bool(self.image_type & _CONTRAST)

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
        magnified=number(ds, "EstimatedRadiographicMagnificationFactor") >= _MAGNIFIED,
        other_body_part=first(ds, "BodyPartExamined") not in _BREAST,
        sources=frozenset(first(item, "ReferencedSOPInstanceUID") for item in items(ds, "SourceImageSequence")),
    )
