"""Tenants of one bridge, all processes real: each goes its own way, to the URLs configured for it and nowhere else."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from running.bridge import Bridge, user
from running.bridges import made_in

from scim_bridge.domain.resources import DELIVERY
from scim_bridge.operators import inbound, timeline
from scim_bridge.sandbox.targets.faults import Fault
from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.sandbox.targets.mindtickle import MindTickleOptions, simulate_mindtickle
from scim_bridge.sandbox.targets.scim import ScimOptions, simulate_scim
from scim_bridge.sandbox.targets.trakstar import simulate_trakstar

TENANTS = """
[worker]
processes = 2
[[tenants]]
id = "acme"
[[tenants.targets]]
name = "learn"
kind = "trakstar"
base_url = "{acme}"
api_key = "env:ACME_KEY"
[[tenants.targets]]
name = "tickle"
kind = "mindtickle"
scim_base_url = "{tickle_scim}"
rest_base_url = "{tickle_rest}"
api_key = "env:TICKLE_KEY"
company_id = "env:TICKLE_COMPANY"
[[tenants]]
id = "globex"
[[tenants.targets]]
name = "learn"
kind = "trakstar"
base_url = "{globex}"
api_key = "env:GLOBEX_KEY"
[[tenants]]
id = "patient"
ack = "confirm"
confirm_s = 30
[[tenants.targets]]
name = "learn"
kind = "trakstar"
base_url = "{patient}"
api_key = "env:PATIENT_KEY"
[[tenants]]
id = "meddled"
[[tenants.targets]]
name = "mt"
kind = "mindtickle"
scim_base_url = "{meddled_scim}"
rest_base_url = "{meddled_rest}"
api_key = "env:MEDDLED_KEY"
company_id = "env:MEDDLED_COMPANY"
webhook_secret = "env:MEDDLED_WEBHOOK_SECRET"
webhook_scheme = "B"
[[tenants]]
id = "standard"
[[tenants.targets]]
name = "able"
kind = "scim"
base_url = "{able}"
token = "env:ABLE_TOKEN"
groups = {{"*" = {{group = "{{displayName}}"}}}}
[[tenants.targets]]
name = "bare"
kind = "scim"
base_url = "{bare}"
auth = "basic"
username = "env:BARE_NAME"
password = "env:BARE_PASSWORD"
groups = {{"*" = {{group = "{{displayName}}"}}}}
limits = [{{requests = 20, per_s = 1}}]
[[tenants]]
id = "troubled"
[[tenants.targets]]
name = "trakstar"
kind = "trakstar"
base_url = "{troubled}"
api_key = "env:TROUBLED_KEY"
timeout_s = 2
timeout_bulk_s = 2
[[tenants.targets.limits]]
requests = 10
per_s = 1
[[tenants.targets]]
name = "mindtickle"
kind = "mindtickle"
scim_base_url = "{calm_scim}"
rest_base_url = "{calm_rest}"
api_key = "env:CALM_KEY"
company_id = "env:CALM_COMPANY"
"""

SECRETS = {
    "ACME_KEY": "acme-key",
    "TICKLE_KEY": "tickle-key",
    "TICKLE_COMPANY": "c-1",
    "GLOBEX_KEY": "globex-key",
    "PATIENT_KEY": "patient-key",
    "MEDDLED_KEY": "key-2",
    "MEDDLED_COMPANY": "c-2",
    "MEDDLED_WEBHOOK_SECRET": "whsec-1",
    "ABLE_TOKEN": "able-token",
    "BARE_NAME": "bridge",
    "BARE_PASSWORD": "secret",
    "TROUBLED_KEY": "troubled-key",
    "CALM_KEY": "calm-key",
    "CALM_COMPANY": "c-3",
}

DELIVERING = 2
"""Processes, as the configuration says."""

BARE = ScimOptions(auth="basic", bulk=False, patch=False, filters="none", search=False, max_results=7)


@dataclass(frozen=True)
class Town:
    """The bridge and the targets of all its tenants."""

    bridge: Bridge
    acme: Any
    tickle: Any
    globex: Any
    patient: Any
    meddled: Any
    able: Any
    bare: Any
    troubled: Any
    calm: Any


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with ExitStack() as stack:
        targets = {
            name: stack.enter_context(simulate_trakstar(api_key=f"{name}-key"))
            for name in ("acme", "globex", "patient")
        }
        targets["tickle"] = stack.enter_context(simulate_mindtickle(api_key="tickle-key", company_id="c-1"))
        targets["meddled"] = stack.enter_context(
            simulate_mindtickle(api_key="key-2", company_id="c-2", limits=(), options=MindTickleOptions(bulk="none"))
        )
        targets["able"] = stack.enter_context(simulate_scim(api_key="able-token", options=ScimOptions(shuffle=True)))
        targets["bare"] = stack.enter_context(
            simulate_scim(api_key="bridge:secret", options=BARE, limits=(Window(requests=20, per_s=1.0),))
        )
        targets["troubled"] = stack.enter_context(simulate_trakstar(api_key="troubled-key", limits=()))
        targets["calm"] = stack.enter_context(simulate_mindtickle(api_key="calm-key", company_id="c-3"))
        urls = {name: targets[name].base_url for name in ("acme", "globex", "patient", "able", "bare", "troubled")}
        for name in ("tickle", "meddled", "calm"):
            urls |= {f"{name}_{part}": targets[name].urls[f"{part}_base_url"] for part in ("scim", "rest")}
        make = stack.enter_context(made_in(tmp_path_factory.mktemp("town")))
        yield Town(bridge=make(TENANTS.format(**urls), doors=2, **SECRETS), **targets)


def operations_of(report: dict[str, Any], tenant: str) -> dict[str, int]:
    [books] = [each for each in report["tenants"] if each["tenant"] == tenant]
    return dict(books["operations"])


# -- A tenant whose sender waits until the target has their change, or has refused it -------------------------------


def test_a_sender_waits_for_the_target(town: Town) -> None:
    bridge, token = town.bridge, town.bridge.token("patient")
    status, said, _ = create(bridge.url, token, user("ann"))
    assert (status, said) == (201, "confirmed")
    assert [account.email for account in town.patient.state.accounts] == ["ann@example.com"]
    status, said, error = create(bridge.url, token, {**user("bob"), "name": {}})
    assert (status, said, error["scimType"]) == (400, "accepted", "invalidValue")
    assert "learn has not taken this (missing_field)" in error["detail"]
    assert "bob" not in error["detail"]
    _, listed = bridge.request("GET", f"/Users?attributes=userName,{DELIVERY}:targets.state", token)
    told = {each["userName"]: each[DELIVERY]["targets"] for each in listed["Resources"]}
    assert told == {
        "ann@example.com": [{"target": "learn", "state": "delivered"}],
        "bob@example.com": [{"target": "learn", "state": "dead"}],
    }
    assert bridge.verify()["balanced"]


def create(url: str, token: str, document: dict[str, Any]) -> tuple[int, str | None, Any]:
    """Return the status, what the answer says of its acknowledgement, and its body."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        connection.request("POST", "/scim/v2/Users", body=json.dumps(document), headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["SCIM-Bridge-Acknowledged"], json.loads(answer.read())
    finally:
        connection.close()


