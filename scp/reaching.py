"""The way from a command to a node: none is made where there is none, and a database that is away is said to be."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from config.settings import Settings
from scp import node_status, operations
from scp.database_trouble import Trouble, database_trouble, told
from scp.databases import JOURNAL
from scp.journal_rows import StudyState

Answer = dict[str, Any]


class NoDatabaseError(Exception):
    """The message says what is wrong with the database, and what to do."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(f"{trouble.text} {trouble.remedy}")


def absence(settings: Settings) -> str | None:
    """Says that there is no node in the folder of the settings; None: there is one."""
    folder = settings.node.folder
    try:
        if not folder.is_dir():
            return f"There is no node in {folder.absolute()}: there is no such folder."
        if settings.engine.database_url or (folder / JOURNAL).exists():
            return None
    except PermissionError:
        return None  # whoever may not look will hear it from the database
    return f"There is no node in {folder.absolute()}: nothing has been started there."


def status(settings: Settings, study: str | None, state: StudyState | None, limit: int) -> tuple[Answer, str | None]:
    """How the node stands, and what says that there is none. Raises NoDatabaseError: it is away or damaged."""
    absent = absence(settings)
    if absent is not None:
        # a server's database may be known to be away although the folder is missing too
        trouble = database_trouble(settings) if settings.engine.database_url else None
        if trouble is not None:
            raise NoDatabaseError(trouble)
        return node_status.NOTHING, absent
    try:
        return node_status.status(settings, study=study, state=state, limit=limit), None
    except SQLAlchemyError as error:
        raise NoDatabaseError(told(settings, error)) from error


def operate(settings: Settings, study: str, do: Callable[[Settings], Answer]) -> Answer:
    """Do what an operator asks of a study, where there is a node whose database can be used."""
    absent = absence(settings)
    if absent is not None:
        unknown = operations.unknown(study)
        return unknown | {"message": f"{unknown['message']} {absent}"}
    try:
        return do(settings)
    except SQLAlchemyError as error:
        return {"ok": False, "message": str(NoDatabaseError(told(settings, error)))}
