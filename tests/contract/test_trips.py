"""Transactions that PostgreSQL is told in one message: what they leave, and what they survive."""

import contextlib
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from scim_bridge.domain.instants import Clock
from scim_bridge.sandbox.benches import crowd
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.store import lanes, locking, member_moves, prepared, seeding, tables, trips
from scim_bridge.store.engine import StatementTimedOut, Store, StoreUnavailable
from scim_bridge.store.member_moves import Request
from scim_bridge.store.trips import Call, Step

pytestmark = pytest.mark.postgres

NAME = Step(
    lambda _dialect: sa.text(
        "INSERT INTO lane (tenant, target) VALUES (CAST(:tenant AS text), CAST(:target AS text)) RETURNING id, target"
    ).bindparams(prepared.text("tenant"), prepared.text("target"))
)
BACKEND = Step(lambda _dialect: sa.text("SELECT pg_backend_pid() AS number"))
SETTING = Step(
    lambda _dialect: sa.text("SELECT current_setting(CAST(:name AS text), true) AS value").bindparams(
        prepared.text("name")
    )
)


@pytest.fixture
def single(postgres_url: str, clock: Clock) -> Iterator[Store]:
    """A store that has one connection as a rule, and one for trips."""
    opened = Store.open(postgres_url, clock=clock, pool_size=1)
    yield opened
    opened.close()


def naming(target: Any, *, tenant: str = "acme") -> Call:
    return Call(NAME, {"tenant": tenant, "target": target})


def targets(store: Store) -> list[str]:
    with store.begin("acme", write=False) as tx:
        return [target for _, target in lanes.configured_targets(tx)]


def test_each_step_gives_its_rows(single: Store) -> None:
    first, (number,), second = trips.make(single, "acme", [naming("trakstar"), Call(BACKEND, {}), naming("o'brien%s")])
    assert [row.target for row in (*first, *second)] == ["trakstar", "o'brien%s"]
    assert number.number > 0
    assert targets(single) == ["trakstar", "o'brien%s"]