# -- A tenant in whose target somebody changes an account by hand, which its webhook tells --------------------------


def test_an_account_closed_by_hand_is_seen_as_drift_before_it_is_opened_again(town: Town) -> None:
    bridge, tickle = town.bridge, town.meddled
    url = f"{bridge.url}/webhooks/meddled/mt"
    tickle.vendor.set_options({"webhook_url": url, "webhook_secret": "whsec-1", "webhook_scheme": "B"})
    token = bridge.token("meddled")
    for name in ("ann", "bob"):
        assert bridge.request("POST", "/Users", token, user(name))[0] == 201
    bridge.wait_until_settled(within_s=30)
    assert eventually(lambda: len(tickle.vendor.webhooks.statuses) == 2), "the echoes of both creates"
    calls_before = len(tickle.log)

    ann = tickle.state.find("ann@example.com")
    assert ann is not None
    by_hand(tickle.urls["scim_base_url"], ann.account_id, active=False)
    assert eventually(lambda: is_active(tickle, "ann@example.com")), "\n".join(bridge.lines[-40:])
    assert eventually(lambda: len(tickle.vendor.webhooks.statuses) == 4), "by hand, and the echo of the repair"
    bridge.wait_until_settled(within_s=30)

    assert set(tickle.vendor.webhooks.statuses) == {200}
    [person] = timeline.show(bridge.store, "ann@example.com", "meddled")["people"]
    [drift] = [
        (change["kind"], change["source"], entry["detail"])
        for change in person["changes"]
        for operation in change["operations"]
        for entry in operation["entries"]
        if entry["code"] == "drift"
    ]
    assert drift == ("readback", "webhook", "status")
    # Each process that delivers asks once what the target can do.
    made = tickle.log.calls()[calls_before:]
    calls = [each for each in made if not each.path.endswith("/ServiceProviderConfig")]
    assert len(made) - len(calls) <= DELIVERING
    one = f"/scim/v2/Users/{ann.account_id}"
    by_hand_read_repaired = [("PATCH", one), ("GET", "/scim/v2/Users"), ("PATCH", one)]
    assert [(each.method, each.path) for each in calls] == by_hand_read_repaired, "nothing for any echo"
    lines = [line for line in bridge.lines if "webhook" in line]
    assert lines
    assert not any("ann" in line or ann.account_id in line for line in lines)


