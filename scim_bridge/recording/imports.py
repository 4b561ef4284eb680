"""Works off imported files piece by piece, each in a short transaction of its own: a crash costs one piece.

Any number of processes may try: whoever comes second to a piece finds it done. What is said is mapped before the
transaction begins. A dry run does all the same, and undoes it before it is kept.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from scim_bridge.domain.catalogue import code_named
from scim_bridge.domain.rows import Row
from scim_bridge.mapping.rows import RowMapping
from scim_bridge.recording import rows
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.rows import Became, Outcome, Recorded, Said
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import directory, imports, sightings
from scim_bridge.store.engine import Contended, StatementTimedOut, Store, StoreUnavailable, Transaction
from scim_bridge.store.imports import Import, Staged

_log = structlog.get_logger(__name__)

PIECE = 500
"""So many rows are applied at once; a webhook of the same source waits no longer than that takes."""

AT_ONCE = 2_000
"""So many rows whom others were in the way of are tried once more, together: names may change hands among them."""

_OUR_FAULT = "The bridge failed at this row. Report it with the log's line import_row_refused."

_WORTH_ANOTHER_TRY = frozenset({"two_records", "name_taken", "several_people"})


@dataclass(slots=True, kw_only=True)
class Source:
    """One source of rows, with its mapping."""

    tenant: TenantSettings
    settings: SourceSettings
    scopes: Mapping[str, TargetScope]
    mapping: RowMapping = field(init=False)

    def __post_init__(self) -> None:
        self.mapping = RowMapping(self.settings)

    @property
    def owns(self) -> dict[str, Sequence[str]]:
        """Return the attributes that each of the tenant's sources decides."""
        return {source.name: source.owns for source in self.tenant.sources}


class _Undone(Exception):  # noqa: N818 - it says what is to happen
    """Ends a dry run's savepoint."""


def work(store: Store, source: Source, found: Import) -> dict[str, bool] | None:
    """Do the next piece of an import; return the targets to wake, and None when somebody else is at it.

    A piece at which we fail is tried in halves; one row at which we fail is refused, and holds no other up.
    """
    limit = AT_ONCE if found.step == imports.AGAIN else PIECE
    while True:
        try:
            if found.step == imports.MISSING:
                return _let_go(store, source, found, limit=limit)
            return _apply(store, source, found, limit=limit)
        except (directory.NameTaken, Contended):
            # Somebody else took a name at the same moment; the next round meets them.
            return {}
        except StoreUnavailable:
            raise
        except Exception as error:
            if limit == 1:
                if isinstance(error, StatementTimedOut) or not _refuse_first(store, found):
                    raise
                _log.exception("import_row_refused", tenant=found.tenant, number=found.name)
                return {}
            limit //= 2


def _refuse_first(store: Store, found: Import) -> bool:
    """Refuse the row that is next, if it still is; tell whether there was one."""
    with store.begin(found.tenant) as tx:
        taken = imports.take(tx, found)
        if taken is None:
            return False
        if taken.step == imports.MISSING:
            imports.missing(tx, taken.id, taken.source, limit=1)
        waiting = imports.pending(tx, taken.id, limit=1)
        refused = [
            each._replace(fields=None, outcome=Outcome.REFUSED.value, code="bug", advice=_OUR_FAULT) for each in waiting
        ]
        imports.stage(tx, taken.id, refused)
        imports.note(tx, taken.id, reached=taken.reached + len(refused))
    return bool(refused)


def _apply(store: Store, source: Source, found: Import, *, limit: int) -> dict[str, bool] | None:
    with store.begin(found.tenant, write=False) as tx:
        waiting = imports.pending(tx, found.id, limit=limit)
    said = [_said(source.mapping, found, each) for each in waiting]
    with store.begin(found.tenant) as tx:
        taken = imports.take(tx, found)
        if taken is None:
            return None
        if not said:
            _go_on(tx, source, taken)
            return {}
        recorded = _record(tx, source, taken, said)
        imports.stage(
            tx, taken.id, [_settled(each, became) for each, became in zip(waiting, recorded.became, strict=True)]
        )
        # `reached` only tells that somebody was here.
        imports.note(tx, taken.id, reached=taken.reached + len(said))
    return dict(recorded.wakes)


