"""How the node stands: every study, every delivery, every destination, as the command line and the page show it."""

from datetime import UTC, datetime
from typing import Any

from config.settings import Settings
from scp.folder_owner import acting_as_owner
from scp.journal import Journal
from scp.journal_rows import DeliveryRow, DestinationRow, StudyRow, StudyState
from scp.result_folders import ResultFolders

Answer = dict[str, Any]

NOTHING: Answer = {"counts": {}, "studies": [], "destinations": []}
"""The status of a node that is not there."""


def status(settings: Settings, study: str | None = None, state: str | None = None, limit: int = 100) -> Answer:
    """Every study with its state, worst first, and how each destination stands; with `study`, its whole history."""
    with acting_as_owner(settings.node.folder, refuse=False):  # the journal's files are made by whoever opens it
        return _status(settings, study, state, limit)


def _status(settings: Settings, study: str | None, state: str | None, limit: int) -> Answer:
    journal = Journal.open(settings)
    try:
        if study is not None:
            row = journal.study(study)
            studies = [_study(settings, row) | _history(journal, study)] if row else []
        else:
            states = [StudyState(state)] if state else []
            studies = [_study(settings, row) for row in journal.studies(states, limit=limit)]
        names = [item.name for item in settings.destinations]
        return {
            "counts": {key.value: number for key, number in journal.counts().items()},
            "studies": studies,
            "destinations": [_destination(row) for row in journal.destinations(names)],
        }
    finally:
        journal.close()


def _study(settings: Settings, row: StudyRow) -> Answer:
    folder = ResultFolders(settings.node.folder / "results")
    return {
        "study_instance_uid": row.study_instance_uid,
        "state": row.state.value,
        "reason": row.reason.model_dump() if row.reason else None,
        "grade": row.grade,
        "instances": row.images,
        "analysed": row.analysed,
        "excluded": row.excluded,
        "failed": row.failed,
        "senders": list(row.senders),
        "received": _time(row.first_received),
        "last_received": _time(row.last_received),
        "due": _time(row.due),
        "updated": _time(row.updated),
        "revision": row.revision,
        "result_folder": str(folder.revision(row.study_instance_uid, row.digest).path) if row.digest else None,
    }


def _history(journal: Journal, study: str) -> Answer:
    return {
        "events": [{"at": _time(item.at), "event": item.event, "text": item.text} for item in journal.events(study)],
        "images": [
            {
                "sop_instance_uid": item.sop_instance_uid,
                "sop_class_uid": item.sop_class_uid,
                "status": item.status,
                "reason": item.reason.model_dump() if item.reason else None,
            }
            for item in journal.instances(study)
        ],
        "deliveries": [_delivery(item) for item in journal.deliveries(study)],
    }


def _delivery(row: DeliveryRow) -> Answer:
    return {
        "destination": row.destination,
        "digest": row.digest,
        "state": row.state.value,
        "reason": row.reason.model_dump() if row.reason else None,
        "attempts": row.attempts,
        "objects": row.objects,
        "stored": row.stored,
        "committed": row.committed,
        "next_attempt": _time(row.next_attempt),
    }


def _destination(row: DestinationRow) -> Answer:
    return {
        "name": row.destination,
        "waiting": row.waiting + row.retrying + row.confirming,
        "failed": row.failed,
        "delivered": row.delivered,
        "last_error": f"{row.reason.text} {row.reason.remedy}".strip() if row.reason else None,
        "next_attempt": _time(row.next_attempt),
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
