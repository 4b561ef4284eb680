"""Versions of resources and the requests that depend on them (RFC 7644 section 3.14, RFC 9110 section 13)."""

from typing import Any

import pytest

TITLE = {"op": "replace", "path": "title", "value": "Boss"}


def edits(sender: Any, path: str, **headers: str) -> list[Any]:
    """Try every method that changes a user."""
    return [
        sender.patch(path, TITLE, **headers),
        sender.put(path, {"userName": "ann@example.com", "title": "Chief"}, **headers),
        sender.delete(path, **headers),
    ]


def test_every_answer_with_a_resource_says_its_version(sender: Any) -> None:
    made = sender.post("/Users", {"userName": "ann@example.com"})
    path = f"/Users/{made.json['id']}"
    answers = [
        made,
        sender.get(path),
        sender.patch(path, TITLE),
        sender.put(path, {"userName": "ann@example.com", "title": "Chief"}),
        sender.get(path),
    ]
    assert all(each.headers["ETag"] == each.json["meta"]["version"] for each in answers)
    assert all(each.headers["ETag"].startswith('W/"') for each in answers)
    assert len({each.headers["ETag"] for each in answers}) == 3
    listed = sender.get("/Users").json["Resources"][0]
    assert listed["meta"]["version"] == answers[-1].headers["ETag"]


def test_a_patched_group_says_its_version_without_a_body(sender: Any) -> None:
    sales = sender.group("Sales")
    answer = sender.patch(f"/Groups/{sales['id']}", {"op": "replace", "path": "displayName", "value": "Sales EMEA"})
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["ETag"] == sender.get(f"/Groups/{sales['id']}").json["meta"]["version"]
    assert answer.headers["ETag"] != sales["meta"]["version"]


def test_a_change_of_members_is_a_new_version_of_the_group(sender: Any) -> None:
    ann, sales = sender.user("ann"), sender.group("Sales")
    joined = sender.patch(f"/Groups/{sales['id']}", {"op": "add", "path": "members", "value": [{"value": ann["id"]}]})
    again = sender.patch(f"/Groups/{sales['id']}", {"op": "add", "path": "members", "value": [{"value": ann["id"]}]})
    assert joined.headers["ETag"] != sales["meta"]["version"]
    assert again.headers["ETag"] == joined.headers["ETag"]


def test_an_edit_that_changes_nothing_keeps_the_version(sender: Any) -> None:
    ann = sender.user("ann", emails=[{"value": "a@x", "type": "work"}, {"value": "b@x", "type": "home"}])
    same = {**ann, "emails": list(reversed(ann["emails"]))}
    assert sender.put(f"/Users/{ann['id']}", same).json["meta"] == ann["meta"]
    sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "active", "value": True})
    assert sender.get(f"/Users/{ann['id']}").json["meta"] == ann["meta"]


@pytest.mark.parametrize(
    "tag",
    ['W/"0"', '"0"', 'W/"0", W/"999999999"', "not-a-tag", "W/", ","],
    ids=["weak", "strong", "list", "bare", "cut", "empty"],
)
def test_a_tag_that_is_not_the_current_one_changes_nothing(sender: Any, tag: str) -> None:
    ann = sender.user("ann")
    for answer in edits(sender, f"/Users/{ann['id']}", If_Match=tag):
        assert answer.status_code == 412
        assert answer.json["status"] == "412"
        assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert sender.get(f"/Users/{ann['id']}").json == ann


def test_the_tag_of_an_older_version_changes_nothing(sender: Any) -> None:
    ann = sender.user("ann")
    path, stale = f"/Users/{ann['id']}", {"If_Match": ann["meta"]["version"]}
    assert sender.patch(path, TITLE, **stale).status_code == 200
    assert [each.status_code for each in edits(sender, path, **stale)] == [412, 412, 412]
    assert sender.get(path).json["title"] == "Boss"


def test_the_current_tag_lets_every_edit_through(sender: Any) -> None:
    ann = sender.user("ann")
    path = f"/Users/{ann['id']}"
    patched = sender.patch(path, TITLE, If_Match=f'W/"999999999", {ann["meta"]["version"]}')
    # Senders write weak tags as strong ones, and leave the quotes out.
    put = sender.put(path, {"userName": "ann"}, If_Match=patched.headers["ETag"].removeprefix("W/"))
    assert [patched.status_code, put.status_code] == [200, 200]
    assert sender.delete(path, If_Match=put.headers["ETag"]).status_code == 204


def test_a_star_means_any_version(sender: Any) -> None:
    ann = sender.user("ann")
    assert [each.status_code for each in edits(sender, f"/Users/{ann['id']}", If_Match="*")] == [200, 200, 204]


def test_a_star_does_not_make_somebody_exist(sender: Any) -> None:
    for headers in ({"If_Match": "*"}, {"If_None_Match": "*"}, {}):
        assert [each.status_code for each in edits(sender, "/Users/nobody", **headers)] == [404, 404, 404]


def test_if_none_match_on_an_edit_refuses_the_version_that_it_names(sender: Any) -> None:
    ann = sender.user("ann")
    path = f"/Users/{ann['id']}"
    for tag in ("*", ann["meta"]["version"]):
        assert [each.status_code for each in edits(sender, path, If_None_Match=tag)] == [412, 412, 412]
    assert sender.patch(path, TITLE, If_None_Match='W/"0"').status_code == 200


@pytest.mark.parametrize("form", ["*", "{}", 'W/"0", {}', "{}, *"])
def test_a_version_that_the_sender_has_is_not_sent_again(sender: Any, form: str) -> None:
    ann = sender.user("ann")
    for path in (f"/Users/{ann['id']}", f"/Users/{ann['id']}?attributes=userName"):
        answer = sender.get(path, If_None_Match=form.format(ann["meta"]["version"]))
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == ann["meta"]["version"]


def test_a_newer_version_is_sent(sender: Any) -> None:
    ann = sender.user("ann")
    sender.patch(f"/Users/{ann['id']}", TITLE)
    answer = sender.get(f"/Users/{ann['id']}", If_None_Match=ann["meta"]["version"])
    assert (answer.status_code, answer.json["title"]) == (200, "Boss")


def test_if_match_comes_before_if_none_match(sender: Any) -> None:
    ann = sender.user("ann")
    tag = ann["meta"]["version"]
    assert sender.get(f"/Users/{ann['id']}", If_Match='W/"0"', If_None_Match=tag).status_code == 412
    assert sender.get(f"/Users/{ann['id']}", If_Match=tag, If_None_Match=tag).status_code == 304


def test_a_group_is_guarded_as_a_user_is(sender: Any) -> None:
    ann, sales = sender.user("ann"), sender.group("Sales")
    joining = {"op": "add", "path": "members", "value": [{"value": ann["id"]}]}
    path = f"/Groups/{sales['id']}"
    assert sender.patch(path, joining, If_Match='W/"0"').status_code == 412
    assert (
        sender.put(path, {"displayName": "X", "members": [{"value": ann["id"]}]}, If_Match='W/"0"').status_code == 412
    )
    assert sender.delete(path, If_Match='W/"0"').status_code == 412
    assert sender.member_ids(sales["id"]) == set()
    assert sender.patch(path, joining, If_Match=sales["meta"]["version"]).status_code == 204


def test_a_creation_and_a_search_depend_on_no_version(sender: Any) -> None:
    assert sender.post("/Users", {"userName": "ann"}, If_Match='W/"0"').status_code == 201
    assert sender.get("/Users", If_None_Match="*").json["totalResults"] == 1
