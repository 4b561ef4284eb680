"""Where a resource stands in its targets, as senders read it in SCIM: only when asked for, and never to write."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from fakes.books import send

from scim_bridge.domain.resources import CORE_GROUP, CORE_USER, DELIVERY
from scim_bridge.domain.states import State
from scim_bridge.store import directory, lanes
from scim_bridge.store.engine import Store

Settle = Callable[..., None]


@pytest.fixture
def settle(sender: Any, shared_store: Store) -> Settle:
    """Give a function that brings what waits for a user in one target to its end."""

    def to(scim_id: str, target: str, state: State) -> None:
        with shared_store.begin(sender.tenant) as tx:
            lane, stored = lanes.by_target(tx, target), directory.fetch(tx, "User", scim_id)
            assert lane is not None
            assert stored is not None
            send(tx, lane.id, [stored.id], [state])

    return to


def told(resource: dict[str, Any]) -> dict[str, Any]:
    return {each["target"]: each["state"] for each in resource[DELIVERY]["targets"]}


def test_it_is_shown_only_when_asked_for(sender: Any) -> None:
    made = sender.user("ann")
    path = f"/Users/{made['id']}"
    assert DELIVERY not in made
    assert DELIVERY not in sender.get(path).json
    assert DELIVERY not in sender.get(f"{path}?attributes=userName").json
    assert DELIVERY not in sender.get(f"{path}?excludedAttributes=userName").json
    assert DELIVERY not in sender.get("/Users").json["Resources"][0]
    for asked in (DELIVERY, f"{DELIVERY}:targets", DELIVERY.upper(), f"userName,{DELIVERY}:targets.state"):
        assert told(sender.get(f"{path}?attributes={asked}").json) == {"everybody": "waiting", "sales": "waiting"}


def test_each_target_is_told_with_state_code_and_time(sender: Any, settle: Settle) -> None:
    ann = sender.user("ann")["id"]
    settle(ann, "everybody", State.DEAD)
    shown = sender.get(f"/Users/{ann}?attributes={DELIVERY}").json
    assert shown["schemas"] == [CORE_USER, DELIVERY]
    assert shown.keys() == {"schemas", "id", DELIVERY}
    first, second = shown[DELIVERY]["targets"]
    assert first.keys() == {"target", "state", "code", "time"}
    assert (first["target"], first["state"], first["code"]) == ("everybody", "dead", "ok")
    assert second.keys() == {"target", "state", "time"}
    assert first["time"].startswith("2023-11-14T")
    assert first["time"].endswith("Z")
    assert first["time"] > second["time"]


def test_a_sub_attribute_can_be_asked_for_and_comes_with_the_name_of_its_target(sender: Any) -> None:
    ann = sender.user("ann")["id"]
    shown = sender.get(f"/Users/{ann}?attributes={DELIVERY}:targets.state").json
    assert shown[DELIVERY]["targets"] == [
        {"target": "everybody", "state": "waiting"},
        {"target": "sales", "state": "waiting"},
    ]


def test_lists_and_searches_show_it_of_each_resource(sender: Any, settle: Settle) -> None:
    ann, bob = sender.user("ann")["id"], sender.user("bob")["id"]
    settle(ann, "everybody", State.DELIVERED)
    settle(bob, "sales", State.HELD)
    group = sender.group("Sales", ann)["id"]
    expected = {
        ann: {"everybody": "delivered", "sales": "waiting"},
        bob: {"everybody": "waiting", "sales": "held"},
        group: {"sales": "waiting"},
    }
    asked = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "attributes": [DELIVERY]}
    everything = sender.post("/.search", asked).json["Resources"]
    assert {each["id"]: told(each) for each in everything} == expected
    users = sender.post("/Users/.search", asked).json["Resources"]
    assert {each["id"]: told(each) for each in users} == {each: expected[each] for each in (ann, bob)}
    listed = sender.get(f"/Users?attributes={DELIVERY}&cursor=").json["Resources"]
    assert {each["id"]: told(each) for each in listed} == {each: expected[each] for each in (ann, bob)}
    shown = sender.get(f"/Groups/{group}?attributes={DELIVERY}").json
    assert (shown["schemas"], told(shown)) == ([CORE_GROUP, DELIVERY], expected[group])


def test_what_nothing_is_owed_for_has_none(sender: Any) -> None:
    group = sender.group("Marketing")["id"]
    assert sender.get(f"/Groups/{group}?attributes={DELIVERY}").json == {"schemas": [CORE_GROUP], "id": group}


def test_the_answer_to_a_write_shows_it_when_asked_for(sender: Any) -> None:
    ann = sender.user("ann")["id"]
    operation = {"op": "replace", "path": "title", "value": "Boss"}
    answer = sender.patch(f"/Users/{ann}?attributes={DELIVERY}", operation)
    assert told(answer.json) == {"everybody": "waiting", "sales": "waiting"}


WRITTEN = {"targets": [{"target": "everybody", "state": "delivered"}]}


def test_whoever_writes_it_is_not_heard(sender: Any) -> None:
    both = {"schemas": [CORE_USER, DELIVERY], DELIVERY: WRITTEN, f"{DELIVERY}:targets": WRITTEN["targets"]}
    made = sender.user("ann", **both)
    assert made["schemas"] == [CORE_USER]
    path = f"/Users/{made['id']}"
    replaced = sender.put(path, {"userName": "ann@example.com", **both})
    assert replaced.status_code == 200, replaced.text
    assert replaced.json["meta"]["version"] == made["meta"]["version"], "nothing was changed"
    for operation in (
        {"op": "add", "path": f"{DELIVERY}:targets", "value": WRITTEN["targets"]},
        {"op": "replace", "path": DELIVERY, "value": WRITTEN},
        {"op": "remove", "path": f"{DELIVERY}:targets"},
        {"op": "replace", "path": f'{DELIVERY}:targets[target eq "sales"].state', "value": "dead"},
        {"op": "replace", "value": {DELIVERY: WRITTEN}},
        {"op": "add", "value": {f"{DELIVERY}:targets": WRITTEN["targets"]}},
    ):
        patched = sender.patch(path, operation)
        assert patched.status_code == 200, patched.text
        assert patched.json["meta"]["version"] == made["meta"]["version"], operation
    group = sender.post("/Groups", {"displayName": "Sales", **both, "schemas": [CORE_GROUP, DELIVERY]})
    assert group.status_code == 201, group.text
    assert told(sender.get(f"{path}?attributes={DELIVERY}").json) == {"everybody": "waiting", "sales": "waiting"}


@pytest.mark.parametrize(
    "text",
    [
        f'{DELIVERY}:targets.state eq "dead"',
        f'{DELIVERY}:targets[state eq "dead"]',
        f"userName pr and not ({DELIVERY.upper()}:targets pr)",
    ],
)
def test_it_cannot_be_searched_for(sender: Any, text: str) -> None:
    for answer in (sender.get(f"/Users?filter={quote(text)}"), sender.post("/.search", {"filter": text})):
        assert (answer.status_code, answer.json["scimType"]) == (400, "invalidFilter")
        assert "attributes=" in answer.json["detail"]


def test_a_value_that_names_it_can_be_searched_for(sender: Any) -> None:
    sender.user("ann", displayName=f'say "{DELIVERY}"')
    text = f'displayName eq "say \\"{DELIVERY}\\""'
    assert sender.get(f"/Users?filter={quote(text)}").json["totalResults"] == 1


def test_it_gives_no_order(sender: Any) -> None:
    answer = sender.get(f"/Users?sortBy={DELIVERY}:targets.state")
    assert (answer.status_code, answer.json["scimType"]) == (400, "invalidPath")


def test_discovery_tells_of_it(sender: Any) -> None:
    for name in ("User", "Group"):
        # Strict clients write every extension that a resource type names, and expect it back.
        assert DELIVERY not in sender.get(f"/ResourceTypes/{name}").text
    (targets,) = sender.get(f"/Schemas/{DELIVERY}").json["attributes"]
    assert (targets["name"], targets["returned"], targets["mutability"]) == ("targets", "request", "readOnly")
    assert {each["name"] for each in targets["subAttributes"]} == {"target", "state", "code", "time"}
    assert {each["mutability"] for each in targets["subAttributes"]} == {"readOnly"}
