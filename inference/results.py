"""What an analysis says: findings, images, breasts, study, in stored-pixel coordinates.

Coordinates follow the SCOORD convention (PS3.3 C.18.6.1.1): (column, row) in floats, (0, 0) is the outer
corner of the first stored pixel; the right and bottom of a box are exclusive.
"""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

Grade = Literal[1, 3, 4, 5, 6]
"""The paper's BI-RADS-like scale; 6 is the most suspicious. It has no 0 and no 2."""

Point = tuple[float, float]


class Frozen(BaseModel):
    """Immutable, strict about keys, without NaN: what is written can be read back."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Module(StrEnum):
    """The paper's two independent modules."""

    NODULE = "nodule"
    MICROCALCIFICATION = "microcalcification"


class Status(StrEnum):
    """How an instance ended. Nothing is ever left out in silence."""

    ANALYSED = "analysed"
    EXCLUDED = "excluded"
    FAILED = "failed"


class ModuleStatus(StrEnum):
    """How one module ended on one image."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_ATTEMPTED = "not attempted"


class Reason(Frozen):
    """Why: `code` for machines (kebab-case), `text` for people, `remedy` for the one who must act.

    No text holds a patient name or id.
    """

    code: str
    text: str
    remedy: str = ""


class Finding(Frozen):
    """One marked lesion on one image.

    `score` is the network's highest window score in it, 0 to 1; `probability` is set only where a
    site calibration was made. `outline` is an open polygon (first point not repeated).
    `linked` names the tracking UIDs of the same lesion in the other view.
    """

    module: Module
    score: float
    probability: float | None
    grade: Grade
    center: Point
    box: tuple[float, float, float, float]
    outline: tuple[Point, ...]
    tracking_id: str
    tracking_uid: str
    linked: tuple[str, ...] = ()


class ModuleResult(Frozen):
    """One module on one image.

    `unmarked` counts lesions found but not marked; `beyond` those of them that reach the mark grade but lie beyond
    the most marks of an image, the worst of which has `beyond_grade`. `rules_out`: what it leaves unmarked may be
    called benign; False where its operating points miss too many cancers for that, or were measured on too few.
    """

    module: Module
    status: ModuleStatus
    reason: Reason | None = None
    score: float | None = None
    probability: float | None = None
    grade: Grade | None = None
    findings: tuple[Finding, ...] = ()
    unmarked: int = 0
    beyond: int = 0
    beyond_grade: Grade | None = None
    rules_out: bool = True


class ImageResult(Frozen):
    """One instance. `pixel_spacing` is (row, column) in mm at the breast, or None where it is not known."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    file: str
    rows: int
    columns: int
    laterality: Literal["L", "R"] | None = None
    view: str | None = None
    pixel_spacing: tuple[float, float] | None = None
    status: Status
    reason: Reason | None = None
    notes: tuple[Reason, ...] = ()
    modules: tuple[ModuleResult, ...] = ()
    grade: Grade | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The marked lesions of all modules."""
        return tuple(finding for module in self.modules for finding in module.findings)


class Assessment(Frozen):
    """The grade of a breast or of a study, or why it is withheld. A negative is only ever said by the rules."""

    grade: Grade | None
    withheld: Reason | None = None


class ModelIdentity(Frozen):
    """Which network said so; every result carries it."""

    module: Module
    name: str
    version: str
    weights_sha256: str
    recipe_sha256: str
    calibration_sha256: str | None = None
    calibration_population: str | None = None
    calibration_prevalence: float | None = None


class OperatingPoint(Frozen):
    """One cut of the image ROC: what the model's thresholds stand for (paper, Tables 1 and 2).

    A score of `threshold` or more has at least `grade`. Intervals are 95 %, by patient bootstrap.
    """

    grade: Grade
    threshold: float
    sensitivity: float
    specificity: float
    ppv: float | None = None
    npv: float | None = None
    threshold_interval: tuple[float, float] | None = None
    sensitivity_interval: tuple[float, float] | None = None
    specificity_interval: tuple[float, float] | None = None
    ppv_interval: tuple[float, float] | None = None
    npv_interval: tuple[float, float] | None = None


class StudyResult(Frozen):
    """Everything one revision of a study's analysis says. `breasts` has a key for each breast that was imaged."""

    study_instance_uid: str
    software_version: str
    models: tuple[ModelIdentity, ...]
    operating_points: dict[Module, tuple[OperatingPoint, ...]] = {}
    images: tuple[ImageResult, ...]
    breasts: dict[Literal["L", "R"], Assessment]
    study: Assessment

    @property
    def analysed(self) -> tuple[ImageResult, ...]:
        """The images that were analysed, in the order received."""
        return tuple(image for image in self.images if image.status is Status.ANALYSED)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The marked lesions of all images."""
        return tuple(finding for image in self.images for finding in image.findings)

    @property
    def has_failures(self) -> bool:
        """True when an image, or a module on one, failed."""
        modules = (module for image in self.images for module in image.modules)
        return any(image.status is Status.FAILED for image in self.images) or any(
            module.status is ModuleStatus.FAILED for module in modules
        )
