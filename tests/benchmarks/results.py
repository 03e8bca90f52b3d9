"""Study results with as many findings as wanted, for measuring what comes after the network."""

from collections.abc import Sequence
from pathlib import Path

from pydicom.uid import generate_uid

from inference.headers import blank_result, read_headers
from inference.results import (
    Assessment,
    Finding,
    Grade,
    ImageResult,
    ModelIdentity,
    Module,
    ModuleResult,
    ModuleStatus,
    Status,
    StudyResult,
)

GRADE: Grade = 5
MODELS = tuple(
    ModelIdentity(module=module, name="fixed", version="0", weights_sha256="0" * 64, recipe_sha256="0" * 64)
    for module in Module
)


def study_result(files: Sequence[Path], findings: int) -> StudyResult:
    """Every image analysed, with `findings` nodules each, in a grid of squares."""
    headers = [header for header in read_headers(files, 2 << 30) if header.dataset is not None]
    images = []
    for header in headers:
        assert header.dataset is not None
        ds = header.dataset
        blank = blank_result(
            header,
            status=Status.ANALYSED,
            laterality=ds.ImageLaterality,
            view="CC" if "caudal" in ds.ViewCodeSequence[0].CodeMeaning else "MLO",
        )
        images.append(_with_findings(blank, findings))
    assessment = Assessment(grade=GRADE)
    return StudyResult(
        study_instance_uid=str(headers[0].dataset.StudyInstanceUID) if headers[0].dataset is not None else "",
        software_version="0",
        models=MODELS,
        images=tuple(images),
        breasts={"R": assessment, "L": assessment},
        study=assessment,
    )


def _with_findings(image: ImageResult, number: int) -> ImageResult:
    across = max(1, int(number**0.5 + 0.999))
    side = min(image.rows, image.columns) / (across + 1)
    squares = [
        _finding(image, index, (index % across) * side, (index // across) * side, side) for index in range(number)
    ]
    nodules = ModuleResult(
        module=Module.NODULE, status=ModuleStatus.SUCCEEDED, score=0.9, grade=GRADE, findings=tuple(squares)
    )
    others = ModuleResult(module=Module.MICROCALCIFICATION, status=ModuleStatus.SUCCEEDED, score=0.1, grade=1)
    return image.model_copy(update={"modules": (nodules, others), "grade": GRADE})


def _finding(image: ImageResult, number: int, left: float, top: float, side: float) -> Finding:
    right, bottom = left + side * 0.8, top + side * 0.8
    return Finding(
        module=Module.NODULE,
        score=0.9,
        probability=None,
        grade=GRADE,
        center=((left + right) / 2, (top + bottom) / 2),
        box=(left, top, right, bottom),
        outline=((left, top), (right, top), (right, bottom), (left, bottom)),
        tracking_id=f"{image.laterality}{image.view}-nodule-{number + 1}",
        tracking_uid=str(generate_uid(entropy_srcs=[image.sop_instance_uid, str(number)])),
    )
