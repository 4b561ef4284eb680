"""Everything that can be killed is killed, again and again; in the end senders, directory and targets agree."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from chaos.options import Kills
from running.bridge import Bridge, children_of, command_line, descendants

from scim_bridge import wiring
from scim_bridge.sandbox import compare
from scim_bridge.sandbox.chaos.rounds import insist
from scim_bridge.sandbox.senders.entra import EntraSender
from scim_bridge.sandbox.senders.okta import OktaSender
from scim_bridge.sandbox.senders.people import generate_people
from scim_bridge.sandbox.targets.mindtickle import simulate_mindtickle
from scim_bridge.sandbox.targets.trakstar import simulate_trakstar

FLUSHES = 2
LONGEST_S = 900
SETTLED_WITHIN_S = 90.0

CONFIGURATION = """
[worker]
processes = 2
[[tenants]]
id = "acme"
[[tenants.sources]]
name = "okta"
[[tenants.sources]]
name = "entra"
[[tenants.targets]]
name = "trakstar"
kind = "trakstar"
guard = {{max = 1000000, share = 1.0}}  # many leave at once here, and nobody is there to let them
base_url = "{trakstar}"
api_key = "env:TRAKSTAR_API_KEY"
timeout_bulk_s = 5
timeout_s = 5
[tenants.targets.fields.firstName]
on_too_long = "shorten"
[tenants.targets.fields.lastName]
on_too_long = "shorten"
[[tenants.targets.limits]]
requests = 200
per_s = 1
[[tenants.targets]]
name = "mindtickle"
kind = "mindtickle"
guard = {{max = 1000000, share = 1.0}}
scim_base_url = "{scim}"
rest_base_url = "{rest}"
api_key = "env:MINDTICKLE_API_KEY"
company_id = "env:MINDTICKLE_COMPANY_ID"
timeout_bulk_s = 5
timeout_s = 5
[[tenants.targets.limits]]
requests = 200
per_s = 1
"""


def victims(bridge: Bridge) -> dict[str, list[int]]:
    """Return the pids of each kind of process just now."""
    assert bridge.process is not None
    found: dict[str, list[int]] = {name: [] for name in ("valkey", "web", "web-master", "worker", "relay")}
    direct = children_of(bridge.process.pid)
    for pid in descendants(bridge.process.pid):
        line = command_line(pid)
        if "valkey" in line:
            found["valkey"].append(pid)
        elif "gunicorn" in line:
            found["web-master" if pid in direct else "web"].append(pid)
        elif "workers deliver" in line:
            found["worker"].append(pid)
        elif "workers relay" in line:
            found["relay"].append(pid)
    return found


def kill_at_random(bridge: Bridge, plan: list[tuple[float, str]], *, chance: random.Random, killed: Any) -> None:
    """Strike at moments of the run; a process that is down just then is waited for."""
    began = time.monotonic()
    for at, name in sorted(plan):
        time.sleep(max(0.0, began + at - time.monotonic()))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if flush(bridge) if name == "flush" else kill(bridge, name, chance):
                killed[name] += 1
                break
            time.sleep(0.05)


def kill(bridge: Bridge, name: str, chance: random.Random) -> bool:
    pids = victims(bridge)[name]
    if not pids:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(chance.choice(pids), signal.SIGKILL)
        return True
    return False


def flush(bridge: Bridge) -> bool:
    with contextlib.suppress(redis.RedisError):
        client = redis.Redis.from_url(wiring.queue_url(bridge.settings), socket_timeout=2)
        client.flushall()
        client.close()
        return True
    return False


def push_everything(sender: Any, people: list[Any], *, pause_s: float, failed: list[BaseException]) -> None:
    """Create all, change every third, take every fifth away, some of them twice changed before."""
    try:
        for number, person in enumerate(people):
            insist(lambda person=person: sender.push_user(person))
            time.sleep(pause_s)
            if number % 3 == 0:
                changed = person.evolve(title=f"Title {number}")
                insist(lambda changed=changed: sender.update_user(changed))
            if number % 5 == 0:
                insist(lambda person=person: sender.deactivate(person.user_name))
    except BaseException as error:  # noqa: BLE001 - told to the test, which is in another thread
        failed.append(error)


@pytest.mark.timeout(LONGEST_S)
def test_no_kill_loses_or_doubles_anybody(make_bridge: Callable[..., Bridge], kills: Kills) -> None:
    seed = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"seed {seed}: repeat with CHAOS_SEED={seed}", file=sys.__stderr__)
    chance = random.Random(seed)
    with (
        simulate_trakstar(api_key="key-1", limits=()) as trakstar,
        simulate_mindtickle(api_key="key-2", company_id="c-1", limits=()) as tickle,
    ):
        trakstar.faults.latency_s = tickle.faults.latency_s = (0.0, 0.2)
        bridge = make_bridge(
            CONFIGURATION.format(
                trakstar=trakstar.base_url, scim=tickle.urls["scim_base_url"], rest=tickle.urls["rest_base_url"]
            ),
            doors=2,
            TRAKSTAR_API_KEY="key-1",
            MINDTICKLE_API_KEY="key-2",
            MINDTICKLE_COMPANY_ID="c-1",
        )
        people = generate_people(kills.people, seed=seed)
        halves = people[: kills.people // 2], people[kills.people // 2 :]
        url = f"{bridge.url}/scim/v2"
        senders = [
            OktaSender(url, bridge.token("acme", source="okta"), timeout_s=5),
            EntraSender(url, bridge.token("acme", source="entra"), timeout_s=5),
        ]
        killed = dict.fromkeys(("valkey", "web", "web-master", "worker", "relay", "flush"), 0)
        failed: list[BaseException] = []
        threads = [
            threading.Thread(
                target=push_everything,
                args=(sender, part),
                kwargs={"pause_s": kills.run_s / kills.people * 1.5, "failed": failed},
                daemon=True,
            )
            for sender, part in zip(senders, halves, strict=True)
        ]
        # The front door's two kinds take turns: a master that is always struck first never has anybody to strike.
        for together in (("valkey", "flush"), ("web", "web-master"), ("worker",), ("relay",)):
            plan = [
                (chance.uniform(0, kills.run_s), name)
                for name in together
                for _ in range(FLUSHES if name == "flush" else kills.of_each)
            ]
            how = {"chance": random.Random(chance.random()), "killed": killed}
            threads.append(threading.Thread(target=kill_at_random, args=(bridge, plan), kwargs=how, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONGEST_S / 3)
            assert not thread.is_alive()
        assert failed == []
        seen = "\n".join(line for line in bridge.lines if line.startswith("up "))
        assert killed == {**dict.fromkeys(killed, kills.of_each), "flush": FLUSHES}, f"seed {seed}\n{seen}"
        pushed_at = time.monotonic()
        bridge.wait_until_settled(within_s=SETTLED_WITHIN_S)
        print(f"kills {killed}, settled {time.monotonic() - pushed_at:.1f} s after the last push", file=sys.__stderr__)
        desired = [one for sender in senders for one in sender.record.desired()]
        assert len(desired) == kills.people
        for simulator in (trakstar, tickle):
            state = simulator.state
            assert state.duplicates() == ()
            assert compare.differences(desired, state, name_limit=35) == [], f"seed {seed}"
        verified = subprocess.run(
            [sys.executable, "-m", "scim_bridge", "ledger", "verify", "--config", str(bridge.config)],
            env=bridge.environ,
            check=False,
            capture_output=True,
        )
        assert verified.returncode == 0, verified.stdout
