"""When the machine's clock is set back, what waits for a time of the old clock would wait too long: woken here."""

import time
from collections.abc import Callable, Iterator

import structlog

from config.settings import Settings
from scp.journal import Journal
from scp.journal_rows import DeliveryState, StudyState

log = structlog.get_logger()

SLACK = 60.0
"""Seconds: small corrections (NTP) are no matter."""

Wake = Callable[[str, str, str], object]
Drive = Callable[[str], None]


def wake_after_set_back(settings: Settings, journal: Journal, drive: Drive, wake: Wake) -> None:
    """`drive` a study, `wake` a delivery (study, digest, destination), whose time lies further ahead than any may."""
    for study in _waiting_too_long(settings, journal):
        log.warning("the clock was set back: a study is timed anew", study=study)
        drive(study)
    longest = max(
        (settings.delivery.longest_retry, *(item.commitment_timeout for item in settings.destinations)), default=0.0
    )
    for row in journal.deliveries(states=[DeliveryState.RETRYING, DeliveryState.CONFIRMING]):
        if row.next_attempt is not None and row.next_attempt > time.time() + longest + SLACK:
            log.warning("the clock was set back: a delivery is made now", study=row.study_instance_uid)
            wake(row.study_instance_uid, row.digest, row.destination)


def _waiting_too_long(settings: Settings, journal: Journal) -> Iterator[str]:
    latest = time.time() + max(settings.studies.complete_quiet, settings.studies.incomplete_quiet) + SLACK
    for row in journal.studies([StudyState.WAITING]):
        if row.due is not None and row.due > latest:
            yield row.study_instance_uid
