"""Finding accounts and groups: one filter for many, by URL while that is short, else by /.search."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from scim_bridge.domain.replies import Answer, Reply, Verdict
from scim_bridge.planning.calls import Call
from workers.targets import port
from workers.targets.mindtickle import mapping
from workers.targets.mindtickle.capabilities import Capabilities

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
        parts = {"filter": self.filter, "count": self.count, "excludedAttributes": self.without}
        return {name: value for name, value in parts.items() if value not in (None, "")}


def search_for(call: Call, known: Capabilities) -> Search:
    """Return the query of a look-up: its people, or, without items, the groups that it names.

    Raises:
        AbilitiesChanged: several people were planned together before it was known that filters cannot be joined.
    """
    if call.items:
        if len(call.items) > 1 and not known.joins_filters:
            raise port.AbilitiesChanged("the target joins no filters")
        is_joined = known.joins_filters
        wanted = mapping.filter_for(call.items) if is_joined else mapping.single_filter_for(call.items[0])
        return Search(path="/Users", filter=wanted, count=known.page, is_joined=is_joined and " or " in wanted)
    names = call.groups[: known.page]
    everything = Search(path="/Groups", filter="", count=known.page, without="members")
    named = replace(
        everything,
        filter=mapping.group_filter_for(names),
        is_joined=len(names) > 1,
        asks_all=len(names) == len(call.groups),
    )
    if not known.joins_filters or (named.is_long and not known.searches):
        return everything
    return named


def read_accounts(answer: Any, call: Call, *, mapped: Collection[str], protect: Collection[str]) -> Answer:
    """Return the accounts of a ListResponse; complete when it shows all that the query found."""
    resources, total = _list_of(answer)
    read = [mapping.account_of(resource, mapped=mapped, protect=protect) for resource in resources]
    found = tuple(account for account in read if account is not None)
    return Answer(
        replies=dict.fromkeys(call.operation_ids, Reply(verdict=Verdict.DONE)),
        accounts=found,
        complete=total <= len(found),
        redacted={"accounts": len(found), "totalResults": total},
    )


def read_groups(answer: Any, wanted: Sequence[str], *, asks_all: bool = True) -> Answer:
    """Return the ids of groups by name; a wanted name that is held in another letter case is found as well.

    Complete when all that the query found is shown and it asked for every wanted name: who is missing is not there.
    """
    resources, total = _list_of(answer)
    shown = {
        group["displayName"]: group["id"]
        for group in resources
        if isinstance(group, dict) and isinstance(group.get("displayName"), str) and isinstance(group.get("id"), str)
    }
    by_folded = {name.casefold(): group_id for name, group_id in shown.items()}
    asked = {name: by_folded[name.casefold()] for name in wanted if name.casefold() in by_folded}
    return Answer(
        replies={},
        group_ids={**asked, **shown},
        complete=asks_all and total <= len(resources),
        redacted={"groups": len(shown)},
    )


def _list_of(answer: Any) -> tuple[list[Any], int]:
    if not isinstance(answer, dict):
        raise port.AnswerLost("the answer is no list response")
    # RFC 7644 section 3.4.2: Resources may be absent when nothing was found.
    resources, total = answer.get("Resources", []), answer.get("totalResults")
    if not isinstance(resources, list) or not isinstance(total, int):
        raise port.AnswerLost("the answer is no list response")
    return resources, total
