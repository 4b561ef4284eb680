"""Each configuration that a process loads is an entry of the audit: what differs, never a secret. On both databases."""

import threading
from pathlib import Path
from typing import Any

from scim_bridge import wiring
from scim_bridge.operators import audit
from scim_bridge.recording import configurations
from scim_bridge.settings import loading
from scim_bridge.settings.models import Settings
from scim_bridge.store import audit_chain
from scim_bridge.store.engine import Store

ENVIRON = {
    "LMS_KEY": "s3cret-key",
    "OTHER_KEY": "s3cret-other",
    "HEADER": "Company-Id",
    "HIBOB": "s3cret-hibob",
    "HOOK": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0",
}

FILE = """
retention_days = 100
[[notices]]
name = "chat"
url = "https://chat.example.com/hook"
secret = "env:HOOK"
tenants = ["acme"]
[[tenants]]
id = "acme"
[[tenants.sources]]
name = "hr"
kind = "hibob"
secret = "env:HIBOB"
[tenants.sources.fetch]
base_url = "https://api.hibob.com/v1"
user = "service"
secret = "env:HIBOB"
[[tenants.targets]]
name = "lms"
kind = "trakstar"
api_key = "env:LMS_KEY"
on_conflict = "skip"
[[tenants.targets]]
name = "tickle"
kind = "mindtickle"
scim_base_url = "https://admin.mindtickle.com/scim"
company_header = "env:HEADER"
api_key = "env:LMS_KEY"
scim_token = "env:LMS_KEY"
company_id = "env:HIBOB"
webhook_secret = "env:HIBOB"
[[tenants]]
id = "other"
"""


def load(folder: Path, text: str = FILE, *, role: str = "web") -> Settings:
    file = folder / "bridge.toml"
    file.write_text(text)
    return loading.load(file, role=role, environ=ENVIRON)


def entries(store: Store, tenant: str = "acme") -> list[dict[str, Any]]:
    """Return what is audited of a tenant, oldest first."""
    found = audit.list_entries(store, Settings(), what=configurations.WHAT, limit=500)["items"]
    return [each for each in reversed(found) if each["tenant"] == tenant]


def test_each_tenant_has_an_entry_at_first(store: Store, tmp_path: Path) -> None:
    assert configurations.note(store, load(tmp_path), who="web") == 2
    [entry] = entries(store)
    assert (entry["who"], entry["before"], entry["after"]["differs"]) == ("web", None, {})
    told = entry["after"]["settings"]
    assert (told["targets.lms.on_conflict"], told["retention_days"]) == ("skip", 100)
    assert told["notices.chat.url"] == "https://chat.example.com/hook"
    assert told["targets.tickle.company_header"] == "env:HEADER"
    [other] = entries(store, "other")
    assert "notices.chat.url" not in other["after"]["settings"]


def test_every_process_is_told_the_same(store: Store, tmp_path: Path) -> None:
    """Each resolves the secrets of its own role only."""
    configurations.note(store, load(tmp_path, role="web"), who="web")
    for role in loading.Role:
        assert configurations.note(store, load(tmp_path, role=role), who=role) == 0


def test_no_secret_is_in_an_entry_nor_where_it_stands(store: Store, tmp_path: Path) -> None:
    configurations.note(store, load(tmp_path, role="all"), who="web")
    changed = FILE.replace('api_key = "env:LMS_KEY"', 'api_key = "env:OTHER_KEY"', 1)
    configurations.note(store, load(tmp_path, changed, role="all"), who="web")
    first, second = entries(store)
    assert second["after"]["differs"] == {"targets.lms.api_key": "changed"}
    for text in ("s3cret", "Company-Id", "LMS_KEY", "OTHER_KEY"):
        assert text not in str(first)
        assert text not in str(second)


def test_a_difference_tells_what_was_and_is(store: Store, tmp_path: Path) -> None:
    configurations.note(store, load(tmp_path), who="web")
    changed = (
        FILE.replace('on_conflict = "skip"', 'guard = {max = 7}\nmapping = {title = "jobTitle"}')
        .replace('"env:HEADER"', '"both"')
        .replace('[[notices]]\nname = "chat"', '[[notices]]\nname = "pager"')
    )
    assert configurations.note(store, load(tmp_path, changed), who="relay") == 1
    first, second = entries(store)
    differs = second["after"]["differs"]
    assert second["before"] == {"digest": first["after"]["digest"]}
    assert differs["targets.lms.on_conflict"] == {"before": "skip", "after": "update"}
    assert differs["targets.lms.guard.max"] == {"before": 50, "after": 7}
    assert differs["targets.lms.mapping.title"] in {"new", "changed"}
    assert differs["targets.tickle.company_header"] == {"before": "env:HEADER", "after": "both"}
    assert differs["notices.chat.url"] == {"before": "https://chat.example.com/hook"}
    assert differs["notices.pager.secret"] == "new"
    assert differs["notices.chat.secret"] == "gone"
    assert "jobTitle" not in str(second)


def test_a_rule_of_a_mapping_is_told_by_its_name_only(store: Store, tmp_path: Path) -> None:
    configurations.note(store, load(tmp_path), who="web")
    changed = FILE.replace(
        "[tenants.sources.fetch]", '[tenants.sources.mapping]\ntitle = "s3cret || job"\n[tenants.sources.fetch]'
    )
    configurations.note(store, load(tmp_path, changed), who="web")
    assert entries(store)[-1]["after"]["differs"] == {"sources.hr.mapping.title": "changed"}


def test_going_back_is_an_entry_again(store: Store, tmp_path: Path) -> None:
    for text in (FILE, FILE.replace('"skip"', '"hold"'), FILE):
        configurations.note(store, load(tmp_path, text), who="web")
    assert len(entries(store)) == 3


def test_processes_that_start_at_once_record_it_once(store: Store, tmp_path: Path) -> None:
    settings = load(tmp_path)
    barrier = threading.Barrier(6)

    def start() -> None:
        barrier.wait()
        wiring.note_loaded(store, settings, who="web")

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whats = [each["what"] for each in audit.list_entries(store, settings, tenant="acme", limit=500)["items"]]
    assert sorted(set(whats)) == sorted(whats)
    assert configurations.WHAT in whats


def test_an_entry_that_somebody_spoilt_keeps_nobody_from_starting(store: Store, tmp_path: Path) -> None:
    settings = load(tmp_path)
    configurations.note(store, settings, who="web")
    with store.across_tenants("test", write=True) as tx:
        tx.connection.exec_driver_sql("UPDATE audit SET after = '{'")
    assert configurations.note(store, settings, who="web") == 2


def test_an_entry_has_a_place_in_the_chain(store: Store, tmp_path: Path) -> None:
    configurations.note(store, load(tmp_path), who="web")
    with store.across_tenants("test", write=True) as tx:
        assert audit_chain.give_places(tx) == 2
    assert audit.verify(store)["verified"]
