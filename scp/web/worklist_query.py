"""The worklist's own question to the journal: filtered, worst first, one page at a time."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Select, case, func, or_, select

from scp.journal import study_row
from scp.journal_rows import StudyRow, StudyState
from scp.tables import instances, studies

PAGE_SIZE = 50


@dataclass(frozen=True)
class Filter:
    """What the reader asked for. `text` is part of a Study or SOP Instance UID; `sender` is a calling AE title."""

    text: str = ""
    state: StudyState | None = None
    grade: int | None = None
    sender: str = ""
    page: int = 1


@dataclass(frozen=True)
class Found:
    """One page of studies. `total` counts all that match."""

    studies: list[StudyRow]
    total: int
    page: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


def find_studies(engine: Engine, wanted: Filter) -> Found:
    """Failed studies first (someone must act), then by grade, 6 first, then the latest change first.

    A study without a grade of which an image failed stands below grade 4: nobody knows what it would have got.
    One whose grade is withheld for another reason stands above grade 1.
    """
    worst_first = (
        case((studies.c.state == StudyState.FAILED, 0), else_=1),
        func.coalesce(
            studies.c.grade, case((studies.c.failed > 0, 3.5), (studies.c.analysed > 0, 2), else_=0)
        ).desc(),
        studies.c.updated.desc(),
    )
    query = _matching(select(studies), wanted).order_by(*worst_first)
    with engine.connect() as connection:
        total = connection.execute(_matching(select(func.count()).select_from(studies), wanted)).scalar_one()
        page = min(wanted.page, max(1, -(-total // PAGE_SIZE)))
        rows = connection.execute(query.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)).mappings().all()
    return Found([study_row(row) for row in rows], total, page)


def _matching(query: Select[Any], wanted: Filter) -> Select[Any]:
    if wanted.text:
        by_instance = select(instances.c.study_instance_uid).where(instances.c.sop_instance_uid == wanted.text)
        by_study = studies.c.study_instance_uid.contains(wanted.text, autoescape=True)
        query = query.where(or_(by_study, studies.c.study_instance_uid.in_(by_instance)))
    if wanted.state is not None:
        query = query.where(studies.c.state == wanted.state)
    if wanted.grade is not None:
        query = query.where(studies.c.grade == wanted.grade)
    if wanted.sender:
        query = query.where(studies.c.senders.contains(f'"{wanted.sender}"', autoescape=True))
    return query
