"""Reader feedback: accept or reject a finding, add a missed one, export what was said."""

import io
from collections.abc import Iterator
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from pydicom.dataset import Dataset
from starlette.responses import Response

from inference.results import Finding, ImageResult, Module
from scp.composition import object_options
from scp.objects.inputs import InvalidObjectError
from scp.studies import readable_header
from scp.web import texts
from scp.web.access import AnyVisitor
from scp.web.feedback_report import feedback_report, judged
from scp.web.feedback_table import Row, image_rows, table
from scp.web.opinions import Opinion, Pathology, new_subject
from scp.web.state import UID_PATTERN, State, StudyUid, WebState
from scp.web.study_files import DamagedResultError, KeptResult, kept_result, required_result, spooled

log = structlog.get_logger(__name__)
router = APIRouter(tags=["feedback"])

Uid = Annotated[str, Field(pattern=UID_PATTERN, max_length=64)]
NOT_FOUND: dict[int | str, dict[str, object]] = {404: {"description": "No such study, result or finding"}}


class Said(BaseModel):
    """A reader's word on a finding: `subject` is its tracking UID, or that of a finding a reader has added."""

    model_config = ConfigDict(extra="forbid")
    verdict: Literal["accepted", "rejected", "withdrawn"]
    subject: Uid
    pathology: Pathology = "malignant"


class Missed(BaseModel):
    """A finding that was missed. `box` is x0, y0, x1, y1 in stored pixels of the image."""

    model_config = ConfigDict(extra="forbid")
    verdict: Literal["added"]
    sop_instance_uid: Uid
    module: Module
    pathology: Pathology = "malignant"
    box: tuple[float, float, float, float]


@router.get("/api/studies/{study}/feedback", responses=NOT_FOUND)
def said(state: State, study: StudyUid) -> list[Opinion]:
    """Everything that was said, oldest first; later words of a reader on the same subject replace earlier ones."""
    return list(state.opinions.said(study))


@router.post("/api/studies/{study}/feedback", status_code=201, responses=NOT_FOUND)
def say(
    state: State, visitor: AnyVisitor, study: StudyUid, word: Annotated[Said | Missed, Field(discriminator="verdict")]
) -> Opinion:
    """Accept, reject or add a finding, or withdraw what was said. Nothing is ever erased."""
    kept = required_result(state, study)
    if isinstance(word, Missed):
        opinion = _missed(kept, visitor.name, word)
    else:
        opinion = _judged(state, kept, visitor.name, word)
    state.opinions.add(opinion)
    log.info("feedback", study=study, verdict=opinion.verdict, reader=visitor.name)
    return opinion


def _missed(kept: KeptResult, reader: str, word: Missed) -> Opinion:
    image = kept.image(word.sop_instance_uid)
    x0, y0, x1, y1 = word.box
    if not (0 <= x0 < x1 <= image.columns and 0 <= y0 < y1 <= image.rows):
        raise HTTPException(422, texts.BOX_OUTSIDE)
    return Opinion(
        reader=reader,
        verdict="added",
        subject=new_subject(),
        study_instance_uid=kept.result.study_instance_uid,
        sop_instance_uid=word.sop_instance_uid,
        digest=kept.digest,
        module=word.module,
        box=word.box,
        pathology=word.pathology,
    )


def _judged(state: WebState, kept: KeptResult, reader: str, word: Said) -> Opinion:
    earlier = [one for one in state.opinions.said(kept.result.study_instance_uid) if one.subject == word.subject]
    mine = [one for one in earlier if one.reader == reader]
    if word.verdict == "withdrawn" and mine:
        return _anew(mine[-1], word)
    found = next(_findings(kept, word.subject), None)
    if word.verdict == "withdrawn" or found is None:
        raise HTTPException(404, texts.NO_FINDING)
    image, finding = found
    return Opinion(
        reader=reader,
        verdict=word.verdict,
        subject=word.subject,
        study_instance_uid=kept.result.study_instance_uid,
        sop_instance_uid=image.sop_instance_uid,
        digest=kept.digest,
        module=finding.module,
        box=finding.box,
        pathology=word.pathology,
    )


def _anew(opinion: Opinion, word: Said) -> Opinion:
    """The same subject with another word, id and time."""
    kept = opinion.model_dump(exclude={"id", "at", "verdict", "pathology"})
    return Opinion(**kept, verdict=word.verdict, pathology=word.pathology)


def _findings(kept: KeptResult, subject: str) -> Iterator[tuple[ImageResult, Finding]]:
    return ((i, f) for i in kept.result.images for f in i.findings if f.tracking_uid == subject)


@router.get("/api/studies/{study}/feedback.dcm", responses=NOT_FOUND, response_class=Response)
def as_sr(state: State, study: StudyUid) -> Response:
    """The readers' opinions as a DICOM SR (TID 1500)."""
    kept = required_result(state, study)
    sources = {uid: readable_header(instance.path) for uid, instance in spooled(state, study).items()}
    headers = {uid: header for uid, header in sources.items() if header is not None}
    options = object_options(state.settings.objects, [])
    try:
        ds = feedback_report(kept.result, headers, state.opinions.current(study), options)
    except InvalidObjectError as error:
        raise HTTPException(404, texts.said(error.reason)) from error
    if ds is None:
        raise HTTPException(404, texts.NOTHING_JUDGED)
    return Response(_part10(ds), headers=_named("reader-feedback.dcm"), media_type="application/dicom")


@router.get("/api/studies/{study}/feedback.csv", responses=NOT_FOUND, response_class=Response)
def as_csv(state: State, study: StudyUid) -> Response:
    """The readers' opinions as training annotations."""
    required_result(state, study)
    return Response(table(_rows(state, study)), headers=_named("manifest.csv"), media_type="text/csv")


@router.get("/api/feedback.csv", response_class=Response)
def all_as_csv(state: State) -> Response:
    """The readers' opinions on all studies as training annotations; the log names those whose result is damaged."""
    rows = (row for study in state.opinions.studies() for row in _readable_rows(state, study))
    return Response(table(rows), headers=_named("manifest.csv"), media_type="text/csv")


def _readable_rows(state: WebState, study: str) -> Iterator[Row]:
    """None of a study whose result is damaged: it must not end the table of all."""
    try:
        yield from _rows(state, study)
    except DamagedResultError:
        log.warning("a study is left out of the feedback of all: its result is damaged, retry it", study=study)


def _rows(state: WebState, study: str) -> Iterator[Row]:
    """Rows of the images whose file is still kept and that name a patient: a split goes by patient."""
    kept = kept_result(state, study)
    if kept is None:
        return
    opinions = state.opinions.current(study)
    files = spooled(state, study)
    for image in judged(kept.result, opinions):
        instance = files.get(image.sop_instance_uid)
        header = readable_header(instance.path) if instance else None
        if instance is None or header is None or not header.get("PatientID"):
            continue
        mine = [one for one in opinions if one.sop_instance_uid == image.sop_instance_uid]
        yield from image_rows(image, instance.path, state.opinions.pseudonym(str(header.PatientID)), mine)


def _part10(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
