"""An analyser that needs no network: the same finding in every eligible image, after a fixed time."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, generate_uid

from inference.case import EligibilityPolicy
from inference.eligibility import Verdict, judge_study
from inference.grades import GradedImage, assess
from inference.results import (
    Finding,
    ImageResult,
    ModelIdentity,
    Module,
    ModuleResult,
    ModuleStatus,
    Reason,
    Status,
    StudyResult,
)

SCORE = 0.93


class FixedScorer:
    """`seconds` are slept for each study, so that a kill may fall into the analysis."""

    def __init__(self, seconds: float = 0.0, score: float = SCORE) -> None:
        self._seconds = seconds
        self._score = score
        self.calls = 0

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        return tuple(
            ModelIdentity(module=module, name="fixed", version="1", weights_sha256="0" * 64, recipe_sha256="1" * 64)
            for module in Module
        )

    def heat_map_source(self, files: Mapping[str, Path]) -> Callable[[str, Module], NDArray[np.float32] | None]:
        return lambda _uid, _module: None

    def analyse_study(self, files: Sequence[Path], policy: EligibilityPolicy) -> StudyResult:
        self.calls += 1
        time.sleep(self._seconds)
        headers = {path: _header(path) for path in files}
        verdicts = judge_study([header for header in headers.values() if header is not None], policy)
        images = [self._image(path, header, verdicts) for path, header in headers.items()]
        standard = {uid for uid, verdict in verdicts.items() if verdict.standard}
        breasts, study = assess([GradedImage(image, image.sop_instance_uid in standard) for image in images])
        known = next(header for header in headers.values() if header is not None)
        return StudyResult(
            study_instance_uid=str(known.StudyInstanceUID),
            software_version="0.1.0",
            models=self.models,
            images=tuple(images),
            breasts=breasts,
            study=study,
        )

    def _image(self, path: Path, header: Dataset | None, verdicts: Mapping[str, Verdict]) -> ImageResult:
        if header is None:
            return _failed(path)
        verdict = verdicts[str(header.SOPInstanceUID)]
        image = ImageResult(
            sop_instance_uid=str(header.SOPInstanceUID),
            sop_class_uid=str(header.SOPClassUID),
            series_instance_uid=str(header.SeriesInstanceUID),
            file=str(path),
            rows=int(header.Rows),
            columns=int(header.Columns),
            laterality=verdict.laterality,
            view=verdict.view,
            status=Status.ANALYSED if verdict.eligible else Status.EXCLUDED,
            reason=verdict.reason,
            notes=verdict.notes,
        )
        if not verdict.eligible:
            return image
        modules = tuple(self._module(module, image) for module in Module)
        return image.model_copy(update={"modules": modules, "grade": 5})

    def _module(self, module: Module, image: ImageResult) -> ModuleResult:
        findings = (self._finding(image),) if module is Module.NODULE else ()
        score = self._score if findings else 0.01
        grade = 5 if findings else 1
        return ModuleResult(module=module, status=ModuleStatus.SUCCEEDED, score=score, grade=grade, findings=findings)

    def _finding(self, image: ImageResult) -> Finding:
        x, y = image.columns / 2, image.rows / 2
        box = (x - 20, y - 20, x + 20, y + 20)
        return Finding(
            module=Module.NODULE,
            score=self._score,
            probability=None,
            grade=5,
            center=(x, y),
            box=box,
            outline=((box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])),
            tracking_id=f"{image.laterality}{image.view}-nodule-1",
            tracking_uid=generate_uid(entropy_srcs=[image.sop_instance_uid]),
        )


def _header(path: Path) -> Dataset | None:
    try:
        return dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, OSError, ValueError):
        return None


def _failed(path: Path) -> ImageResult:
    return ImageResult(
        sop_instance_uid=path.name.rsplit(".", 2)[0],
        sop_class_uid=UID("1.2.840.10008.5.1.4.1.1.1.2"),
        series_instance_uid="1.2",
        file=str(path),
        rows=0,
        columns=0,
        status=Status.FAILED,
        reason=Reason(code="not-dicom", text="The file cannot be read."),
    )
