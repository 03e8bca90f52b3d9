"""A study's state as its instances and deliveries make it."""

from collections.abc import Sequence

from inference.results import Reason, Status
from scp.journal import Journal
from scp.journal_rows import DeliveryRow, DeliveryState, InstanceRow, StudyRow, StudyState

OPEN = (DeliveryState.WAITING, DeliveryState.RETRYING, DeliveryState.CONFIRMING)


def refresh(journal: Journal, uid: str) -> None:
    """Set the state of a study whose latest images have a result, unless it waits for more or was cancelled.

    Revision 0: they have none yet, or ended without one; what becomes of an earlier result does not change that.
    """
    study = journal.study(uid)
    if study is None or study.digest is None or study.revision == 0:
        return
    if study.state is StudyState.CANCELLED or (study.state is StudyState.WAITING and study.due is not None):
        return
    deliveries = [row for row in journal.deliveries(uid) if row.digest == study.digest]
    state, reason = state_of(study, deliveries, journal.instances(uid))
    if (state, reason) != (study.state, study.reason):
        journal.record_study(uid, state=state, reason=reason)
        journal.record_event(uid, state.value, reason.text if reason else "")


def state_of(
    study: StudyRow, deliveries: Sequence[DeliveryRow], instances: Sequence[InstanceRow]
) -> tuple[StudyState, Reason | None]:
    """The worst thing that is true of it."""
    failed = [row.reason for row in deliveries if row.state is DeliveryState.FAILED]
    if failed:
        return StudyState.FAILED, next((reason for reason in failed if reason), None)
    if study.analysed == 0:
        status, state = (Status.FAILED, StudyState.FAILED) if study.failed else (Status.EXCLUDED, StudyState.EXCLUDED)
        return state, _first_reason(instances, status)
    return _on_its_way(deliveries)


def _on_its_way(deliveries: Sequence[DeliveryRow]) -> tuple[StudyState, Reason | None]:
    states = {row.state for row in deliveries}
    if not states:
        return StudyState.ANALYSED, None
    if states.intersection(OPEN):
        return StudyState.DELIVERING, next((row.reason for row in deliveries if row.reason), None)
    return (StudyState.CANCELLED if DeliveryState.CANCELLED in states else StudyState.DELIVERED), None


def _first_reason(instances: Sequence[InstanceRow], status: Status) -> Reason | None:
    return next((row.reason for row in instances if row.status == status and row.reason), None)
