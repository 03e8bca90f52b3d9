"""The journal's tables. All times are seconds since 1970 (UTC)."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

studies = Table(
    "studies",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("reason", Text),
    Column("grade", Integer),
    Column("images", Integer, nullable=False, default=0),
    Column("analysed", Integer, nullable=False, default=0),
    Column("excluded", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
    Column("senders", Text, nullable=False, default="[]"),
    Column("first_received", Float),
    Column("last_received", Float),
    Column("due", Float),
    Column("updated", Float, nullable=False),
    Column("revision", Integer, nullable=False, default=0),
    Column("digest", String(64)),
    Column("seen", BigInteger, nullable=False, default=0),
    Column("generation", BigInteger, nullable=False, default=0),
    Index("studies_worst_first", "severity", "updated"),
    Index("studies_oldest_first", "last_received"),
)

instances = Table(
    "instances",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("sop_class_uid", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text),
    Index("instances_by_uid", "sop_instance_uid"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("destination", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("attempts", Integer, nullable=False, default=0),
    Column("objects", Integer, nullable=False, default=0),
    Column("stored", Integer, nullable=False, default=0),
    Column("committed", Boolean),
    Column("first_attempt", Float),
    Column("next_attempt", Float),
    Column("updated", Float, nullable=False),
    Index("deliveries_by_state", "state", "destination"),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("study_instance_uid", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("event", String(32), nullable=False),
    Column("text", Text, nullable=False, default=""),
    Index("events_by_study", "study_instance_uid", "id"),
)

executors = Table(
    "executors",
    metadata,
    Column("executor_id", String(64), primary_key=True),
    Column("incarnation", String(64), nullable=False),
    Column("renewed", Float, nullable=False),
)
