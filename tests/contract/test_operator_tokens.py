"""What operators do with tokens is audited, on both databases; a token's value never is."""

from typing import Any

import pytest

from scim_bridge.domain import networks
from scim_bridge.errors import NotThere, UsageError
from scim_bridge.operators import audit, tokens
from scim_bridge.settings.models import Settings, TenantSettings
from scim_bridge.store.engine import Store

HOUR = 3_600_000
SETTINGS = Settings(tenants=[TenantSettings(id="acme"), TenantSettings(id="bare", sources=[])])
OFFICE = networks.parse_network("192.0.2.0/24")


def create(store: Store, **options: Any) -> dict[str, Any]:
    asked = {"tenant": "acme", "who": "ann@desk", "scopes": ["scim"], **options}
    return tokens.create(store, SETTINGS, **asked)


def audited(store: Store) -> list[tuple[Any, ...]]:
    found = audit.list_entries(store, SETTINGS)["items"]
    return [(each["who"], each["what"], each["before"], each["after"]) for each in reversed(found)]


def test_a_made_token_is_audited_by_its_id(store: Store) -> None:
    made = create(store, name="okta", scopes=["scim", "hr"], good_for_ms=HOUR, networks=[OFFICE])
    facts = {
        "token_id": made["id"],
        "scopes": ["hr", "scim"],
        "source": "idp",
        "name": "okta",
        "expires_at": "2023-11-14T23:13:20.000Z",
        "networks": ["192.0.2.0/24"],
    }
    assert audited(store) == [("ann@desk", "token create", None, facts)]


def test_a_replaced_token_is_audited_with_both(store: Store) -> None:
    old = create(store, name="okta")
    new = tokens.rotate(store, tenant="acme", who="bob@desk", token_id=old["id"], overlap_ms=HOUR)
    who, what, before, after = audited(store)[-1]
    assert (who, what, before["token_id"], after["token_id"]) == ("bob@desk", "token rotate", old["id"], new["id"])
    assert (after["replaces"], after["replaced_ends_at"]) == (old["id"], "2023-11-14T23:13:20.000Z")


def test_a_revoked_token_is_audited_once(store: Store) -> None:
    made = create(store)
    for is_again in (False, True):
        told = tokens.revoke(store, tenant="acme", who="bob@desk", token_id=made["id"])
        assert told == {"id": made["id"], "state": "revoked", "already_revoked": is_again}
    who, what, before, after = audited(store)[-1]
    assert (who, what, before["state"]) == ("bob@desk", "token revoke", "good")
    assert after == {"token_id": made["id"], "state": "revoked"}
    assert len(audited(store)) == 2


def test_no_entry_holds_a_token(store: Store) -> None:
    made = create(store)
    new = tokens.rotate(store, tenant="acme", who="bob@desk", token_id=made["id"])
    tokens.revoke(store, tenant="acme", who="bob@desk", token_id=new["id"])
    for issued in (made, new):
        assert issued["token"].rpartition("_")[2] not in str(audited(store))


def test_what_is_refused_leaves_no_token_nor_entry(store: Store) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"scopes": ["everything"]}, "no such scope: everything"),
        ({"scopes": []}, "no such scope"),
        ({"source": "okta"}, "the tenant acme has no source okta"),
        ({"tenant": "bare"}, "the tenant bare has no source at all"),
        ({"good_for_ms": 0}, "would never be good"),
        ({"name": "a\nb"}, "one line of text"),
        ({"name": "n" * 201}, "200 characters at the most"),
    ]
    for options, told in refused:
        with pytest.raises(UsageError, match=told):
            create(store, **options)
    assert tokens.list_tokens(store) == audited(store) == []


def test_limits_hold_whoever_asks(store: Store) -> None:
    made = create(store, good_for_ms=tokens.LONGEST_GOOD_FOR_MS, networks=[OFFICE] * tokens.MOST_NETWORKS)
    for options, told in (
        ({"good_for_ms": tokens.LONGEST_GOOD_FOR_MS + 1}, "3,650 days at the most"),
        ({"networks": [OFFICE] * (tokens.MOST_NETWORKS + 1)}, "16 networks at the most"),
    ):
        with pytest.raises(UsageError, match=told):
            create(store, **options)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"overlap_ms": tokens.LONGEST_OVERLAP_MS + 1}, "30 days at the most"),
        ({"overlap_ms": -1}, "30 days at the most"),
        ({"good_for_ms": tokens.LONGEST_GOOD_FOR_MS + 1}, "3,650 days at the most"),
        ({"good_for_ms": 0}, "would never be good"),
    ]
    for options, told in wrong:
        with pytest.raises(UsageError, match=told):
            tokens.rotate(store, tenant="acme", who="bob@desk", token_id=made["id"], **options)
    assert len(audited(store)) == 1


def test_what_is_no_token_of_the_tenant_is_not_there(store: Store) -> None:
    for token_id in ("0" * 16, "", "a\0b", "\udc80"):
        with pytest.raises(NotThere, match="the tenant acme has no token"):
            tokens.rotate(store, tenant="acme", who="ann@desk", token_id=token_id)
        with pytest.raises(NotThere, match="the tenant acme has no token"):
            tokens.revoke(store, tenant="acme", who="ann@desk", token_id=token_id)


def test_a_token_of_another_tenant_is_not_there(store: Store) -> None:
    made = create(store)
    with pytest.raises(NotThere):
        tokens.revoke(store, tenant="bare", who="ann@desk", token_id=made["id"])
    assert [each["id"] for each in tokens.list_tokens(store, tenant="acme")] == [made["id"]]
    assert tokens.list_tokens(store, tenant="bare") == []