def by_hand(url: str, account_id: str, *, active: bool) -> None:
    """Change an account's status in the target, as somebody there would."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    change = {"op": "replace", "path": "active", "value": active}
    document = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [change]}
    headers = {"Authorization": "Bearer key-2", "X-Company-Id": "c-2", "Content-Type": "application/scim+json"}
    connection.request("PATCH", f"{parts.path}/Users/{account_id}", json.dumps(document), headers)
    assert connection.getresponse().status == 200
    connection.close()


def eventually(is_so: Callable[[], bool], *, within_s: float = 20) -> bool:
    until = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def is_active(tickle: Any, email: str) -> bool:
    held = tickle.state.find(email)
    return held is not None and held.active


# -- A tenant with two SCIM services, one able to do all and one nothing: both hold what the directory says ---------


@pytest.mark.timeout(120)
def test_twenty_people_with_a_leaver_reach_services_of_every_ability(town: Town) -> None:
    bridge, token = town.bridge, town.bridge.token("standard")
    ids = []
    for number in range(20):
        status, made = bridge.request("POST", "/Users", token, user(f"p{number}"))
        assert status == 201
        ids.append(made["id"])
    members = [{"value": each} for each in ids[:3]]
    group = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Sales", "members": members}
    assert bridge.request("POST", "/Groups", token, group)[0] == 201
    bridge.wait_until_settled(within_s=60)
    assert bridge.request("DELETE", f"/Users/{ids[7]}", token)[0] == 204
    report = bridge.wait_until_settled(within_s=60)
    assert operations_of(report, "standard")["dead"] == 0
    for service in (town.able, town.bare):
        accounts = service.state.accounts
        assert {account.user_name for account in accounts} == {f"p{n}@example.com" for n in range(20)}
        assert [account.user_name for account in accounts if not account.active] == ["p7@example.com"]
        assert [(name, count) for _, name, count in service.state.groups] == [("Sales", 3)]
        assert service.log.count(status=429) == 0
    assert town.able.log.count("PUT") == 0
    assert town.bare.log.count("PATCH") == town.bare.log.count("POST", ".*/Bulk") == 0


# -- A tenant with a target in trouble: everything comes through, nobody's attempts are burned -----------------------

TROUBLE = (
    Fault(answer="reset", when="before"),
    Fault(answer="status", status=500, when="before"),
    Fault(answer="hang", when="after", hang_s=6),
    Fault(answer="status", status=429, headers={"Retry-After": "2"}),
    Fault(answer="html", when="after"),
    Fault(answer="reset", when="after"),
)


def test_a_target_that_fails_in_every_way_loses_nobody_and_holds_nobody_else_up(town: Town) -> None:
    bridge, trakstar, tickle = town.bridge, town.troubled, town.calm
    token = bridge.token("troubled")
    for fault in TROUBLE:
        trakstar.faults.add(fault)
    trakstar.go_down_for(2.0)
    began = time.monotonic()
    for number in range(20):
        assert bridge.request("POST", "/Users", token, user(f"p{number}"))[0] == 201
    while len(tickle.state.accounts) < 20 and time.monotonic() < began + 30:
        time.sleep(0.1)
    assert len(tickle.state.accounts) == 20
    assert trakstar.faults.pending, "the other lane was done while this one was still in trouble"
    report = bridge.wait_until_settled(within_s=90)
    assert not trakstar.faults.pending
    assert operations_of(report, "troubled")["dead"] == 0
    assert {account.email for account in trakstar.state.accounts} == {f"p{n}@example.com" for n in range(20)}
    assert trakstar.state.duplicates() == ()


# -- Two tenants whose people bear the same names --------------------------------------------------------------------


def test_each_tenants_people_go_to_its_own_targets(town: Town) -> None:
    """The last test: it stops the bridge, and a process that ends still writes down what came last."""
    bridge = town.bridge
    tokens = {tenant: bridge.token(tenant) for tenant in ("acme", "globex")}
    for name in ("ann", "bob"):
        status, _ = bridge.request("POST", "/Users", tokens["acme"], user(name))
        assert status == 201
    # The same login in another tenant is another person.
    status, created = bridge.request("POST", "/Users", tokens["globex"], user("ann"))
    assert status == 201
    assert bridge.request("GET", f"/Users/{created['id']}", tokens["acme"])[0] == 404
    bridge.wait_until_settled(within_s=40)
    assert {account.email for account in town.acme.state.accounts} == {"ann@example.com", "bob@example.com"}
    assert {account.email for account in town.globex.state.accounts} == {"ann@example.com"}
    assert {account.user_name for account in town.tickle.state.accounts} == {"ann@example.com", "bob@example.com"}
    bridge.request("DELETE", f"/Users/{created['id']}", tokens["globex"])
    bridge.wait_until_settled(within_s=40)
    assert [account.active for account in town.globex.state.accounts] == [False]
    assert all(account.active for account in (*town.acme.state.accounts, *town.tickle.state.accounts))
    assert bridge.stop() == 0
    store = bridge.store
    noted = {
        tenant: sorted((row["method"], row["status"]) for row in inbound.listed(store, tenant)["items"])
        for tenant in tokens
    }
    store.close()
    assert noted["acme"] == [("GET", 404), ("POST", 201), ("POST", 201)]
    assert noted["globex"] == [("DELETE", 204), ("POST", 201)]
