"""Two tenants never see, find or change each other's people, at any endpoint."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def stranger(make_sender: Callable[..., Any], sender: Any) -> Any:
    return make_sender(f"{sender.tenant}-stranger")


def test_no_endpoint_shows_another_tenants_resources(sender: Any, stranger: Any) -> None:
    ann = sender.user("ann", externalId="E1", emails=[{"value": "ann@x", "type": "work"}])
    sales = sender.group("Sales", ann["id"])
    for path in (
        f"/Users/{ann['id']}",
        f"/Groups/{sales['id']}",
    ):
        assert stranger.get(path).status_code == 404
    for path in (
        "/Users",
        "/Groups",
        "/",
        "/Users?cursor=",
        f'/Users?filter=id eq "{ann["id"]}"',
        '/Users?filter=userName eq "ann@example.com"',
        '/Users?filter=externalId eq "E1"',
        '/Users?filter=emails[value eq "ann@x"]',
        '/Users?filter=emails eq "ann@x"',
        "/Users?filter=groups pr",
        f'/Groups?filter=members eq "{ann["id"]}"',
        '/?filter=displayName eq "Sales"',
        "/Users?sortBy=emails",
    ):
        assert stranger.get(path).json["Resources"] == [], path
    assert stranger.post("/Users/.search", {"filter": "userName pr"}).json["totalResults"] == 0


def test_no_endpoint_changes_another_tenants_resources(sender: Any, stranger: Any) -> None:
    ann = sender.user("ann")
    sales = sender.group("Sales", ann["id"])
    title = {"op": "replace", "path": "title", "value": "x"}
    assert stranger.put(f"/Users/{ann['id']}", ann).status_code == 404
    assert stranger.patch(f"/Users/{ann['id']}", title).status_code == 404
    assert stranger.delete(f"/Users/{ann['id']}").status_code == 404
    assert stranger.patch(f"/Groups/{sales['id']}", {"op": "remove", "path": "members"}).status_code == 404
    assert stranger.delete(f"/Groups/{sales['id']}").status_code == 404
    operations = [
        {"method": "DELETE", "path": f"/Users/{ann['id']}"},
        {"method": "PATCH", "path": f"/Users/{ann['id']}", "data": {"Operations": [title]}},
        {"method": "PUT", "path": f"/Groups/{sales['id']}", "data": {"displayName": "x", "members": []}},
    ]
    message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
    assert [each["status"] for each in stranger.post("/Bulk", message).json["Operations"]] == ["404"] * 3
    own = stranger.group("Own")
    foreign = {"op": "add", "path": "members", "value": [{"value": ann["id"]}]}
    assert stranger.patch(f"/Groups/{own['id']}", foreign).status_code == 400
    assert sender.get(f"/Users/{ann['id']}").json["userName"] == "ann@example.com"
    assert sender.member_ids(sales["id"]) == {ann["id"]}


def test_a_name_is_unique_within_its_tenant_only(sender: Any, stranger: Any) -> None:
    assert sender.user("ann")["id"] != stranger.user("ann")["id"]


def test_a_cursor_of_one_tenant_is_none_to_another(sender: Any, stranger: Any) -> None:
    for number in range(3):
        sender.user(f"u{number}")
        stranger.user(f"v{number}")
    for sort in ("", "&sortBy=userName", "&filter=userName pr"):
        search = f"/Users?count=1{sort}&cursor="
        first = sender.get(search).json
        second = sender.get(search + first["nextCursor"]).json
        for cursor in (first["nextCursor"], second["nextCursor"], second["previousCursor"]):
            refused = stranger.get(search + cursor)
            assert (refused.status_code, refused.json["scimType"]) == (400, "invalidCursor")
            assert sender.get(search + cursor).status_code == 200
