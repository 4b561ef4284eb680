"""A sender that behaves as Okta's SCIM client for the Okta Integration Network does."""

from collections.abc import Collection
from typing import Any, Final
from urllib.parse import quote

from scim_bridge.sandbox.senders.people import Person
from scim_bridge.sandbox.senders.record import LastSent, SentRecord
from scim_bridge.sandbox.senders.wire import ScimWire, SenderError

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

HEADERS: Final = {
    "User-Agent": "Okta SCIM Client 1.0.0",
    "Accept": "application/scim+json",
    # Okta sends it with a GET, too.
    "Content-Type": "application/scim+json; charset=utf-8",
}


class OktaSender:
    """Pushes users and groups as Okta does: looks up before it creates, updates by GET and PUT, never deletes users.

    Every method raises SenderError when the bridge did not accept; `record` then stays as it was.
    `options` go to `ScimWire`.
    """

    def __init__(self, base_url: str, token: str, **options: Any) -> None:
        self._wire = ScimWire(base_url=base_url, token=token, headers=HEADERS, **options)
        self.record = SentRecord()

    @property
    def sent(self) -> dict[str, LastSent]:
        """The last accepted state of every user, by userName."""
        return self.record.users()

    def test_connection(self) -> None:
        """Ask for the first users, as the admin page's button does."""
        self._wire.call("GET", "/Users?startIndex=1&count=2")

    def push_user(self, person: Person) -> LastSent:
        """Assign a person to the application: look up, then create or take over."""
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
                    return self._keep(person, created, active=True)
            return self._put(person, found["id"], active=True)

    def update_user(self, person: Person) -> LastSent:
        """Bring a changed profile over: GET, edit, PUT. Raises KeyError for somebody who was never accepted."""
        with self.record.turn(person.external_id):
            known = self._known(person.external_id)
            return self._put(person, known.id, active=known.active)

    def deactivate(self, user_name: str) -> None:
        """Unassign a person; raises KeyError for somebody who was never accepted."""
        self._set_active(user_name, active=False)

    def reactivate(self, user_name: str) -> None:
        """Assign a person again; raises KeyError for somebody who was never accepted."""
        self._set_active(user_name, active=True)

    def push_group(self, name: str, members: Collection[str]) -> None:
        """Push a group with these members (userNames); raises KeyError for one who was never accepted.

        The first push replaces the members, later ones name what changed.
        """
        wanted = {self.record.named(each).person.external_id for each in members}
        with self.record.turn(f"group {name}"):
            known = self.record.group(name)
            if known is None:
                group_id = self._adopt_group(name)
                listed = [{"value": self._known(each).id} for each in sorted(wanted)]
                operations: list[dict[str, Any]] = [{"op": "replace", "path": "members", "value": listed}]
            else:
                group_id, held = known
                operations = [
                    {"op": "remove", "path": f'members[value eq "{self._known(each).id}"]'}
                    for each in sorted(held - wanted)
                ]
                joining = [{"value": self._known(each).id} for each in sorted(wanted - held)]
                if joining:
                    operations.append({"op": "add", "path": "members", "value": joining})
            named = {"op": "replace", "value": {"id": group_id, "displayName": name}}
            self._wire.call("PATCH", f"/Groups/{group_id}", _patch(named, *operations))
            self.record.keep_group(name, group_id, wanted)

    def unlink_group(self, name: str) -> None:
        """Delete a pushed group; raises KeyError for one that was never accepted."""
        with self.record.turn(f"group {name}"):
            known = self.record.group(name)
            if known is None:
                raise KeyError("this group was never accepted")
            self._wire.call("DELETE", f"/Groups/{known[0]}")
            self.record.forget_group(name)

    def _set_active(self, user_name: str, *, active: bool) -> None:
        known = self.record.named(user_name)
        with self.record.turn(known.person.external_id):
            self._wire.call("PATCH", f"/Users/{known.id}", _patch({"op": "replace", "value": {"active": active}}))
            self.record.set_active(known.person.external_id, active=active)

    def _put(self, person: Person, user_id: str, *, active: bool) -> LastSent:
        current = self._wire.call("GET", f"/Users/{user_id}")
        document = {**current, **self._profile(person), "active": active}
        answer = self._wire.call("PUT", f"/Users/{user_id}", document)
        return self._keep(person, answer, active=active)

    def _keep(self, person: Person, answer: Any, *, active: bool) -> LastSent:
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
            # "Create new user returned empty user" is what Okta's admin would read.
            raise SenderError("POST", "/Users", 200, "the answer holds no user")
        sent = LastSent(
            person=person, document={**self._profile(person), "active": active}, active=active, id=answer["id"]
        )
        self.record.keep(sent)
        return sent

    def _adopt_group(self, name: str) -> str:
        found = self._look_up("/Groups", "displayName", name)
        if found is None:
            found = self._wire.call("POST", "/Groups", {"schemas": [GROUP], "displayName": name, "members": []})
        return str(found["id"])

    def _look_up(self, endpoint: str, attribute: str, value: str) -> dict[str, Any] | None:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        text = quote(f'{attribute} eq "{escaped}"', safe="")
        try:
            listed = self._wire.call("GET", f"{endpoint}?filter={text}&startIndex=1&count=100")
        except SenderError as error:
            if error.status == 404:
                return None
            raise
        resources: list[dict[str, Any]] = listed["Resources"] if listed["totalResults"] else []
        return resources[0] if resources else None

    def _known(self, external_id: str) -> LastSent:
        known = self.record.of(external_id)
        if known is None:
            raise KeyError("nothing was accepted for this person")
        return known

    def _new_document(self, person: Person) -> dict[str, Any]:
        return {
            **self._profile(person),
            "password": f"Simulated-{person.employee_number}",
            "groups": [],
            "active": True,
        }

    def _profile(self, person: Person) -> dict[str, Any]:
        boss = self.record.of(person.manager) if person.manager else None
        manager = {"manager": {"value": boss.id}} if boss else {}
        return {
            "schemas": [USER, ENTERPRISE],
            "userName": person.user_name,
            "name": {"givenName": person.given_name, "familyName": person.family_name},
            "emails": [{"primary": True, "value": person.email, "type": "work"}],
            "displayName": f"{person.given_name} {person.family_name}",
            "title": person.title,
            "locale": "en-US",
            "externalId": f"00u{person.external_id}",
            ENTERPRISE: {"employeeNumber": person.employee_number, "department": person.department, **manager},
        }


def _patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": list(operations)}
