"""Every mapping that a process loads is a version in the audit. On both databases."""

import json
from typing import Any

import sqlalchemy as sa

from scim_bridge.recording import versions
from scim_bridge.settings.models import Settings, TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import tables
from scim_bridge.store.engine import Store


def settings(**mapping: str) -> Settings:
    known = {"externalId": "id", "userName": "email", **mapping}
    source = SourceSettings(name="hr", kind="csv", mapping=known)
    return Settings(tenants=[TenantSettings(id="acme", sources=[source, SourceSettings(name="okta")])])


def audited(store: Store) -> list[dict[str, Any]]:
    with store.begin("acme", write=False) as tx:
        return [dict(row) for row in tx.connection.execute(sa.select(tables.audit).order_by("id")).mappings()]


def test_a_mapping_that_is_loaded_first_is_a_version(store: Store) -> None:
    assert versions.note(store, settings(), who="web") == 1
    [row] = audited(store)
    assert (row["who"], row["what"], row["before"]) == ("web", "mapping of source hr", "")
    assert json.loads(row["after"])["differs"] == {"new": ["externalId", "userName"]}


def test_the_same_mapping_is_no_further_version(store: Store) -> None:
    versions.note(store, settings(), who="web")
    assert versions.note(store, settings(), who="worker") == 0
    assert len(audited(store)) == 1


def test_a_changed_mapping_tells_which_fields_differ_but_not_how(store: Store) -> None:
    versions.note(store, settings(title="secret || job"), who="web")
    assert versions.note(store, settings(userName="mail", department="dept"), who="relay") == 1
    first, second = audited(store)
    after = json.loads(second["after"])
    assert after["differs"] == {"new": ["department"], "gone": ["title"], "changed": ["userName"]}
    assert json.loads(second["before"])["digest"] == json.loads(first["after"])["digest"] != after["digest"]
    assert "secret" not in first["after"]


def test_going_back_is_a_version_again(store: Store) -> None:
    for mapping in ({}, {"title": "job"}, {}):
        versions.note(store, settings(**mapping), who="web")
    assert len(audited(store)) == 3
