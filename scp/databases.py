"""Where the databases are, and what is done with a damaged one. Cheap to import: the supervisor waits for it."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import structlog

from config.settings import Settings
from scp.durable import locked

log = structlog.get_logger()


JOURNAL = "journal.db"
JOURNAL_VERSION = 1
"""Kept in SQLite's user_version; raise it when an older version could not work with the tables."""


def journal_url(settings: Settings) -> str:
    """PostgreSQL where the operator says so, else a file in the node's folder."""
    return settings.engine.database_url or f"sqlite:///{settings.node.folder / JOURNAL}"


def engine_url(settings: Settings) -> str:
    """The durable engine's own database: the same PostgreSQL, or a file beside the journal."""
    return settings.engine.database_url or f"sqlite:///{settings.node.folder / 'engine.db'}"


def set_damaged_aside(settings: Settings) -> list[Path]:
    """Rename each SQLite database that is damaged (or a newer version's journal) to <name>.corrupt-<time> (.newer-…),
    with its -wal and -shm. Returns where they are.

    To be called while no process of this node has them open.
    """
    databases = [Path(url.removeprefix("sqlite:///")) for url in _sqlite_urls(settings)]
    if not databases:
        return []
    with locked(settings.node.folder / "locks" / "recovery.lock"):
        found = [(path, _fault(path, path.name == JOURNAL)) for path in databases if path.exists()]
        return [_set_aside(path, fault) for path, fault in found if fault is not None]


def _sqlite_urls(settings: Settings) -> list[str]:
    return [url for url in (journal_url(settings), engine_url(settings)) if url.startswith("sqlite")]


def _set_aside(path: Path, fault: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    kept = Path(f"{path}.{fault}-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{kept}{suffix}")
    log.error(f"{fault} database set aside, rebuilt from the files", database=path.name, kept=kept.name)
    return kept


def _fault(path: Path, is_journal: bool) -> str | None:
    """None: it is sound, or another process holds it; the worker waits for that one, and looks again."""
    connection = sqlite3.connect(path, timeout=5)
    try:
        [answer] = connection.execute("PRAGMA quick_check(1)").fetchone()
        [version] = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        if _is_held(error):
            log.warning("another process holds the database", database=path.name)
            return None
        return "corrupt"
    finally:
        connection.close()
    if answer != "ok":
        return "corrupt"
    return "newer" if is_journal and version > JOURNAL_VERSION else None


def _is_held(error: sqlite3.DatabaseError) -> bool:
    return isinstance(error, sqlite3.OperationalError) and any(word in str(error) for word in ("locked", "readonly"))
