"""DICOMweb STOW-RS (PS3.18 10.5): POST multipart/related application/dicom to /dicom-web/studies[/{study}]."""

import structlog
from fastapi import APIRouter, HTTPException
from pydicom.dataset import Dataset
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from scp.incoming import OUT_OF_RESOURCES, Sender
from scp.web.access import OPERATORS_ONLY, client_address
from scp.web.deposit import Accepted, Deposited, deposit
from scp.web.multipart import MultipartError, content_type_of, receive_parts
from scp.web.receiving import temporary_files
from scp.web.state import State, StudyUid, WebState

SENDER = "STOW-RS"
MAXIMUM_INSTANCES = 2000

log = structlog.get_logger(__name__)
router = APIRouter(tags=["DICOMweb"], dependencies=OPERATORS_ONLY)

MULTIPART = "multipart/related"
MULTIPART_BODY = {
    "requestBody": {
        "description": 'multipart/related; type="application/dicom": one Part 10 file a part (PS3.18 8.7.3.5)',
        "required": True,
        "content": {MULTIPART: {"schema": {"type": "string", "format": "binary"}}},
    }
}
ANSWERS: dict[int | str, dict[str, object]] = {
    202: {"description": "Some instances were not stored"},
    400: {"description": "Not a multipart message"},
    406: {"description": "Only application/dicom+json is answered"},
    409: {"description": "No instance was stored"},
    415: {"description": "Another media type than application/dicom"},
    507: {"description": "The disk is full"},
}


class DicomJson(JSONResponse):
    """The DICOM JSON model (PS3.18 F)."""

    media_type = "application/dicom+json"


@router.post("/dicom-web/studies", response_class=DicomJson, openapi_extra=MULTIPART_BODY, responses=ANSWERS)
async def store(request: Request, state: State) -> DicomJson:
    """Store instances of any study."""
    return await _store(request, state, None)


@router.post("/dicom-web/studies/{study}", response_class=DicomJson, openapi_extra=MULTIPART_BODY, responses=ANSWERS)
async def store_in_study(request: Request, state: State, study: StudyUid) -> DicomJson:
    """Store instances of one study; others are refused."""
    return await _store(request, state, study)


async def _store(request: Request, state: WebState, study: str | None) -> DicomJson:
    boundary = _checked_boundary(request)
    sender = Sender(SENDER, client_address(request), state.settings.listener.ae_title)
    accepted = Accepted.by(state.settings.listener)
    deposited = []
    with temporary_files(state.spool) as files:
        try:
            parts = await receive_parts(request.stream(), boundary, files.new, MAXIMUM_INSTANCES)
        except MultipartError as error:
            raise HTTPException(400, str(error)) from error
        if any(part.content_type not in ("application/dicom", "") for part in parts):
            raise HTTPException(415, "Each part must be application/dicom.")
        for part in parts:
            deposited.append(await run_in_threadpool(deposit, part.path, state.spool, accepted, sender, study))
    stored = [one for one in deposited if one.status == 0]
    log.info("STOW-RS", instances=len(deposited), stored=len(stored))
    return DicomJson(answer(deposited).to_json_dict(), _status(deposited))


def _checked_boundary(request: Request) -> str:
    accept = request.headers.get("accept", "*/*")
    if not any(kind in accept for kind in ("*/*", "application/*", "application/dicom+json", "application/json")):
        raise HTTPException(406, "Only application/dicom+json is answered.")
    content_type = content_type_of(request.headers.get("content-type", ""))
    boundary, kind = content_type.get_param("boundary"), content_type.get_param("type", "application/dicom")
    if content_type.get_content_type() != "multipart/related" or kind != "application/dicom":
        raise HTTPException(415, 'Send multipart/related; type="application/dicom".')
    if not isinstance(boundary, str) or not boundary:
        raise HTTPException(400, "The Content-Type has no boundary.")
    return boundary


def _status(deposited: list[Deposited]) -> int:
    """PS3.18 table 10.5.3-1."""
    statuses = {one.status for one in deposited}
    if statuses == {0}:
        return 200
    if 0 in statuses:
        return 202
    return 507 if statuses == {OUT_OF_RESOURCES} else 409


def answer(deposited: list[Deposited]) -> Dataset:
    """The Store Instances Response Module (PS3.18 table I.1-1)."""
    response = Dataset()
    for one in deposited:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.sop_class_uid, one.sop_instance_uid
        if one.status == 0:
            sequence = "ReferencedSOPSequence"
        else:
            sequence = "FailedSOPSequence"
            item.FailureReason = one.status
        if sequence not in response:
            setattr(response, sequence, [])
        response[sequence].value.append(item)
    return response
