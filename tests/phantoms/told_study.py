"""Results of studies that lack something, written down without any image or network."""

from typing import Literal

from inference.results import (
    Assessment,
    Grade,
    ImageResult,
    Module,
    ModuleResult,
    ModuleStatus,
    Reason,
    Status,
    StudyResult,
)

TRUNCATED = Reason(code="truncated-pixels", text="The pixel data end before the image does.", remedy="Send it again.")
IMPLANT = Reason(code="implant", text="Breasts with an implant are analysed in implant displaced views only.")
FOREIGN = Reason(code="not-a-mammogram", text="The instance is no mammogram.")
MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
CT = "1.2.840.10008.5.1.4.1.1.2"
WITHHELD = Assessment(grade=None, withheld=Reason(code="image-failed", text="An image could not be analysed."))


def image(
    number: int,
    laterality: Literal["L", "R"] | None,
    view: str | None,
    reason: Reason | None = None,
    grade: Grade = 1,
    unmarked: int = 0,
    file: str = "",
) -> ImageResult:
    """Image `number`, analysed without a mark; with a reason it failed, or was excluded by rule."""
    status = Status.ANALYSED if reason is None else Status.FAILED if reason is TRUNCATED else Status.EXCLUDED
    modules = tuple(
        ModuleResult(module=module, status=ModuleStatus.SUCCEEDED, score=0.125, grade=grade, unmarked=unmarked)
        for module in Module
    )
    return ImageResult(
        sop_instance_uid=f"1.2.{number}",
        sop_class_uid=CT if reason is FOREIGN else MAMMOGRAM,
        series_instance_uid="1.2",
        file=file or f"{number}.dcm",
        rows=100,
        columns=80,
        laterality=laterality,
        view=view,
        pixel_spacing=(0.1, 0.1),
        status=status,
        reason=reason,
        modules=modules if reason is None else (),
        grade=grade if reason is None else None,
    )


def study(*images: ImageResult, right: Assessment = WITHHELD, left: Assessment = WITHHELD) -> StudyResult:
    """Its grade is withheld."""
    return StudyResult(
        study_instance_uid="1.2.3",
        software_version="0.1.0",
        models=(),
        images=images,
        breasts={"R": right, "L": left},
        study=WITHHELD,
    )


def incomplete_study() -> StudyResult:
    """R CC analysed, L CC failed, R MLO never came, L of an unknown view analysed, a CT image."""
    return study(
        image(1, "R", "CC", unmarked=3),
        image(2, "L", "CC", TRUNCATED),
        image(3, "L", None),
        image(4, None, None, FOREIGN),
    )
