"""Wake-ups through a real Valkey: thinned, never in the way, and only ever our own job."""

import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import rq
import structlog
from fakes.dispatcher import RecordingDispatcher
from integration.valkey_server import ValkeyServer, until
from rq.job import Callback
from rq.serializers import JSONSerializer

from scim_bridge import dispatch, logs
from scim_bridge.operators import alive
from scim_bridge.settings.models import Settings
from scim_bridge.store.engine import Store
from workers import jobs, runtime
from workers.queue import DeliveryWorker
from workers.relay import heartbeat


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path)
    server.start()
    yield server
    server.close()


@pytest.fixture
def client(valkey: ValkeyServer) -> Iterator["redis.Redis"]:
    opened = redis.Redis.from_url(valkey.url)
    yield opened
    opened.close()


@pytest.fixture
def dispatcher(valkey: ValkeyServer) -> Iterator[dispatch.RqDispatcher]:
    opened = dispatch.RqDispatcher(valkey.url)
    yield opened
    opened.close()


def queued(client: "redis.Redis", name: str) -> list[tuple[str, list[str]]]:
    """Return function and arguments of the jobs that wait in a queue."""
    waiting = rq.Queue(name, connection=client, serializer=JSONSerializer).jobs
    return [(str(job.func_name), list(job.args)) for job in waiting]


def test_a_wake_is_a_job_with_names_and_nothing_else(dispatcher: dispatch.RqDispatcher, client: "redis.Redis") -> None:
    dispatcher.wake("acme", "lms", urgent=False)
    assert queued(client, "lanes") == [("workers.jobs.deliver", ["acme", "lms", "lanes"])]


def test_an_urgent_wake_goes_to_the_leavers(dispatcher: dispatch.RqDispatcher, client: "redis.Redis") -> None:
    dispatcher.wake("acme", "lms", urgent=True)
    assert queued(client, "leavers") == [("workers.jobs.deliver", ["acme", "lms", "leavers"])]
    assert queued(client, "lanes") == []


def test_wakes_of_one_lane_are_thinned_until_its_job_begins(
    dispatcher: dispatch.RqDispatcher, client: "redis.Redis"
) -> None:
    for _ in range(5):
        dispatcher.wake("acme", "lms", urgent=False)
    dispatcher.wake("acme", "other", urgent=False)
    assert [args[1] for _, args in queued(client, "lanes")] == ["lms", "other"]
    dispatcher.heard("acme", "lms", queue="lanes")
    dispatcher.wake("acme", "lms", urgent=False)
    assert [args[1] for _, args in queued(client, "lanes")] == ["lms", "other", "lms"]


def test_an_errand_is_a_job_with_its_number_told_once_in_a_while(
    dispatcher: dispatch.RqDispatcher, client: "redis.Redis"
) -> None:
    for number in (7, 7, 8):
        dispatcher.wake_errand("acme", number)
    assert queued(client, "lanes") == [("workers.jobs.errand", ["acme", 7]), ("workers.jobs.errand", ["acme", 8])]


def test_a_wake_never_raises_and_hardly_waits_when_the_queue_is_down(
    dispatcher: dispatch.RqDispatcher, valkey: ValkeyServer
) -> None:
    dispatcher.wake("acme", "lms", urgent=False)
    valkey.kill()
    began = time.monotonic()
    for _ in range(50):
        dispatcher.wake("acme", "other", urgent=True)
    assert time.monotonic() - began < 1.0


def test_workers_and_relays_are_heard_of(
    valkey: ValkeyServer, client: "redis.Redis", dispatcher: dispatch.RqDispatcher, store_free_runtime: runtime.Runtime
) -> None:
    assert dispatch.last_heard(valkey.url) == {"worker": None, "relay": None}
    DeliveryWorker(store_free_runtime, client).heartbeat()
    worked_at = dispatch.last_heard(valkey.url)["worker"]
    assert worked_at is not None
    heartbeat.run_once(dataclasses.replace(store_free_runtime, dispatcher=dispatcher), now=worked_at + 5)
    assert alive.report(valkey.url, now=worked_at + 7_005) == {
        "queue": "answers",
        "worker_heard_s": 7,
        "relay_heard_s": 7,
    }
    heartbeat.run_once(dataclasses.replace(store_free_runtime, dispatcher=dispatcher), now=worked_at + 86_500_000)
    assert client.zcard("alive:relay") == 1


def test_whoever_asks_who_is_alive_is_told_that_the_queue_is_down(valkey: ValkeyServer) -> None:
    valkey.kill()
    assert alive.report(valkey.url, now=0) == {
        "queue": "does not answer",
        "worker_heard_s": None,
        "relay_heard_s": None,
    }


def test_every_queue_is_served_leavers_first(client: "redis.Redis", store_free_runtime: runtime.Runtime) -> None:
    assert DeliveryWorker(store_free_runtime, client).queue_names() == ["leavers", "lanes"]


def test_every_job_that_is_named_exists() -> None:
    assert {f"{job.__module__}.{job.__name__}" for job in jobs.JOBS.values()} == {dispatch.DELIVER, dispatch.ERRAND}
    assert all(f"{job.__module__}.{job.__name__}" == name for name, job in jobs.JOBS.items())


