"""What to ask for accounts and groups, and what the lists say that come back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from scim_bridge.domain.people import Account
from scim_bridge.domain.replies import Answer, Reply, Verdict
from scim_bridge.planning.calls import Call
from workers.targets import port
from workers.targets.scim import mapping
from workers.targets.scim.capabilities import Capabilities

SEARCH_REQUEST = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

LONGEST_QUERY = 1_500
"""Characters of a query that every proxy lets through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One query for users or groups."""

    path: str
    filter: str
    count: int
    without: str | None = None
    is_joined: bool = False
    asks_all: bool = True
    """False when the call names more groups than one page shows: only the first of them are asked for."""
    start: int | None = None
    """Where a page begins, from 1 on; None: at the beginning."""

    @property
    def is_long(self) -> bool:
        """Tell whether the query does not belong in a URL."""
        return len(urlencode(self.query())) > LONGEST_QUERY

    def query(self) -> dict[str, str]:
        """Return the parameters of a GET (RFC 7644 section 3.4.2)."""
        return {name: str(value) for name, value in self._parts().items()}

    def body(self) -> dict[str, Any]:
        """Return the body of a POST to /.search (RFC 7644 section 3.4.3)."""
        parts = self._parts()
        if self.without is not None:
            parts["excludedAttributes"] = [self.without]
        return {"schemas": [SEARCH_REQUEST], **parts}

    def _parts(self) -> dict[str, Any]:
        parts = {
            "filter": self.filter,
            "startIndex": self.start,
            "count": self.count,
            "excludedAttributes": self.without,
        }
        return {name: value for name, value in parts.items() if value not in (None, "")}


def search_for(call: Call, known: Capabilities) -> Search:
    """Return the query of a look-up: its people by a joined filter, or, without items, the groups that it names.

    Raises:
        AbilitiesChanged: several people were planned together before it was known that filters cannot be joined.
    """
    if call.items:
        if not known.joins_filters:
            raise port.AbilitiesChanged("the target joins no filters")
        wanted = mapping.filter_for(call.items)
        return Search(path="/Users", filter=wanted, count=known.page, is_joined=" or " in wanted)
    names = call.groups[: known.page]
    everything = Search(path="/Groups", filter="", count=known.page, without="members")
    named = replace(
        everything,
        filter=mapping.group_filter_for(names),
        is_joined=len(names) > 1,
        asks_all=len(names) == len(call.groups),
    )
    if not known.filters or not known.joins_filters or (named.is_long and not known.searches):
        return everything
    return named


def read_list(answer: Any) -> tuple[list[Any], int]:
    """Return the resources of a ListResponse and how many there are in all.

    Raises:
        AnswerLost: it is none.
    """
    if not isinstance(answer, dict):
        raise port.AnswerLost("the answer is no list response")
    # RFC 7644 section 3.4.2: Resources may be absent when nothing was found.
    resources, total = answer.get("Resources", []), answer.get("totalResults")
    if not isinstance(resources, list) or not isinstance(total, int):
        raise port.AnswerLost("the answer is no list response")
    return resources, total


def accounts_in(resources: Sequence[Any], *, mapped: Collection[str], protect: Collection[str]) -> tuple[Account, ...]:
    """Return the accounts among resources, each once."""
    read = (mapping.account_of(resource, mapped=mapped, protect=protect) for resource in resources)
    return tuple({account.account_id: account for account in read if account is not None}.values())


def found_accounts(call: Call, accounts: Sequence[Account], *, complete: bool) -> Answer:
    """Return the answer of a look-up of people."""
    return Answer(
        replies=dict.fromkeys(call.operation_ids, Reply(verdict=Verdict.DONE)),
        accounts=tuple(accounts),
        complete=complete,
        redacted={"accounts": len(accounts), "complete": complete},
    )


def read_accounts(answer: Any, call: Call, *, mapped: Collection[str], protect: Collection[str]) -> Answer:
    """Return the accounts of a ListResponse; complete when it shows all that the query found."""
    resources, total = read_list(answer)
    found = accounts_in(resources, mapped=mapped, protect=protect)
    return found_accounts(call, found, complete=total <= len(found))


def read_groups(resources: Sequence[Any], wanted: Sequence[str], *, complete: bool) -> Answer:
    """Return the ids of groups by name; a wanted name that is held in another letter case is found as well."""
    shown: Mapping[str, str] = {
        group["displayName"]: group["id"]
        for group in resources
        if isinstance(group, dict) and isinstance(group.get("displayName"), str) and isinstance(group.get("id"), str)
    }
    by_folded = {name.casefold(): group_id for name, group_id in shown.items()}
    asked = {name: by_folded[name.casefold()] for name in wanted if name.casefold() in by_folded}
    return Answer(
        replies={},
        group_ids={**asked, **shown},
        complete=complete,
        redacted={"groups": len(shown), "complete": complete},
    )
