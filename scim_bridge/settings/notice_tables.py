"""Reads the [[notices]] tables: who is told, and what is wrong with any of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr, ValidationError

from scim_bridge.domain import signing
from scim_bridge.settings import addresses, files, references
from scim_bridge.settings.notices import NoticeSettings
from scim_bridge.settings.problems import Findings, dotted

PART = "notices"

_IN_LINK = {"tenant": "", "target": "", "kind": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads the tables of the main file. `gives_secrets` tells whether this process is given what they refer to."""

    place: files.Place
    environ: Mapping[str, str]
    findings: Findings
    gives_secrets: bool
    tenants: Collection[str]
    """The tenants that the configuration names."""

    def read_all(self, tables: Any) -> list[NoticeSettings]:
        """Return all receivers that can be used; what is wrong with any is a finding."""
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._add(PART, "must be [[notices]] tables")
            return []
        names = [table["name"] for table in tables if isinstance(table.get("name"), str)]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._add(PART, f"{name} is there twice")
        found = [self._read(dotted(PART, number), table) for number, table in enumerate(tables)]
        return [each for each in found if each is not None]

    def _read(self, prefix: str, table: Mapping[str, Any]) -> NoticeSettings | None:
        secret = self._secret(dotted(prefix, "secret"), table)
        try:
            receiver = NoticeSettings(**{**table, "secret": secret})
        except ValidationError as error:
            self.findings.add_invalid(self.place.file, prefix, error, NoticeSettings.model_fields)
            return None
        receiver.note_references({"secret": references.of_secret(table.get("secret"))})
        if not files.is_plain(receiver.name):
            self._add(dotted(prefix, "name"), "must be letters, digits, - or _")
        if problem := addresses.problem_with_target(receiver.url):
            self._add(dotted(prefix, "url"), problem)
        for name in receiver.tenants:
            if name not in self.tenants:
                self._add(dotted(prefix, "tenants"), f"there is no tenant {name}")
        if receiver.link is not None and not _is_link(receiver.link):
            self._add(dotted(prefix, "link"), "must be an address; it may hold {tenant}, {target} and {kind}")
        return receiver

    def _secret(self, key: str, table: Mapping[str, Any]) -> SecretStr | None:
        value = table.get("secret")
        if value in (None, ""):
            self._add(key, "is missing; without it nobody could tell that a notice is ours")
            return None
        if not references.is_reference(value):
            if not isinstance(value, str) or not addresses.is_loopback_url(str(table.get("url", ""))):
                self._add(key, "is a secret: give it as env:NAME or file:PATH")
                return None
            return self._checked(key, value)
        if not self.gives_secrets:
            return None
        try:
            return self._checked(key, references.resolve(str(value), self.place, self.environ))
        except references.Unresolved as error:
            self._add(key, str(error))
            return None

    def _checked(self, key: str, secret: str) -> SecretStr | None:
        try:
            signing.key_of(secret)
        except ValueError as error:
            self._add(key, str(error))
            return None
        return SecretStr(secret)

    def _add(self, key: str, text: str) -> None:
        self.findings.add(self.place.file, key, text)


def _is_link(text: str) -> bool:
    try:
        return addresses.problem_with_link(text.format(**_IN_LINK)) is None
    except (ValueError, LookupError, AttributeError):
        return False
