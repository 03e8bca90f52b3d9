"""The sentences of a result: the same ones in every kind of object, and never more than the rules allow."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from inference.grades import benign_stands, is_suspicious, worst
from inference.results import Assessment, ImageResult, ModelIdentity, Module, ModuleStatus, Status, StudyResult
from inference.view import STANDARD_VIEWS
from scp.objects.codes import GRADE_WORDS, RESEARCH_USE, breast_word, per_cent, reason_words
from scp.words import counted

SIDES: tuple[Literal["R"], Literal["L"]] = ("R", "L")


def study_lines(result: StudyResult) -> list[str]:
    """Study and breasts, each with its grade or the reason why none is given, what there is of the four standard
    views, then the disclaimer.
    """
    lines = [f"Study: {_assessment(result.study)}{_only_breast(result)}."]
    for side in SIDES:
        if side in result.breasts:
            lines.append(f"{breast_word(side)}: {_assessment(result.breasts[side])}{_completeness(result, side)}.")
    views = [f"{side}{view} {_view_state(result, side, view)}" for side in SIDES for view in STANDARD_VIEWS]
    lines.append(f"Standard views: {', '.join(views)}.")
    lines += unmarked_lines(result)
    return [*lines, f"{RESEARCH_USE}. Unverified computer-aided detection."]


def unmarked_lines(result: StudyResult) -> list[str]:
    """How many places got no mark, by module: those below the cut are no findings, those beyond the most marks of an
    image are.
    """
    modules = [(image, module) for image in result.images for module in image.modules]
    beyond = [(image, module.module, module.beyond) for image, module in modules if module.beyond]
    below = [
        (image, module.module, number) for image, module in modules if (number := module.unmarked - module.beyond)
    ]
    said = []
    if beyond:
        grade = worst(module.beyond_grade for _, module in modules)
        words = f"reach the cut for a mark (worst: grade {grade}), beyond the most marks of an image"
        said.append(f"{_counted(beyond)} {words}: NOT marked.")
    if below:
        said.append(f"{_counted(below)} scored below the cut for a mark: not findings.")
    return said


def _counted(places: Sequence[tuple[ImageResult, Module, int]]) -> str:
    """'14 places on 2 images (microcalcification 14)'."""
    total = sum(number for _, _, number in places)
    images = len({image.sop_instance_uid for image, _, _ in places})
    by_module = {kind.value: sum(number for _, module, number in places if module is kind) for kind in Module}
    modules = ", ".join(f"{name} {number}" for name, number in by_module.items() if number)
    return f"{counted(total, 'place')} on {counted(images, 'image')} ({modules})"


def _only_breast(result: StudyResult) -> str:
    """A study of one breast says nothing of the other."""
    if len(result.breasts) != 1 or result.study.grade is None:
        return ""
    (side,) = result.breasts
    return f", {breast_word(side).lower()} only"


def not_analysed_lines(result: StudyResult) -> list[str]:
    """Every image that failed, then every one that was excluded, each with its reason."""
    return [
        f"{words}: {image_name(image)} ({reason_words(image.reason)})."
        for status, words in ((Status.FAILED, "FAILED"), (Status.EXCLUDED, "Not analysed"))
        for image in result.images
        if image.status is status
    ]


def image_lines(result: StudyResult) -> list[str]:
    """One line for each image: what was done with it, or why nothing was."""
    return [image_line(result, image) for image in result.images]


def image_line(result: StudyResult, image: ImageResult) -> str:
    """E.g. 'RCC: analysed; nodule: score 91 (grade 5); microcalcification: no mark.'"""
    return f"{image_name(image)}: {image_words(result, image)}. (SOP Instance {image.sop_instance_uid})"


def image_words(result: StudyResult, image: ImageResult) -> str:
    """E.g. 'analysed; nodule: score 91 (grade 5); microcalcification: no mark'."""
    words = [str(image.status)]
    if image.reason is not None and image.status is not Status.ANALYSED:
        words.append(reason_words(image.reason))
    words.extend(f"note: {reason_words(note)}" for note in image.notes)
    if image.status is Status.ANALYSED:
        words.extend(_module(result, image, module) for module in Module)
    return "; ".join(words)


def image_name(image: ImageResult) -> str:
    """'RCC', or what of it is known."""
    return f"{image.laterality or ''}{image.view or ''}" or "image without view"


def view_name(laterality: str | None, view: str | None) -> str:
    """'R CC', or what is not stated of it."""
    if laterality and view:
        return f"{laterality} {view}"
    known = laterality or view
    if known is None:
        return "side and view not stated"
    return f"{known}, {'view' if laterality else 'side'} not stated"


def image_caption(image: ImageResult) -> str:
    """E.g. 'R CC: analysed, 2 marks', 'L CC: FAILED, ...': what stands with a picture, or in its place."""
    name = view_name(image.laterality, image.view)
    if image.status is not Status.ANALYSED:
        return f"{name}: {image.status.upper()}, {reason_words(image.reason)}"
    count = len(image.findings)
    marks = f"{count} mark{'s' * (count > 1)}" if count else "no mark"
    ended = {outcome.module: outcome.status for outcome in image.modules}
    missing = [
        f"; {module} {ended.get(module, ModuleStatus.NOT_ATTEMPTED)}"
        for module in Module
        if ended.get(module) is not ModuleStatus.SUCCEEDED
    ]
    return f"{name}: analysed, {marks}{''.join(missing)}"


def analysed_by(result: StudyResult, written: datetime) -> str:
    """Which program and networks spoke, and when."""
    at = written.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    names = [f"mammonode {result.software_version}", *(f"{model.name} {model.version}" for model in result.models)]
    return f"{', '.join(names)}, analysed {at}"


def model_words(model: ModelIdentity) -> str:
    """Algorithm parameters: which weights, recipe and calibration spoke."""
    words = f"weights {model.weights_sha256[:16]}; recipe {model.recipe_sha256[:16]}"
    if model.calibration_population is not None:
        words += f"; calibrated on {model.calibration_population}"
        if model.calibration_prevalence is not None:
            words += f", prevalence {per_cent(model.calibration_prevalence):g} %"
    if model.calibration_sha256:
        words += f", calibration {model.calibration_sha256[:16]}"
    return words


def _assessment(assessment: Assessment) -> str:
    if assessment.grade is not None:
        return f"suspicion grade {assessment.grade} ({GRADE_WORDS[assessment.grade]})"
    return f"no grade ({reason_words(assessment.withheld)})"


def _completeness(result: StudyResult, side: Literal["L", "R"]) -> str:
    """A suspicion is told of half a breast, too, but not as if it were of the whole."""
    whole = all(_view_state(result, side, view) == "analysed" for view in STANDARD_VIEWS)
    return "" if whole or result.breasts[side].grade is None else ", incomplete"


def _view_state(result: StudyResult, side: str, view: str) -> str:
    """What became of the images of this view: the best of them counts."""
    states = {image.status for image in result.images if (image.laterality, image.view) == (side, view)}
    for status, words in ((Status.ANALYSED, "analysed"), (Status.FAILED, "FAILED"), (Status.EXCLUDED, "excluded")):
        if status in states:
            return words
    return "not received"


def _module(result: StudyResult, image: ImageResult, module: Module) -> str:
    outcome = next((m for m in image.modules if m.module is module), None)
    if outcome is None or outcome.status is ModuleStatus.NOT_ATTEMPTED:
        return f"{module}: not attempted"
    if outcome.status is ModuleStatus.FAILED:
        return f"{module}: failed ({reason_words(outcome.reason)})"
    if outcome.score is None or outcome.grade is None:
        return f"{module}: no mark"
    if not is_suspicious(outcome.grade) and not benign_stands(result, image):
        return f"{module}: no mark, score {per_cent(outcome.score):g}"
    return f"{module}: score {per_cent(outcome.score):g} (grade {outcome.grade})"
