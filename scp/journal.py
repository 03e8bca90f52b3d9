"""The index of studies, instances, deliveries and events.

Files are the truth (the spool's instances, the results, the receipts); the journal can be rebuilt from them.
It holds no patient name or id.
"""

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, delete, event, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping

from config.settings import Settings
from inference.results import Reason
from scp.databases import JOURNAL_VERSION, journal_url
from scp.durable import make_folder
from scp.journal_rows import (
    SEVERITY,
    DeliveryRow,
    DeliveryState,
    DestinationRow,
    EventRow,
    InstanceRow,
    StudyRow,
    StudyState,
)
from scp.tables import deliveries, events, instances, metadata, studies

EVENT = 32
"""Characters of an event's name; what is longer goes on in its text."""

BUSY = 30.0
"""Seconds to wait for another process of the node that writes."""


def open_engine(url: str) -> Engine:
    """Connections to the journal; SQLite in WAL mode, so that readers never wait for a writer."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=10, connect_args={"connect_timeout": 5})
    make_folder(Path(url.removeprefix("sqlite:///")).parent)
    engine = create_engine(url, connect_args={"timeout": BUSY})

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        if connection.execute("PRAGMA user_version").fetchone()[0] < JOURNAL_VERSION:
            connection.execute(f"PRAGMA user_version={JOURNAL_VERSION}")

    return engine


class Journal:
    """Reads and writes the tables; every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, settings: Settings) -> "Journal":
        """Connect and make what tables are missing. Raises sqlalchemy.exc.OperationalError: no database."""
        journal = cls(open_engine(journal_url(settings)))
        metadata.create_all(journal.engine)
        return journal

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    # reading

    def studies(
        self, states: Iterable[StudyState] = (), limit: int | None = None, offset: int = 0, search: str = ""
    ) -> list[StudyRow]:
        """Worst first, then the latest change first. `search` is a part of a Study Instance UID."""
        query = select(studies).order_by(studies.c.severity, studies.c.updated.desc()).limit(limit).offset(offset)
        wanted = [SEVERITY[StudyState(state)] for state in states]
        if wanted:
            query = query.where(studies.c.severity.in_(wanted))
        if search:
            query = query.where(studies.c.study_instance_uid.contains(search, autoescape=True))
        return [study_row(row) for row in self._read(query)]

    def study(self, uid: str) -> StudyRow | None:
        """One study, None if it is not known."""
        rows = self._read(select(studies).where(studies.c.study_instance_uid == uid))
        return study_row(rows[0]) if rows else None

    def oldest(self, states: Iterable[StudyState], limit: int, offset: int = 0) -> list[StudyRow]:
        """Studies in these states, the longest unchanged first."""
        wanted = [SEVERITY[state] for state in states]
        query = select(studies).where(studies.c.severity.in_(wanted)).order_by(studies.c.updated)
        query = query.limit(limit).offset(offset)
        return [study_row(row) for row in self._read(query)]

    def counts(self) -> dict[StudyState, int]:
        """How many studies are in each state."""
        rows = self._read(select(studies.c.state, func.count().label("n")).group_by(studies.c.state))
        return {StudyState(row["state"]): row["n"] for row in rows}

    def instances(self, uid: str) -> list[InstanceRow]:
        """The instances of a study."""
        rows = self._read(select(instances).where(instances.c.study_instance_uid == uid))
        return [InstanceRow(**{**row, "reason": _reason(row["reason"])}) for row in rows]

    def holders(self, sop_instance_uid: str) -> list[str]:
        """The studies that hold an instance."""
        query = select(instances.c.study_instance_uid).where(instances.c.sop_instance_uid == sop_instance_uid)
        return [row["study_instance_uid"] for row in self._read(query)]

    def deliveries(self, uid: str | None = None, states: Iterable[DeliveryState] = ()) -> list[DeliveryRow]:
        """Deliveries of one study or of all, the latest change first."""
        query = select(deliveries).order_by(deliveries.c.updated.desc())
        if uid is not None:
            query = query.where(deliveries.c.study_instance_uid == uid)
        wanted = [state.value for state in states]
        if wanted:
            query = query.where(deliveries.c.state.in_(wanted))
        return [_delivery(row) for row in self._read(query)]

    def delivery(self, uid: str, digest: str, destination: str) -> DeliveryRow | None:
        """One delivery, None if there is none."""
        rows = self._read(select(deliveries).where(*_key(deliveries, (uid, digest, destination))))
        return _delivery(rows[0]) if rows else None

    def destinations(self, names: Sequence[str]) -> list[DestinationRow]:
        """How deliveries to each of `names` stand, with the newest trouble of each."""
        query = select(deliveries.c.destination, deliveries.c.state, func.count().label("n"))
        counts = {
            (row["destination"], row["state"]): row["n"]
            for row in self._read(query.group_by(deliveries.c.destination, deliveries.c.state))
        }
        return [self._destination(name, counts) for name in names]

    def _destination(self, name: str, counts: dict[tuple[str, str], int]) -> DestinationRow:
        here, open_ = deliveries.c.destination == name, deliveries.c.state.in_(["retrying", "confirming"])
        troubled = here & (open_ | (deliveries.c.state == "failed"))
        trouble = select(deliveries.c.reason).where(troubled).order_by(deliveries.c.updated.desc()).limit(1)
        newest = next(iter(self._read(trouble)), None)
        [soonest] = self._read(select(func.min(deliveries.c.next_attempt).label("at")).where(here & open_))
        return DestinationRow(
            destination=name,
            waiting=counts.get((name, "waiting"), 0),
            retrying=counts.get((name, "retrying"), 0),
            confirming=counts.get((name, "confirming"), 0),
            delivered=counts.get((name, "delivered"), 0),
            failed=counts.get((name, "failed"), 0),
            reason=_reason(newest["reason"]) if newest else None,
            next_attempt=soonest["at"],
        )

    def events(self, uid: str) -> list[EventRow]:
        """A study's history, oldest first."""
        query = select(events).where(events.c.study_instance_uid == uid).order_by(events.c.id)
        return [EventRow(row["at"], row["event"], row["text"]) for row in self._read(query)]

    def seen(self) -> dict[str, int]:
        """For every study, the modification time (ns) of its spool folder when it was last looked at."""
        query = select(studies.c.study_instance_uid, studies.c.seen)
        return {row["study_instance_uid"]: row["seen"] for row in self._read(query)}

    # writing

    def record_study(self, uid: str, **values: Any) -> None:
        """Set columns of a study (made if new). A change of `state` sets its severity."""
        values["updated"] = time.time()
        if "state" in values:
            values["severity"] = SEVERITY[StudyState(values["state"])]
        if isinstance(values.get("reason"), Reason):
            values["reason"] = values["reason"].model_dump_json()
        if "senders" in values:
            values["senders"] = json.dumps(sorted(values["senders"]))
        new = {"state": StudyState.RECEIVED, "severity": SEVERITY[StudyState.RECEIVED]} | values
        with self.engine.begin() as connection:
            upsert(connection, studies, {"study_instance_uid": uid} | new, values)

    def record_instances(self, uid: str, rows: Sequence[InstanceRow]) -> None:
        """Replace what is known of a study's instances."""
        values = [{**vars(row), "reason": row.reason.model_dump_json() if row.reason else None} for row in rows]
        with self.engine.begin() as connection:
            connection.execute(delete(instances).where(instances.c.study_instance_uid == uid))
            if values:
                connection.execute(insert(instances), values)

    def record_delivery(self, uid: str, digest: str, destination: str, **values: Any) -> None:
        """Set columns of a delivery (made if new)."""
        values["updated"] = time.time()
        if isinstance(values.get("reason"), Reason):
            values["reason"] = values["reason"].model_dump_json()
        key = {"study_instance_uid": uid, "digest": digest, "destination": destination}
        with self.engine.begin() as connection:
            upsert(connection, deliveries, key | {"state": DeliveryState.WAITING} | values, values)

    def record_event(self, uid: str, name: str, text: str = "") -> None:
        """Add a line to a study's history; the same line twice in a row (a repeated step) is written once."""
        if len(name) > EVENT:
            name, text = name[:EVENT], f"{name} {text}".strip()
        last = select(events.c.event, events.c.text).where(events.c.study_instance_uid == uid)
        with self.engine.begin() as connection:
            newest = connection.execute(last.order_by(events.c.id.desc()).limit(1)).first()
            if newest is None or tuple(newest) != (name, text):
                row = {"study_instance_uid": uid, "at": time.time(), "event": name, "text": text}
                connection.execute(insert(events), row)

    def forget(self, uid: str) -> None:
        """Remove every row of a study."""
        with self.engine.begin() as connection:
            for table in (events, deliveries, instances, studies):
                connection.execute(delete(table).where(table.c.study_instance_uid == uid))

    def _read(self, query: Any) -> Sequence[RowMapping]:
        with self.engine.connect() as connection:
            return connection.execute(query).mappings().all()


def upsert(connection: Connection, table: Table, new: dict[str, Any], changed: dict[str, Any]) -> None:
    """Insert the row `new`, or set `changed` where its primary key is there already."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(new)
    keys = [column.name for column in table.primary_key]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))


def _key(table: Table, values: Sequence[str]) -> list[Any]:
    return [column == value for column, value in zip(table.primary_key, values, strict=True)]


def _reason(text: str | None) -> Reason | None:
    return Reason.model_validate_json(text) if text else None


def study_row(row: RowMapping) -> StudyRow:
    values: dict[str, Any] = {name: row[name] for name in StudyRow.__dataclass_fields__}
    values["state"] = StudyState(values["state"])
    values["reason"] = _reason(values["reason"])
    values["senders"] = tuple(json.loads(values["senders"]))
    return StudyRow(**values)


def _delivery(row: RowMapping) -> DeliveryRow:
    return DeliveryRow(**{**row, "state": DeliveryState(row["state"]), "reason": _reason(row["reason"])})
