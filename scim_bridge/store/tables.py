"""The tables, as SQLAlchemy Core sees them. migrations/ makes them; nothing else ever does.

All times are milliseconds since 1970 UTC. Columns named `seal` hold a digest of the row's other columns (see seals).
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from scim_bridge.store import (
    guard_tables,
    hr_event_tables,
    hr_tables,
    notice_tables,
    operator_tables,
    schema,
    webhook_tables,
)

metadata, Key = schema.metadata, schema.Key

tenant = Table(
    "tenant",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    # The networks that it may come from (CIDR), separated by blanks; empty: from anywhere.
    Column("networks", Text, nullable=False, server_default=""),
)

resource = Table(
    "resource",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("scim_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("document", Text, nullable=False),
    # The document's values in the form that comparisons use, flat, for filters and sorting (see search.folding).
    Column("folded", Text, nullable=False, server_default="{}"),
    # The number of the resource's last change; also its ETag.
    Column("version", BigInteger, nullable=False),
    Column("active", Integer, nullable=False, server_default="1"),
    # userName of a User as comparisons see it; NULL once deleted, so that the name is free at once.
    Column("unique_key", Text),
    Column("external_id", Text),
    Column("display_key", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("modified_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    UniqueConstraint("tenant", "kind", "unique_key", name="resource_unique_key"),
    # Skipping to the middle of a list reads this index and nothing else.
    Index(
        "resource_page",
        "tenant",
        "kind",
        *("id", "active"),
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
    # On PostgreSQL only who has such a name: no other look-up can take these there (see migration 0011).
    Index("resource_external_id", "tenant", "external_id", postgresql_where=text("external_id IS NOT NULL")),
    Index("resource_display_key", "tenant", "kind", "display_key", postgresql_where=text("display_key IS NOT NULL")),
)

# How many living resources there are, kept and not counted. Rows to add up: at one row all writers would queue.
population = Table(
    "population",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("shard", Integer, primary_key=True),
    Column("living", BigInteger, nullable=False),
)

lookup = Table(
    "lookup",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("resource_id", Key, ForeignKey("resource.id"), nullable=False, index=True),
    Column("path", Text, nullable=False),
    # Which element of a multi-valued attribute the value belongs to, so that value paths match within one element.
    Column("element", Integer, nullable=False, server_default="0"),
    Column("value", Text, nullable=False),
    Index("lookup_value", "tenant", "path", "value"),
)

identity, contribution = hr_tables.identity, hr_tables.contribution
import_, import_row = hr_tables.import_, hr_tables.import_row
hr_mark, hr_event = hr_event_tables.hr_mark, hr_event_tables.hr_event

member = Table(
    "member",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("group_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("user_id", Key, ForeignKey("resource.id"), primary_key=True),
    Index("member_user", "user_id", "group_id"),
)

# The answer to the first request with an Idempotency-Key; without a status, that request still runs.
first_answer = Table(
    "first_answer",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("token_id", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    # Keyed digests, of the key and of the body; and which request runs.
    Column("key", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("status", Integer),
    Column("headers", Text),
    Column("answer", Text),
    Column("started_at", BigInteger, nullable=False),
    Index("first_answer_started", "started_at"),
)

change = Table(
    "change",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("resource_id", Key, nullable=False, index=True),
    # The resource's change before this one (0: none), so that a missing one is seen.
    Column("previous", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("token_id", Text),
    Column("correlation_id", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("owed", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("seal", Text, nullable=False),
    Index("change_tenant", "tenant", "number"),
)

lane = Table(
    "lane",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("configured", Integer, nullable=False, server_default="1"),
    Column("paused_at", BigInteger),
    Column("paused_by", Text),
    Column("pause_reason", Text),
    Column("quarantined_at", BigInteger),
    Column("quarantine_reason", Text),
    Column("quarantine_check_at", BigInteger),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("breaker_until", BigInteger),
    # Not before this instant, because the target asked for patience.
    Column("patience_until", BigInteger),
    Column("owner", Text),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("lease_until", BigInteger, nullable=False, server_default="0"),
    Column("wake_at", BigInteger),
    # The number of the lane's newest batch; batches are numbered without a gap.
    Column("batches", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("tenant", "target", name="lane_name"),
)

operation = Table(
    "operation",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("lane_id", Key, ForeignKey("lane.id"), nullable=False),
    Column("resource_id", Key, ForeignKey("resource.id"), nullable=False),
    Column("change_number", BigInteger, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("reason", Text),
    # At most this many people may share a call with this one (isolation of a refused batch).
    Column("cap", Integer),
    Column("seal", Text, nullable=False),
    Index(
        "operation_one_waiting",
        "resource_id",
        "lane_id",
        unique=True,
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    Index(
        "operation_due",
        "lane_id",
        "priority",
        "due_at",
        "id",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    Index(
        "operation_sending",
        "lane_id",
        "resource_id",
        sqlite_where=text("state = 'sending'"),
        postgresql_where=text("state = 'sending'"),
        # Named apart from operation_one_waiting: a person may have one of each.
    ),
    Index(
        "operation_stuck",
        "lane_id",
        "state",
        "resource_id",
        # The rest so that the inbox reads nothing but the index; row-level security asks for the tenant.
        *("reason", "id", "tenant"),
        sqlite_where=text("state IN ('dead', 'held')"),
        postgresql_where=text("state IN ('dead', 'held')"),
    ),
    Index("operation_resource", "resource_id", "lane_id", "id"),
)

entry = Table(
    "entry",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("operation_id", Key, nullable=False, index=True),
    Column("outcome", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("batch_id", Key),
    Column("superseded_by", Key),
    Column("who", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("seal", Text, nullable=False),
    # When what is dead ended; the rest as in operation_stuck.
    Index(
        "entry_died",
        *("operation_id", "outcome", "at", "tenant"),
        sqlite_where=text("outcome = 'dead'"),
        postgresql_where=text("outcome = 'dead'"),
    ),
)

batch = Table(
    "batch",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("lane_id", Key, ForeignKey("lane.id"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("step", Text, nullable=False),
    # Operation ids, a JSON list.
    Column("items", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("answer", Text),
    # open, finished (settled by an answer), failed (settled without one), late (its worker had lost the lease),
    # dry_run (no call was made)
    Column("status", Text, nullable=False),
    Column("http_status", Integer),
    Column("late", Integer, nullable=False, server_default="0"),
    Column("slot_id", Key),
    Column("opened_at", BigInteger, nullable=False),
    Column("deadline_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("seal", Text, nullable=False),
    UniqueConstraint("lane_id", "number", name="batch_number"),
    Index(
        "batch_open",
        "lane_id",
        sqlite_where=text("status = 'open'"),
        postgresql_where=text("status = 'open'"),
    ),
)

link = Table(
    "link",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("lane_id", Key, ForeignKey("lane.id"), nullable=False),
    Column("resource_id", Key, ForeignKey("resource.id"), nullable=False, index=True),
    Column("account_id", Text),
    # The parts that the account was last known to hold, each a JSON text; NULL: nothing is known of that part.
    Column("matching", Text),
    Column("active", Integer),
    Column("attributes", Text),
    Column("groups", Text),
    Column("courses", Text),
    Column("required_courses", Text),
    Column("known_at", BigInteger),
    Column("known_batch_id", Key),
    Column("doubt", Text),
    UniqueConstraint("lane_id", "resource_id", name="link_resource"),
    UniqueConstraint("lane_id", "account_id", name="link_account"),
)

group_link = Table(
    "group_link",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("lane_id", Key, ForeignKey("lane.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("is_ours", Integer, nullable=False, server_default="0"),
    UniqueConstraint("lane_id", "name", name="group_link_name"),
)

slot = Table(
    "slot",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("quota", Text, nullable=False),
    Column("class", Text, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("deadline_at", BigInteger, nullable=False),
    Column("answered_at", BigInteger),
    Index("slot_quota", "quota", "sent_at"),
)

hold, departure, allowance = guard_tables.hold, guard_tables.departure, guard_tables.allowance
webhook = webhook_tables.webhook
notice, posting = notice_tables.notice, notice_tables.posting

replay, replay_item, remark = operator_tables.replay, operator_tables.replay_item, operator_tables.remark
errand, errand_row, inbound = operator_tables.errand, operator_tables.errand_row, operator_tables.inbound
audit, audit_head = operator_tables.audit, operator_tables.audit_head

closed = Table(
    "closed",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    # operations of a change, or batches of a lane, that retention removed
    Column("kind", Text, nullable=False),
    Column("ref", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("seal", Text, nullable=False),
    UniqueConstraint("kind", "ref", "first", name="closed_ref"),
)
