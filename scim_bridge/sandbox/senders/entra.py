"""A sender that behaves as Microsoft Entra's provisioning service does, by default or with its compliance flag."""

from collections.abc import Collection, Iterator
from typing import Any, Final, Literal
from urllib.parse import quote_plus
from uuid import UUID, uuid5

from scim_bridge.sandbox.senders.okta import ENTERPRISE, PATCH_OP, USER
from scim_bridge.sandbox.senders.people import Person
from scim_bridge.sandbox.senders.record import LastSent, SentRecord
from scim_bridge.sandbox.senders.wire import ScimWire, SenderError

ENTRA_GROUP: Final = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
HEADERS: Final = {"Accept": "application/scim+json", "Content-Type": "application/scim+json; charset=utf-8"}
MEMBERS_AT_ONCE: Final = 100

_SPACE = UUID("6d1f1b51-1f1c-4d5e-9a3a-6f0b7f5f9a11")


class EntraSender:
    """Pushes users and groups as Entra does: matches by userName, patches attributes, sets managers in a second pass.

    `dialect` is what the tenant URL asks for: "default" capitalises operations and sends booleans as texts,
    "aadOptscim062020" follows the RFC. Every method raises SenderError when the bridge did not accept; `record` then
    stays as it was. `options` go to `ScimWire`.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        dialect: Literal["default", "aadOptscim062020"] = "default",
        **options: Any,
    ) -> None:
        self._wire = ScimWire(base_url=base_url, token=token, headers=HEADERS, **options)
        self._is_flagged = dialect == "aadOptscim062020"
        self.record = SentRecord()

    @property
    def sent(self) -> dict[str, LastSent]:
        """The last accepted state of every user, by userName."""
        return self.record.users()

    def test_connection(self) -> None:
        """Ask for a user who is not there; raises SenderError for anything but an empty list."""
        stranger = uuid5(_SPACE, "nobody")
        if self._look_up("/Users", "userName", str(stranger)) is not None:
            raise SenderError("GET", "/Users", 200, "a random identifier was found")

    def push_user(self, person: Person) -> LastSent:
        """Bring a person into scope: match by userName, then create or patch; the manager comes after."""
        with self.record.turn(person.external_id):
            found = self._look_up("/Users", "userName", person.user_name)
            if found is None:
                try:
                    created = self._wire.call("POST", "/Users", self._new_document(person))
                except SenderError as error:
                    if error.status != 409:
                        raise
                    found = self._look_up("/Users", "userName", person.user_name)
                    if found is None:
                        raise
                else:
                    sent = self._keep(person, str(created["id"]), active=True)
            if found is not None:
                sent = self._patch_user(person, found["id"], None, active=True)
            self._set_manager(person, sent.id)
            return sent

    def update_user(self, person: Person) -> LastSent:
        """Patch what changed; raises KeyError for somebody who was never accepted."""
        with self.record.turn(person.external_id):
            known = self._known(person.external_id)
            sent = self._patch_user(person, known.id, known.person, active=known.active)
            if person.manager != known.person.manager:
                self._set_manager(person, known.id)
            return sent

    def deactivate(self, user_name: str) -> None:
        """Take a person out of scope (a soft delete); raises KeyError for somebody who was never accepted."""
        self._set_active(user_name, active=False)

    def reactivate(self, user_name: str) -> None:
        """Bring a person back into scope; raises KeyError for somebody who was never accepted."""
        self._set_active(user_name, active=True)

    def push_group(self, name: str, members: Collection[str]) -> None:
        """Bring a group to these members (userNames); raises KeyError for one who was never accepted."""
        wanted = {self.record.named(each).person.external_id for each in members}
        with self.record.turn(f"group {name}"):
            known = self.record.group(name)
            if known is None:
                known = self._adopt_group(name), frozenset()
            group_id, held = known
            self._wire.call("GET", f"/Groups/{group_id}?excludedAttributes=members")
            for operation in self._membership(held, frozenset(wanted)):
                self._wire.call("PATCH", f"/Groups/{group_id}", _patch(operation))
            self.record.keep_group(name, group_id, wanted)

    def _membership(self, held: frozenset[str], wanted: frozenset[str]) -> Iterator[dict[str, Any]]:
        for op, people in (("Add", sorted(wanted - held)), ("Remove", sorted(held - wanted))):
            ids = [self._known(each).id for each in people]
            if self._is_flagged and op == "Remove":
                yield from ({"op": "remove", "path": f'members[value eq "{each}"]'} for each in ids)
                continue
            for start in range(0, len(ids), MEMBERS_AT_ONCE):
                listed = [{"$ref": None, "value": each} for each in ids[start : start + MEMBERS_AT_ONCE]]
                yield {"op": self._op(op), "path": "members", "value": listed}

    def _set_active(self, user_name: str, *, active: bool) -> None:
        known = self.record.named(user_name)
        with self.record.turn(known.person.external_id):
            operation = {"op": self._op("Replace"), "path": "active", "value": self._flag(active=active)}
            if self._is_flagged:
                operation = {"op": "replace", "value": {"active": active}}
            self._wire.call("PATCH", f"/Users/{known.id}", _patch(operation))
            self.record.set_active(known.person.external_id, active=active)

    def _patch_user(self, person: Person, user_id: str, before: Person | None, *, active: bool) -> LastSent:
        values = _values(person)
        changed = values if before is None else {k: v for k, v in values.items() if v != _values(before)[k]}
        if before is None:
            changed = {**changed, "active": self._flag(active=active)}
        if changed:
            operations = [{"op": self._op("Replace"), "path": path, "value": value} for path, value in changed.items()]
            if self._is_flagged:
                operations = [{"op": "replace", "value": changed}]
            self._wire.call("PATCH", f"/Users/{user_id}", _patch(*operations))
        return self._keep(person, user_id, active=active)

    def _set_manager(self, person: Person, user_id: str) -> None:
        """Set the manager when the bridge knows them and says that they are not yet set."""
        boss = self.record.of(person.manager) if person.manager else None
        if boss is None:
            return
        text = quote_plus(f'id eq "{user_id}" and manager eq "{boss.id}"')
        if self._wire.call("GET", f"/Users?filter={text}&attributes=id")["totalResults"]:
            return
        operation = {"op": self._op("Add"), "path": f"{ENTERPRISE}:manager", "value": boss.id}
        self._wire.call("PATCH", f"/Users/{user_id}", _patch(operation))

    def _keep(self, person: Person, user_id: str, *, active: bool) -> LastSent:
        sent = LastSent(person=person, document={**_values(person), "active": active}, active=active, id=user_id)
        self.record.keep(sent)
        return sent

    def _adopt_group(self, name: str) -> str:
        found = self._look_up("/Groups", "displayName", name)
        if found is None:
            document = {
                "schemas": [GROUP, ENTRA_GROUP],
                "externalId": str(uuid5(_SPACE, name)),
                "displayName": name,
                "meta": {"resourceType": "Group"},
            }
            found = self._wire.call("POST", "/Groups", document)
        return str(found["id"])

    def _look_up(self, endpoint: str, attribute: str, value: str) -> dict[str, Any] | None:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        text = quote_plus(f'{attribute} eq "{escaped}"')
        listed = self._wire.call("GET", f"{endpoint}?filter={text}")
        resources: list[dict[str, Any]] = listed.get("Resources", [])
        return resources[0] if resources else None

    def _known(self, external_id: str) -> LastSent:
        known = self.record.of(external_id)
        if known is None:
            raise KeyError("nothing was accepted for this person")
        return known

    def _op(self, name: str) -> str:
        return name.lower() if self._is_flagged else name

    def _flag(self, *, active: bool) -> object:
        return active if self._is_flagged else str(active)

    def _new_document(self, person: Person) -> dict[str, Any]:
        return {
            "schemas": [USER, ENTERPRISE],
            "externalId": str(uuid5(_SPACE, person.external_id)),
            "userName": person.user_name,
            "active": True,
            "emails": [{"primary": True, "type": "work", "value": person.email}],
            "meta": {"resourceType": "User"},
            "name": {
                "formatted": f"{person.given_name} {person.family_name}",
                "familyName": person.family_name,
                "givenName": person.given_name,
            },
            "displayName": f"{person.given_name} {person.family_name}",
            "title": person.title,
            "roles": [],
            ENTERPRISE: {"employeeNumber": person.employee_number, "department": person.department},
        }


def _values(person: Person) -> dict[str, Any]:
    """Return what is patched of a person, by the path that Entra's default mapping uses."""
    return {
        "userName": person.user_name,
        "displayName": f"{person.given_name} {person.family_name}",
        "title": person.title,
        'emails[type eq "work"].value': person.email,
        "name.givenName": person.given_name,
        "name.familyName": person.family_name,
        f"{ENTERPRISE}:employeeNumber": person.employee_number,
        f"{ENTERPRISE}:department": person.department,
    }


def _patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": list(operations)}
