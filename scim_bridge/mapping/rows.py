"""Row to person: whom a row of an HR system describes, by its source's [mapping]. Pure, compiled once."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scim_bridge.domain.catalogue import code_named
from scim_bridge.domain.instants import Millis
from scim_bridge.domain.rows import Person, Refusal, Row
from scim_bridge.domain.texts import is_storable
from scim_bridge.mapping import attributes, reading
from scim_bridge.mapping.attributes import Role
from scim_bridge.mapping.dates import Dates, ImpossibleDate
from scim_bridge.mapping.expressions import Expression, ExpressionFailed
from scim_bridge.settings.sources import SourceSettings

LONGEST_ID = 320
"""Characters of an id of the source's; a longer one is none."""

_EVERY_OTHER = "*"
"""In active_values and inactive_values: whatever the other list does not name."""

_NAMES = ("name.givenName", "name.familyName", "name.formatted", "displayName")
"""Attributes of which a person must have one to have a name."""


class _Unfit(Exception):  # noqa: N818 - it says what a value is
    """A value that cannot be used; carries the code. Holds no value."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """How one attribute is filled."""

    attribute: str
    expression: Expression
    taken: Callable[[Any], Any]
    """Makes of what was found what is stated (None: there is none). Raises _Unfit."""
    place: tuple[str, ...]
    """Where in the document it stands; nowhere when it is part of the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one rule did with a row, for `mapping try`."""

    attribute: str
    expression: str
    fields: tuple[str, ...]
    """The row's fields that it reads, as paths."""
    found: Any
    """What the expression found."""
    value: Any
    """What was made of it."""
    states: bool
    """Whether the row states it; else it stays as it was."""
    refusal: Refusal | None