def _let_go(store: Store, source: Source, found: Import, *, limit: int) -> dict[str, bool] | None:
    """Take the next of those whom a snapshot does not name for gone; they go through the guard like any leaver."""
    with store.begin(found.tenant) as tx:
        taken = imports.take(tx, found)
        if taken is None:
            return None
        gone = imports.missing(tx, taken.id, taken.source, limit=limit)
        if not gone:
            _finish(tx, taken)
            return {}
        behind = taken.rows + taken.reached
        said = [
            Said(position=position, external_id=external_id, what=None, said_at=taken.said_at, as_of=taken.said_at)
            for position, external_id in enumerate(gone, behind + 1)
        ]
        # Rows that a later file has as they were before are not recorded again, so what was said does not tell of them.
        later = sightings.named_later(tx, taken.source, gone, than=taken.said_at)
        recorded = _record(tx, source, taken, [each for each in said if each.external_id not in later])
        became = {each.position: each for each in recorded.became}
        imports.stage(tx, taken.id, [_missed(each, became.get(each.position, _outdated(each))) for each in said])
        imports.note(tx, taken.id, reached=taken.reached + len(gone))
    return dict(recorded.wakes)


def _go_on(tx: Transaction, source: Source, found: Import) -> None:
    """Begin the next step, when nothing more is to be done in this one."""
    if found.step == imports.FIRST:
        imports.pend_again(tx, found.id, _WORTH_ANOTHER_TRY)
        imports.note(tx, found.id, step=imports.AGAIN, reached=0)
    elif found.is_snapshot and not (spared := _spared(tx, source, found)):
        imports.note(tx, found.id, step=imports.MISSING, reached=0)
    else:
        _finish(tx, found, spared=spared if found.is_snapshot else "")


def _spared(tx: Transaction, source: Source, found: Import) -> str:
    """Return why nobody is taken for missing; empty when there is no reason."""
    if found.spared:
        return found.spared
    if unread := imports.unread(tx, found):
        return (
            f"Of {unread} rows nobody knows whom they are about, because they cannot be read or have no id."
            " Nobody is taken for gone. Mend the rows, and send the file again."
        )
    held, named = imports.presence(tx, found.id, found.source)
    share = source.settings.smallest_share
    if held and named < held * share:
        return (
            f"The snapshot names {named} of the {held} people whom the source is known to hold; with fewer than"
            f" {share:.0%} nobody is taken for gone. Send it whole, or lower smallest_share of the source."
        )
    return ""


def _finish(tx: Transaction, found: Import, *, spared: str = "") -> None:
    imports.drop_fields(tx, found.id)
    imports.note(tx, found.id, status=imports.DONE, spared=spared, finished_at=tx.now)


def _said(mapping: RowMapping, found: Import, staged: Staged) -> Said:
    fields = json.loads(staged.fields or "{}")
    row = Row(external_id=staged.external_id, fields=fields, position=staged.position, is_whole=found.is_whole)
    told_at = mapping.said_at_of(fields)
    return Said(
        position=staged.position,
        external_id=staged.external_id,
        what=mapping.person_of(row),
        # A time ahead of ours would make everything that is said later older news.
        said_at=found.said_at if told_at is None else min(told_at, found.at),
        as_of=found.said_at if found.is_snapshot else None,
        is_whole=found.is_whole,
        is_dated=mapping.is_dated,
        digest=staged.digest,
    )


def _record(tx: Transaction, source: Source, found: Import, said: Sequence[Said]) -> Recorded:
    origin = Origin(source=found.source, correlation_id=found.correlation_id, token_id=found.token_id)

    def recorded() -> Recorded:
        return rows.record(tx, said, source=found.source, owns=source.owns, scopes=source.scopes, origin=origin)

    if not found.is_dry_run:
        return recorded()
    would_be: list[Recorded] = []
    with contextlib.suppress(_Undone), tx.savepoint():
        would_be.append(recorded())
        raise _Undone
    return Recorded(became=[replace(each, change=None) for each in would_be[0].became], wakes={})


def _settled(staged: Staged, became: Became) -> Staged:
    keeps = became.outcome is Outcome.REFUSED and became.code in _WORTH_ANOTHER_TRY
    return staged._replace(
        fields=staged.fields if keeps else None,
        outcome=became.outcome.value,
        code=became.code or None,
        field=became.field or None,
        advice=became.advice or None,
        change=became.change,
    )


def _outdated(said: Said) -> Became:
    return Became(position=said.position, outcome=Outcome.UNCHANGED, code="older_news")


def _missed(said: Said, became: Became) -> Staged:
    code = became.code or "not_in_snapshot"
    return Staged(
        position=said.position,
        external_id=said.external_id,
        outcome=became.outcome.value,
        code=code,
        advice=became.advice or code_named(code).advice,
        change=became.change,
    )
