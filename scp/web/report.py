"""The page of one study: its report, or how far it has come."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse

from inference.results import Assessment, Finding, ImageResult, Reason, Status, StudyResult
from scp.gaps import beside_analysed, gaps, of_breast
from scp.image_names import image_names
from scp.journal_rows import StudyRow, StudyState
from scp.objects.words import unmarked_lines
from scp.web import texts
from scp.web.access import AnyVisitor
from scp.web.badges import Badge, badge, no_findings
from scp.web.downloads import kinds_of
from scp.web.hanging import hang
from scp.web.incomplete import incomplete
from scp.web.opinions import Opinion
from scp.web.pages import page
from scp.web.patients import patient_of
from scp.web.state import State, StudyUid, WebState
from scp.web.study_files import (
    DamagedResultError,
    KeptResult,
    any_header,
    is_damaged,
    kept_result,
    spooled,
    study_row,
)
from scp.words import counted

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class MarkedFinding:
    """A finding with its image, its number on the page, what the visitor says of it, and what others say."""

    number: int
    finding: Finding
    image: ImageResult
    own: Opinion | None
    others: tuple[Opinion, ...]


@router.get("/studies/{study}")
def report(request: Request, state: State, visitor: AnyVisitor, study: StudyUid) -> HTMLResponse:
    """The report with its images, findings, downloads and history; without a result, what is known all the same."""
    row = study_row(state, study)
    try:
        kept, damaged = kept_result(state, study), False
    except DamagedResultError:
        kept, damaged = None, True
    header = any_header(state, study)
    values = _history(state, row, damaged) | {"patient": patient_of(header), "kept": kept}
    if kept is not None:
        values |= _report(state, kept, state.opinions.current(study), visitor.name)
    return page(request, "report.html", **values)


@router.get("/studies/{study}/history")
def history(request: Request, state: State, study: StudyUid) -> HTMLResponse:
    """The part of the page that changes while the study is on its way."""
    return page(request, "history.html", **_history(state, study_row(state, study), is_damaged(state, study)))


def _history(state: WebState, row: StudyRow, damaged: bool) -> dict[str, Any]:
    return {
        "study": row,
        "incomplete": incomplete(state, row),
        "damaged": damaged,
        "pending": row.state in (StudyState.RECEIVED, StudyState.WAITING, StudyState.ANALYSING),
        "events": state.journal.events(row.study_instance_uid),
        "deliveries": state.journal.deliveries(row.study_instance_uid),
        "shadow": state.settings.delivery.mode == "shadow",
        "destinations": [destination.name for destination in state.settings.destinations],
    }


def _report(state: WebState, kept: KeptResult, opinions: tuple[Opinion, ...], reader: str) -> dict[str, Any]:
    result = kept.result
    files = {uid: item.path for uid, item in spooled(state, result.study_instance_uid).items()}
    names = image_names(result, files)
    found = gaps(result, names)
    shown = [image for image in result.images if image.rows and image.sop_instance_uid in files]
    badges = {image.sop_instance_uid: badge(result, image) for image in result.images}
    rows, others = hang((image, image.laterality, image.view) for image in shown if image.status is Status.ANALYSED)
    return {
        "result": result,
        "record": kept.folder.record,
        "rows": rows,
        "others": others + [image for image in shown if image.status is not Status.ANALYSED],
        "marked": _marked(result, opinions, reader),
        "no_findings": no_findings(result, found),
        "unmarked": unmarked_lines(result),
        "added": [opinion for opinion in opinions if opinion.verdict == "added"],
        "names": names,
        "gaps": found,
        "lacking": {side: of_breast(found, side) for side in ("R", "L")},
        "beside": beside_analysed(result),
        "badges": badges,
        "labels": {
            image.sop_instance_uid: view_label(image, badges[image.sop_instance_uid]) for image in result.images
        },
        "breasts": breasts(result),
        "remarks": remarks(result),
        "kinds": kinds_of(kept.folder),
        "models": result.models,
    }


def _marked(result: StudyResult, opinions: tuple[Opinion, ...], reader: str) -> list[MarkedFinding]:
    """Worst first: by grade, then by probability where all have one, as scores of two modules do not compare."""
    pairs = [(finding, image) for image in result.images for finding in image.findings]
    calibrated = all(finding.probability is not None for finding, _ in pairs)
    pairs.sort(key=lambda pair: (-pair[0].grade, -((pair[0].probability if calibrated else None) or pair[0].score)))
    marked = []
    for number, (finding, image) in enumerate(pairs, 1):
        said = {opinion.reader: opinion for opinion in opinions if opinion.subject == finding.tracking_uid}
        own = said.pop(reader, None)
        marked.append(MarkedFinding(number, finding, image, own, tuple(said.values())))
    return marked


def view_label(image: ImageResult, shown: Badge) -> str:
    """What a screen reader says of a view after its name: as its badge, and never '0 findings' of what has none."""
    if image.status is Status.EXCLUDED and image.reason is not None:
        return f"{texts.NOT_ANALYSED_BECAUSE} {image.reason.text}"
    if image.status is not Status.ANALYSED:
        return shown.words
    told = [counted(len(image.findings), "finding")] if image.findings else []
    if shown.bad:
        told.append(shown.words)
    return ", ".join(told) or texts.NO_MARK


def breasts(result: StudyResult) -> Mapping[str, Assessment | None]:
    """Both breasts, right first; None for one that was not imaged."""
    return {"R": result.breasts.get("R"), "L": result.breasts.get("L")}


def remarks(result: StudyResult) -> list[tuple[str, str, Reason]]:
    """(SOP Instance UID, what, reason): instances not analysed, modules that failed or were not tried, notes."""
    said = []
    for image in result.images:
        if image.reason is not None:
            said.append((image.sop_instance_uid, image.status.value, image.reason))
        for module in image.modules:
            if module.reason is not None:
                said.append(
                    (image.sop_instance_uid, f"{texts.MODULES[module.module]} {module.status}", module.reason)
                )
        said += [(image.sop_instance_uid, "note", note) for note in image.notes]
    return said
