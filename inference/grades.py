"""The paper's grades: of a score, an image, a breast, a study; and when a negative may be said."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from inference.results import (
    Assessment,
    Grade,
    ImageResult,
    Module,
    ModuleResult,
    ModuleStatus,
    OperatingPoint,
    Reason,
    Status,
    StudyResult,
)
from inference.view import STANDARD_VIEWS, Laterality

GRADES: tuple[Grade, ...] = (6, 5, 4, 3)
"""The grades that have a threshold, worst first."""

MODULE_NOT_ATTEMPTED = "module-not-attempted"
"""Reason code: the site has switched a module off."""

SENSITIVITY_TO_RULE_OUT = 0.95
"""What lies below grade 4 may be called benign only where that misses no more (the paper's words for grade 3)."""

NO_BREAST = frozenset({"not-a-mammogram", "quality-control", "specimen"})
"""Reason codes of excluded instances that leave no breast open."""


def grade_of(score: float, points: Iterable[OperatingPoint]) -> Grade:
    """The first grade whose threshold the score reaches, from 6 downward; 1 where it reaches none.

    Where thresholds cross (specificity 95 % lies above sensitivity 95 %) the lower grade is never reached:
    `empty_grades` names it.
    """
    thresholds = {point.grade: point.threshold for point in points}
    return next((grade for grade in GRADES if grade in thresholds and score >= thresholds[grade]), 1)


def empty_grades(points: Iterable[OperatingPoint]) -> tuple[Grade, ...]:
    """Grades that no score can get, because a worse one begins at or below their threshold."""
    thresholds = {point.grade: point.threshold for point in points}
    known = [grade for grade in GRADES if grade in thresholds]
    return tuple(
        grade for index, grade in enumerate(known) if any(thresholds[w] <= thresholds[grade] for w in known[:index])
    )


def lowest_threshold(points: Iterable[OperatingPoint]) -> float:
    """The score at which a finding begins (grade 3 or worse)."""
    return min(point.threshold for point in points if point.grade in GRADES)


def marking_threshold(points: Iterable[OperatingPoint]) -> float | None:
    """The score at which grade 4 or worse begins, also where the cuts cross; None where no point says."""
    return min((point.threshold for point in points if point.grade >= 4), default=None)


def can_rule_out(points: Iterable[OperatingPoint]) -> bool:
    """Whether images below the cut for grade 4 hold few enough cancers to be called benign, probably or not."""
    return all(point.sensitivity >= SENSITIVITY_TO_RULE_OUT for point in points if point.grade == 4)


def worst(grades: Iterable[Grade | None]) -> Grade | None:
    """The highest grade, None where there is none."""
    return max((grade for grade in grades if grade is not None), default=None)


def image_grade(modules: Sequence[ModuleResult]) -> Grade | None:
    """The worst of its modules; 3 or 1 only where every module succeeded and can rule out, else None."""
    grade = worst(module.grade for module in modules)
    if is_suspicious(grade):
        return grade
    succeeded = {module.module for module in modules if module.status is ModuleStatus.SUCCEEDED and module.rules_out}
    return (grade or 1) if succeeded == set(Module) else None


def is_suspicious(grade: Grade | None) -> bool:
    """True for 4 and worse. 3 (probably benign) and 1 (benign) speak for a whole that was analysed."""
    return grade is not None and grade > 3


def benign_stands(result: StudyResult, image: ImageResult) -> bool:
    """Whether grade 1 or 3 may be told of an image: only where its whole breast has such a grade."""
    breast = result.breasts.get(image.laterality) if image.laterality else None
    return breast is not None and breast.grade is not None and not is_suspicious(breast.grade)


@dataclass(frozen=True)
class GradedImage:
    """An image as the rules see it: `standard` when it counts towards the four standard views."""

    result: ImageResult
    standard: bool


def assess(images: Sequence[GradedImage]) -> tuple[dict[Laterality, Assessment], Assessment]:
    """Grades of the breasts that were imaged, and of the study: the worst; a negative only by the rules.

    Grade 1 or 3 (benign, probably benign) for a breast only if both modules succeeded on its CC and its MLO and no
    image of it failed; for the study only if that holds for every breast imaged, and no image leaves its breast open.
    """
    breasts: dict[Laterality, Assessment] = {}
    for side in ("R", "L"):
        of_side = [image for image in images if image.result.laterality == side]
        if of_side:
            breasts[side] = _assess_breast(side, of_side)
    return breasts, _assess_study(images, breasts)


def _assess_breast(side: Laterality, images: Sequence[GradedImage]) -> Assessment:
    grade = worst(image.result.grade for image in images)
    if is_suspicious(grade):
        return Assessment(grade=grade)
    withheld = next(_reasons_against_negative(side, images), None)
    return Assessment(grade=None, withheld=withheld) if withheld else Assessment(grade=grade)


def _assess_study(images: Sequence[GradedImage], breasts: Mapping[Laterality, Assessment]) -> Assessment:
    grade = worst(image.result.grade for image in images)
    if is_suspicious(grade):
        return Assessment(grade=grade)
    if not any(image.result.status is Status.ANALYSED for image in images):
        return Assessment(grade=None, withheld=_NOTHING_ANALYSED)
    of_no_breast = [image.result for image in images if image.result.laterality is None]
    if any(result.status is Status.FAILED for result in of_no_breast):
        return Assessment(grade=None, withheld=_failed("the study"))
    both = all(side in breasts and breasts[side].grade is not None for side in ("R", "L"))
    if any(result.status is Status.ANALYSED or (not both and _may_show_a_breast(result)) for result in of_no_breast):
        return Assessment(grade=None, withheld=_LATERALITY_MISSING)
    withheld = next((breast.withheld for breast in breasts.values() if breast.withheld), None)
    return Assessment(grade=None, withheld=withheld) if withheld else Assessment(grade=grade)


def _may_show_a_breast(result: ImageResult) -> bool:
    """Not excluded for being no picture of a patient's breast."""
    return result.reason is None or result.reason.code not in NO_BREAST


def _reasons_against_negative(side: Laterality, images: Sequence[GradedImage]) -> Iterator[Reason]:
    """The rules that forbid calling a breast negative, the gravest first."""
    name = "right" if side == "R" else "left"
    results = [image.result for image in images]
    analysed = [result for result in results if result.status is Status.ANALYSED]
    if any(result.status is Status.FAILED for result in results):
        yield _failed(f"the {name} breast")
    if not analysed:
        yield Reason(code="breast-not-analysed", text=f"No image of the {name} breast was analysed.")
    if off := _modules_in(analysed, ModuleStatus.NOT_ATTEMPTED):
        yield Reason(
            code=MODULE_NOT_ATTEMPTED,
            text=f"Not attempted: {', '.join(off)}.",
            remedy="Switch the module on (analysis.modules) where a negative is wanted.",
        )
    if failed := _modules_in(analysed, ModuleStatus.FAILED):
        yield Reason(
            code="module-failed",
            text=f"Failed on the {name} breast: {', '.join(failed)}.",
            remedy="See the module's reason, and analyse the study again.",
        )
    if blunt := _modules_that_rule_nothing_out(analysed):
        yield Reason(
            code="nothing-ruled-out",
            text=f"What these find rules nothing out, as they were measured on too few cancers: {', '.join(blunt)}.",
            remedy="mammonode-train calibrate on the site's own images gives cuts that may.",
        )
    if any(result.view is None for result in analysed):
        yield Reason(
            code="view-missing",
            text=f"An image of the {name} breast does not say which view it is.",
            remedy="Correct ViewCodeSequence at the source and send the image again.",
        )
    views = {image.result.view for image in images if image.standard and image.result.status is Status.ANALYSED}
    if missing := [view for view in STANDARD_VIEWS if view not in views]:
        yield Reason(
            code="standard-view-missing",
            text=f"The {name} breast has no analysed {' and no '.join(missing)} view.",
            remedy="Send the view; the result is then revised.",
        )


def _modules_in(results: Sequence[ImageResult], status: ModuleStatus) -> list[str]:
    """Names of the modules that ended so on any of the images; one that is not even listed was not attempted."""
    ended = {module: {_status(result, module) for result in results} for module in Module}
    return [module.value for module, statuses in ended.items() if status in statuses]


def _modules_that_rule_nothing_out(results: Sequence[ImageResult]) -> list[str]:
    blunt = {module.module for result in results for module in result.modules if not module.rules_out}
    return [module.value for module in Module if module in blunt]


def _status(result: ImageResult, module: Module) -> ModuleStatus:
    return next((m.status for m in result.modules if m.module is module), ModuleStatus.NOT_ATTEMPTED)


def _failed(what: str) -> Reason:
    return Reason(
        code="image-failed",
        text=f"An image of {what} could not be analysed.",
        remedy="See the image's reason, and send it again.",
    )


_NOTHING_ANALYSED = Reason(code="nothing-analysed", text="No image of the study was analysed.")
_LATERALITY_MISSING = Reason(
    code="laterality-missing",
    text="An image does not say which breast it shows.",
    remedy="Correct ImageLaterality at the source and send the image again.",
)
