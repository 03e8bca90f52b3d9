"""What keeps the node's databases from being used, in words and with a remedy. A look changes nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from config.settings import Settings
from scp.databases import JOURNAL, engine_url, journal_url
from scp.journal import open_engine
from scp.recovery import DAMAGE

REBUILT = "Restart the node: it sets the file aside and makes it anew from the studies in its folder."
OPENED = "Run the command as the node's account, and see that the disk can be read and written."
REACHED = "See that PostgreSQL runs, that engine.database_url is right, and that the network lets the node through."


class Trouble(NamedTuple):
    """What is wrong, and what to do."""

    text: str
    remedy: str


def database_trouble(settings: Settings) -> Trouble | None:
    """None: the databases can be used, or are yet to be made."""
    if settings.engine.database_url:
        return _server_trouble(settings)
    files = (Path(url(settings).removeprefix("sqlite:///")) for url in (journal_url, engine_url))
    return next(filter(None, map(_file_trouble, files)), None)


def told(settings: Settings, error: SQLAlchemyError) -> Trouble:
    """An error in words, without the address of the database: it may hold a password."""
    says = (str(getattr(error, "orig", None) or "") or type(error).__name__).splitlines()[0]
    if settings.engine.database_url:
        return Trouble(f"The database is away or cannot be used ({says}).", REACHED)
    return _file_told(settings.node.folder / JOURNAL, says)


def _server_trouble(settings: Settings) -> Trouble | None:
    try:
        engine = open_engine(journal_url(settings))
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        return told(settings, error)
    return None


def _file_trouble(path: Path) -> Trouble | None:
    """One that another process has locked is in use, and well."""
    try:
        if not path.exists():
            return None
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            [answer] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except (sqlite3.DatabaseError, OSError) as error:
        return None if "locked" in str(error) else _file_told(path, str(error))
    return None if answer == "ok" else Trouble(f"The database {path} is damaged.", REBUILT)


def _file_told(path: Path, says: str) -> Trouble:
    if any(sign in says for sign in DAMAGE):
        return Trouble(f"The database {path} is damaged ({says}).", REBUILT)
    return Trouble(f"The database {path} cannot be opened ({says}).", OPENED)
