"""The worklist: every study, worst first, live; and what an operator can do about one."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse

from scp import operations
from scp.journal_rows import DeliveryRow, EventRow, StudyRow, StudyState
from scp.web import texts
from scp.web.access import OPERATORS_ONLY
from scp.web.incomplete import incomplete
from scp.web.pages import page
from scp.web.patients import patient_of
from scp.web.state import State, StudyUid, WebState
from scp.web.study_files import any_header, study_row
from scp.web.worklist_query import Filter, find_studies

router = APIRouter()
BUSY = (StudyState.RECEIVED, StudyState.WAITING, StudyState.ANALYSING, StudyState.DELIVERING)
NOT_FOUND: dict[int | str, dict[str, object]] = {404: {"description": "No such study"}}


def _filter(
    text: Annotated[str, Query(max_length=64, pattern=r"^[0-9.]*$", description="Part of a Study UID, SOP UID")] = "",
    state: Annotated[StudyState | Literal[""], Query()] = "",
    grade: Annotated[Literal["", "1", "3", "4", "5", "6"], Query()] = "",
    sender: Annotated[str, Query(max_length=16, pattern=r"^[ -\[\]-~]*$", description="Calling AE title")] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Filter:
    return Filter(text, StudyState(state) if state else None, int(grade) if grade else None, sender, page)


Wanted = Annotated[Filter, Depends(_filter)]


class StudyPage(BaseModel):
    """One page of the worklist."""

    studies: list[StudyRow]
    total: int
    page: int
    pages: int


class StudyHistory(BaseModel):
    """A study with its deliveries and everything that happened to it."""

    study: StudyRow
    deliveries: list[DeliveryRow]
    events: list[EventRow]


class Done(BaseModel):
    """What was done about a study."""

    ok: bool
    message: str


class Send(BaseModel):
    """Where to send the result."""

    destination: str


@router.get("/", include_in_schema=False)
def worklist(request: Request, state: State, wanted: Wanted) -> HTMLResponse:
    """The page."""
    return page(request, "worklist.html", here="/", **_values(state, wanted))


@router.get("/worklist/rows", include_in_schema=False)
def rows(request: Request, state: State, wanted: Wanted) -> HTMLResponse:
    """The table alone: what the page asks for again and again."""
    return page(request, "live.html", **_values(state, wanted))


@router.get("/api/studies", tags=["worklist"])
def studies(state: State, wanted: Wanted) -> StudyPage:
    """Studies, failed first, then by grade."""
    found = find_studies(state.journal.engine, wanted)
    return StudyPage(studies=found.studies, total=found.total, page=found.page, pages=found.pages)


@router.get("/api/studies/{study}", tags=["worklist"], responses=NOT_FOUND)
def one_study(state: State, study: StudyUid) -> StudyHistory:
    """One study with its history."""
    row = study_row(state, study)
    return StudyHistory(study=row, deliveries=state.journal.deliveries(study), events=state.journal.events(study))


@router.post("/api/studies/{study}/retry", tags=["worklist"], responses=NOT_FOUND, dependencies=OPERATORS_ONLY)
def retry(state: State, study: StudyUid) -> Done:
    """Try again what failed."""
    study_row(state, study)
    return Done(**operations.retry(state.settings, study, None))


@router.post("/api/studies/{study}/cancel", tags=["worklist"], responses=NOT_FOUND, dependencies=OPERATORS_ONLY)
def cancel(state: State, study: StudyUid) -> Done:
    """Stop working on a study."""
    study_row(state, study)
    return Done(**operations.cancel(state.settings, study))


@router.post("/api/studies/{study}/send", tags=["worklist"], responses=NOT_FOUND, dependencies=OPERATORS_ONLY)
def send(state: State, study: StudyUid, where: Send) -> Done:
    """Send the stored result to a destination, once more or for the first time."""
    study_row(state, study)
    if where.destination not in {destination.name for destination in state.settings.destinations}:
        raise HTTPException(404, texts.NO_DESTINATION)
    return Done(**operations.send(state.settings, study, where.destination))


def _values(state: WebState, wanted: Filter) -> dict[str, Any]:
    counts = state.journal.counts()
    found = find_studies(state.journal.engine, wanted)

    def query(number: int) -> str:
        values = {"text": wanted.text, "state": wanted.state, "grade": wanted.grade, "sender": wanted.sender}
        return urlencode({key: value for key, value in values.items() if value} | {"page": number})

    return {
        "wanted": wanted,
        "found": found,
        "incomplete": {row.study_instance_uid: incomplete(state, row) for row in found.studies},
        "patients": {
            row.study_instance_uid: patient_of(any_header(state, row.study_instance_uid)) for row in found.studies
        },
        "counts": {state.value: counts.get(state, 0) for state in StudyState},
        "total": sum(counts.values()),
        "busy": sum(counts.get(state, 0) for state in BUSY),
        "query": query,
    }
