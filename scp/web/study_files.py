"""A study's result and images for the page, found where the worker and the listener have put them."""

from dataclasses import dataclass
from pathlib import Path

from fastapi import HTTPException
from pydantic import ValidationError
from pydicom.dataset import Dataset

from inference.results import ImageResult, StudyResult
from scp.journal_rows import StudyRow
from scp.revision_folder import RevisionFolder
from scp.spool import SpooledInstance
from scp.studies import readable_header
from scp.web import texts
from scp.web.state import WebState


class DamagedResultError(HTTPException):
    """The result on disk cannot be read: 404, with what to do about it."""

    def __init__(self) -> None:
        super().__init__(404, texts.UNREADABLE_RESULT)


@dataclass(frozen=True)
class KeptResult:
    """The revision that is shown; `overtaken` when a later one has settled and has no result yet."""

    digest: str
    folder: RevisionFolder
    result: StudyResult
    overtaken: bool = False

    def image(self, sop_instance_uid: str) -> ImageResult:
        """One image of the result. Raises 404."""
        for image in self.result.images:
            if image.sop_instance_uid == sop_instance_uid:
                return image
        raise HTTPException(404, texts.NO_IMAGE)


def study_row(state: WebState, study: str) -> StudyRow:
    """The journal's row. Raises 404."""
    row = state.journal.study(study)
    if row is None:
        raise HTTPException(404, texts.NO_STUDY)
    return row


def kept_result(state: WebState, study: str) -> KeptResult | None:
    """The current result, else the newest earlier one; None before the first. Raises DamagedResultError."""
    try:
        current = state.results.current(study)
        if current is None:
            return None
        folder = state.results.revision(study, current.digest)
        if (result := folder.result) is not None:
            return KeptResult(current.digest, folder, result)
        earlier = [(item.record, item) for item in state.results.revisions(study)]
        numbered = sorted(((record.number, item) for record, item in earlier if record), key=lambda pair: pair[0])
        for _, folder in reversed(numbered):
            if (result := folder.result) is not None:
                return KeptResult(folder.manifest.digest, folder, result, overtaken=True)
    except ValidationError as error:
        raise DamagedResultError from error
    return None


def is_damaged(state: WebState, study: str) -> bool:
    """True when there is a result that cannot be read."""
    try:
        kept_result(state, study)
    except DamagedResultError:
        return True
    return False


def required_result(state: WebState, study: str) -> KeptResult:
    """The current result. Raises 404: there is none, or it is damaged."""
    kept = kept_result(state, study)
    if kept is None:
        raise HTTPException(404, texts.NO_RESULT)
    return kept


def spooled(state: WebState, study: str) -> dict[str, SpooledInstance]:
    """The latest version of each instance by SOP Instance UID."""
    return {instance.sop_instance_uid: instance for instance in state.spool.instances(study)}


def image_path(state: WebState, study: str, sop_instance_uid: str) -> Path:
    """The file of one instance. Raises 404: unknown, or removed by retention."""
    instance = spooled(state, study).get(sop_instance_uid)
    if instance is None:
        raise HTTPException(404, texts.IMAGE_GONE)
    return instance.path


def any_header(state: WebState, study: str) -> Dataset | None:
    """The header of one instance, for who and when; None where none is left."""
    for instance in state.spool.instances(study):
        header = readable_header(instance.path)
        if header is not None:
            return header
    return None
