"""What is analysed, with which networks, and what is marked and written."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from config.section import Section


def _number(value: Any) -> Any:
    """The environment knows only text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Grade = Annotated[Literal[3, 4, 5, 6], BeforeValidator(_number)]
"""At which a lesion can be marked."""


class Studies(Section):
    """Settled `complete_quiet` s after all four standard views are in, else `incomplete_quiet` s after the last."""

    complete_quiet: float = Field(default=30.0, ge=0)
    incomplete_quiet: float = Field(default=600.0, ge=0)
    prior_days: int = Field(default=30, ge=0)


class Eligibility(Section):
    """Site choices on top of the fixed rules."""

    for_processing: bool = False
    synthesised_2d: bool = False
    implants: bool = False
    secondary_capture: bool = False
    male_or_minor: bool = False
    burned_in_annotation: bool = True


class Analysis(Section):
    """Networks, device and marks. `device` is auto, cpu, cuda or cuda:N."""

    modules: tuple[Literal["nodule", "microcalcification"], ...] = ("nodule", "microcalcification")
    weights: Path | None = None
    """Folder with nodule.safetensors and microcalcification.safetensors; the shipped ones if not set."""
    site_calibration: Path | None = None
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    threads: int = Field(default=0, ge=0)
    mark_grade: Grade = 4
    maximum_marks: int = Field(default=3, ge=1)
    pixel_memory: int = Field(default=2 << 30, ge=64 << 20)
    """Bytes that decoding one image may take; a larger declared image fails with the reason."""
    worker_crashes: int = Field(default=5, ge=1)


class Objects(Section):
    """How results are written; which of them are sent is each destination's `objects`."""

    assessment_category: bool = True
    operating_points: bool = False
    comprehensive_3d: bool = True
    hydratable: bool = False
    labelmap: bool = False
    plane_orientation: bool = False
    manufacturer: str = "mammonode"
    institution: str = ""
