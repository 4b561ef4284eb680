"""The tables of HR events: by what each is known again, and those that are kept because they could not be applied."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from scim_bridge.store.schema import Key, metadata

hr_mark = Table(
    "hr_mark",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    # A digest of what tells the event from all others: the sender's id of it, or signature and place.
    Column("mark", Text, primary_key=True),
    Column("taken_at", BigInteger, nullable=False),
    Index("hr_mark_taken", "taken_at"),
)

_IS_FETCH = text("state = 'fetch'")
_IS_REFUSED = text("state = 'refused'")

hr_event = Table(
    "hr_event",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("source", Text, nullable=False),
    # waiting (its source is paused, or somebody wants it tried again), fetch (it tells only whom to look at), refused
    # (with code, field and advice)
    Column("state", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    # What the mapping reads of it, as JSON.
    Column("fields", Text, nullable=False),
    Column("is_whole", Integer, nullable=False),
    Column("is_gone", Integer, nullable=False),
    Column("said_at", BigInteger),
    Column("code", Text, nullable=False, server_default=""),
    Column("field", Text, nullable=False, server_default=""),
    Column("advice", Text, nullable=False, server_default=""),
    Column("correlation_id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    # Of a fetch: how often it was tried in vain, and when it may be tried next.
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", BigInteger, nullable=False, server_default="0"),
    Index("hr_event_state", "tenant", "source", "state", "id"),
    # However often a sender says that something changed, there is one thing to look at.
    Index(
        "hr_event_one_fetch",
        *("tenant", "source", "external_id"),
        unique=True,
        sqlite_where=_IS_FETCH,
        postgresql_where=_IS_FETCH,
    ),
    Index("hr_event_refused", "at", sqlite_where=_IS_REFUSED, postgresql_where=_IS_REFUSED),
)