class RowMapping:
    """A source's [mapping], compiled. Immutable and safe to share between threads."""

    def __init__(self, source: SourceSettings) -> None:
        """Compile.

        Raises:
            ExpressionRefused: when an expression cannot be read; loading settings names them all.
        """
        self._dates = Dates(source.timezone, source.date_format)
        self._active, self._inactive = _folded(source.active_values), _folded(source.inactive_values)
        self._texts = dict(source.mapping)
        expressions = {name: Expression(text) for name, text in source.mapping.items()}
        self._id = expressions.get(Role.ID)
        self._said_at = expressions.get(Role.SAID_AT)
        self._rules = tuple(
            self._rule(name, expression)
            for name, expression in expressions.items()
            if name not in {Role.ID, Role.SAID_AT}
        )
        self._wanted = _wanted(expressions).branches
        self.fields: frozenset[str] = frozenset(self._wanted)
        """The row's outermost fields that the mapping reads; nothing else passes the door."""
        self.digest: str = _digest_of(source)
        """Another one when rows that are the same would describe people differently."""

    def only(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return of what came in only what the mapping reads, also within tables: the rest is never kept or logged."""
        return {
            name: value if type(value := raw[name]) is str and not tree.branches else tree.pruned(value)
            for name, tree in self._wanted.items()
            if name in raw
        }

    def id_of(self, fields: Mapping[str, Any]) -> str:
        """Return the source's id of the person, as written (leading zeros stay); empty where there is none."""
        try:
            found = "" if self._id is None else _text(self._id.value_in(fields)) or ""
        except (ExpressionFailed, _Unfit):
            return ""
        # Ids are looked up by an index, which takes no text of any length.
        return found if len(found) <= LONGEST_ID else ""

    @property
    def is_dated(self) -> bool:
        """Tell whether rows say themselves when they were changed."""
        return self._said_at is not None

    def said_at_of(self, fields: Mapping[str, Any]) -> Millis | None:
        """Return when the source says that it changed the person; None where it does not."""
        try:
            return None if self._said_at is None else self._dates.instant_of(self._said_at.value_in(fields))
        except ExpressionFailed:
            return None

    def person_of(self, row: Row) -> Person | Refusal:
        """Return whom a row describes, or why nobody.

        A row that is not whole states only what it names; one that only says that something changed states nothing.
        Whoever left is described as far as can be: trouble with a leaver's data never keeps the leaver active.
        Complex attributes are stated by their sub-attributes: {"name": {"givenName": "Ann", "familyName": None}}.
        """
        if not row.external_id:
            return _refusal("row_without_id", Role.ID, "")
        if row.needs_fetch or row.is_gone:
            active = False if row.is_gone else None
            return Person(
                external_id=row.external_id, document={}, active=active, says_start=row.is_gone, says_end=row.is_gone
            )
        stated: dict[str, Any] = {}
        document: dict[str, Any] = {"externalId": row.external_id}
        refusal: Refusal | None = None
        for rule in self._rules:
            try:
                value = rule.taken(rule.expression.value_in(row.fields))
            except (ExpressionFailed, _Unfit) as exc:
                refusal = refusal or _refused(rule, exc)
                continue
            if not row.is_whole and not _is_stated(rule, value, row.fields):
                continue
            stated[rule.attribute] = value
            _put(document, rule.place, value)
        has_left = stated.get(Role.ACTIVE) is False
        if refusal is None:
            refusal = _lack(stated, row_is_whole=row.is_whole)
        if refusal is not None:
            if not has_left:
                return refusal
            _forget_blanks(document)
        return Person(
            external_id=row.external_id,
            document=document,
            active=stated.get(Role.ACTIVE),
            starts_at=stated.get(Role.STARTS),
            ends_at=stated.get(Role.ENDS),
            says_start=row.is_whole or Role.STARTS in stated,
            says_end=row.is_whole or Role.ENDS in stated,
            manager_id=_manager_of(row, stated),
        )

    def told(self, row: Row) -> Iterator[Told]:
        """Yield what each rule does with a row, in the mapping's order."""
        for rule in self._rules:
            found = value = refusal = None
            try:
                found = rule.expression.value_in(row.fields)
                value = rule.taken(found)
            except (ExpressionFailed, _Unfit) as exc:
                refusal = _refused(rule, exc)
            yield Told(
                attribute=rule.attribute,
                expression=self._texts[rule.attribute],
                fields=tuple(sorted(".".join(path) for path in rule.expression.reads.paths)),
                found=found,
                value=value,
                states=refusal is None and (row.is_whole or _is_stated(rule, value, row.fields)),
                refusal=refusal,
            )

    def _rule(self, attribute: str, expression: Expression) -> _Rule:
        taken: Callable[[Any], Any] = _text
        if attribute == Role.ACTIVE:
            taken = self._status
        elif attribute == Role.STARTS:
            taken = _dated(self._dates.beginning_of)
        elif attribute == Role.ENDS:
            taken = _dated(self._dates.end_of)
        elif attribute in attributes.MULTI_VALUED:
            taken = _values if not attributes.MULTI_VALUED[attribute] else _values_with_primary
        return _Rule(attribute, expression, taken, attributes.PLACES.get(attribute, ()))

    def _status(self, found: Any) -> bool | None:
        text = str(found) if isinstance(found, bool) else _text(found)
        if text is None:
            return None
        # Also of a truth: where a field tells who has left, true is among the inactive values.
        folded = text.strip().casefold()
        if folded in self._active:
            return True
        if folded in self._inactive:
            return False
        if isinstance(found, bool):
            return found
        if _EVERY_OTHER in self._active:
            return True
        if _EVERY_OTHER in self._inactive:
            return False
        raise _Unfit("unknown_status")


def _wanted(expressions: Mapping[str, Expression]) -> reading.Tree:
    """Return what the expressions want of a row: a table is never wanted whole where only text is of use."""
    tree = reading.Tree()
    for name, expression in expressions.items():
        for path in expression.reads.taken:
            tree.add(path, reading.Want.ALL)
        for path in expression.reads.found:
            tree.add(path, reading.Want.ALL if name in attributes.MULTI_VALUED else reading.Want.PLAIN)
    return tree


def _folded(values: list[str]) -> frozenset[str]:
    return frozenset(value.strip().casefold() for value in values)


def _digest_of(source: SourceSettings) -> str:
    said = source.model_dump(include={"mapping", "timezone", "date_format", "active_values", "inactive_values"})
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _text(found: Any) -> str | None:
    """Return a value as text, exactly as it was written; None where there is none."""
    if isinstance(found, str):
        if not is_storable(found):
            raise _Unfit("invalid_value")
        return found if found and not found.isspace() else None
    if found is None or found in ([], {}):
        return None
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise _Unfit("invalid_value")
    return str(int(found)) if found == found // 1 else str(found)


def _values(found: Any) -> list[dict[str, Any]] | None:
    """Return the values of a multi-valued attribute; a text is the one for work."""
    if not isinstance(found, list):
        text = _text(found)
        return None if text is None else [{"value": text, "type": "work"}]
    values = []
    for each in found:
        parts = each if isinstance(each, Mapping) else {"value": each}
        text = _text(parts.get("value"))
        if text is not None:
            kept = {name: _text(parts[name]) for name in ("type", "display") if parts.get(name)}
            values.append({"value": text, "type": "work", **kept})
    return values or None


def _values_with_primary(found: Any) -> list[dict[str, Any]] | None:
    values = _values(found)
    if values is None:
        return None
    chosen = next((each for each in values if each["type"] == "work"), values[0])
    return [{**each, "primary": True} if each is chosen else each for each in values]


def _dated(read: Callable[[object], Millis | None]) -> Callable[[Any], Millis | None]:
    def taken(found: Any) -> Millis | None:
        try:
            return read(found)
        except ImpossibleDate:
            pass
        raise _Unfit("impossible_date")

    return taken


def _put(document: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    if len(place) == 1:
        document[place[0]] = value
    elif place:
        document.setdefault(place[0], {})[place[1]] = value


def _is_stated(rule: _Rule, value: Any, fields: Mapping[str, Any]) -> bool:
    """Tell whether a row that is not whole states an attribute: it names a field and there is a value, or all fields.

    Of `preferredName || firstName` an event about one of the two must not blank the other.
    """
    named = (reading.is_named(fields, path) for path in rule.expression.reads.paths)
    return any(named) if value is not None else all(named) and bool(rule.expression.reads.paths)


def _lack(stated: Mapping[str, Any], *, row_is_whole: bool) -> Refusal | None:
    """Return why a row describes nobody although everything in it can be read."""
    if (row_is_whole or "userName" in stated) and stated.get("userName") is None:
        return _refusal("missing_field", "userName", "")
    named = [name for name in _NAMES if name in stated]
    if (row_is_whole or len(named) == len(_NAMES)) and all(stated[name] is None for name in named):
        return _refusal("row_without_name", "name", "")
    return None


def _forget_blanks(document: dict[str, Any]) -> None:
    """Take out what a leaver's row should have said and did not: who they were stays as it is known."""
    for name in ("userName", "displayName", "name"):
        value = document.get(name)
        if value is None or (isinstance(value, dict) and not any(value.values())):
            document.pop(name, None)


def _manager_of(row: Row, stated: Mapping[str, Any]) -> str | None:
    if Role.MANAGER not in stated:
        return None
    manager: str | None = stated[Role.MANAGER]
    # Who is their own manager has none: some systems write the head of the company so.
    return "" if manager is None or manager == row.external_id or len(manager) > LONGEST_ID else manager


def _refused(rule: _Rule, exc: Exception) -> Refusal:
    code = str(exc) if isinstance(exc, _Unfit) else "mapping_failed"
    read = ", ".join(sorted({path[0] for path in rule.expression.reads.paths if path}))
    return _refusal(code, rule.attribute, read)


def _refusal(code: str, field: str, read: str) -> Refusal:
    where = f" It is read from {read}." if read else ""
    return Refusal(code=code, field=str(field), advice=f"{code_named(code).advice}{where}")