@pytest.fixture
def store_free_runtime(tmp_path: Path) -> Iterator[runtime.Runtime]:
    store = Store.open(f"sqlite:///{tmp_path}/bridge.db", clock=lambda: 0)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield runtime.Runtime(settings=Settings(), store=store, dispatcher=RecordingDispatcher(), fingerprint_key=b"k" * 32)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    store.close()


def test_a_function_that_is_not_ours_is_refused_whoever_queued_it(
    client: "redis.Redis", store_free_runtime: runtime.Runtime, tmp_path: Path
) -> None:
    queue = rq.Queue("lanes", connection=client, serializer=JSONSerializer)
    job = queue.enqueue_call("os.mkdir", args=(str(tmp_path / "made"),))
    DeliveryWorker(store_free_runtime, client).work(burst=True, logging_level="CRITICAL")
    assert not (tmp_path / "made").exists()
    assert job.get_status(refresh=True) == "failed"


def test_a_job_that_fails_tells_where_and_nothing_of_anybody(
    client: "redis.Redis",
    store_free_runtime: runtime.Runtime,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_names: str) -> None:
        raise ValueError("ann@example.com")

    monkeypatch.setitem(jobs.JOBS, dispatch.DELIVER, fail)
    queue = rq.Queue("lanes", connection=client, serializer=JSONSerializer)
    job = queue.enqueue_call(dispatch.DELIVER, args=("acme", "lms", "lanes"))
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("info", process="deliver")
    try:
        DeliveryWorker(store_free_runtime, client).work(burst=True, logging_level="ERROR")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    failed = job.latest_result()
    assert failed is not None
    assert failed.exc_string.startswith("ValueError\n")
    assert failed.exc_string.endswith(":fail")
    kept = b"".join(value for name in client.hgetall(job.key).items() for value in name)
    told = capfd.readouterr().err
    assert "job_failed" in told
    assert "ann@example.com" not in told + caplog.text + failed.exc_string + kept.decode(errors="replace")


def test_callbacks_and_webhooks_of_a_job_are_not_heard(
    client: "redis.Redis", store_free_runtime: runtime.Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(jobs.JOBS, dispatch.DELIVER, lambda *_: None)
    queue = rq.Queue("lanes", connection=client, serializer=JSONSerializer)
    marker = tmp_path / "called"
    queue.enqueue_call(
        dispatch.DELIVER,
        args=("acme", "lms", "lanes"),
        on_success=Callback("integration.test_queue.leave_a_mark"),
        meta={"marker": str(marker)},
    )
    DeliveryWorker(store_free_runtime, client).work(burst=True, logging_level="CRITICAL")
    assert not marker.exists()
    assert queued(client, "lanes") == []


def leave_a_mark(job: rq.job.Job, _connection: object, _result: object) -> None:
    Path(job.meta["marker"]).touch()


@pytest.fixture
def worker(valkey: ValkeyServer, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A delivering process with no lane: each wake that it hears is a line in its log."""
    config = tmp_path / "bridge.toml"
    config.write_text(f'data_dir = "data"\n[queue]\nurl = "{valkey.url}"\n')
    with (tmp_path / "log").open("w") as log:
        command = [sys.executable, "-m", "workers", "deliver", "--config", str(config)]
        process = subprocess.Popen(command, stderr=log, text=True)
    yield process
    process.kill()
    process.wait()


def heard(tmp_path: Path) -> set[str]:
    lines = (tmp_path / "log").read_text().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return {event["target"] for event in events if event["event"] == "lane_not_configured"}


def test_a_worker_outlives_the_death_and_the_flush_of_the_queue(
    worker: "subprocess.Popen[str]",
    valkey: ValkeyServer,
    client: "redis.Redis",
    dispatcher: dispatch.RqDispatcher,
    tmp_path: Path,
) -> None:
    dispatcher.wake("acme", "before", urgent=False)
    until(lambda: "before" in heard(tmp_path))
    client.flushall()
    dispatcher.wake("acme", "flushed", urgent=False)
    until(lambda: "flushed" in heard(tmp_path))
    valkey.kill()
    dispatcher.wake("acme", "lost", urgent=True)
    valkey.start()

    def again() -> bool:
        dispatcher.wake("acme", "after", urgent=True)
        return "after" in heard(tmp_path)

    until(again)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=10) == 0


def test_a_worker_that_waits_for_work_stops_at_once(
    worker: "subprocess.Popen[str]", dispatcher: dispatch.RqDispatcher, tmp_path: Path
) -> None:
    dispatcher.wake("acme", "x", urgent=False)
    until(lambda: "x" in heard(tmp_path))
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(timeout=10) == 0
    assert time.monotonic() - began < 5


def test_a_worker_stops_while_the_queue_is_down(
    worker: "subprocess.Popen[str]", valkey: ValkeyServer, dispatcher: dispatch.RqDispatcher, tmp_path: Path
) -> None:
    dispatcher.wake("acme", "x", urgent=False)
    until(lambda: "x" in heard(tmp_path))
    valkey.kill()
    time.sleep(0.3)  # let it meet the closed door
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=10) == 0
