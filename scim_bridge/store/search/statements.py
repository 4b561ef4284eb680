"""The statements of one kind of search: how to read a page of it, and how to count it. Built once, run with any values.

What several searches need in common: only living resources of one tenant, the partial index's predicate word for word,
and never a whole document carried along while rows are filtered, sorted or skipped by their numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.store import directory, members, prepared, tables
from scim_bridge.store.prepared import Prepared
from scim_bridge.store.search.columns import Expression
from scim_bridge.store.search.keys import NEVER, Key, Term
from scim_bridge.store.search.operands import Operand
from scim_bridge.store.search.sorting import Order
from scim_bridge.store.trips import Step

resource = tables.resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one resource type contributes to a search. Without a term there is no filter."""

    kind: str
    term: Term | None
    sort_key: Expression | None
    hides: bool = False
    """Whether users are left out whom the source `hidden_from` has deleted, though others hold them."""

    @property
    def key(self) -> Key | None:
        """Return how an index finds the candidates."""
        return None if self.term is None else self.term.key

    @property
    def number(self) -> Expression:
        """Return the number to order by; with a key, in a form that no index offers to walk in order."""
        return resource.c.id if self.key is None else resource.c.id + 0

    def conditions(self) -> list[Expression]:
        """Return what holds for the resources that match."""
        tenant, kind = prepared.text("tenant"), sa.literal(self.kind, sa.Text)
        seen = [_is_not_hidden()] if self.hides else []
        if self.key is None:
            own = [resource.c.tenant == tenant, resource.c.kind == kind, resource.c.deleted_at.is_(None), *seen]
            return own if self.term is None else [*own, self.term.holds]
        # In this form no index can serve them: the candidates are looked at one by one.
        own = [
            resource.c.id.in_(self.key.numbers),
            resource.c.tenant.concat("") == tenant,
            resource.c.kind.concat("") == kind,
            (resource.c.deleted_at + 0).is_(None),
            *seen,
        ]
        return own if self.key.rest is None else [*own, self.key.rest]


def _is_not_hidden() -> Expression:
    said = tables.contribution
    deleted = sa.select(said.c.id).where(
        said.c.tenant == prepared.text("tenant"),
        said.c.source == prepared.text("hidden_from"),
        said.c.resource_id == resource.c.id,
        said.c.ended_at.is_not(None),
    )
    return sa.not_(sa.exists(deleted))


@dataclass(frozen=True, slots=True)
class Cut:
    """Which page of a search is read: from an offset, from the beginning, or beyond a position."""

    skips: bool = False
    beyond: bool = False
    backwards: bool = False
    after_missing: bool = False


class Statements:
    """The statements of one kind of search, made as they are needed."""

    def __init__(self, parts: Sequence[Part], order: Order, operands: Sequence[Operand], *, is_reusable: bool) -> None:
        """Take what each resource type contributes, and the parameters of the filter."""
        self.operands = operands
        self.is_reusable = is_reusable
        self.is_kept = False
        """Whether other searches will use them too, so that it pays to prepare them."""
        self._parts = [part for part in parts if part.term is not NEVER] or parts[:1]
        self._order = order
        self._pages: dict[Cut, Prepared] = {}
        self._steps: dict[Cut, tuple[Step, Step]] = {}
        self.count = Prepared(lambda _dialect: self._count())

    def page(self, cut: Cut) -> Prepared:
        """Return the statement that reads a page. It takes `most`; with `skips` `start` and `upto` (their sum) too."""
        found = self._pages.get(cut)
        if found is None:
            found = self._pages[cut] = Prepared(lambda _dialect: self._page(cut))
        return found

    @property
    def looks_up(self) -> bool:
        """Tell whether an index leads to each row of a page and to few others: by a key, or in order of creation."""
        part = self._parts[0]
        is_led = part.term is None if part.key is None else part.key.leads_to_few
        return is_led and len(self._parts) == 1 and not self._order.is_sorted

    def steps(self, cut: Cut) -> tuple[Step, Step]:
        """Return what `page` does as a step of a trip, and the step that reads the memberships of its resources."""
        found = self._steps.get(cut)
        if found is None:
            kind = self._parts[0].kind
            found = self._steps[cut] = (
                Step(lambda _dialect: self._page(cut)),
                members.step_to_ends(kind, lambda: self._page(cut)),
            )
        return found

    def sort_value(self) -> Prepared:
        """Return the statement that reads the sort key of the living resource with the number `position_number`."""
        each = [
            sa.select(part.sort_key.label("sort_key")).where(
                resource.c.id == prepared.number("position_number"),
                resource.c.tenant == prepared.text("tenant"),
                resource.c.kind == part.kind,
                resource.c.deleted_at.is_(None),
            )
            for part in self._parts
            if part.sort_key is not None
        ]
        return Prepared(lambda _dialect: sa.union_all(*each))

    def _count(self) -> Any:
        counts = [
            sa.select(sa.func.count()).select_from(resource).where(*part.conditions()).scalar_subquery()
            for part in self._parts
        ]
        return sa.select(sum(counts[1:], start=counts[0]).label("total"))

    def _page(self, cut: Cut) -> Any:
        part = self._parts[0]
        if len(self._parts) == 1 and part.term is not None and not self._order.is_sorted and not cut.skips:
            return self._narrowed(sa.select(*directory.COLUMNS), part, cut).limit(prepared.number("most"))
        return self._page_by_numbers(cut)

    def _page_by_numbers(self, cut: Cut) -> Any:
        """Skip, sort and merge numbers first, and read documents only for those that are left.

        Numbers alone also are what the index of the living is for: nothing else can tempt a database.
        """
        if len(self._parts) == 1:
            merged = self._narrowed(self._numbers(self._parts[0]), self._parts[0], cut)
        else:
            upto = prepared.number("upto" if cut.skips else "most")
            each = [
                self._narrowed(self._numbers(part), part, cut).limit(upto).subquery(f"of_{part.kind}".lower())
                for part in self._parts
            ]
            rows = sa.union_all(*(sa.select(part) for part in each)).subquery("merged")
            merged = sa.select(rows).order_by(*self._order.terms(rows.c.id, self._key(rows), backwards=cut.backwards))
        merged = merged.limit(prepared.number("most"))
        page = (merged.offset(prepared.number("start")) if cut.skips else merged).subquery("page")
        return (
            sa.select(*directory.COLUMNS, *([page.c.sort_key] if self._order.is_sorted else []))
            .select_from(page.join(resource, resource.c.id == page.c.id))
            .order_by(*self._order.terms(page.c.id, self._key(page), backwards=cut.backwards))
        )

    def _numbers(self, part: Part) -> Any:
        return sa.select(resource.c.id, *([] if part.sort_key is None else [part.sort_key.label("sort_key")]))

    def _key(self, rows: Any) -> Any:
        return rows.c.sort_key if self._order.is_sorted else None

    def _narrowed(self, query: Any, part: Part, cut: Cut) -> Any:
        query = query.where(*part.conditions())
        if cut.beyond:
            query = query.where(
                self._order.beyond(part.sort_key, backwards=cut.backwards, after_missing=cut.after_missing)
            )
        return query.order_by(*self._order.terms(part.number, part.sort_key, backwards=cut.backwards))
