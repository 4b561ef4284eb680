"""The API's operations as a list: who may do what, and that each is told completely."""

import re

from scim_bridge.web.api.catalogue import OPERATIONS
from scim_bridge.web.api.description import describe
from scim_bridge.web.api.operations import Role

FOR_ADMINISTRATORS = ("token", "queue", "audit_verify", "ledger_verify")
"""Tokens open doors, the queue is shared by all tenants, and a proof reads everything there is."""


def test_who_may_look_may_not_act() -> None:
    for each in OPERATIONS:
        expected = Role.VIEWER if each.method == "GET" else Role.OPERATOR
        if each.name.startswith(FOR_ADMINISTRATORS):
            expected = Role.ADMIN
        assert each.role is expected, each.name


def test_operations_are_told_apart_by_their_names() -> None:
    assert len({each.name for each in OPERATIONS}) == len(OPERATIONS)


def test_operations_are_told_apart_by_their_paths() -> None:
    assert len({(each.method, each.path) for each in OPERATIONS}) == len(OPERATIONS)


def test_every_part_of_a_path_is_a_parameter() -> None:
    for each in OPERATIONS:
        assert set(re.findall(r"{(\w+)}", each.path)) <= {parameter.name for parameter in each.parameters}, each.name


def test_only_what_acts_has_a_body() -> None:
    assert all(each.method == "POST" for each in OPERATIONS if each.body is not None)


def test_long_work_is_described_with_the_place_where_it_is_told_of() -> None:
    described = describe(OPERATIONS, public_url="https://bridge.example.com/")
    assert described["servers"] == [{"url": "https://bridge.example.com/api/v1"}]
    accepted = {
        operation["operationId"]
        for path in described["paths"].values()
        for operation in path.values()
        if "Location" in operation["responses"].get("202", {}).get("headers", {})
    }
    assert accepted == {"replay_approve", "reconcile", "target_probe"}
