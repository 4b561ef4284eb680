"""Each person of a replay before and after: what the target is known to hold, and what it is to hold.

What a call changes is decided when it is made; this shows what that is by the present directory and mapping.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scim_bridge.domain.people import Person, Problem, Record
from scim_bridge.mapping.records import RecordMapping
from scim_bridge.recording import scopes
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.settings.models import Settings, TargetSettings
from scim_bridge.store import due, histories, plan_items
from scim_bridge.store.engine import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lens:
    """How the directory looks from one target."""

    settings: TargetSettings
    records: RecordMapping
    scope: TargetScope

    def desired(self, person: Person) -> Record | Problem:
        """Return what the target is to hold of a person."""
        record = self.records.record_of(person)
        is_out = not person.deleted and not self.scope.takes(person.document)
        if isinstance(record, Problem):
            return Record(active=False, attributes={}) if is_out else record
        return Record(
            active=record.active and not is_out,
            attributes={name: self._as_kept(name, value) for name, value in record.attributes.items()},
            groups=record.groups,
            courses=record.courses,
            required_courses=record.required_courses,
        )

    def _as_kept(self, name: str, value: Any) -> Any:
        """Return a value in the form in which a target keeps it, so that the same looks the same."""
        codes = self.settings.options.get("permissions") if name == "permissions" else None
        if isinstance(codes, Mapping):
            by_name = {str(each).casefold(): code for each, code in codes.items()}
            return by_name.get(str(value).strip().casefold(), value)
        return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def page(tx: Transaction, settings: Settings, number: int, *, after: int, limit: int) -> dict[str, Any]:
    """Return some people of a plan of the tenant, those behind the operation `after`, and where the next ones begin.

    Values of people are in it: it is for those who may see them.
    """
    rows = plan_items.page(tx, number, after=after, limit=limit + 1)
    shown = rows[:limit]
    people = {person.operation_id: person for person in due.people_of(tx, [row["operation_id"] for row in shown])}
    tenant = settings.tenant(tx.tenant or "")
    lenses = {} if tenant is None else {target.name: _lens(target) for target in tenant.targets}
    items = [_shown(row, people[row["operation_id"]], lenses.get(row["target"])) for row in shown]
    return {"items": items, "next": items[-1]["operation"] if len(rows) > limit else None}


def _lens(target: TargetSettings) -> _Lens:
    return _Lens(
        settings=target,
        records=RecordMapping(target.mapping, target.fields, target.groups),
        scope=scopes.scope_of(target),
    )


def _shown(row: Mapping[str, Any], person: Person, lens: _Lens | None) -> dict[str, Any]:
    known = person.link.known
    told: dict[str, Any] = {
        "operation": person.operation_id,
        "target": row["target"],
        "kind": person.kind,
        "id": person.scim_id,
        "user": histories.label_of(person.document),
        "is_deleted": person.deleted,
        "code": row["reason"],
        "state": row["state"],
        "account": person.link.account_id,
        "before": None if known is None else _parts(known),
        "after": None,
        "refused": None,
        "changes": [],
    }
    if lens is None:
        return {**told, "does": "not_configured"}
    if person.kind != "User":
        return {**told, "does": "group"}
    desired = lens.desired(person)
    if isinstance(desired, Problem):
        refused = {"code": desired.code, "field": desired.field, "detail": desired.detail}
        return {**told, "does": "refused", "refused": refused}
    told["after"] = _parts(desired)
    if not _is_told(person, lens):
        return {**told, "does": "out_of_scope"}
    changes = [] if known is None else _changes(known, desired, mapped=lens.settings.mapping)
    return {**told, "changes": changes, "does": _step(person, desired, changes, lens.settings)}


def _is_told(person: Person, lens: _Lens) -> bool:
    """Tell whether the target is told of somebody: who is out of scope may be left there as they are."""
    stays = lens.settings.on_unscope == "keep" and not person.deleted and person.document.get("active", True)
    return not (stays and not lens.scope.takes(person.document))


def _step(person: Person, desired: Record, changes: list[str], target: TargetSettings) -> str:
    """Return what is done first: one word, for programs too."""
    known = person.link.known
    if target.mode == "dry-run":
        return "dry_run"
    if person.link.doubt is not None or (known is None and not desired.active):
        return "look_up"
    if known is None:
        return "create"
    if not changes:
        return "nothing"
    if known.active != desired.active:
        return "reactivate" if desired.active else "deactivate"
    return "update"


def _changes(known: Record, desired: Record, *, mapped: Mapping[str, str]) -> list[str]:
    """Return which parts differ, as delivery reckons it: of somebody who is to be out, nothing but the status."""
    if not desired.active:
        return ["status"] if known.active else []
    parts = [] if known.active else ["status"]
    parts += [name for name in sorted(mapped) if _differs(known.attributes, desired.attributes, name)]
    parts += ["groups"] if known.groups != desired.groups else []
    courses = (desired.courses - known.courses) | (desired.required_courses - known.required_courses)
    return [*parts, "courses"] if courses else parts


def _differs(held: Mapping[str, Any], wanted: Mapping[str, Any], name: str) -> bool:
    if name not in wanted:
        return name in held
    return bool(held.get(name) != wanted[name] and str(held.get(name)) != str(wanted[name]))


def _parts(record: Record) -> dict[str, Any]:
    return {
        "active": record.active,
        "attributes": dict(record.attributes),
        "groups": sorted(record.groups),
        "courses": sorted(record.courses | record.required_courses),
    }
