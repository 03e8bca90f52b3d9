"""Where the databases are, and what is done with a damaged one. Cheap to import: the supervisor waits for it."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import structlog

from config.settings import Settings
from scp.durable import locked

log = structlog.get_logger()


def journal_url(settings: Settings) -> str:
    """PostgreSQL where the operator says so, else a file in the node's folder."""
    return settings.engine.database_url or f"sqlite:///{settings.node.folder / 'journal.db'}"


def engine_url(settings: Settings) -> str:
    """The durable engine's own database: the same PostgreSQL, or a file beside the journal."""
    return settings.engine.database_url or f"sqlite:///{settings.node.folder / 'engine.db'}"


def set_damaged_aside(settings: Settings) -> list[Path]:
    """Rename each damaged SQLite database to <name>.corrupt-<time> (with its -wal and -shm). Returns where they are.

    To be called while no process of this node has them open.
    """
    databases = [Path(url.removeprefix("sqlite:///")) for url in _sqlite_urls(settings)]
    if not databases:
        return []
    with locked(settings.node.folder / "locks" / "recovery.lock"):
        return [_set_aside(path) for path in databases if path.exists() and not _is_sound(path)]


def _sqlite_urls(settings: Settings) -> list[str]:
    return [url for url in (journal_url(settings), engine_url(settings)) if url.startswith("sqlite")]


def _set_aside(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    kept = Path(f"{path}.corrupt-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{kept}{suffix}")
    log.error("damaged database set aside, rebuilt from the files", database=path.name, kept=kept.name)
    return kept


def _is_sound(path: Path) -> bool:
    try:
        with sqlite3.connect(path, timeout=30) as connection:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()
        connection.close()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            raise
        return False
    return bool(answer == ("ok",))
