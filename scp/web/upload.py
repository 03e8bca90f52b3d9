"""The upload page: files, folders and ZIPs, streamed into the spool with sender WEB; each file gets an answer."""

from pathlib import Path, PurePath

import structlog
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse

from inference.results import Reason
from scp.incoming import Sender
from scp.web import texts
from scp.web.access import Operator, client_address
from scp.web.archives import ArchiveError, entries, is_archive
from scp.web.deposit import Accepted, Deposited, deposit
from scp.web.multipart import MultipartError, content_type_of, receive_parts
from scp.web.pages import page
from scp.web.receiving import TemporaryFiles, temporary_files
from scp.web.state import State, WebState

SENDER = "WEB"
MAXIMUM_FILES = 1000
"""Parts of one request; the page sends each file in a request of its own."""

log = structlog.get_logger(__name__)
router = APIRouter()


class UploadedFile(BaseModel):
    """What became of one file, `name` as the uploader calls it."""

    name: str
    accepted: bool
    study_instance_uid: str | None = None
    reason: Reason | None = None


class UploadAnswer(BaseModel):
    """All files of a request, those inside ZIPs too."""

    files: list[UploadedFile]


@router.get("/upload", include_in_schema=False)
def upload_page(request: Request) -> HTMLResponse:
    """The page."""
    return page(request, "upload.html", here="/upload")


@router.post(
    "/api/upload",
    tags=["upload"],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["files"],
                        "properties": {
                            "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        },
                    }
                }
            },
        }
    },
    responses={400: {"description": "Not a multipart/form-data message"}, 413: {"description": "Too large"}},
)
async def upload(request: Request, state: State, visitor: Operator) -> UploadAnswer:
    """Send DICOM files or ZIP files (multipart/form-data); the answer says what became of each."""
    content_type = content_type_of(request.headers.get("content-type", ""))
    boundary = content_type.get_param("boundary")
    if content_type.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise HTTPException(400, texts.NO_FILES)
    sender = Sender(SENDER, client_address(request), state.settings.listener.ae_title)
    answer: list[UploadedFile] = []
    with temporary_files(state.spool) as files:
        try:
            parts = await receive_parts(request.stream(), boundary, files.new, MAXIMUM_FILES)
        except MultipartError as error:
            raise HTTPException(400, str(error)) from error
        for part in parts:
            name = PurePath(part.file_name.replace("\\", "/")).name
            answer += await run_in_threadpool(_take, part.path, name, files, state, sender)
    log.info("upload", files=len(answer), accepted=sum(file.accepted for file in answer), by=visitor.name)
    return UploadAnswer(files=answer)


def _take(path: Path, name: str, files: TemporaryFiles, state: WebState, sender: Sender) -> list[UploadedFile]:
    accepted = Accepted.by(state.settings.listener)
    if not is_archive(path):
        return [_answer(name, deposit(path, state.spool, accepted, sender))]
    answer = []
    try:
        for entry in entries(path, state.settings.web.maximum_upload, files.new):
            answer.append(_answer(entry.name, deposit(entry.path, state.spool, accepted, sender)))
            entry.path.unlink()
    except ArchiveError as error:
        answer.append(UploadedFile(name=name, accepted=False, reason=Reason(code="archive-refused", text=str(error))))
    return answer


def _answer(name: str, deposited: Deposited) -> UploadedFile:
    return UploadedFile(
        name=name,
        accepted=deposited.reason is None,
        study_instance_uid=deposited.study_instance_uid or None,
        reason=deposited.reason,
    )
