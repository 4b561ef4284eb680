"""What every simulated target has: limits, faults, a call log and a control surface, over real HTTP."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from simulator_calls import (
    BEARER,
    KEY,
    adding,
    bulk,
    call,
    creating,
    eventually,
    learner,
    rest,
    scim,
    scim_user,
    trakstar,
)

from scim_bridge.sandbox.targets.clocks import ManualClocks
from scim_bridge.sandbox.targets.faults import Fault
from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.sandbox.targets.mindtickle import MindTickleOptions, MindTickleVendor, simulate_mindtickle
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.sandbox.targets.trakstar import TrakstarVendor, contract, simulate_trakstar


@pytest.fixture
def learn() -> Iterator[Simulator[TrakstarVendor]]:
    with simulate_trakstar(api_key="key", limits=()) as sim:
        yield sim


@pytest.fixture
def tickle() -> Iterator[Simulator[MindTickleVendor]]:
    with simulate_mindtickle(api_key="key", limits=()) as sim:
        yield sim


class TestLimits:
    def test_the_eleventh_call_of_ten_seconds_is_refused_without_a_wait(self) -> None:
        clocks = ManualClocks()
        with simulate_trakstar(api_key="key", clocks=clocks.clocks) as sim:
            statuses = [trakstar(sim, "GET", "/user").status for _ in range(10)]
            refused = trakstar(sim, "GET", "/user")
            assert statuses == [200] * 10
            assert refused.status == 429
            assert refused.headers["Retry-After"] is None
            assert contract.breaches_of_answer("listUsers", 429, refused.json) == []
            clocks.advance(9.999)
            assert trakstar(sim, "GET", "/user").status == 429
            clocks.advance(0.001)
            assert trakstar(sim, "GET", "/user").status == 200

    def test_a_wrong_key_takes_nothing_from_the_limit(self) -> None:
        with simulate_trakstar(api_key="key", clocks=ManualClocks().clocks) as sim:
            for _ in range(12):
                assert call(sim.base_url + "/user", "GET", headers={"x-mindflash-apikey": "other"}).status == 401
            assert trakstar(sim, "GET", "/user").status == 200

    def test_simultaneous_arrivals_are_admitted_exactly_up_to_the_limit(self) -> None:
        with (
            simulate_trakstar(api_key="key", clocks=ManualClocks().clocks) as sim,
            ThreadPoolExecutor(max_workers=8) as pool,
        ):
            statuses = list(pool.map(lambda _: trakstar(sim, "GET", "/group").status, range(30)))
            assert sorted(statuses) == [200] * 10 + [429] * 20
            assert sim.log.count(status=429) == 20

    def test_user_writes_have_a_limit_of_their_own_and_one_bulk_call_counts_once(self) -> None:
        clocks = ManualClocks()
        limits = (Window(requests=5, per_s=60), Window(requests=2, per_s=60, applies_to="user_write"))
        with simulate_mindtickle(api_key="key", limits=limits, clocks=clocks.clocks) as sim:
            assert scim(sim, "POST", "/Bulk", bulk(*[creating(f"u{n}") for n in range(50)])).status == 200
            assert scim(sim, "POST", "/Users", scim_user("one")).status == 201
            refused = scim(sim, "POST", "/Users", scim_user("two"))
            assert (refused.status, refused.headers["Retry-After"]) == (429, "60")
            assert [scim(sim, "GET", "/Users").status for _ in range(3)] == [200] * 3
            assert rest(sim, "GET", "/company").status == 429
            assert sim.log.calls(path="/scim/v2/Bulk")[0].items == 50

    @pytest.mark.parametrize(
        ("style", "header", "value"),
        [
            ("seconds", "Retry-After", "60"),
            ("milliseconds", "retry-after-ms", "60000"),
            ("date", "Retry-After", "Tue, 14 Nov 2023 22:14:20 GMT"),
            ("absent", "Retry-After", None),
        ],
    )
    def test_the_wait_comes_in_the_form_that_is_asked_for(self, style: Any, header: str, value: str | None) -> None:
        options = MindTickleOptions(retry_after=style)
        clocks = ManualClocks(epoch_ms=1_700_000_000_000).clocks
        limits = (Window(requests=1, per_s=60),)
        with simulate_mindtickle(api_key="key", limits=limits, clocks=clocks, options=options) as sim:
            rest(sim, "GET", "/company")
            assert rest(sim, "GET", "/company").headers[header] == value

    @pytest.mark.parametrize(("scope", "status"), [("key", 200), ("account", 429)])
    def test_key_and_token_share_a_limit_only_by_account(self, scope: Any, status: int) -> None:
        options = MindTickleOptions(limit_scope=scope)
        limits = (Window(requests=1, per_s=60),)
        with simulate_mindtickle(api_key="key", scim_token="other", limits=limits, options=options) as sim:
            assert rest(sim, "GET", "/company").status == 200
            answer = call(sim.base_url + "/Users", "GET", headers={**BEARER, "Authorization": "Bearer other"})
            assert answer.status == status


class TestFaults:
    def test_a_fault_before_leaves_nothing_behind(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.faults.add(Fault(status=503, headers={"Retry-After": "2"}))
        answer = trakstar(learn, "POST", "/user", adding(learner("ann")))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        assert contract.document()["components"]["schemas"]["Error"]["properties"].keys() == answer.json.keys()
        assert learn.state.accounts == ()
        assert trakstar(learn, "POST", "/user", adding(learner("ann"))).json["usersAdded"] == 1

    def test_a_fault_after_hides_what_was_applied(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.faults.add(Fault(status=502, when="after"))
        assert trakstar(learn, "POST", "/user", adding(learner("ann"))).status == 502
        assert learn.state.counts["accounts"] == 1
        assert learn.log.calls()[0].is_applied

    def test_part_of_a_batch_is_applied(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.faults.add(Fault(status=500, apply=2))
        assert trakstar(learn, "POST", "/user", adding(*[learner(f"u{n}") for n in range(5)])).status == 500
        assert learn.state.counts["accounts"] == 2

    def test_part_of_a_batch_may_be_answered_as_if_it_were_all(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.faults.add(Fault(answer="real", apply=1))
        answer = trakstar(learn, "POST", "/user", adding(learner("ann"), learner("bob"), batchId=7))
        assert (answer.status, answer.json) == (200, {"batchId": 7, "usersAdded": 1, "errors": []})
        assert learn.state.counts["accounts"] == 1

    def test_part_of_a_bulk_request_is_applied(self, tickle: Simulator[MindTickleVendor]) -> None:
        tickle.faults.add(Fault(status=500, apply=3))
        assert scim(tickle, "POST", "/Bulk", bulk(*[creating(f"u{n}") for n in range(5)])).status == 500
        assert tickle.state.counts["accounts"] == 3

    @pytest.mark.parametrize(("when", "accounts"), [("before", 0), ("after", 1)])
    def test_a_reset_closes_the_connection_without_an_answer(
        self, learn: Simulator[TrakstarVendor], when: Any, accounts: int
    ) -> None:
        learn.faults.add(Fault(answer="reset", when=when))
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            trakstar(learn, "POST", "/user", adding(learner("ann")))
        assert learn.state.counts["accounts"] == accounts
        assert learn.log.calls()[0].status is None
        assert trakstar(learn, "GET", "/user").status == 200

    @pytest.mark.parametrize(("when", "accounts"), [("before", 0), ("after", 1)])
    def test_a_hang_outlasts_the_callers_patience(
        self, learn: Simulator[TrakstarVendor], when: Any, accounts: int
    ) -> None:
        learn.faults.add(Fault(answer="hang", hang_s=30, when=when))
        with pytest.raises(TimeoutError):
            call(learn.base_url + "/user", "POST", adding(learner("ann")), KEY, timeout_s=0.1)
        assert learn.state.counts["accounts"] == accounts

    def test_a_call_may_be_applied_after_its_caller_gave_up(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.faults.add(Fault(answer="hang", when="after", apply_late_s=0.2))
        with pytest.raises(TimeoutError):
            call(learn.base_url + "/user", "POST", adding(learner("ann")), KEY, timeout_s=0.05)
        assert learn.state.counts["accounts"] == 0
        assert eventually(lambda: learn.state.counts["accounts"] == 1)

    def test_a_200_may_be_a_page_or_nothing_or_half_an_answer(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.faults.add(Fault(answer="html"), Fault(answer="empty"), Fault(answer="cut", when="after"))
        page, nothing, half = (trakstar(learn, "POST", "/user", adding(learner("ann"))) for _ in range(3))
        assert [each.status for each in (page, nothing, half)] == [200, 200, 200]
        assert page.headers["Content-Type"].startswith("text/html")
        assert nothing.body == b""
        with pytest.raises(json.JSONDecodeError):
            _ = half.json
        assert learn.state.counts["accounts"] == 1

    def test_a_connection_may_drop_within_the_body(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.faults.add(Fault(answer="drop", when="after"))
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            trakstar(learn, "POST", "/user", adding(learner("ann")))

    def test_a_body_may_drip(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.faults.add(Fault(answer="drip", hang_s=0.2))
        started = time.monotonic()
        assert trakstar(learn, "POST", "/user", adding(learner("ann"))).json["usersAdded"] == 1
        assert time.monotonic() - started > 0.15

    def test_a_fault_waits_for_the_call_that_it_is_for(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.faults.add(Fault(method="POST", path="/api/v3/group", skip=1, times=2))
        calls = [("GET", "/group"), *[("POST", "/group")] * 4]
        statuses = [trakstar(learn, method, path, {"groupName": "G"}).status for method, path in calls]
        assert statuses == [200, 200, 500, 500, 200]

    def test_being_down_refuses_connections_and_keeps_the_state(self, learn: Simulator[TrakstarVendor]) -> None:
        trakstar(learn, "POST", "/user", adding(learner("ann")))
        address = learn.base_url
        learn.stop()
        with pytest.raises(ConnectionRefusedError):
            trakstar(learn, "GET", "/user")
        learn.start()
        assert learn.base_url == address
        assert len(trakstar(learn, "GET", "/user").json) == 1

    def test_latency_is_felt(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.faults.latency_s = (0.1, 0.1)
        started = time.monotonic()
        trakstar(learn, "GET", "/user")
        assert time.monotonic() - started > 0.09


class TestControl:
    def test_calls_are_logged_with_fingerprints_and_without_secrets(self, learn: Simulator[TrakstarVendor]) -> None:
        trakstar(learn, "POST", "/user", adding(learner("ann"), learner("bo")))
        call(learn.base_url + "/user", "GET", headers={"x-mindflash-apikey": "stolen"})
        logged = call(learn.origin + "/_sim/log", "GET").json["calls"]
        assert [(each["method"], each["status"], each["items"]) for each in logged] == [
            ("POST", 200, 2),
            ("GET", 401, 0),
        ]
        assert logged[0]["credential"] != logged[1]["credential"]
        assert "stolen" not in json.dumps(logged)
        assert logged[0]["arrived_ms"] > 1_600_000_000_000
        assert len(learn.log.spacing_s()) == 1
        assert len(call(learn.origin + "/_sim/log?after=1", "GET").json["calls"]) == 1

    def test_the_control_token_is_wanted_only_when_one_was_given(self) -> None:
        with simulate_trakstar(api_key="key", control_token="word") as sim:
            assert call(sim.origin + "/_sim/state", "GET").status == 401
            assert call(sim.origin + "/_sim/state", "GET", headers={"X-Sim-Control": "word"}).status == 200

    def test_state_seed_refusals_options_and_faults_are_set_from_outside(
        self, learn: Simulator[TrakstarVendor]
    ) -> None:
        def control(name: str, document: Any) -> int:
            return call(f"{learn.origin}/_sim/{name}", "POST", document).status

        seed = {"first_name": "A", "last_name": "B", "email": "ann@example.com", "groups": ["G"]}
        assert control("seed", {"users": [seed], "courses": ["C"]}) == 200
        assert control("refuse", {"bad@example.com": "no"}) == 200
        assert control("options", {"error_email": "omit"}) == 200
        assert control("faults", {"answer": "status", "status": 503}) == 200
        assert control("faults", {"faults": [{"status": 502}], "latency_s": [0, 0.01]}) == 200
        statuses = [trakstar(learn, "POST", "/user", adding(learner("bad"))).status for _ in range(3)]
        assert statuses == [503, 502, 200]
        state = call(learn.origin + "/_sim/state", "GET").json
        assert state["accounts"][0]["groups"] == ["G"]
        assert state["counts"]["accounts"] == 1
        assert state["duplicates"] == []

    @pytest.mark.parametrize(
        ("name", "document"),
        [
            ("faults", {"answer": "explode"}),
            ("faults", {"colour": "red"}),
            ("faults", {"latency_s": [2, 1]}),
            ("seed", {"users": [{"first_name": "A", "last_name": "B"}]}),
            ("seed", {"people": []}),
            ("options", {"nothing": 1}),
            ("options", {"create_semantics": "guess"}),
            ("refuse", {"a@example.com": 7}),
            ("refuse", ["a@example.com"]),
        ],
    )
    def test_a_control_call_that_makes_no_sense_says_so(
        self, learn: Simulator[TrakstarVendor], name: str, document: Any
    ) -> None:
        answer = call(f"{learn.origin}/_sim/{name}", "POST", document)
        assert answer.status == 400
        assert answer.json["error"]

    def test_control_calls_count_against_no_limit(self) -> None:
        with simulate_trakstar(api_key="key", clocks=ManualClocks().clocks) as sim:
            for _ in range(15):
                assert call(sim.origin + "/_sim/health", "GET").json == {"kind": "trakstar"}
            assert trakstar(sim, "GET", "/user").status == 200
            assert len(sim.log) == 1

    def test_a_simulator_that_is_stopped_while_down_stays_so(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.go_down_for(0.1)
        learn.stop()
        assert not eventually(lambda: learn.is_up, within_s=0.3)

    def test_a_simulator_ordered_down_comes_back_by_itself(self, learn: Simulator[TrakstarVendor]) -> None:
        call(learn.origin + "/_sim/faults", "POST", {"down_s": 0.3})
        assert eventually(lambda: not learn.is_up)
        assert eventually(lambda: learn.is_up)
        assert trakstar(learn, "GET", "/user").status == 200


class TestProcess:
    @pytest.mark.parametrize("kind", ["trakstar", "mindtickle", "scim"])
    def test_a_process_prints_its_urls_and_ends_on_sigterm(self, kind: str) -> None:
        command = [sys.executable, "-m", "scim_bridge.sandbox.targets", "--kind", kind, "--api-key", "key"]
        with subprocess.Popen([*command, "--limits", "off"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            urls = json.loads(process.stdout.readline())
            assert call(urls["origin"] + "/_sim/health", "GET").json == {"kind": kind}
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0

    def test_arguments_that_make_no_sense_end_with_2(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            for extra in (["--limits", "ten"], ["--host", "8.8.8.8"], ["--options", "[]"], ["--port", port]):
                command = [sys.executable, "-m", "scim_bridge.sandbox.targets", "--kind", "trakstar", "--api-key", "k"]
                done = subprocess.run([*command, *extra], capture_output=True, text=True, timeout=20, check=False)
                assert done.returncode == 2
                assert "Traceback" not in done.stderr
