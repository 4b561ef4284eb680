"""Where the value of an attribute is: a column, a key of the folded document, or the rows of `member`."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import isclass
from typing import Any

import sqlalchemy as sa
from scim2_models import AttributeBinding, BaseModel, ComplexAttribute
from sqlalchemy.dialects.postgresql import JSONB

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.store import tables
from scim_bridge.store.search import outlines

Expression = sa.ColumnElement[Any]
resource, member = tables.resource, tables.member

_INDEXED = {"id": "scim_id", "externalId": "external_id", "displayName": "display_key", "userName": "unique_key"}
_REQUIRED = {(USER, "scim_id"), (GROUP, "scim_id"), (USER, "unique_key"), (GROUP, "display_key")}
_INSTANTS = {"created": resource.c.created_at, "lastModified": resource.c.modified_at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One value of a resource. `kind` tells what it is compared as: text, instant (milliseconds) or flag (0 or 1)."""

    expression: Expression
    kind: str = "text"
    indexed_as: str | None = None
    """The column of `resource` that holds it and has an index."""
    may_miss: bool = True
    """Some living resources may not have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """The values of a multi-valued attribute, as rows. `is_absent` holds where the resource has none."""

    rows: Any
    condition: Expression
    order: tuple[Expression, ...]
    is_absent: Expression
    sub: Callable[[str], Scalar]

    def any_where(self, condition: Expression) -> Expression:
        """Return the condition that at least one element satisfies another."""
        return (
            sa.exists(sa.select(sa.literal(1)).select_from(self.rows).where(self.condition, condition))
            .correlate(resource)
            .self_group()
        )


class Columns:
    """The places of one resource type's attributes, in one database's SQL."""

    def __init__(self, kind: str, dialect: str) -> None:
        """Name the resource type and the dialect, 'sqlite' or 'postgresql'."""
        self._kind = kind
        self._dialect = dialect
        self._aliases = 0

    def scalar(self, binding: AttributeBinding, sub: str | None) -> Scalar:
        """Return the place of a single-valued attribute; `sub` is the sub-attribute's SCIM name."""
        head = outlines.key_of(binding)
        own = self._own_column(head, sub)
        if own is not None:
            return own
        return Scalar(expression=self._member_of(resource.c.folded, head if sub is None else f"{head}.{sub}"))

    def elements(self, binding: AttributeBinding) -> Elements:
        """Return the values of a multi-valued attribute."""
        head = outlines.key_of(binding)
        if (self._kind, head) == (GROUP, "members"):
            return self._memberships(own=member.c.group_id, other=member.c.user_id, endpoint="Users", type_="user")
        if (self._kind, head) == (USER, "groups"):
            return self._memberships(own=member.c.user_id, other=member.c.group_id, endpoint="Groups", type_="direct")
        return self._json_elements(head)

    def _own_column(self, head: str, sub: str | None) -> Scalar | None:
        if head == "meta":
            return self._meta(sub)
        if head == "active":
            return Scalar(expression=resource.c.active, kind="flag", may_miss=False)
        name = _INDEXED.get(head)
        if name is None:
            return None
        may_miss = (self._kind, name) not in _REQUIRED
        return Scalar(expression=resource.c[name], indexed_as=name, may_miss=may_miss)

    def _meta(self, sub: str | None) -> Scalar:
        if sub in _INSTANTS:
            return Scalar(expression=_INSTANTS[sub], kind="instant", may_miss=False)
        if sub == "resourceType":
            return Scalar(expression=resource.c.kind, may_miss=False)
        if sub == "version":
            version = sa.cast(resource.c.version, sa.Text)
            return Scalar(expression=sa.literal('W/"').op("||")(version).op("||")(sa.literal('"')))
        # The location is the front door's to know.
        return Scalar(expression=sa.cast(sa.null(), sa.Text))

    def _json_elements(self, key: str) -> Elements:
        self._aliases += 1
        name = f"each_{self._aliases}"
        if self._dialect == "sqlite":
            rows = sa.func.json_each(resource.c.folded, _json_path(key)).table_valued("key", "value", name=name)
            position, value = rows.c.key, rows.c.value
            absent = sa.func.json_type(resource.c.folded, _json_path(key)).is_(None)
        else:
            array = sa.cast(resource.c.folded, JSONB)[key]
            rows = sa.func.jsonb_array_elements(array).table_valued(
                sa.column("value", JSONB), with_ordinality="key", name=name
            )
            rows = rows.render_derived()
            position, value = rows.c.key, rows.c.value
            absent = array.is_(None)
        return Elements(
            rows=rows,
            condition=sa.true(),
            order=(sa.case((self._member_of(value, "primary") == "true", 0), else_=1), position),
            is_absent=absent,
            sub=lambda sub: Scalar(expression=self._member_of(value, sub)),
        )

    def _memberships(self, *, own: Expression, other: Expression, endpoint: str, type_: str) -> Elements:
        self._aliases += 1
        end = resource.alias(f"end_{self._aliases}")
        places = {
            "value": end.c.scim_id,
            "$ref": sa.literal(f"{endpoint}/").op("||")(end.c.scim_id),
            "type": sa.literal(type_),
            "display": end.c.display_key if endpoint == "Groups" else sa.cast(sa.null(), sa.Text),
        }
        rows = member.join(end, end.c.id == other)
        condition = own == resource.c.id
        return Elements(
            rows=rows,
            condition=condition,
            order=(other,),
            is_absent=~sa.exists(sa.select(sa.literal(1)).select_from(member).where(condition)).correlate(resource),
            sub=lambda sub: Scalar(expression=places.get(sub, sa.cast(sa.null(), sa.Text))),
        )

    def _member_of(self, document: Expression, key: str) -> Expression:
        """Return the text under a key of a JSON object, NULL where there is none."""
        if self._dialect == "sqlite":
            return sa.func.json_extract(document, _json_path(key), type_=sa.Text)
        text: Expression = sa.cast(document, JSONB)[key].astext
        return text


def sub_names(binding: AttributeBinding) -> list[str]:
    """Return the SCIM names of a complex attribute's sub-attributes; of a plain one, `value` stands for itself."""
    model = binding.field_type
    if isclass(model) and issubclass(model, ComplexAttribute):
        return [name_of(model, field) for field in model.model_fields]
    return ["value"]


def is_complex(binding: AttributeBinding) -> bool:
    """Tell whether the head attribute has sub-attributes."""
    return isclass(binding.field_type) and issubclass(binding.field_type, ComplexAttribute)


def name_of(model: type[BaseModel], field_name: str) -> str:
    """Return the SCIM name of a field."""
    return model._scim_name(field_name)  # noqa: SLF001 - the library has no public way to ask


def in_code_point_order(value: Expression, dialect: str) -> Expression:
    """Return a text so that it is ordered by its code points, as Python and SQLite order it."""
    return value if dialect == "sqlite" else sa.collate(value, "C")


def _json_path(key: str) -> str:
    # Keys come from the schema, never from a request, and hold no quotes.
    return f'$."{key}"'
