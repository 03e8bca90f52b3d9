"""Which executor is alive: a lease in the journal's database, renewed by its holder, by the database's clock."""

import time

from sqlalchemy import Engine, delete, func, select, update

from scp.journal import upsert
from scp.tables import executors


class Leases:
    """Leases of executors (process slots). An incarnation is one run of a slot's process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, executor_id: str, incarnation: str) -> None:
        """Take a slot; a former incarnation's next `renew` says False."""
        values = {"incarnation": incarnation, "renewed": self._now()}
        with self._engine.begin() as connection:
            upsert(connection, executors, {"executor_id": executor_id} | values, values)

    def renew(self, executor_id: str, incarnation: str) -> bool:
        """Renew a lease. False: it is lost, and another executor may have taken the work."""
        held = (executors.c.executor_id == executor_id) & (executors.c.incarnation == incarnation)
        with self._engine.begin() as connection:
            return connection.execute(update(executors).where(held).values(renewed=self._now())).rowcount == 1

    def expired(self, seconds: float) -> list[str]:
        """Executors that have not renewed for `seconds`."""
        query = select(executors.c.executor_id).where(executors.c.renewed < self._now() - seconds)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def claim(self, executor_id: str, adopter: str, seconds: float) -> bool:
        """Become the one that adopts an expired executor. An adopter that dies meanwhile lets it expire again."""
        stale = (executors.c.executor_id == executor_id) & (executors.c.renewed < self._now() - seconds)
        values = {"incarnation": f"by {adopter}", "renewed": self._now()}
        with self._engine.begin() as connection:
            return connection.execute(update(executors).where(stale).values(values)).rowcount == 1

    def end(self, executor_id: str, adopter: str) -> None:
        """Its work is adopted: forget the executor."""
        claimed = (executors.c.executor_id == executor_id) & (executors.c.incarnation == f"by {adopter}")
        with self._engine.begin() as connection:
            connection.execute(delete(executors).where(claimed))

    def _now(self) -> float:
        """The database's clock, so that machines with wrong clocks agree; SQLite's is this machine's."""
        if self._engine.dialect.name == "sqlite":
            return time.time()
        with self._engine.connect() as connection:
            return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())
