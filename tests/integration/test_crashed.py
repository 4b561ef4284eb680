"""Jobs of ours that crashed, in a real Valkey: shown without what they say of people, put back once, or left alone."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
import rq
import sqlalchemy as sa
from fakes.dispatcher import RecordingDispatcher
from integration.valkey_server import ValkeyServer
from rq.job import Job
from rq.serializers import JSONSerializer

from scim_bridge import dispatch
from scim_bridge.errors import NotThere, UsageError
from scim_bridge.operators import crashed
from scim_bridge.store import lanes, tables
from scim_bridge.store.engine import Store
from workers import jobs
from workers.queue import DeliveryWorker
from workers.runtime import Runtime

Bench = Any

OURS = "ValueError\n  /srv/workers/delivery/round.py:70:work_lane\ncaused by KeyError\n  /srv/workers/x.py:7:find"

PYTHONS = (
    'Traceback (most recent call last):\n  File "/srv/a b.py", line 3, in go\n    ann@example.com\n'
    "sqlite3.IntegrityError: ann@example.com\nAnn: Chief"
)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.close()


@pytest.fixture
def client(valkey: ValkeyServer) -> Iterator["redis.Redis"]:
    opened = redis.Redis.from_url(valkey.url)
    opened.flushall()
    yield opened
    opened.close()


@pytest.fixture
def books(sqlite_url: str, clock: Any) -> Iterator[Store]:
    store = Store.open(sqlite_url, clock=clock, use_database_clock=False)
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms"), ("other", "lms")])
    yield store
    store.close()


def crash(client: "redis.Redis", *args: object, function: str = dispatch.DELIVER, told: str = OURS) -> str:
    queue = rq.Queue("lanes", connection=client, serializer=JSONSerializer)
    job = queue.enqueue_call(function, args=args, failure_ttl=3_600)
    queue.remove(job)
    with client.pipeline() as pipe:
        job._handle_failure(told, pipe)
        pipe.execute()
    return str(job.id)


def waiting(client: "redis.Redis") -> list[tuple[str, list[str]]]:
    found = rq.Queue("lanes", connection=client, serializer=JSONSerializer).jobs
    return [(str(job.func_name), list(job.args)) for job in found]


def audited(store: Store) -> list[tuple[str, str, str]]:
    with store.across_tenants("test") as tx:
        rows = tx.connection.execute(sa.select(tables.audit).order_by(tables.audit.c.id))
        return [(row.tenant, row.who, row.what) for row in rows]


def put_back(store: Store, valkey: ValkeyServer, **how: Any) -> dict[str, Any]:
    return crashed.put_back(store, valkey.url, who="op@desk", **how)


def test_a_job_that_crashed_in_a_worker_is_shown(
    client: "redis.Redis", valkey: ValkeyServer, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_names: str) -> None:
        raise ValueError("ann@example.com")

    monkeypatch.setitem(jobs.JOBS, dispatch.DELIVER, fail)
    runtime: Runtime = bench.runtime
    dispatcher = dispatch.RqDispatcher(valkey.url)
    dispatcher.wake("acme", "lms", urgent=False)
    DeliveryWorker(runtime, client).work(burst=True, logging_level="CRITICAL")
    [job] = crashed.crashed(valkey.url)["crashed"]
    assert (job["function"], job["tenant"], job["arguments"]) == (dispatch.DELIVER, "acme", ["acme", "lms", "lanes"])
    assert job["at"] is not None
    assert job["traceback"][0] == "ValueError"
    assert job["traceback"][-1].endswith(":fail")
    assert "ann@example.com" not in str(job)
    assert put_back(bench.store, valkey)["jobs"] == 1
    monkeypatch.setitem(jobs.JOBS, dispatch.DELIVER, lambda *_: None)
    DeliveryWorker(runtime, client).work(burst=True, logging_level="CRITICAL")
    assert crashed.crashed(valkey.url) == {"crashed": []}
    dispatcher.close()


def test_one_job_is_put_back_by_its_id(client: "redis.Redis", valkey: ValkeyServer, books: Store) -> None:
    first, second = crash(client, "acme", "lms", "lanes"), crash(client, "acme", "two", "lanes")
    assert put_back(books, valkey, job=first) == {"jobs": 1, "left_alone": 0}
    assert waiting(client) == [(dispatch.DELIVER, ["acme", "lms", "lanes"])]
    assert [job["job"] for job in crashed.crashed(valkey.url)["crashed"]] == [second]
    assert not client.exists(Job.key_for(first))
    assert audited(books) == [("acme", "op@desk", "queue retry")]


def test_what_was_put_back_already_is_not_put_back_twice(
    client: "redis.Redis", valkey: ValkeyServer, books: Store
) -> None:
    crash(client, "acme", "lms", "lanes")
    seen = dispatch.crashed(valkey.url)
    assert len(dispatch.run_again(valkey.url, seen)) == 1
    assert dispatch.run_again(valkey.url, seen) == []
    assert len(waiting(client)) == 1
    with pytest.raises(NotThere, match="put back already"):
        put_back(books, valkey, job=seen[0].id)


def test_a_tenant_sees_its_own_jobs_alone(client: "redis.Redis", valkey: ValkeyServer, books: Store) -> None:
    mine, theirs = crash(client, "acme", "lms", "lanes"), crash(client, "other", "lms", "lanes")
    assert [job["job"] for job in crashed.crashed(valkey.url, tenant="acme")["crashed"]] == [mine]
    with pytest.raises(NotThere):
        put_back(books, valkey, tenant="acme", job=theirs)
    assert put_back(books, valkey, tenant="acme")["jobs"] == 1
    assert waiting(client) == [(dispatch.DELIVER, ["acme", "lms", "lanes"])]
    assert [tenant for tenant, _, _ in audited(books)] == ["acme"]


@pytest.mark.parametrize(
    ("function", "args"),
    [("os.system", ("acme", "x")), (dispatch.DELIVER, ()), (dispatch.DELIVER, ("nobody", "lms", "lanes"))],
)
def test_what_is_none_of_ours_is_shown_yet_never_run(
    client: "redis.Redis", valkey: ValkeyServer, books: Store, function: str, args: tuple[str, ...]
) -> None:
    job = crash(client, *args, function=function)
    assert [each["function"] for each in crashed.crashed(valkey.url)["crashed"]] == [function]
    assert put_back(books, valkey) == {"jobs": 0, "left_alone": 1}
    with pytest.raises(UsageError, match="none of the bridge's"):
        put_back(books, valkey, job=job)
    assert waiting(client) == []
    assert audited(books) == []


def test_a_job_that_cannot_be_read_hides_no_other(client: "redis.Redis", valkey: ValkeyServer) -> None:
    broken = crash(client, "acme", "one", "lanes")
    client.hset(Job.key_for(broken), "data", b"\x80\x04pickle")
    crash(client, "acme", "two", "lanes")
    assert {job["function"] for job in crashed.crashed(valkey.url)["crashed"]} == {"?", dispatch.DELIVER}


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (
            OURS,
            [
                "ValueError",
                "/srv/workers/delivery/round.py:70:work_lane",
                "caused by KeyError",
                "/srv/workers/x.py:7:find",
            ],
        ),
        ("NotThere: there is no lane\n  /srv/a.py:1:f", ["NotThere", "/srv/a.py:1:f"]),
        (
            PYTHONS,
            ["/srv/a b.py:3:go", "IntegrityError"],
        ),
        ("Moved to FailedJobRegistry, due to AbandonedJobError, at 2026-01-01 00:00", ["AbandonedJobError"]),
        ("", []),
        ("ann@example.com", []),
    ],
)
def test_of_a_traceback_only_kinds_and_places_are_told(told: str, shown: list[str]) -> None:
    assert crashed.frames(told) == shown


def test_every_lane_with_work_is_woken_after_the_queue_was_lost(bench: Bench, valkey: ValkeyServer) -> None:
    bench.push("ann")
    dispatcher = RecordingDispatcher()
    result = crashed.rebuild(bench.store, dispatcher, valkey.url, who="op@desk")
    assert result == {"lanes": [{"tenant": "acme", "target": "lms", "urgent": False}]}
    assert dispatcher.wakes == [("acme", "lms", False)]
    assert audited(bench.store) == [("acme", "op@desk", "queue rebuild")]
    assert crashed.rebuild(bench.store, dispatcher, valkey.url, who="op@desk", tenant="other") == {"lanes": []}
    bench.work()
    assert crashed.rebuild(bench.store, dispatcher, valkey.url, who="op@desk") == {"lanes": []}


def test_a_queue_that_does_not_answer_is_told(books: Store) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    with pytest.raises(dispatch.QueueSilent, match="does not answer"):
        crashed.crashed(nowhere)
    with pytest.raises(dispatch.QueueSilent):
        crashed.put_back(books, nowhere, who="op@desk")
    dispatcher = RecordingDispatcher()
    with pytest.raises(dispatch.QueueSilent):
        crashed.rebuild(books, dispatcher, nowhere, who="op@desk")
    assert dispatcher.wakes == []
