"""Lesions become a module's result on an image: grades, marks, names, stored-pixel coordinates."""

import uuid
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.activation import ScoredWindows
from inference.calibration import Calibration
from inference.findings import Lesion, find_lesions
from inference.geometry import Affine
from inference.grades import can_rule_out, grade_of, lowest_threshold, worst
from inference.results import (
    Finding,
    Grade,
    ImageResult,
    Module,
    ModuleResult,
    ModuleStatus,
    OperatingPoint,
    Point,
    Reason,
)

_TRACKING = uuid.uuid5(uuid.NAMESPACE_DNS, "tracking.mammonode")
"""Namespace of tracking UIDs: the same lesion of the same image and weights always gets the same one."""


_NO_WINDOW = Reason(
    code="no-window",
    text="No part of the breast could be scored.",
    remedy="Look at the image: is there a breast on it, and the right way round in brightness?",
)


@dataclass(frozen=True)
class Judgement:
    """How one module's scores are read: its thresholds, its calibration if any, and what is marked."""

    module: Module
    weights_sha256: str
    points: tuple[OperatingPoint, ...]
    calibration: Calibration | None
    mark_grade: Grade
    maximum_marks: int

    def probability(self, score: float) -> float | None:
        """None without a calibration: then a score is a score."""
        return self.calibration.probability(score) if self.calibration else None


def judge_module(
    judgement: Judgement, scored: ScoredWindows, canvas: NDArray[np.float32], image: ImageResult, to_stored: Affine
) -> ModuleResult:
    """Grade the image by its highest window and mark its worst lesions, at most so many, from the mark grade up.

    `canvas` is the image's `heat_canvas`; `to_stored` carries normalised pixels to stored ones.
    """
    if not len(scored.scores):
        return ModuleResult(module=judgement.module, status=ModuleStatus.FAILED, reason=_NO_WINDOW)
    score = float(scored.scores.max())
    lesions = find_lesions(scored, canvas, lowest_threshold(judgement.points))
    reaching = [lesion for lesion in lesions if grade_of(lesion.score, judgement.points) >= judgement.mark_grade]
    marked, beyond = reaching[: judgement.maximum_marks], reaching[judgement.maximum_marks :]
    return ModuleResult(
        module=judgement.module,
        status=ModuleStatus.SUCCEEDED,
        score=score,
        probability=judgement.probability(score),
        grade=grade_of(score, judgement.points),
        findings=tuple(
            _finding(judgement, lesion, number, image, to_stored) for number, lesion in enumerate(marked, start=1)
        ),
        unmarked=len(lesions) - len(marked),
        beyond=len(beyond),
        beyond_grade=worst(grade_of(lesion.score, judgement.points) for lesion in beyond),
        rules_out=can_rule_out(judgement.points),
    )


def _finding(judgement: Judgement, lesion: Lesion, number: int, image: ImageResult, to_stored: Affine) -> Finding:
    corner = (image.columns, image.rows)
    outline = np.clip(to_stored.apply(lesion.outline), 0, corner)
    (x0, y0), (x1, y1) = outline.min(axis=0), outline.max(axis=0)
    return Finding(
        module=judgement.module,
        score=lesion.score,
        probability=judgement.probability(lesion.score),
        grade=grade_of(lesion.score, judgement.points),
        center=_point(np.clip(to_stored.apply(lesion.center), 0, corner)),
        box=(float(x0), float(y0), float(x1), float(y1)),
        outline=tuple(_point(point) for point in outline),
        tracking_id=f"{image.laterality or '?'}{image.view or '?'}-{judgement.module.value}-{number}",
        tracking_uid=_tracking_uid(image.sop_instance_uid, judgement, number),
    )


def _tracking_uid(sop_instance_uid: str, judgement: Judgement, number: int) -> str:
    """PS3.5 B.2: a UUID as a UID."""
    name = "/".join((sop_instance_uid, judgement.weights_sha256, judgement.module.value, str(number)))
    return f"2.25.{uuid.uuid5(_TRACKING, name).int}"


def _point(point: NDArray[np.float64]) -> Point:
    return float(point[0]), float(point[1])
