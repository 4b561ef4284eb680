"""Edits of one group that share transactions, among those that go their own way, do what they would one by one."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from running.crowds import changes_of
from running.door import Sender
from werkzeug.test import TestResponse

from scim_bridge.domain.resources import USER
from scim_bridge.intake.scim.gathering import MOST_NAMED
from scim_bridge.settings.models import WebSettings
from scim_bridge.store import seeding
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

THREADS, EACH = 8, 12
PEOPLE = MOST_NAMED + 20
SEEDS = (3, 1_117)

Members = frozenset[str]


@pytest.fixture
def web_settings() -> WebSettings:
    return WebSettings()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request of the mix, and what it makes of a group's members."""

    operations: Sequence[dict[str, Any]]
    then: Callable[[Members], Members]
    headers: dict[str, str]
    query: str = ""
    renames: bool = False

    def send(self, speaker: Sender, group: str, *, correlation_id: str) -> TestResponse:
        path = f"/Groups/{group}{self.query}"
        return speaker.patch(path, *self.operations, X_Request_ID=correlation_id, **self.headers)


def step(dice: random.Random, people: Sequence[str], name: str) -> Step:
    """Draw a request: half are gathered, the rest are what must go its own way."""
    few = frozenset(dice.sample(people, dice.randint(1, 4)))
    values = [{"value": each} for each in sorted(few)]
    joins = {"op": "add", "path": "members", "value": values}
    leaves = {"op": "remove", "path": "members", "value": values}
    adds, takes = (joins, lambda held: held | few), (leaves, lambda held: held - few)
    form = dice.choice(["add", "remove", "add", "remove", "key", "match", "attributes", "replace", "rename", "many"])
    if form == "replace":
        return Step(operations=[{**joins, "op": "replace"}], then=lambda _held: few, headers={})
    if form == "many":
        many = frozenset(dice.sample(people, MOST_NAMED + 1))
        how = dice.choice(["add", "remove"])
        operation = {"op": how, "path": "members", "value": [{"value": each} for each in sorted(many)]}
        return Step(operations=[operation], then=lambda held: held | many if how == "add" else held - many, headers={})
    operation, then = dice.choice([adds, takes])
    if form == "rename":
        rename = {"op": "replace", "path": "displayName", "value": f"Sales {name}"}
        return Step(operations=[operation, rename], then=then, headers={}, renames=True)
    headers = {"key": {"Idempotency_Key": name}, "match": {"If_Match": "*"}}.get(form, {})
    return Step(
        operations=[operation], then=then, headers=headers, query="?attributes=id" if form == "attributes" else ""
    )


def seeded(store: Store, tenant: str) -> list[str]:
    """Put people into a directory and return their ids."""
    ids = [f"{tenant}-{number:04}" for number in range(PEOPLE)]
    with store.begin(tenant) as tx:
        seeds = [seeding.Seed(scim_id=each, document={"userName": each}, attributes=["userName"]) for each in ids]
        seeding.put(tx, USER, seeds, source="idp")
    return ids


@pytest.mark.parametrize("seed", SEEDS)
def test_gathered_edits_among_others_lose_nobody(app: Flask, sender: Any, shared_store: Store, seed: int) -> None:
    """The changes tell the order in which the requests took effect; a plain set that follows it ends the same."""
    dice = random.Random(seed)
    people = seeded(shared_store, sender.tenant)
    made = sender.group("Sales", *people[:5])
    steps = {f"{who}-{turn}": step(dice, people, f"{who}-{turn}") for who in range(THREADS) for turn in range(EACH)}

    def session(who: int) -> dict[str, TestResponse]:
        speaker = Sender(app.test_client(), sender.token, sender.tenant)
        mine = [name for name in steps if name.startswith(f"{who}-")]
        return {name: steps[name].send(speaker, made["id"], correlation_id=name) for name in mine}

    with ThreadPoolExecutor(THREADS) as pool:
        answers = {name: answer for done in pool.map(session, range(THREADS)) for name, answer in done.items()}
    refused = {name: answer.text for name, answer in answers.items() if answer.status_code not in (200, 204)}
    assert not refused
    held = {made["meta"]["version"]: frozenset(people[:5])}
    version = made["meta"]["version"]
    for change in changes_of(shared_store, sender.tenant, made["id"]):
        before, version, name = held[version], f'W/"{change.number}"', change.correlation_id
        assert answers[name].headers["ETag"] == version
        held[version] = steps[name].then(before)
        assert steps[name].renames or held[version] != before, "a change that changes nothing"
        del answers[name]
    assert sender.member_ids(made["id"]) == held[version]
    # Whoever has no change saw a version of the group at which there was nothing to do.
    for name, answer in answers.items():
        seen = held[answer.headers["ETag"]]
        assert steps[name].then(seen) == seen
    assert verify_ledger(shared_store)["balanced"]
