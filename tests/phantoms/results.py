"""Results of an analysis, made by hand: the cases that result objects must be right for."""

import math
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from inference.results import (
    Assessment,
    Finding,
    Grade,
    ImageResult,
    ModelIdentity,
    Module,
    ModuleResult,
    ModuleStatus,
    OperatingPoint,
    Point,
    Reason,
    Status,
    StudyResult,
)

WRITTEN = datetime(2026, 3, 2, 9, 30, 15, tzinfo=UTC)
MODELS = tuple(
    ModelIdentity(
        module=module,
        name=f"mammonode {module}",
        version="1.0",
        weights_sha256=f"{number}a" * 32,
        recipe_sha256=f"{number}b" * 32,
    )
    for number, module in enumerate(Module)
)
POINTS = tuple(
    OperatingPoint(grade=grade, threshold=threshold, sensitivity=sensitivity, specificity=specificity)
    for grade, threshold, sensitivity, specificity in (
        (6, 0.9, 0.4, 0.99),
        (5, 0.8, 0.6, 0.95),
        (4, 0.5, 0.95, 0.7),
        (3, 0.2, 0.99, 0.4),
    )
)
ONE_VIEW = Reason(code="views-missing", text="Only one view of this breast was analysed.")
UNREADABLE = Reason(code="unreadable-pixels", text="The pixels cannot be decoded.", remedy="Send the image again.")
SPOT = Reason(code="spot-view", text="A spot compression view is not analysed.")


def ring(center: Point, radius: float, corners: int = 24) -> tuple[Point, ...]:
    """A regular outline."""
    angles = [2 * math.pi * corner / corners for corner in range(corners)]
    return tuple((center[0] + radius * math.cos(a), center[1] + radius * math.sin(a)) for a in angles)


def lesion(
    name: str,
    center: Point,
    radius: float = 20,
    *,
    module: Module = Module.NODULE,
    score: float = 0.91,
    grade: Grade = 5,
    **fields: object,
) -> Finding:
    """A round finding; its tracking UID follows from its name, e.g. 'RCC-nodule-1'."""
    x, y = center
    given = {
        "module": module,
        "score": score,
        "probability": None,
        "grade": grade,
        "center": center,
        "box": (x - radius, y - radius, x + radius, y + radius),
        "outline": ring(center, radius),
        "tracking_id": name,
        "tracking_uid": tracking_uid(name),
    }
    return Finding.model_validate({**given, **fields})


