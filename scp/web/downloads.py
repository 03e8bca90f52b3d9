"""Result objects to take away: as the PACS got them, one by one or all in a ZIP, and the report as a PDF."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pydicom
from fastapi import APIRouter, HTTPException
from pydicom.dataset import Dataset
from starlette.responses import FileResponse, Response

from inference.results import StudyResult
from scp.composition import object_options
from scp.objects.build import build
from scp.objects.inputs import InvalidObjectError, Revision
from scp.revision_folder import RevisionFolder
from scp.studies import readable_header
from scp.web import texts
from scp.web.images import stored_picture
from scp.web.state import State, StudyUid, WebState
from scp.web.study_files import KeptResult, required_result, spooled

router = APIRouter(prefix="/api/studies/{study}", tags=["results"])

PDF = "pdf"
NOT_FOUND: dict[int | str, dict[str, object]] = {404: {"description": "No such study, result or object"}}


def kinds_of(folder: RevisionFolder) -> list[str]:
    """What can be downloaded: the kinds that were written, and always the PDF, which is made when asked for."""
    written = dict.fromkeys(item.kind for item in folder.objects or ())
    return [*(kind for kind in written if kind != PDF), PDF]


@router.get("/result", responses=NOT_FOUND)
def result(state: State, study: StudyUid) -> StudyResult:
    """Findings, grades and reasons of the current revision, coordinates in stored pixels."""
    return required_result(state, study).result


@router.get("/objects.zip", responses=NOT_FOUND, response_class=Response)
def everything(state: State, study: StudyUid) -> Response:
    """All result objects, the PDF and result.json; a text says why where the PDF cannot be made any more."""
    kept = required_result(state, study)
    files = [(path.name, path.read_bytes()) for path in _files(kept)]
    try:
        files.append(("report.pdf", _pdf(state, kept)))
    except HTTPException as missing:  # the others are no less there because an image is gone
        files.append(("report.pdf is missing.txt", f"{missing.detail}\n".encode()))
    files.append(("result.json", kept.result.model_dump_json(indent=1).encode()))
    return _zip(files, f"{study}.zip")


@router.get("/objects/{kind}", responses=NOT_FOUND, response_class=Response)
def one_kind(state: State, study: StudyUid, kind: str) -> Response:
    """The objects of one kind: a DICOM file, a ZIP where there are several, a PDF for `pdf`."""
    kept = required_result(state, study)
    if kind == PDF:
        return Response(_pdf(state, kept), headers=_attachment("report.pdf"), media_type="application/pdf")
    paths = _files(kept, kind)
    if not paths:
        raise HTTPException(404, texts.NO_OBJECT)
    if len(paths) == 1:
        return FileResponse(paths[0], media_type="application/dicom", filename=paths[0].name)
    return _zip(((path.name, path.read_bytes()) for path in paths), f"{kind}.zip")


def _files(kept: KeptResult, kind: str | None = None) -> list[Path]:
    objects = kept.folder.objects or ()
    return [kept.folder.objects_folder / item.file for item in objects if kind in (None, item.kind)]


def _pdf(state: WebState, kept: KeptResult) -> bytes:
    """The bytes of the Encapsulated PDF: the written one, else made now with the revision's own number and time."""
    written = _files(kept, PDF)
    ds = pydicom.dcmread(written[0]) if written else _build_pdf(state, kept)
    # an odd length is padded in the file (PS3.3 C.24.2)
    return bytes(ds.EncapsulatedDocument)[: ds.get("EncapsulatedDocumentLength")]


def _build_pdf(state: WebState, kept: KeptResult) -> Dataset:
    record = kept.folder.record
    if record is None:
        raise HTTPException(404, texts.NO_RESULT)
    study = kept.result.study_instance_uid
    found = {uid: readable_header(instance.path) for uid, instance in spooled(state, study).items()}
    headers = {uid: header for uid, header in found.items() if header is not None}
    try:
        made = build(
            kept.result,
            headers,
            object_options(state.settings.objects, [PDF]),
            Revision(number=record.number, written=record.written, predecessor=record.predecessor),
            pictures=lambda uid: stored_picture(state, study, uid).levels[0],
        )
    except InvalidObjectError as error:
        raise HTTPException(404, texts.said(error.reason)) from error
    return made[0].dataset


def _zip(files: Iterable[tuple[str, bytes]], name: str) -> Response:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file_name, data in files:
            archive.writestr(file_name, data)
    return Response(buffer.getvalue(), headers=_attachment(name), media_type="application/zip")


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
