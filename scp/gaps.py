"""What of a study is not judged although a reader would expect it: failed, never received, excluded.

An image that is excluded beside an analysed one of the same breast and view leaves no gap, nor does one that is no
mammogram of a patient.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from inference.results import ImageResult, ModuleStatus, Reason, Status, StudyResult
from inference.view import STANDARD_VIEWS
from scp.image_names import NO_MAMMOGRAM, image_names
from scp.revision_folder import RevisionFolder

STANDARD_IMAGES = tuple((side, view) for view in STANDARD_VIEWS for side in ("R", "L"))
_NOT_OF_A_BREAST = (NO_MAMMOGRAM, "quality-control")


class Lack(StrEnum):
    """Why something is not judged, the gravest first."""

    FAILED = "failed"
    MODULE_FAILED = "failed in part"
    NOT_RECEIVED = "not received"
    EXCLUDED = "excluded"


@dataclass(frozen=True)
class Gap:
    """One image, or one expected view. `name` is the image's; None of `laterality` or `view`: not known."""

    name: str
    lack: Lack
    laterality: str | None
    view: str | None
    reason: Reason


def gaps(result: StudyResult, names: Mapping[str, str]) -> tuple[Gap, ...]:
    """All of them, the gravest first. `names`: of `image_names`."""
    found = [*_of_images(result, names), *_not_received(result)]
    return tuple(sorted(found, key=lambda gap: list(Lack).index(gap.lack)))


def summary(found: tuple[Gap, ...]) -> str:
    """'1 failed: L CC; 2 not received: R MLO, L MLO'; empty where nothing lacks."""
    said = []
    for lack in Lack:
        names = list(dict.fromkeys(gap.name for gap in found if gap.lack is lack))
        if names:
            said.append(f"{len(names)} {lack.value}: {', '.join(names)}")
    return "; ".join(said)


def summary_of(revision: RevisionFolder) -> str | None:
    """The summary of a revision's result; None where there is none that can be read."""
    try:
        result = revision.result
    except (ValidationError, OSError):
        return None
    return None if result is None else summary(gaps(result, image_names(result, {})))


def of_breast(found: tuple[Gap, ...], laterality: str | None) -> tuple[Gap, ...]:
    """Those of one breast, and those that may be of any."""
    return tuple(gap for gap in found if laterality is None or gap.laterality in (None, laterality))


def beside_analysed(result: StudyResult) -> tuple[ImageResult, ...]:
    """Excluded mammograms that leave no gap, since another image of the same breast and view was analysed."""
    return tuple(image for image in _excluded(result) if _has_analysed_twin(result, image))


def _excluded(result: StudyResult) -> Iterator[ImageResult]:
    for image in result.images:
        if image.status is Status.EXCLUDED and image.reason and image.reason.code not in _NOT_OF_A_BREAST:
            yield image


def _has_analysed_twin(result: StudyResult, image: ImageResult) -> bool:
    place = (image.laterality, image.view)
    return None not in place and place in {(other.laterality, other.view) for other in result.analysed}


def _of_images(result: StudyResult, names: Mapping[str, str]) -> Iterator[Gap]:
    def gap(image: ImageResult, lack: Lack, reason: Reason) -> Gap:
        return Gap(names[image.sop_instance_uid], lack, image.laterality, image.view, reason)

    for image in result.images:
        if image.status is Status.FAILED and image.reason:
            yield gap(image, Lack.FAILED, image.reason)
        for module in image.modules:
            if module.status is ModuleStatus.FAILED and module.reason:
                told = f"{module.module.value.capitalize()}: {module.reason.text}"
                yield gap(image, Lack.MODULE_FAILED, module.reason.model_copy(update={"text": told}))
    for image in _excluded(result):
        if image.reason and not _has_analysed_twin(result, image):
            yield gap(image, Lack.EXCLUDED, image.reason)


def _not_received(result: StudyResult) -> Iterator[Gap]:
    of_breasts = [image for image in result.images if not image.reason or image.reason.code not in _NOT_OF_A_BREAST]
    for side, view in STANDARD_IMAGES:
        if any((image.laterality, image.view) == (side, view) for image in of_breasts):
            continue
        unclear = any(image.laterality in (None, side) and image.view in (None, view) for image in of_breasts)
        yield Gap(f"{side} {view}", Lack.NOT_RECEIVED, side, view, _MAYBE_RECEIVED if unclear else _NOT_RECEIVED)


_NOT_RECEIVED = Reason(code="not-received", text="No such image came.", remedy="Send it; the result is then revised.")
_MAYBE_RECEIVED = Reason(
    code="not-recognised",
    text="No image says that it is this one; one came that does not say its breast or view.",
    remedy="Correct its header at the source and send it again.",
)
