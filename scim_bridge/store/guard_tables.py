"""The tables of the guard on mass deactivation: who is held, who was let go, and days that an operator has allowed."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from scim_bridge.store.schema import Key, metadata

_IS_STANDING = "status IN ('open', 'rejected')"

hold = Table(
    "hold",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("lane_id", Key, ForeignKey("lane.id"), nullable=False),
    Column("resource_id", Key, ForeignKey("resource.id"), nullable=False),
    Column("operation_id", Key, nullable=False),
    Column("reason", Text, nullable=False),
    # open, rejected (both stand until the directory says active again), released, ended
    Column("status", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    # When a person was last asked to decide.
    Column("asked_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("closed_by", Text),
    Index("hold_open", "lane_id", "resource_id", "status"),
    Index(
        "hold_standing",
        "lane_id",
        "resource_id",
        unique=True,
        sqlite_where=text(_IS_STANDING),
        postgresql_where=text(_IS_STANDING),
    ),
)

# Somebody whose deactivation may be sent: let through by the guard (counted in its window), or released by a person.
departure = Table(
    "departure",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("lane_id", Key, ForeignKey("lane.id"), nullable=False),
    Column("resource_id", Key, ForeignKey("resource.id"), nullable=False),
    Column("counted", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    # Until then nobody is asked again.
    Column("good_until", BigInteger, nullable=False),
    UniqueConstraint("lane_id", "resource_id", name="departure_resource"),
    Index("departure_window", "lane_id", "at"),
)

# A planned day: so many deactivations more than the threshold, once.
allowance = Table(
    "allowance",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("lane_id", Key, ForeignKey("lane.id"), nullable=False),
    Column("people", Integer, nullable=False),
    Column("used", Integer, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("good_until", BigInteger, nullable=False),
    Index("allowance_lane", "lane_id", "good_until"),
)
