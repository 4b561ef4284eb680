"""What was asked and what was decided: requests as they came, the audit, and the proofs of the books."""

import contextlib
from collections.abc import Iterator
from typing import Any

from scim_bridge.errors import OutOfDate, UsageError
from scim_bridge.operators import audit, inbound
from scim_bridge.store.verify import verify_ledger
from scim_bridge.web.api import shapes
from scim_bridge.web.api.operations import (
    AFTER,
    LIMIT,
    SINCE,
    UNTIL,
    Asked,
    Desk,
    Operation,
    Parameter,
    Role,
    page_of,
)

_STATUS = Parameter(
    name="status",
    tells="Only those that were answered so.",
    schema={"type": "integer", "minimum": 100, "maximum": 599},
)
_REFUSED = Parameter(
    name="refused", tells="Only those that were answered with 400 or more.", schema={"type": "boolean"}
)
_WHO = Parameter(name="who", tells="Only of this one: user@host, or a token's name.")
_WHAT = Parameter(name="what", tells="Only this command, or all that begin so: token.")
_EXPECT = Parameter(
    name="expect",
    tells="NUMBER:LINK, noted earlier: the chain must pass through it.",
    schema={"type": "string", "minLength": 3, "maxLength": 100},
)


def _inbound(desk: Desk, asked: Asked) -> dict[str, Any]:
    if "status" in asked.query and asked.query.get("refused"):
        raise UsageError("Give status or refused, not both.")
    return inbound.listed(desk.store, asked.tenant, **asked.given("after", "limit", "status", "refused"))


def _audit(desk: Desk, asked: Asked) -> dict[str, Any]:
    given = asked.given("who", "what", "since", "until", "after", "limit")
    return audit.list_entries(desk.store, desk.settings, tenant=asked.tenant, **given)


def _verify_audit(desk: Desk, asked: Asked) -> dict[str, Any]:
    with prove_alone(desk):
        return audit.verify_for_token(desk.store, expect=asked.query.get("expect"))


def _verify_ledger(desk: Desk, asked: Asked) -> dict[str, Any]:
    with prove_alone(desk):
        return verify_ledger(desk.store, asked.tenant)


@contextlib.contextmanager
def prove_alone(desk: Desk) -> Iterator[None]:
    """Keep two proofs from being made at once, each of which holds books in memory.

    Raises:
        OutOfDate: somebody proves them just now.
    """
    if not desk.proving.acquire(blocking=False):
        raise OutOfDate("The books are being proved just now; ask again in a moment.")
    try:
        yield
    finally:
        desk.proving.release()


OPERATIONS = (
    Operation(
        method="GET",
        path="/inbound",
        name="inbound_list",
        role=Role.VIEWER,
        tells="Requests as they came to the front door, the newest in front, without what they said.",
        handler=_inbound,
        command="inbound list",
        parameters=(_STATUS, _REFUSED, AFTER, LIMIT),
        answer=page_of(
            shapes.record(
                request=shapes.NUMBER,
                at=shapes.INSTANT,
                tenant=shapes.TEXT_OR_NONE,
                method=shapes.TEXT,
                route=shapes.TEXT,
                id=shapes.TEXT_OR_NONE,
                status=shapes.COUNT,
                token=shapes.TEXT_OR_NONE,
                source=shapes.TEXT_OR_NONE,
                correlation_id=shapes.TEXT,
                why=shapes.TEXT,
                took_ms=shapes.COUNT,
            )
        ),
    ),
    Operation(
        method="GET",
        path="/audit",
        name="audit_list",
        role=Role.VIEWER,
        tells="Who decided what, the newest in front.",
        handler=_audit,
        command="audit list",
        parameters=(_WHO, _WHAT, SINCE, UNTIL, AFTER, LIMIT),
        answer=page_of(
            shapes.record(
                id=shapes.NUMBER,
                number=shapes.NUMBER_OR_NONE,
                tenant=shapes.TEXT,
                at=shapes.INSTANT,
                who=shapes.TEXT,
                what=shapes.TEXT,
                before=shapes.ANYTHING,
                after=shapes.ANYTHING,
                link=shapes.TEXT_OR_NONE,
            )
        ),
    ),
    Operation(
        method="GET",
        path="/audit/verify",
        name="audit_verify",
        role=Role.ADMIN,
        tells="Recompute the one chain of all entries, of every tenant: whether each is as it was written.",
        handler=_verify_audit,
        command="audit verify",
        parameters=(_EXPECT,),
        answer=shapes.record(
            verified=shapes.TRUTH,
            head=shapes.TEXT,
            expected=shapes.TEXT_OR_NONE,
            fault=shapes.TEXT_OR_NONE,
        ),
    ),
    Operation(
        method="GET",
        path="/ledger/verify",
        name="ledger_verify",
        role=Role.ADMIN,
        tells="Compare both sides of the ledger row by row; takes as long as the books are.",
        handler=_verify_ledger,
        command="ledger verify",
        answer=shapes.record(
            balanced=shapes.TRUTH,
            tenants=shapes.list_of(
                shapes.record(
                    tenant=shapes.TEXT,
                    changes=shapes.COUNTS,
                    operations=shapes.COUNTS,
                    faults=shapes.TEXTS,
                    balanced=shapes.TRUTH,
                )
            ),
        ),
    ),
)