def tracking_uid(name: str) -> str:
    """The tracking UID that `lesion` gives."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, name).int}"


def view_of(ds: Dataset) -> str:
    """'RCC' and the like, from the header."""
    names = {"399162004": "CC", "399368009": "MLO", "399260004": "ML"}
    coded = ds.get("ViewCodeSequence")
    return f"{ds.get('ImageLaterality', '')}{names.get(coded[0].CodeValue, '') if coded else ''}"


def image_result(
    ds: Dataset,
    findings: Sequence[Finding] = (),
    *,
    status: Status = Status.ANALYSED,
    reason: Reason | None = None,
    failed: Sequence[Module] = (),
    off: Sequence[Module] = (),
) -> ImageResult:
    """What an analysis says of one instance."""
    view = view_of(ds)
    modules = []
    for module in Module if status is Status.ANALYSED else ():
        marked = tuple(finding for finding in findings if finding.module is module)
        if module in failed:
            modules.append(ModuleResult(module=module, status=ModuleStatus.FAILED, reason=UNREADABLE))
        elif module in off:
            modules.append(ModuleResult(module=module, status=ModuleStatus.NOT_ATTEMPTED))
        else:
            score = max((finding.score for finding in marked), default=0.05)
            grade = max((finding.grade for finding in marked), default=1)
            modules.append(
                ModuleResult(module=module, status=ModuleStatus.SUCCEEDED, score=score, grade=grade, findings=marked)
            )
    grades = [module.grade for module in modules if module.grade is not None]
    return ImageResult(
        sop_instance_uid=ds.SOPInstanceUID,
        sop_class_uid=ds.SOPClassUID,
        series_instance_uid=ds.SeriesInstanceUID,
        file=f"{ds.InstanceNumber}.dcm",
        rows=ds.Rows,
        columns=ds.Columns,
        laterality=view[:1] or None,  # type: ignore[arg-type] # 'L', 'R' or empty
        view=view[1:] or None,
        pixel_spacing=_spacing_at_the_breast(ds),
        status=status,
        reason=reason,
        modules=tuple(modules),
        grade=max(grades, default=None),
    )


def _spacing_at_the_breast(ds: Dataset) -> tuple[float, float] | None:
    spacing = ds.get("ImagerPixelSpacing")
    magnification = ds.get("EstimatedRadiographicMagnificationFactor")
    if not isinstance(spacing, MultiValue) or len(spacing) != 2 or min(spacing) <= 0 or not magnification:
        return None
    return float(spacing[0]) / float(magnification), float(spacing[1]) / float(magnification)


def study_result(images: Sequence[ImageResult], study_instance_uid: str, **fields: object) -> StudyResult:
    """The study of these images: grades from the marks, negatives where all four views have both modules."""
    breasts = {
        side: _assessment([image for image in images if image.laterality == side])
        for side in ("R", "L")
        if any(image.laterality == side for image in images)
    }
    grades = [breast.grade for breast in breasts.values() if breast.grade is not None]
    whole = bool(breasts) and len(grades) == len(breasts)
    marked = max((grade for grade in grades if grade > 1), default=None)
    given = {
        "study_instance_uid": study_instance_uid,
        "software_version": "0.1.0",
        "models": MODELS,
        "operating_points": dict.fromkeys(Module, POINTS),
        "images": tuple(images),
        "breasts": breasts,
        "study": Assessment(grade=max(grades)) if marked or whole else Assessment(grade=None, withheld=ONE_VIEW),
    }
    return StudyResult.model_validate({**given, **fields})


def _assessment(images: Sequence[ImageResult]) -> Assessment:
    marked = max((finding.grade for image in images for finding in image.findings), default=None)
    if marked is not None:
        return Assessment(grade=marked)
    succeeded = {
        image.view
        for image in images
        if image.modules and all(module.status is ModuleStatus.SUCCEEDED for module in image.modules)
    }
    if {"CC", "MLO"} <= succeeded:
        return Assessment(grade=1)
    return Assessment(grade=None, withheld=ONE_VIEW)


def _one(views: Sequence[Dataset]) -> list[ImageResult]:
    return [image_result(views[0], [lesion("RCC-nodule-1", (60.0, 80.0))]), *map(image_result, views[1:])]


def _many(views: Sequence[Dataset]) -> list[ImageResult]:
    """Three marks on RCC, one of them linked with RMLO, and a calcification cluster on LCC."""
    names = ("RCC-nodule-1", "RMLO-nodule-1")
    first = lesion(names[0], (60.0, 80.0), score=0.97, grade=6, linked=(tracking_uid(names[1]),))
    other = lesion(names[1], (66.0, 90.0), score=0.9, grade=5, linked=(tracking_uid(names[0]),))
    second = lesion("RCC-nodule-2", (40.0, 150.0), 12, score=0.6, grade=4)
    cluster = lesion("RCC-microcalcification-1", (80.0, 150.5), 10, module=Module.MICROCALCIFICATION)
    left = lesion("LCC-microcalcification-1", (50.0, 90.0), 15, module=Module.MICROCALCIFICATION, grade=4)
    right_cc, left_cc, right_mlo, left_mlo = views
    return [
        image_result(right_cc, [first, second, cluster]),
        image_result(left_cc, [left]),
        image_result(right_mlo, [other]),
        image_result(left_mlo),
    ]


def _none(views: Sequence[Dataset]) -> list[ImageResult]:
    return [image_result(view) for view in views]


def _partial(views: Sequence[Dataset]) -> list[ImageResult]:
    """One image unreadable, one detector failed on another; a mark on a third."""
    return [
        *_one(views)[:2],
        image_result(views[2], failed=[Module.MICROCALCIFICATION]),
        image_result(views[3], status=Status.FAILED, reason=UNREADABLE),
    ]


def _partial_without(views: Sequence[Dataset]) -> list[ImageResult]:
    return [*_none(views)[:3], image_result(views[3], status=Status.FAILED, reason=UNREADABLE)]


def _failed(views: Sequence[Dataset]) -> list[ImageResult]:
    return [image_result(view, status=Status.FAILED, reason=UNREADABLE) for view in views]


def _excluded(views: Sequence[Dataset]) -> list[ImageResult]:
    return [image_result(view, status=Status.EXCLUDED, reason=SPOT) for view in views]


CASES: dict[str, Callable[[Sequence[Dataset]], list[ImageResult]]] = {
    "one": _one,
    "many": _many,
    "none": _none,
    "partial": _partial,
    "partial-without": _partial_without,
    "failed": _failed,
    "excluded": _excluded,
}


def case_result(case: str, views: Sequence[Dataset]) -> StudyResult:
    """The result of four views (R CC, L CC, R MLO, L MLO; at least 160 x 200 pixels) in a named case."""
    return study_result(CASES[case](views), views[0].StudyInstanceUID)
