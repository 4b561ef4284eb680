"""User to record: what a target should hold of a person, by the target's [mapping], [fields] and [groups]."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scim_bridge.domain.people import Person, Problem, Record
from scim_bridge.mapping.expressions import Expression, ExpressionFailed, faults_of
from scim_bridge.settings.models import FieldSettings, GroupSettings

EVERY_GROUP = "*"
"""The key of [groups] that stands for every group which is not named itself."""


def check_mapping(mapping: Mapping[str, str]) -> list[str]:
    """Return a sentence for each expression of a [mapping] that cannot be read, with field and place."""
    return faults_of(mapping)


def places_of(groups: Mapping[str, GroupSettings], display_name: str) -> GroupSettings | None:
    """Return what a directory group stands for by [groups], None when it stands for nothing."""
    settings = groups.get(display_name, groups.get(EVERY_GROUP))
    if settings is None or settings.group is None:
        return settings
    return settings.model_copy(update={"group": settings.group.replace("{displayName}", display_name)})


def target_group(groups: Mapping[str, GroupSettings], display_name: str) -> str | None:
    """Return the name of the target's group that a directory group stands for, None when there is none."""
    place = places_of(groups, display_name)
    return place.group if place is not None and place.group else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What a field must be like."""

    required: bool
    max_length: int | None
    pattern: re.Pattern[str] | None
    shortens: bool

    def apply(self, field: str, value: Any) -> Any | Problem:
        """Return the value as it may be sent, or why it may not."""
        if value is None:
            if self.required:
                return Problem(code="missing_field", field=field, detail=f"{field} is required and has no value")
            return None
        if self.max_length is not None and isinstance(value, str) and len(value) > self.max_length:
            if not self.shortens:
                detail = f"{field} has {len(value)} characters; {self.max_length} is the most"
                return Problem(code="too_long", field=field, detail=detail)
            value = value[: self.max_length].rstrip()
        if self.pattern is not None and isinstance(value, str) and not self.pattern.fullmatch(value):
            return Problem(
                code="invalid_value", field=field, detail=f"{field} is not of the form that the target takes"
            )
        return value


_NO_WAY: tuple[None, None] = (None, None)
"""Of a field that the mapping does not fill."""


class RecordMapping:
    """A target's [mapping], [fields] and [groups], compiled. Immutable and safe to share between threads."""

    def __init__(
        self,
        mapping: Mapping[str, str],
        fields: Mapping[str, FieldSettings] | None = None,
        groups: Mapping[str, GroupSettings] | None = None,
    ) -> None:
        """Compile.

        Raises:
            ExpressionRefused: when an expression cannot be read; `check_mapping` names them all.
        """
        self._expressions = {field: Expression(text) for field, text in mapping.items()}
        self._rules = {field: _rule(settings) for field, settings in (fields or {}).items()}
        self._fields = tuple(dict.fromkeys((*self._expressions, *self._rules)))
        # What is done for each person, without a look-up for each field of each.
        self._ways = {field: (self._expressions.get(field), self._rules.get(field)) for field in self._fields}
        self._groups = dict(groups or {})

    def record_of(self, person: Person) -> Record | Problem:
        """Return what the target should hold of a person.

        Who is deleted or inactive always gets a record, with the attributes that could be made: trouble with a
        leaver's data must never keep the leaver's account open. Empty values are left out.
        """
        active = not person.deleted and _is_active(person.document)
        attributes, problem = self._evaluate(person.document, self._fields)
        if problem is not None and active:
            return problem
        places = [place for name in person.groups if (place := places_of(self._groups, name)) is not None]
        required = frozenset(course for place in places for course in place.required_courses)
        return Record(
            active=active,
            attributes=attributes,
            groups=frozenset(place.group for place in places if place.group),
            courses=frozenset(course for place in places for course in place.courses) - required,
            required_courses=required,
        )

    def readable(self, person: Person, *fields: str) -> dict[str, Any]:
        """Return some attributes (none named: all) of a person, as far as they can be made: also of a rule-breaker."""
        return self._evaluate(person.document, fields or self._fields)[0]

    def _evaluate(self, document: Mapping[str, Any], fields: Iterable[str]) -> tuple[dict[str, Any], Problem | None]:
        """Return the attributes that can be made, and the first problem met."""
        attributes: dict[str, Any] = {}
        first: Problem | None = None
        for field in fields:
            expression, rule = self._ways.get(field, _NO_WAY)
            try:
                value = expression.value_in(document) if expression is not None else None
            except ExpressionFailed as exc:
                detail = f"the expression of {field} failed: {exc}"
                first = first or Problem(code="mapping_failed", field=field, detail=detail)
                continue
            if _is_empty(value):
                value = None
            if rule is not None:
                value = rule.apply(field, value)
                if isinstance(value, Problem):
                    first = first or value
                    continue
            if value is not None:
                attributes[field] = value
        return attributes, first


def _rule(settings: FieldSettings) -> _Rule:
    return _Rule(
        required=settings.required,
        max_length=settings.max_length,
        pattern=re.compile(settings.pattern) if settings.pattern is not None else None,
        shortens=settings.on_too_long == "shorten",
    )


def _is_active(document: Mapping[str, Any]) -> bool:
    # Entra sends "False" as text; a document that was stored so must not keep a leaver active.
    active = document.get("active", True)
    return active.strip().casefold() != "false" if isinstance(active, str) else active is not False


def _is_empty(value: Any) -> bool:
    if value.__class__ is str:
        return not value or value.isspace()
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())
