"""Small instances for the analyser: 640 x 480 pixels, and a policy that excludes as little as may be."""

from datetime import date
from pathlib import Path

from inference.case import EligibilityPolicy
from inference.results import ImageResult, Module
from phantoms.mammogram import Lesion, mammogram

NODULE = Lesion("nodule", 380, 300, 30)
SIZE = {"rows": 640, "columns": 480, "study_date": "20260101"}


def policy(today: date = date(2026, 1, 1)) -> EligibilityPolicy:
    """The node's own rules, but for text that is burnt in."""
    return EligibilityPolicy(
        for_processing=False,
        synthesised_2d=False,
        implants=False,
        secondary_capture=False,
        male_or_minor=False,
        burned_in_annotation=True,
        prior_days=None,
        today=today,
    )


def one(folder: Path, name: str = "one.dcm", **keywords: object) -> Path:
    """One right CC instance."""
    path = folder / name
    mammogram("R", "CC", **(SIZE | keywords)).save_as(path, enforce_file_format=True)  # type: ignore[arg-type]
    return path


def nodule_of(image: ImageResult) -> tuple[float, float]:
    """The centre of the image's worst nodule."""
    return next(item.center for item in image.findings if item.module is Module.NODULE)
