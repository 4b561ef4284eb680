"""What operators write beside dead operations, and the reasons that they give: short, readable, audited."""

from collections.abc import Collection
from typing import Any

from scim_bridge.domain.texts import is_readable
from scim_bridge.errors import NotThere, UsageError
from scim_bridge.store import audits, dead_letters, remarks
from scim_bridge.store.dead_letters import Place
from scim_bridge.store.engine import Store, Transaction

MOST_CHARACTERS = 2_000
MOST_OPERATIONS = 10_000
"""More than that are better named by filters."""

SHOWN = 5


def note(store: Store, tenant: str | None, operations: Collection[int], *, who: str, text: str) -> dict[str, Any]:
    """Write a remark beside operations, whatever became of them, and return how many these are.

    It is shown with the dead and in the timeline of the person. `tenant` is None where operations of all may be meant.

    Raises:
        UsageError: the text is empty, too long or not readable, or no operation is named, or too many are.
        NotThere: one of the operations does not exist, or not for this tenant; nothing was written.
    """
    words = checked(text, what="a note")
    by_tenant: dict[str, list[int]] = {}
    for each in named(store, tenant, operations):
        by_tenant.setdefault(each.tenant, []).append(each.id)
    for name, ids in by_tenant.items():
        with store.begin(name) as tx:
            _write(tx, ids, who=who, text=words)
    return {"operations": sum(map(len, by_tenant.values()))}


def _write(tx: Transaction, ids: Collection[int], *, who: str, text: str) -> None:
    remarks.add(tx, ids, who=who, text=text)
    # The remark itself may name a person; the audit is kept for longer than people are.
    audits.append(tx, who=who, what="failed note", after={"operations": sorted(ids), "characters": len(text)})


def named(store: Store, tenant: str | None, operations: Collection[int]) -> list[Place]:
    """Return where the operations stand that were named by number.

    Raises:
        UsageError: none is named, or too many are.
        NotThere: one does not exist, or not for this tenant.
    """
    wanted = set(operations)
    if not wanted:
        raise UsageError("name an operation by its number, as failed list shows it")
    if len(wanted) > MOST_OPERATIONS:
        raise UsageError(f"{len(wanted)} operations are named; {MOST_OPERATIONS} is the most, more are better filtered")
    reason = "look up the operations that an operator named"
    with store.across_tenants(reason) if tenant is None else store.begin(tenant, write=False) as tx:
        places = dead_letters.places_of(tx, wanted)
    missing = sorted(wanted - {each.id for each in places})
    if missing:
        told = ", ".join(map(str, missing[:SHOWN])) + (f" and {len(missing) - SHOWN} more" if missing[SHOWN:] else "")
        raise NotThere(f"there is no operation {told}; nothing was done")
    return places


def checked(text: str, *, what: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text as it is kept, without blanks around it and with line feeds for ends of lines.

    Raises:
        UsageError: it is empty, too long, or holds characters that nobody can read.
    """
    words = text.replace("\r\n", "\n").strip()
    if not words:
        raise UsageError(f"{what} needs words")
    if len(words) > most:
        raise UsageError(f"{what} of {len(words)} characters is too long; {most} is the most")
    if not is_readable(words):
        raise UsageError(f"{what} holds characters that nobody can read, such as control characters")
    return words
