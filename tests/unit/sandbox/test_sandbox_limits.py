"""Sliding windows, the script of faults, and the call log, without any socket."""

import random
from typing import Any

import pytest

from scim_bridge.sandbox.targets.calls import Call, CallLog, fingerprint
from scim_bridge.sandbox.targets.clocks import ManualClocks
from scim_bridge.sandbox.targets.faults import Fault, Faults
from scim_bridge.sandbox.targets.limits import Limiter, Window, parse_windows
from scim_bridge.sandbox.targets.seeds import Refusals
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.sandbox.targets.trakstar import simulate_trakstar


def test_no_stretch_of_a_window_holds_more_than_its_calls() -> None:
    clocks = ManualClocks()
    limiter = Limiter([Window(requests=10, per_s=10)], clocks.monotonic_s)
    randomness = random.Random(5)
    admitted: list[float] = []
    for _ in range(500):
        clocks.advance(randomness.random())
        admission = limiter.admit("key", ())
        if not admission.is_refused:
            admitted.append(admission.arrived_s)
    assert len(admitted) > 200
    assert all(later - earlier >= 10 for earlier, later in zip(admitted, admitted[10:], strict=False))


def test_the_wait_that_is_named_is_enough_and_no_less() -> None:
    clocks = ManualClocks()
    limiter = Limiter([Window(requests=1, per_s=8)], clocks.monotonic_s)
    limiter.admit("key", ())
    clocks.advance(3)
    wait_s = limiter.admit("key", ()).wait_s
    assert wait_s == 5
    clocks.advance(4)
    assert limiter.admit("key", ()).is_refused
    clocks.advance(1)
    assert not limiter.admit("key", ()).is_refused


def test_credentials_do_not_share_a_window() -> None:
    limiter = Limiter([Window(requests=1, per_s=8)], ManualClocks().monotonic_s)
    assert not limiter.admit("one", ()).is_refused
    assert not limiter.admit("two", ()).is_refused
    assert limiter.admit("one", ()).is_refused


def test_limits_are_read_from_text() -> None:
    assert parse_windows("off") == ()
    assert parse_windows("60/60,30/60:user_write") == (
        Window(requests=60, per_s=60),
        Window(requests=30, per_s=60, applies_to="user_write"),
    )


@pytest.mark.parametrize("text", ["", "10", "ten/10", "0/10", "10/0", "10/10,"])
def test_limits_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="REQUESTS/SECONDS"):
        parse_windows(text)


def test_faults_are_used_up_in_order() -> None:
    faults = Faults()
    faults.add(Fault(status=501, times=2), Fault(status=502, method="GET"))
    taken = [faults.take("POST", "/x") for _ in range(3)]
    assert [each.status if each else None for each in taken] == [501, 501, None]
    assert len(faults.pending) == 1
    faults.clear()
    assert faults.take("GET", "/x") is None


def test_a_fault_without_an_end_stays() -> None:
    faults = Faults()
    faults.add(Fault(times=None))
    assert all(faults.take("GET", "/x") for _ in range(5))


@pytest.mark.parametrize(
    "members",
    [
        {"answer": "explode"},
        {"when": "later"},
        {"status": 99},
        {"times": 0},
        {"apply": -1},
        {"hang_s": -1},
        {"path": "("},
        {"status": "500"},
        {"colour": "red"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Fault.from_json(members)


def arrival(at: float, path: str = "/user") -> Call:
    return Call(
        number=0, arrived_s=at, arrived_ms=0, method="GET", path=path, query="", credential=fingerprint("k"), items=0
    )


def test_the_log_counts_and_measures() -> None:
    log = CallLog()
    for at in (0.0, 1.0, 1.5, 20.0):
        log.finish(log.arrive(arrival(at)), status=200)
    log.arrive(arrival(21.0, "/group"))
    assert log.spacing_s() == (1.0, 0.5, 18.5, 1.0)
    assert log.most_within(10) == 3
    assert log.most_within(1.5) == 2
    assert (log.count(path="/user"), log.count(path="/us"), log.count(status=200)) == (4, 0, 4)
    assert log.calls(path="/group")[0].status is None


def test_a_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="forward"):
        ManualClocks().advance(-1)


def test_refusals_know_nobody_by_nothing() -> None:
    assert Refusals({"a@example.com": "no"}).of((None, "", "b@example.com")) is None


def test_only_loopback_is_served() -> None:
    with pytest.raises(ValueError, match="loopback"):
        simulate_trakstar(api_key="k", host="0.0.0.0")


def test_a_taken_port_is_an_error_and_no_exit() -> None:
    with simulate_trakstar(api_key="k") as first:
        second: Simulator[Any] = simulate_trakstar(api_key="k", port=int(first.origin.rpartition(":")[2]))
        with pytest.raises(OSError, match=r".+"):
            second.start()
