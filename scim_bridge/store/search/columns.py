"""Where the value of an attribute is: a column, a key of the folded document, or the rows of `member`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from inspect import isclass
from typing import Any

import sqlalchemy as sa
from scim2_models import AttributeBinding, BaseModel, ComplexAttribute
from sqlalchemy.dialects.postgresql import JSONB

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.store import tables
from scim_bridge.store.search import folding

Expression = sa.ColumnElement[Any]
resource, member = tables.resource, tables.member

_INSTANTS = {"created": resource.c.created_at, "lastModified": resource.c.modified_at}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOLEANS = {True: "true", False: "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One value of a resource. `kind` tells what it is compared as: text, or instant (milliseconds)."""

    expression: Expression
    kind: str = "text"


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
        head = folding.key_of(binding)
        own = self._own_column(head, sub)
        if own is not None:
            return own
        return Scalar(expression=self._member_of(resource.c.folded, head if sub is None else f"{head}.{sub}"))

    def elements(self, binding: AttributeBinding) -> Elements:
        """Return the values of a multi-valued attribute."""
        head = folding.key_of(binding)
        if (self._kind, head) == (GROUP, "members"):
            return self._memberships(own=member.c.group_id, other=member.c.user_id, endpoint="Users", type_="user")
        if (self._kind, head) == (USER, "groups"):
            return self._memberships(own=member.c.user_id, other=member.c.group_id, endpoint="Groups", type_="direct")
        return self._json_elements(head)

    def _own_column(self, head: str, sub: str | None) -> Scalar | None:
        if head == "meta":
            return self._meta(sub)
        if head == "active":
            is_active = sa.case((resource.c.active == 1, "true"), else_="false")
            return Scalar(expression=is_active)
        column = {
            "id": resource.c.scim_id,
            "externalId": resource.c.external_id,
            "displayName": resource.c.display_key,
            "userName": resource.c.unique_key,
        }.get(head)
        return None if column is None else Scalar(expression=column)

    def _meta(self, sub: str | None) -> Scalar:
        if sub in _INSTANTS:
            return Scalar(expression=_INSTANTS[sub], kind="instant")
        if sub == "resourceType":
            return Scalar(expression=resource.c.kind)
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


def operand_of(binding: AttributeBinding, value: Any) -> str:
    """Return a filter's coerced value in the form that the folded document holds."""
    if isinstance(value, bool):
        return _BOOLEANS[value]
    if isinstance(value, bytes):
        return folding.base64_text(value)
    return str(binding.comparable(value))


def micros_of(moment: datetime) -> int:
    """Return an aware moment as microseconds: a filter may be finer than the milliseconds that we keep."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def in_code_point_order(value: Expression, dialect: str) -> Expression:
    """Return a text so that it is ordered by its code points, as Python and SQLite order it."""
    return value if dialect == "sqlite" else sa.collate(value, "C")


def _json_path(key: str) -> str:
    # Keys come from the schema, never from a request, and hold no quotes.
    return f'$."{key}"'
