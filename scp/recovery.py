"""A database that is damaged is set aside, and the journal made anew from the files."""

import time

import structlog
from sqlalchemy.exc import DBAPIError, OperationalError

from config.settings import Settings
from scp.durable import locked
from scp.journal import Journal
from scp.journal_rows import StudyState
from scp.receiver import spool_folder
from scp.spool import Spool

log = structlog.get_logger()

AWAY = 2.0
"""Seconds between two attempts to reach the database."""

DAMAGE = ("malformed", "not a database", "disk image", "schema is corrupt")


def is_corrupt(error: Exception) -> bool:
    """True when SQLite says that the file itself is damaged."""
    return isinstance(error, DBAPIError) and any(sign in str(error.orig) for sign in DAMAGE)


def open_journal(settings: Settings) -> Journal:
    """Open the journal, waiting for a database that is away; an empty one is made anew from the spool."""
    while True:
        try:
            journal = Journal.open(settings)
            if not journal.counts():
                with locked(settings.node.folder / "locks" / "recovery.lock"):
                    _rebuild(settings, journal)
        except OperationalError as error:
            if is_corrupt(error):
                raise
            log.warning("the database is away", error=type(error).__name__, says=str(error.orig), seconds=AWAY)
            time.sleep(AWAY)
        else:
            return journal


def _rebuild(settings: Settings, journal: Journal) -> None:
    """A row for every study in the spool, for the sweep to look at.

    The new generation makes all work new to the engine; each step then finds what is on disk already.
    """
    generation = int(time.time())
    known = journal.seen()
    for study in Spool(spool_folder(settings), owner="recovery").study_uids():
        if study not in known:
            journal.record_study(study, state=StudyState.RECEIVED, generation=generation)
            journal.record_event(study, "rebuilt", "found in the spool, unknown to the journal")
