"""Every sender's conversation, held with the front door over a socket: raw URLs, its own headers, nothing added.

What the senders say is data, in tests/data/<sender>; each folder tells where its shapes come from.
"""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import conversations
import pytest
from conversations import DATA, FOLDERS, Wire, differences, filled, name_of, replay
from running.door import FrontDoor

# What is sent is bent before the database is asked; so two of them, which together say nearly everything, meet both.
ON_BOTH = ("entra_default-cycle", "okta_group_push-push")


def cases() -> list[Any]:
    """Return each conversation with the database that it is held on."""
    found = []
    for path in conversations.all_files():
        found.append(pytest.param("sqlite", path, id=f"{name_of(path)}-sqlite"))
        if name_of(path) in ON_BOTH:
            found.append(pytest.param("postgresql", path, id=f"{name_of(path)}-postgresql", marks=pytest.mark.postgres))
    return found


@pytest.mark.parametrize(("shared_door", "path"), cases(), indirect=["shared_door"], scope="module")
def test_a_sender_is_understood(front_door: FrontDoor, path: Path) -> None:
    conversation = json.loads(path.read_text(encoding="utf-8"))
    variables = {
        "door": front_door.url,
        "token": front_door.token,
        "basic": b64encode(f"sender:{front_door.token}".encode()).decode(),
    }
    wire = Wire(front_door.url)
    try:
        assert replay(conversation, wire, variables) == []
        assert directory_differences(filled(conversation["directory"], variables), wire, front_door.token) == []
    finally:
        wire.close()


def directory_differences(expected: dict[str, Any], wire: Wire, token: str) -> list[str]:
    """Return how the directory differs from what a conversation is to leave behind: everybody, and who is in what."""
    users = _listed(wire, "/Users", token)
    groups = _listed(wire, "/Groups", token)
    logins = {user["id"]: user["userName"] for user in users}
    found = {
        "users": {user["userName"]: user for user in users},
        "groups": {
            group["displayName"]: sorted(logins[member["value"]] for member in group["members"]) for group in groups
        },
    }
    strangers = [
        f"{kind} {name!r} is there too"
        for kind in ("users", "groups")
        for name in found[kind].keys() - expected[kind].keys()
    ]
    return strangers + differences(expected, found, "directory")


def _listed(wire: Wire, path: str, token: str) -> list[dict[str, Any]]:
    reply = wire.send("GET", f"{path}?count=100", {"Authorization": f"Bearer {token}"}, None)
    assert (reply.status, reply.body["totalResults"]) == (200, len(reply.body["Resources"]))
    return list(reply.body["Resources"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_sender_says_where_its_shapes_come_from(folder: str) -> None:
    lines = (DATA / folder / "README.md").read_text(encoding="utf-8").splitlines()
    assert 5 <= len(lines) <= 15
    assert list((DATA / folder).glob("*.json"))
    assert any(word in line for line in lines for word in ("Documented", "Seen in client code", "Assumed"))


def test_no_conversation_is_forgotten() -> None:
    assert {path.parent.name for path in DATA.glob("*/*.json")} >= set(FOLDERS)
    assert {name_of(path) for path in conversations.all_files()} >= set(ON_BOTH)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"active": True}, {"active": "True"}),
        ({"totalResults": 1}, {"totalResults": True}),
        ({"password": None}, {"password": "x"}),
        ({"members": []}, {}),
        ({"Resources": [{"id": "1"}]}, {"Resources": [{"id": "1"}, {"id": "2"}]}),
        ({"name": {"givenName": "Ann"}}, {"name": None}),
    ],
)
def test_a_wrong_answer_is_noticed(expected: dict[str, Any], found: dict[str, Any]) -> None:
    assert len(differences(expected, found)) == 1
