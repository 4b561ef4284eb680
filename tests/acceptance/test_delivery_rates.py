"""The fewest calls, on real processes and at the simulators' real limits."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
import rq
from running.bridge import Bridge, user
from running.bridges import made_in

from scim_bridge import wiring
from scim_bridge.sandbox.targets.trakstar import simulate_trakstar

STARTING_S = 60.0


TENANTS = """
[worker]
processes = 0
[[tenants]]
id = "waiting"
[[tenants.targets]]
name = "trakstar"
kind = "trakstar"
base_url = "{waiting}"
api_key = "env:TRAKSTAR_API_KEY"
[[tenants]]
id = "trickling"
[[tenants.targets]]
name = "trakstar"
kind = "trakstar"
base_url = "{trickling}"
api_key = "env:TRAKSTAR_API_KEY"
"""


@pytest.fixture(scope="module")
def targets() -> Iterator[dict[str, Any]]:
    """Each tenant's own, at the same real limits."""
    with simulate_trakstar(api_key="key-1") as waiting, simulate_trakstar(api_key="key-1") as trickling:
        yield {"waiting": waiting, "trickling": trickling}


@pytest.fixture(scope="module")
def bridge(targets: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A bridge whose workers start when a test wants one."""
    with made_in(tmp_path_factory.mktemp("rates")) as make:
        urls = {name: target.base_url for name, target in targets.items()}
        yield make(TENANTS.format(**urls), TRAKSTAR_API_KEY="key-1")


@pytest.fixture(scope="module")
def worker(bridge: Bridge) -> Iterator[None]:
    """One process that delivers, from the moment that it is asked for."""
    process = subprocess.Popen(
        [sys.executable, "-m", "workers", "deliver", "--config", str(bridge.config)],
        env=bridge.environ,
        cwd=bridge.folder,
        stderr=subprocess.DEVNULL,
    )
    try:
        with contextlib.closing(redis.Redis.from_url(wiring.queue_url(bridge.settings))) as queue:
            deadline = time.monotonic() + STARTING_S
            while not rq.Worker.count(connection=queue):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        assert process.wait(30) == 0


def delivered(report: dict[str, Any], tenant: str) -> int:
    [books] = [each for each in report["tenants"] if each["tenant"] == tenant]
    return int(books["operations"]["delivered"])


def test_a_thousand_creates_that_wait_when_a_worker_starts_go_in_five_calls(
    bridge: Bridge, targets: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    trakstar, token = targets["waiting"], bridge.token("waiting")
    for start in range(0, 1000, 250):
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": f"b{n}", "data": user(f"p{n}")}
            for n in range(start, start + 250)
        ]
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
        status, answer = bridge.request("POST", "/Bulk", token, body)
        assert status == 200
        assert {operation["status"] for operation in answer["Operations"]} == {"201"}
    assert trakstar.log.calls() == ()
    request.getfixturevalue("worker")
    report = bridge.wait_until_settled(within_s=60)
    assert delivered(report, "waiting") == 1000
    creates = trakstar.log.count(method="POST", path=r".*/user")
    listings = trakstar.log.count(method="GET")
    assert (creates, len(trakstar.log.calls()) - creates) == (5, listings)
    assert listings <= 2
    assert len(trakstar.state.accounts) == 1000


@pytest.mark.usefixtures("worker")
def test_a_trickle_into_an_idle_bridge_is_quick_and_frugal(bridge: Bridge, targets: dict[str, Any]) -> None:
    """1,000 users at 50/s: the first is there within 2 s, nothing is refused with 429, at most 30 calls in all."""
    trakstar, token = targets["trickling"], bridge.token("trickling")
    time.sleep(1)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        pushes = []
        for number in range(1000):
            time.sleep(max(0.0, began + number / 50 - time.monotonic()))
            pushes.append(pool.submit(bridge.request, "POST", "/Users", token, user(f"p{number}")))
        assert {push.result()[0] for push in pushes} == {201}
    bridge.wait_until_settled(within_s=60)
    creates = trakstar.log.calls(method="POST", path=r".*/user")
    first = creates[0].arrived_s - began
    figures = {"first_s": round(first, 2), "creates": len(creates), "refused": trakstar.log.count(status=429)}
    print(json.dumps(figures), file=sys.__stdout__ if os.environ.get("CI") else sys.stderr)
    assert first < 2
    assert figures["refused"] == 0
    assert len(creates) <= 30
    assert len(trakstar.state.accounts) == 1000
