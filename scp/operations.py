"""What an operator asks of the node, from the command line or the page. Works through journal and files alone,
whether the node runs or not."""

import time
from typing import Any

from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import by pynetdicom

from config.destinations import Destination
from config.settings import Settings
from scp import audit
from scp.association import NoAssociationError, associated
from scp.attempts import Attempts
from scp.destinations import SHADOW, chosen, is_shadow, named
from scp.folder_owner import Answer, as_owner
from scp.journal import Journal
from scp.journal_rows import DeliveryState, StudyState
from scp.progress import OPEN
from scp.receiver import spool_folder
from scp.result_folders import ResultFolders
from scp.result_records import Receipt
from scp.revision_folder import RevisionFolder
from scp.spool import Spool
from scp.stow import echo as echo_web
from scp.studies import arrival_of

PATIENCE = 2.0
"""Seconds to wait for an attempt to let go."""

ENDED_OR_WAITING = (StudyState.CANCELLED, StudyState.FAILED, StudyState.EXCLUDED, StudyState.WAITING)
"""A retry of such a study is taken up at once: nothing more is waited for."""


def unknown(study: str) -> Answer:
    """The answer about a study that the node does not know."""
    return {"ok": False, "message": f"There is no study {study}."}


@as_owner
def retry(settings: Settings, study: str, destination: str | None = None) -> Answer:
    """Do again what failed or was cancelled: the analysis, and the delivery to every destination or to one."""
    journal = Journal.open(settings)
    try:
        row = journal.study(study)
        if row is None:
            return unknown(study)
        if destination is not None and named(settings, destination) is None:
            names = ", ".join(item.name for item in settings.destinations) or "none"
            return {"ok": False, "message": f"There is no destination {destination}; there are: {names}."}
        results = ResultFolders(settings.node.folder / "results")
        results.revive(study)
        if row.digest is not None:
            revision = results.revision(study, row.digest)
            for name in _renamed(settings, revision):
                revision.write_receipt(name, Receipt(at_once=True))
            for name, receipt in revision.receipts().items():
                revision.take_cancelled(name)
                if receipt.state in ("failed", "cancelled") and destination in (None, name):
                    _revive(settings, journal, (study, row.digest, name), revision)
            _analyse_again(results, study, row.digest, all_of_it=destination is None)
        Attempts(settings.node.folder / "attempts", settings.analysis.worker_crashes).forget(study)
        if row.state in ENDED_OR_WAITING:
            journal.record_study(study, state=StudyState.WAITING, reason=None, due=time.time())
        journal.record_event(study, "retry", destination or "")
        audit.record(settings.node.folder, "operator-retry", study=study, destination=destination)
        drive_again(journal, Spool(spool_folder(settings), owner="operator"), study)
        return {"ok": True, "message": f"Study {study} is taken up again."}
    finally:
        journal.close()


def _analyse_again(results: ResultFolders, study: str, digest: str, *, all_of_it: bool) -> None:
    """Let the analysis of a damaged result be made anew, and with `all_of_it` also that of which an image failed."""
    damaged = [revision for revision in results.revisions(study) if revision.is_damaged]
    current = results.revision(study, digest)
    is_damaged = any(revision.path == current.path for revision in damaged)
    if is_damaged or (all_of_it and (result := current.result) is not None and result.has_failures):
        results.redo(study, digest)
    for revision in damaged:  # an earlier one would end every later analysis, which looks there for the same scores
        revision.set_result_aside()


def _renamed(settings: Settings, revision: RevisionFolder) -> list[str]:
    """Destinations that stand in the place of those that the settings no longer have."""
    receipts = revision.receipts()
    if all(named(settings, name) for name in receipts):
        return []
    return [item.name for item in chosen(settings, revision.manifest.senders) if item.name not in receipts]


def _revive(settings: Settings, journal: Journal, place: tuple[str, str, str], revision: RevisionFolder) -> None:
    """Let a delivery begin anew; one whose destination is gone for good ends as cancelled."""
    *_, name = place
    if named(settings, name) is None:
        fresh: dict[str, Any] = {"state": "cancelled"}
    else:
        fresh = {"state": "waiting", "refused": 0, "first_attempt": None, "at_once": True, "reason": None}
    with revision.delivering(name):
        receipt = revision.receipt(name).model_copy(update=fresh)
        revision.write_receipt(name, receipt)
    journal.record_delivery(*place, state=receipt.state, reason=receipt.reason)


