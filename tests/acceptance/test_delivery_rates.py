"""The fewest calls, on real processes and at the simulators' real limits."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from running.bridge import user

from scim_bridge.sandbox.targets.trakstar import simulate_trakstar


def trakstar_lane(base_url: str) -> str:
    return f"""
[worker]
processes = 1
[[tenants]]
id = "acme"
[[tenants.targets]]
name = "trakstar"
kind = "trakstar"
base_url = "{base_url}"
api_key = "env:TRAKSTAR_API_KEY"
"""


def test_a_thousand_creates_that_wait_when_a_worker_starts_go_in_five_calls(make_bridge: Callable[..., Any]) -> None:
    with simulate_trakstar(api_key="key-1") as trakstar:
        bridge = make_bridge(
            trakstar_lane(trakstar.base_url).replace("processes = 1", "processes = 0"), TRAKSTAR_API_KEY="key-1"
        )
        token = bridge.token("acme")
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
        worker = subprocess.Popen(
            [sys.executable, "-m", "workers", "deliver", "--config", str(bridge.config)],
            env=bridge.environ,
            cwd=bridge.folder,
            stderr=subprocess.DEVNULL,
        )
        try:
            report = bridge.wait_until_settled(within_s=60)
        finally:
            worker.terminate()
            assert worker.wait(30) == 0
        assert report["tenants"][0]["operations"]["delivered"] == 1000
        creates = trakstar.log.count(method="POST", path=r".*/user")
        listings = trakstar.log.count(method="GET")
        assert (creates, len(trakstar.log.calls()) - creates) == (5, listings)
        assert listings <= 2
        assert len(trakstar.state.accounts) == 1000


def test_a_trickle_into_an_idle_bridge_is_quick_and_frugal(make_bridge: Callable[..., Any]) -> None:
    """1,000 users at 50/s: the first is there within 2 s, nothing is refused with 429, at most 30 calls in all."""
    with simulate_trakstar(api_key="key-1") as trakstar:
        bridge = make_bridge(trakstar_lane(trakstar.base_url), TRAKSTAR_API_KEY="key-1")
        token = bridge.token("acme")
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
