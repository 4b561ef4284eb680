"""A group sent twice is one group: whoever sends the same name and externalId again is told so (Entra's validator)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SALES = {"displayName": "Sales", "externalId": "087af0b9"}


def test_the_same_group_again_is_a_conflict(sender: Any) -> None:
    sender.post("/Groups", SALES)
    for again in (SALES, {**SALES, "displayName": "SALES"}):
        answer = sender.post("/Groups", again)
        assert (answer.status_code, answer.json["scimType"]) == (409, "uniqueness")
        assert "displayName" in answer.json["detail"]
    assert sender.get("/Groups").json["totalResults"] == 1


def test_one_name_may_stand_for_several_groups(sender: Any) -> None:
    """Names of groups are not unique in Entra or in a tree of groups; only the sender's own id tells them apart."""
    others = ({**SALES, "externalId": "other"}, {"displayName": "Sales"}, {"displayName": "Sales"})
    assert [sender.post("/Groups", each).status_code for each in (SALES, *others)] == [201] * 4
    assert sender.post("/Groups", {**SALES, "displayName": "Sales EMEA"}).status_code == 201
    assert sender.get('/Groups?filter=displayName eq "sales"').json["totalResults"] == 4


def test_a_rename_to_a_taken_group_changes_nothing(sender: Any) -> None:
    ann = sender.user("ann")
    sender.post("/Groups", SALES)
    other = sender.post("/Groups", {**SALES, "displayName": "Other"}).json
    path = f"/Groups/{other['id']}"
    joining = {"op": "add", "path": "members", "value": [{"value": ann["id"]}]}
    renamed = sender.patch(path, joining, {"op": "replace", "path": "displayName", "value": "sales"})
    assert (renamed.status_code, renamed.json["scimType"]) == (409, "uniqueness")
    assert sender.put(path, SALES).status_code == 409
    assert sender.get(path).json == other


def test_a_deleted_group_can_be_made_again(sender: Any, shared_store: Any) -> None:
    made = sender.post("/Groups", SALES).json
    assert sender.delete(f"/Groups/{made['id']}").status_code == 204
    assert sender.post("/Groups", SALES).status_code == 201
    with shared_store.begin(sender.tenant) as tx:
        assert tx.connection.exec_driver_sql("SELECT COUNT(*) FROM lookup WHERE path = 'userName'").scalar() == 0


def test_of_many_at_once_one_wins(sender: Any, make_sender: Callable[..., Any]) -> None:
    senders = [make_sender(sender.tenant) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda each: each.post("/Groups", SALES).status_code, senders))
    assert sorted(answers) == [201] + [409] * 5
    assert sender.get("/Groups").json["totalResults"] == 1