@as_owner
def send(settings: Settings, study: str, destination: str) -> Answer:
    """Send a study's result to one destination, also one that was not meant to get it, or has it already."""
    journal = Journal.open(settings)
    try:
        row = journal.study(study)
        if row is None or row.digest is None:
            return {"ok": False, "message": f"There is no result of study {study}."}
        if named(settings, destination) is None:
            return {"ok": False, "message": f"There is no destination {destination}."}
        if is_shadow(settings):
            return {"ok": False, "message": f"{SHADOW.text} {SHADOW.remedy}"}
        revision = ResultFolders(settings.node.folder / "results").revision(study, row.digest)
        if not revision.objects:
            return {"ok": False, "message": f"The result of study {study} has not been built yet."}
        with revision.delivering(destination):
            revision.write_receipt(destination, Receipt(at_once=True))
        journal.record_delivery(study, row.digest, destination, state="waiting", reason=None)
        journal.record_event(study, f"send: {destination}", "by the operator")
        audit.record(settings.node.folder, "operator-send", study=study, destination=destination)
        drive_again(journal, Spool(spool_folder(settings), owner="operator"), study)
        return {"ok": True, "message": f"The result of study {study} is being sent to {destination}."}
    finally:
        journal.close()


@as_owner
def cancel(settings: Settings, study: str) -> Answer:
    """Stop working on a study; what was received is kept, and another image of it starts it anew."""
    journal = Journal.open(settings)
    try:
        row = journal.study(study)
        if row is None:
            return unknown(study)
        results = ResultFolders(settings.node.folder / "results")
        spool = Spool(spool_folder(settings), owner="operator")
        results.cancel(study, arrival_of(spool.instances(study)))
        journal.record_study(study, state=StudyState.CANCELLED, reason=None, due=None)
        for delivery in journal.deliveries(study):
            place = study, delivery.digest, delivery.destination
            if delivery.state in (*OPEN, DeliveryState.FAILED) and _cancel(
                results.revision(study, delivery.digest), delivery.destination
            ):
                journal.record_delivery(*place, state="cancelled", reason=None, next_attempt=None)
        journal.record_event(study, "cancelled", "by the operator")
        audit.record(settings.node.folder, "operator-cancel", study=study)
        return {"ok": True, "message": f"Study {study} is cancelled."}
    finally:
        journal.close()


def _cancel(revision: RevisionFolder, destination: str) -> bool:
    """False: it has been delivered before."""
    revision.cancel(destination)  # an attempt that runs sees it, and lets go
    try:
        with revision.delivering(destination, PATIENCE):
            revision.take_cancelled(destination)
            receipt = revision.receipt(destination)
            if receipt.state == "delivered":
                return False
            revision.write_receipt(destination, receipt.model_copy(update={"state": "cancelled", "reason": None}))
    except TimeoutError:
        # it waits for a connection: whatever becomes of that, nothing is sent, and its receipt will say so
        return True
    return True


def echo(settings: Settings, destination: str) -> Answer:
    """Ask a destination whether it is there (C-ECHO, or a search over DICOMweb)."""
    wanted = named(settings, destination)
    if wanted is None:
        return {"ok": False, "message": f"There is no destination {destination}."}
    try:
        if wanted.url is not None:
            echo_web(wanted)
        else:
            _echo_dimse(settings, wanted)
    except (NoAssociationError, OSError) as error:
        return {"ok": False, "message": str(error)}
    return {"ok": True, "message": f"{destination} answers."}


def drive_again(journal: Journal, spool: Spool, study: str) -> None:
    """Send a study down the whole way once more; each step finds what is done already."""
    journal.record_study(study, generation=int(time.time()), seen=0)
    spool.mark(study)


def _echo_dimse(settings: Settings, wanted: Destination) -> None:
    with associated(wanted, settings.listener.ae_title, [build_context(Verification)]) as assoc:
        answer = assoc.send_c_echo().get("Status")
    if answer != 0x0000:
        raise NoAssociationError(f"{wanted.ae_title} answers C-ECHO with {answer}")