def test_a_step_that_fails_undoes_all(single: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        trips.make(single, "acme", [naming("trakstar"), naming(None)])
    assert targets(single) == []
    trips.make(single, "acme", [naming("mindtickle")])
    assert targets(single) == ["mindtickle"]


def test_another_tenants_rows_cannot_be_written(single: Store) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
        trips.make(single, "acme", [naming("trakstar", tenant="globex")])


def test_what_holds_for_a_trip_ends_with_it(single: Store) -> None:
    asked = [Call(SETTING, {"name": name}) for name in ("bridge.tenant", "enable_seqscan")]
    told = [rows[0].value for rows in trips.make(single, "acme", asked)]
    with single.trip_engine.connect() as connection:
        tenant = connection.exec_driver_sql("SELECT current_setting('bridge.tenant', true)").scalar_one()
    with single.begin("acme", write=False) as tx:
        elsewhere = tx.connection.exec_driver_sql("SELECT current_setting('enable_seqscan')").scalar_one()
    assert (told, tenant, elsewhere) == (["acme", "off"], "", "on")


def test_a_lost_connection_is_replaced_unnoticed(single: Store, postgres_url: str) -> None:
    ((lost,),) = trips.make(single, "acme", [Call(BACKEND, {})])
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        assert connection.execute("SELECT pg_terminate_backend(%s, 10000)", (lost.number,)).fetchone() == (True,)
    assert [len(rows) for rows in trips.make(single, "acme", [naming("trakstar")])] == [1]


def test_what_the_server_has_forgotten_is_prepared_again(single: Store) -> None:
    trips.make(single, "acme", [naming("trakstar")])
    with single.trip_engine.connect() as connection:
        connection.exec_driver_sql("DEALLOCATE ALL")
    trips.make(single, "acme", [naming("mindtickle")])
    assert targets(single) == ["trakstar", "mindtickle"]


def test_a_step_is_not_prepared_behind_a_lock_for_ever(
    single: Store, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "PATIENCE_S", 0.05)
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = '5s'")
        connection.execute("LOCK TABLE lane IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            trips.make(single, "acme", [naming("trakstar")])
    trips.make(single, "acme", [naming("mindtickle")])
    assert targets(single) == ["mindtickle"]


def test_what_the_server_knows_better_is_prepared_again(single: Store) -> None:
    trips.make(single, "acme", [naming("trakstar")])
    with single.trip_engine.connect() as connection:
        connection.info.clear()
    trips.make(single, "acme", [naming("mindtickle")])
    assert targets(single) == ["trakstar", "mindtickle"]


LIKE = Step(lambda _dialect: sa.text("SELECT 'o%s' LIKE 'o%' AS is_like"))


def test_a_step_may_hold_a_percent_sign(single: Store) -> None:
    (((is_like,),),) = trips.make(single, "acme", [Call(LIKE, {})])
    assert is_like


def test_an_edit_of_one_member_reads_no_others(single: Store, postgres_url: str) -> None:
    people = Crowd(1)
    group_id = crowd.build_group(single, "acme", people, name="Sales", users=1_000, members=range(900), source="idp")
    seeding.settle(postgres_url)
    before = _rows_read(single, "member")
    request = Request(
        joins={people.scim_id(950): True}, must_exist=(), source="idp", token_id=None, correlation_id="request"
    )
    moves = member_moves.record(single, "acme", group_id, [request], mapped=[])
    assert moves is not None
    assert moves.each[0].change is not None
    assert _rows_read(single, "member") - before < 10


def _rows_read(store: Store, table: str) -> int:
    """Return how many rows of a table have been read so far, by whatever plan."""
    with store.trip_engine.connect() as connection:
        # What this connection has read is told at most once a second, unless it is asked to.
        connection.execute(sa.text("SELECT pg_stat_force_next_flush()"))
    with store.begin("acme", write=False) as tx:
        query = sa.text(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = :name"
        )
        return int(tx.connection.execute(query, {"name": table}).scalar_one())


def test_no_connection_keeps_ever_more_steps(single: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trips, "MOST_PREPARED", 3)
    steps = [Step(lambda _dialect, number=number: sa.text(f"SELECT {number} AS value")) for number in range(10)]
    for number, step in enumerate(steps):
        (((value,),), ((first,),)) = trips.make(single, "acme", [Call(step, {}), Call(steps[0], {})])
        assert (value, first) == (number, 0)
        with single.trip_engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            kept = driver.execute("SELECT count(*) FROM pg_prepared_statements", prepare=False).fetchone()
        assert kept <= (3,)


ENDLESS = Step(
    lambda _dialect: sa.text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
)


def test_a_look_that_takes_too_long_is_ended(single: Store) -> None:
    with pytest.raises(StatementTimedOut):
        trips.look(single, "acme", [Call(BACKEND, {}), Call(ENDLESS, {})], statement_timeout_s=0.05)
    # The limit was that look's own, and nothing is left open.
    (((limit,),),) = trips.look(single, "acme", [Call(SETTING, {"name": "statement_timeout"})])
    assert limit == "0"
    trips.make(single, "acme", [naming("mindtickle")])
    assert targets(single) == ["mindtickle"]


LANES = Step(lambda _dialect: sa.text("SELECT count(*) AS lanes FROM lane"))
NAP = Step(lambda _dialect: sa.text("SELECT 1 AS one FROM pg_sleep(0.3)"))


def test_a_look_sees_one_instant(single: Store) -> None:
    numbers = itertools.count(1)
    with ThreadPoolExecutor() as threads:
        look = threads.submit(trips.look, single, "acme", [Call(LANES, {}), Call(NAP, {}), Call(LANES, {})])
        while not look.done():
            with single.begin("acme") as tx:
                tx.connection.execute(sa.insert(tables.lane).values(tenant="acme", target=f"t{next(numbers)}"))
        first, _nap, second = look.result()
    assert first == second
    assert len(targets(single)) > first[0].lanes


def test_a_look_writes_nothing(single: Store) -> None:
    with pytest.raises(StoreUnavailable):
        trips.look(single, "acme", [naming("trakstar")])
    assert targets(single) == []


ECHO = Step(
    lambda _dialect: sa.text("SELECT CAST(:text AS text) AS text, length(CAST(:text AS text)) AS size").bindparams(
        prepared.text("text")
    )
)
DIVIDE = Step(
    lambda _dialect: sa.text("SELECT 1 / (length(CAST(:text AS text)) - 15) AS number").bindparams(
        prepared.text("text")
    )
)
SLEEP = Step(lambda _dialect: sa.text("SELECT 1 AS one FROM pg_sleep(20)"))


def test_much_may_go_both_ways_at_once(single: Store) -> None:
    """More than the buffers between the two hold, so that neither may wait for the other to have said all."""
    texts = [letter * 1_000_000 for letter in "abcdefghij"]
    told = trips.make(single, "acme", [Call(ECHO, {"text": text}) for text in texts])
    assert [row.text for (row,) in told] == texts


@pytest.mark.parametrize("text", ["it's", "100 %", "\\", "$1", "ä😀", "", "\x01"])
def test_a_text_arrives_as_it_is(single: Store, text: str) -> None:
    ((row,),) = trips.make(single, "acme", [Call(ECHO, {"text": text})])
    assert (row.text, row.size) == (text, len(text))


@pytest.mark.parametrize("text", ["ann\x00bob", "ann\ud800"])
def test_what_postgresql_would_cut_off_is_no_value(single: Store, text: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|surrogates"):
        trips.make(single, "acme", [naming("trakstar"), Call(ECHO, {"text": text})])
    assert targets(single) == []


def test_a_connection_that_ends_in_the_middle_is_not_used_again(single: Store, postgres_url: str) -> None:
    calls = [naming("trakstar"), Call(SLEEP, {}), naming("mindtickle")]
    with ThreadPoolExecutor() as threads:
        trip = threads.submit(trips.make, single, "acme", calls)
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
            query = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            query += "WHERE wait_event = 'PgSleep' AND datname = current_database()"
            while not trip.done() and not connection.execute(query).fetchall():
                pass
        with pytest.raises(StoreUnavailable):
            trip.result()
    assert targets(single) == []
    trips.make(single, "acme", [naming("mindtickle")])
    assert targets(single) == ["mindtickle"]


def test_postgresql_does_not_log_the_values_of_what_fails(single: Store, postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        ((folder,),) = connection.execute("SHOW data_directory").fetchall()
    with pytest.raises(sa.exc.DataError):
        trips.make(single, "acme", [Call(DIVIDE, {"text": "ann@example.com"})])
    logged = (Path(str(folder)) / "log").read_text("utf-8", "replace")
    assert "division by zero" in logged
    assert "ann@example.com" not in logged


def test_a_migration_under_a_prepared_step_is_not_noticed(single: Store, postgres_url: str) -> None:
    everything = Step(lambda _dialect: sa.text("SELECT * FROM tenant"))
    trips.look(single, "acme", [Call(everything, {})])
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("ALTER TABLE tenant ADD COLUMN note text")
    ((row,),) = trips.look(single, "acme", [Call(everything, {}), Call(BACKEND, {})])[1:]
    assert row.number > 0


def test_values_arrive_whatever_encoding_is_usual_here(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with contextlib.closing(Store.open(postgres_url, clock=lambda: 0)) as store:
        ((row,),) = trips.look(store, "acme", [Call(ECHO, {"text": "Müller 😀"})])
    assert (row.text, row.size) == ("Müller 😀", 8)
