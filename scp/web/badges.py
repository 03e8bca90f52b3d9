"""What the page says beside an image, and where no finding is marked: never a negative that is not given."""

from dataclasses import dataclass

from inference.grades import benign_stands, is_suspicious
from inference.results import Grade, ImageResult, ModuleStatus, Status, StudyResult
from scp.gaps import Gap
from scp.web import texts


@dataclass(frozen=True)
class Badge:
    """The grade of an image where it may be shown, and words beside it; `bad` where something was not judged.

    `stands`: grades 1 and 3 may be shown, of the image and of its modules.
    """

    grade: Grade | None
    words: str
    bad: bool
    stands: bool


def badge(result: StudyResult, image: ImageResult) -> Badge:
    """Of one image."""
    if image.status is not Status.ANALYSED:
        state = image.status.upper() if image.status is Status.FAILED else image.status.value
        return Badge(None, f"{state}: {image.reason.text}" if image.reason else state, bad=True, stands=False)
    stands = benign_stands(result, image)
    grade = image.grade if stands or is_suspicious(image.grade) else None
    unjudged = [
        f"{texts.MODULES[module.module]} {module.status}" for module in image.modules if _unjudged(module.status)
    ]
    words = ", ".join(unjudged) or ("" if grade else texts.NO_MARK)
    return Badge(grade, words, bool(unjudged), stands)


def no_findings(result: StudyResult, found: tuple[Gap, ...]) -> str:
    """What stands in the list of findings where none is marked."""
    if not result.analysed:
        return texts.NOTHING_ANALYSED
    in_part = any(_unjudged(module.status) for image in result.analysed for module in image.modules)
    return texts.NO_FINDINGS_IN_PART if found or in_part else texts.NO_FINDINGS


def _unjudged(status: ModuleStatus) -> bool:
    return status is not ModuleStatus.SUCCEEDED
