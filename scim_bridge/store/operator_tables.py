"""The tables of the operators' side: replay plans, remarks on the dead, errands to a target, requests as they came."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, text

from scim_bridge.store.schema import Key, metadata

_IS_OPEN = "status IN ('waiting', 'working')"

# A replay: planned first, then approved by a name, run, and ended or cancelled.
replay = Table(
    "replay",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("filter", Text, nullable=False),
    # Operations that it has put back, or had superseded.
    Column("operations", Integer, nullable=False),
    # planned, running, done, cancelled, stale
    Column("status", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    # What was reckoned when it was planned, as JSON: people, calls, seconds, whom the guard would hold.
    Column("figures", Text, nullable=False, server_default="{}"),
    # update, skip or hold for this replay alone; NULL: as configured.
    Column("policy", Text),
    Column("approved_by", Text),
    Column("approved_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("reason", Text, nullable=False, server_default=""),
    Index("replay_tenant", "tenant", "id"),
)

# One dead operation of a plan, and what became of it there.
replay_item = Table(
    "replay_item",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("replay_id", Key, ForeignKey("replay.id"), primary_key=True),
    Column("operation_id", Key, primary_key=True),
    Column("lane_id", Key, nullable=False),
    Column("resource_id", Key, nullable=False),
    # The resource's version when it was planned, so that a plan of yesterday's world is seen.
    Column("version", BigInteger, nullable=False),
    # planned, put_back, superseded, passed (it was no longer dead)
    Column("state", Text, nullable=False, server_default="planned"),
    Index("replay_item_state", "replay_id", "state", "resource_id"),
    Index("replay_item_operation", "operation_id"),
)

# What operators have written beside a dead operation.
remark = Table(
    "remark",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("operation_id", Key, nullable=False, index=True),
    Column("who", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

# What an operator wants of a target: only the delivering side has its credential, so the answer is a row.
errand = Table(
    "errand",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("target", Text, nullable=False),
    # reconcile, probe
    Column("kind", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("asked", Text, nullable=False, server_default="{}"),
    # waiting, working, done, failed
    Column("status", Text, nullable=False),
    Column("answer", Text, nullable=False, server_default="{}"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("at", BigInteger, nullable=False),
    Column("began_at", BigInteger),
    # Whoever works on it says so until then; afterwards another may take it up.
    Column("lease_until", BigInteger, nullable=False, server_default="0"),
    Column("ended_at", BigInteger),
    Index("errand_tenant", "tenant", "target", "kind", "id"),
    Index("errand_open", "lease_until", sqlite_where=text(_IS_OPEN), postgresql_where=text(_IS_OPEN)),
    Index(
        "errand_one_open",
        "tenant",
        "target",
        "kind",
        unique=True,
        sqlite_where=text(_IS_OPEN),
        postgresql_where=text(_IS_OPEN),
    ),
)

# One line of an errand's answer, such as an account that differs.
errand_row = Table(
    "errand_row",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("errand_id", Key, ForeignKey("errand.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("resource_id", Key),
    Column("account_id", Text),
    Column("detail", Text, nullable=False, server_default="[]"),
    Index("errand_row_kind", "errand_id", "kind", "position"),
)

# A request as it came to the front door, without what it said.
inbound = Table(
    "inbound",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    # "" where nobody knows: the token was wrong.
    Column("tenant", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("token_id", Text),
    Column("source", Text, nullable=False, server_default=""),
    Column("correlation_id", Text, nullable=False),
    # Why it was refused, in the words of the answer, without what the request said.
    Column("detail", Text, nullable=False, server_default=""),
    Column("took_ms", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("inbound_tenant", "tenant", "id"),
    Index("inbound_at", "at"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("before", Text, nullable=False, server_default=""),
    Column("after", Text, nullable=False, server_default=""),
    Column("at", BigInteger, nullable=False),
    # Its place in the chain, and the digest of all up to it; one writer gives them, in the order of commits.
    Column("number", BigInteger),
    Column("link", Text),
    Index("audit_tenant", "tenant", "id"),
    Index("audit_number", "number", unique=True),
    Index("audit_unchained", "id", sqlite_where=text("number IS NULL"), postgresql_where=text("number IS NULL")),
)

# One row: where the chain of the audit ends, and where retention has cut it.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("link", Text, nullable=False),
    Column("cut_number", BigInteger, nullable=False),
    Column("cut_link", Text, nullable=False),
    Column("logged_at", BigInteger, nullable=False),
)
