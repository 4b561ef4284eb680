"""Edits of a group's members as PostgreSQL records them by itself: told in one message, decided where the rows are.

Whoever edits a group keeps all others from it. Asked first and told what to write then, the database would wait for
this process in between, which serves other requests meanwhile; so it is told everything at once. What is recorded is
what `recording.joint` records, which a test compares.

The statements see what others have committed when they begin, so those that lock come before the one that reads.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Priority
from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.domain.states import State
from scim_bridge.store import directory, outbox, prepared, seals, sets, tables, trips
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Store
from scim_bridge.store.trips import Call, Step

resource = tables.resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one request asks for: who is to be in a group in the end, and who is not; and whose request it is."""

    joins: Mapping[str, bool]
    """By SCIM id. No two requests that are sent together name the same person."""
    must_exist: Sequence[str]
    """Of those, who must exist, or nothing is done."""
    source: str
    token_id: str | None
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What became of one request."""

    change: int | None
    unknown: tuple[str, ...]
    """Who had to exist and does not, in the order in which they were named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What became of all."""

    now: Millis
    """When."""
    group: Stored
    """As it was before."""
    each: Sequence[Moved]
    targets: frozenset[str]
    """The targets that are owed what was changed."""


def record(
    store: Store, tenant: str, scim_id: str, requests: Sequence[Request], *, mapped: Iterable[tuple[str, str]]
) -> Moves | None:
    """Record edits of a group in their order, in a transaction of their own; None where there is no such group.

    `mapped` are the targets with each name of a group that means something to them; "*" is every name.

    Raises:
        StoreUnavailable: as `trips.make`.
    """
    edits = [
        [place, name, request.joins[name], name in request.must_exist]
        for place, request in enumerate(requests)
        for name in dict.fromkeys([*request.must_exist, *request.joins])
    ]
    asked = [[place, each.source, each.token_id, each.correlation_id] for place, each in enumerate(requests)]
    now = store.clock()
    values = {
        "tenant": tenant,
        "scim_id": scim_id,
        "now": now,
        "scim_ids": sets.packed(sorted({name for request in requests for name in request.joins})),
        "edits": sets.packed(edits),
        "asked": sets.packed(asked),
        "mapped": sets.packed(mapped),
    }
    found, _people, told = trips.make(store, tenant, [Call(step, values) for step in (_GROUP, _PEOPLE, _MOVE)])
    if not found:
        return None
    return Moves(
        now=now,
        group=directory.stored_of(found[0]),
        each=[Moved(change=row.number, unknown=tuple(row.unknown)) for row in told],
        targets=frozenset(told[0].targets),
    )


def _sealed(table: sa.Table, values: Mapping[str, str]) -> str:
    """Return the SQL of the seal over a row of which each column is given as SQL."""
    given: dict[str, sa.ColumnElement[str]] = {name: sa.literal_column(value) for name, value in values.items()}
    dialect: sa.Dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    seal = seals.seal_expression(table, given, dialect=dialect.name)
    return str(seal.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _row(table: sa.Table, values: Mapping[str, str]) -> tuple[str, str]:
    """Return the columns of a sealed row and what they are given, as SQL."""
    missing = [name for name in seals.sealed_columns(table) if name not in values]
    if missing:
        msg = f"a sealed row of {table.name} lacks {', '.join(missing)}"
        raise ValueError(msg)
    return ", ".join([*values, "seal"]), ", ".join([*values.values(), _sealed(table, values)])


_TENANT, _NOW = "CAST(:tenant AS text)", "CAST(:now AS bigint)"

_CHANGE = {
    "number": "numbered.number",
    "tenant": _TENANT,
    "resource_id": "grp.id",
    "previous": "numbered.previous",
    "kind": "'update'",
    "source": "numbered.source",
    "token_id": "numbered.token_id",
    "correlation_id": "numbered.correlation_id",
    "request": "numbered.request",
    "owed": "numbered.owed",
    "received_at": _NOW,
}
_OPERATION = {
    "tenant": _TENANT,
    "lane_id": "due.lane_id",
    "resource_id": "due.resource_id",
    "change_number": "due.number",
    "state": "due.state",
    "priority": "due.priority",
    "attempts": "0",
    "due_at": _NOW,
    "received_at": _NOW,
    "reason": "CAST(NULL AS text)",
    "cap": "CAST(NULL AS integer)",
}
_ENTRY = {
    "tenant": _TENANT,
    "operation_id": "closed.id",
    "outcome": f"'{State.SUPERSEDED.value}'",
    "code": f"'{outbox.NEWER}'",
    "detail": "''",
    "batch_id": "CAST(NULL AS bigint)",
    "superseded_by": "made.id",
    "who": "'bridge'",
    "at": _NOW,
}


_ASKED = f"""
WITH edit AS MATERIALIZED (
    SELECT CAST(given.value ->> 0 AS bigint) AS place, given.value ->> 1 AS scim_id,
        CAST(given.value ->> 2 AS boolean) AS joins, CAST(given.value ->> 3 AS boolean) AS must_exist, given.at
    FROM jsonb_array_elements(CAST(:edits AS jsonb)) WITH ORDINALITY AS given(value, at)
), asked AS MATERIALIZED (
    SELECT CAST(given.value ->> 0 AS bigint) AS place, given.value ->> 1 AS source, given.value ->> 2 AS token_id,
        given.value ->> 3 AS correlation_id
    FROM jsonb_array_elements(CAST(:asked AS jsonb)) AS given(value)
), grp AS MATERIALIZED (
    SELECT id, version, CAST(document AS jsonb) ->> 'displayName' AS name
    FROM resource
    WHERE scim_id = CAST(:scim_id AS text) AND tenant = {_TENANT} AND kind = '{GROUP}' AND deleted_at IS NULL
), owed_lane AS MATERIALIZED (
    SELECT lane.id, lane.target
    FROM lane CROSS JOIN grp
    WHERE lane.tenant = {_TENANT} AND lane.configured = 1 AND grp.name <> '' AND EXISTS (
        SELECT FROM jsonb_array_elements(CAST(:mapped AS jsonb)) AS given(value)
        WHERE given.value ->> 0 = lane.target AND given.value ->> 1 IN ('*', grp.name))
), named AS MATERIALIZED (
    SELECT edit.place, edit.scim_id, edit.joins, resource.id, coalesce((
        SELECT true FROM member WHERE member.group_id = grp.id AND member.user_id = resource.id), false) AS is_member
    FROM edit JOIN resource ON resource.scim_id = edit.scim_id CROSS JOIN grp
    WHERE resource.tenant = {_TENANT} AND resource.kind = '{USER}' AND resource.deleted_at IS NULL
    FOR NO KEY UPDATE OF resource
), unknown AS MATERIALIZED (
    SELECT edit.place, edit.scim_id, edit.at
    FROM edit
    WHERE edit.must_exist AND NOT EXISTS (SELECT FROM named WHERE named.scim_id = edit.scim_id)
), moved AS MATERIALIZED (
    SELECT named.place, named.id, named.joins
    FROM named
    WHERE named.joins <> named.is_member AND NOT EXISTS (SELECT FROM unknown WHERE unknown.place = named.place)
), moves AS MATERIALIZED (
    SELECT place, count(*) FILTER (WHERE joins) AS joined, count(*) FILTER (WHERE NOT joins) AS gone,
        row_number() OVER (ORDER BY place) AS turn
    FROM moved GROUP BY place
), free AS MATERIALIZED (
    SELECT number, row_number() OVER (ORDER BY number) AS turn
    FROM (
        SELECT nextval(pg_get_serial_sequence('change', 'number')) AS number
        FROM generate_series(1, (SELECT count(*) FROM moves))) AS reserved
), numbered AS MATERIALIZED (
    SELECT moves.place, free.number, lag(free.number, 1, grp.version) OVER (ORDER BY free.number) AS previous,
        lead(free.number) OVER (ORDER BY free.number) IS NULL AS is_last,
        asked.source, asked.token_id, asked.correlation_id,
        CAST((SELECT count(*) FROM owed_lane) * (1 + moves.joined + moves.gone) AS integer) AS owed,
        '{{"kind":"{GROUP}","attributes":[],"members":{{"joined":' || moves.joined || ',"left":' || moves.gone || '}}}}'
            AS request
    FROM moves JOIN free ON free.turn = moves.turn JOIN asked ON asked.place = moves.place CROSS JOIN grp
"""  # noqa: S608 - only names and states of ours
"""Who is to be moved by which request, under which numbers, and the lanes that are owed it."""


def _written() -> str:
    """Return what a move changes: the change, the memberships, the group, and what waited until now."""
    change, change_values = _row(tables.change, _CHANGE)
    own = {column.name: f"operation.{column.name}" for column in tables.operation.columns}
    superseded_seal = _sealed(tables.operation, {**own, "state": f"'{State.SUPERSEDED.value}'"})
    return f"""), changed AS (
    INSERT INTO change ({change})
    SELECT {change_values} FROM numbered CROSS JOIN grp
), joined AS (
    INSERT INTO member (tenant, group_id, user_id)
    SELECT {_TENANT}, grp.id, moved.id FROM moved CROSS JOIN grp WHERE moved.joins ORDER BY moved.id
), gone AS (
    DELETE FROM member USING moved, grp
    WHERE NOT moved.joins AND member.group_id = grp.id AND member.user_id = moved.id
), touched AS (
    UPDATE resource SET version = numbered.number, modified_at = greatest(resource.modified_at, {_NOW})
    FROM numbered, grp
    WHERE numbered.is_last AND resource.id = grp.id
), wanted AS MATERIALIZED (
    SELECT numbered.number, grp.id AS resource_id, {int(Priority.GROUP)} AS priority, numbered.is_last AS is_newest
    FROM numbered CROSS JOIN grp
    UNION ALL
    SELECT numbered.number, moved.id, {int(Priority.NORMAL)}, true
    FROM moved JOIN numbered ON numbered.place = moved.place
), superseded AS (
    UPDATE operation SET state = '{State.SUPERSEDED.value}', seal = {superseded_seal}
    WHERE operation.state = 'waiting'
        AND operation.resource_id = ANY(ARRAY(SELECT resource_id FROM wanted WHERE is_newest))
        AND operation.lane_id + 0 = ANY(ARRAY(SELECT id FROM owed_lane))
    RETURNING id, lane_id, resource_id, priority
"""  # noqa: S608 - as above


def _owed() -> str:
    """Return what is owed to the lanes in place of what waited, and how that ended."""
    operation, operation_values = _row(tables.operation, _OPERATION)
    entry, entry_values = _row(tables.entry, _ENTRY)
    return f"""), due AS (
    SELECT owed_lane.id AS lane_id, wanted.resource_id, wanted.number,
        CASE WHEN wanted.is_newest THEN 'waiting' ELSE '{State.SUPERSEDED.value}' END AS state,
        CASE WHEN wanted.is_newest THEN least(wanted.priority, (
            SELECT min(superseded.priority) FROM superseded
            WHERE superseded.lane_id = owed_lane.id AND superseded.resource_id = wanted.resource_id))
        ELSE wanted.priority END AS priority
    FROM wanted CROSS JOIN owed_lane
    -- All that waited has ended before anything begins to wait in its place.
    WHERE (SELECT count(*) FROM superseded) >= 0
    ORDER BY wanted.number, owed_lane.id, wanted.priority, wanted.resource_id
), made AS (
    INSERT INTO operation ({operation})
    SELECT {operation_values} FROM due
    RETURNING id, lane_id, resource_id, state
), closed AS (
    SELECT id, lane_id, resource_id FROM superseded
    UNION ALL
    SELECT id, lane_id, resource_id FROM made WHERE made.state = '{State.SUPERSEDED.value}'
), told AS (
    INSERT INTO entry ({entry})
    SELECT {entry_values}
    FROM closed JOIN made ON made.lane_id = closed.lane_id AND made.resource_id = closed.resource_id
    WHERE made.state = 'waiting'
    ORDER BY closed.id
)
"""  # noqa: S608 - as above


_TOLD = """SELECT numbered.number,
    ARRAY(SELECT unknown.scim_id FROM unknown WHERE unknown.place = asked.place ORDER BY unknown.at) AS unknown,
    ARRAY(SELECT owed_lane.target FROM owed_lane WHERE EXISTS (SELECT FROM moves)) AS targets
FROM asked LEFT JOIN numbered ON numbered.place = asked.place
ORDER BY asked.place
"""


def _move(_dialect: str) -> sa.TextClause:
    return sa.text(_ASKED + _written() + _owed() + _TOLD).bindparams(
        *map(prepared.text, ("tenant", "scim_id", "edits", "asked", "mapped")), prepared.number("now")
    )


_GROUP = Step(
    lambda _dialect: (
        sa.select(*directory.COLUMNS)
        .where(
            resource.c.scim_id == prepared.text("scim_id"),
            resource.c.tenant == prepared.text("tenant"),
            resource.c.kind == GROUP,
            resource.c.deleted_at.is_(None),
        )
        .with_for_update(key_share=True)
    )
)
_PEOPLE = Step(
    lambda dialect: (
        directory.select_named(dialect)
        .params(kind=USER)
        .order_by(resource.c.id)
        .with_for_update(of=resource, key_share=True)
    )
)
_MOVE = Step(_move)
