"""The tables of notices: what somebody is to be told, and to whom each was, or is still to be, sent."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from scim_bridge.store.schema import Key, metadata

_IS_UNTOLD = "told_at IS NULL"
_IS_WAITING = "state = 'waiting'"

notice = Table(
    "notice",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    # Empty where it is about no target.
    Column("target", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("code", Text, nullable=False),
    # What receivers know it by.
    Column("mark", Text, nullable=False, unique=True),
    Column("count", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    # Not before this instant, because the last of its kind was not long ago.
    Column("due_at", BigInteger, nullable=False),
    # Since then it is as it is, and the next of its kind is another one.
    Column("told_at", BigInteger),
    Index(
        "notice_untold",
        *("tenant", "target", "kind", "code"),
        unique=True,
        sqlite_where=text(_IS_UNTOLD),
        postgresql_where=text(_IS_UNTOLD),
    ),
    Index("notice_due", "due_at", sqlite_where=text(_IS_UNTOLD), postgresql_where=text(_IS_UNTOLD)),
    Index("notice_told", "tenant", "target", "kind", "code", "told_at"),
)

# One notice for one of those whom the configuration names.
posting = Table(
    "posting",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("notice_id", Key, ForeignKey("notice.id"), nullable=False),
    Column("destination", Text, nullable=False),
    # waiting, sent, given_up
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("since", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    # By the database's clock: until then somebody is sending it.
    Column("lease_until", BigInteger, nullable=False, server_default="0"),
    # What kept it from being taken the last time.
    Column("failure", Text, nullable=False, server_default=""),
    UniqueConstraint("notice_id", "destination", name="posting_destination"),
    Index(
        "posting_due",
        *("destination", "due_at"),
        sqlite_where=text(_IS_WAITING),
        postgresql_where=text(_IS_WAITING),
    ),
)
