"""Finding accounts and groups: by one joined filter, by one comparison after another, or by listing all of them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from scim_bridge.domain.instants import Clock
from scim_bridge.domain.people import Account
from scim_bridge.domain.replies import Answer
from scim_bridge.planning.calls import Call, Item
from scim_bridge.settings.models import TargetSettings
from workers.http import Response
from workers.targets import port, reading
from workers.targets.scim import lookups, mapping, replies
from workers.targets.scim.capabilities import KnownCapabilities
from workers.targets.scim.connection import Conversation
from workers.targets.scim.lookups import Search

ABSENT = frozenset({404, 405, 501})
"""Statuses of an endpoint that is not there."""

MOST_PAGES = 10_000
"""Of one listing: a target that never comes to an end is not followed for ever."""


class Finder:
    """Looks accounts and groups up in the way that the target is known to allow, and learns when it does not."""

    def __init__(self, settings: TargetSettings, known: KnownCapabilities, *, clock: Clock) -> None:
        self._mapped = frozenset(settings.mapping)
        self._protect = settings.protect
        self._known = known
        self._clock = clock

    def further_reads(self, call: Call) -> int:
        """Return how many requests a look-up may take beside its first; of a listing, nobody knows before."""
        known = self._known.current
        if call.everybody or not known.filters or known.joins_filters or len(call.items) != 1:
            return 0
        (item,) = call.items
        return max(0, int(item.account_id is not None) + len(mapping.single_filters_for(item)) - 1)

    def accounts(self, talk: Conversation, call: Call) -> Answer:
        """Return every account that one of a call's people may have.

        Raises:
            CallFailed: one of its children; AbilitiesChanged when the target does not look up as it was believed to.
        """
        known = self._known.current
        if call.everybody or not known.filters:
            search = Search(path="/Users", filter="", count=known.page)
            resources, is_whole = self._pages(talk, search)
            return lookups.found_accounts(call, self._read(resources), complete=is_whole)
        if len(call.items) == 1 and not known.joins_filters:
            return self._one(talk, call, call.items[0])
        search = lookups.search_for(call, known)
        answer = self._answer_to(talk, search)
        return lookups.read_accounts(answer, call, mapped=self._mapped, protect=self._protect)

    def groups(self, talk: Conversation, call: Call) -> Answer:
        """Return the ids of the groups that a call names, and of others that were shown with them.

        Raises:
            CallFailed: as `accounts`; AbilitiesChanged also when the target keeps no groups.
        """
        search = lookups.search_for(call, self._known.current)
        if search.filter:
            resources, total = lookups.read_list(self._answer_to(talk, search))
            is_whole = total <= len(resources)
        else:
            resources, is_whole = self._pages(talk, search)
        return lookups.read_groups(resources, call.groups, complete=search.asks_all and is_whole)

    def _one(self, talk: Conversation, call: Call, item: Item) -> Answer:
        """Ask for one person by id, then by each value, until something is found."""
        if item.account_id is not None:
            account = self._by_id(talk, item.account_id)
            if account is not None:
                return lookups.found_accounts(call, (account,), complete=True)
        for wanted in mapping.single_filters_for(item):
            search = Search(path="/Users", filter=wanted, count=self._known.current.page)
            answer = lookups.read_accounts(
                self._answer_to(talk, search), call, mapped=self._mapped, protect=self._protect
            )
            if answer.accounts or not answer.complete:
                return answer
        return lookups.found_accounts(call, (), complete=True)

    def _by_id(self, talk: Conversation, account_id: str) -> Account | None:
        where = "GET /Users/{id}"
        response = talk.send("GET", f"/Users/{mapping.in_path(account_id)}")
        if response.status in {404, 410}:
            return None
        replies.require_success(response, where=where, now=self._clock())
        return next(iter(self._read([reading.json_of(response, where=where)])), None)

    def _answer_to(self, talk: Conversation, search: Search) -> Any:
        where = f"look-up in {search.path}"
        if search.is_long and self._known.current.searches:
            body = json.dumps(search.body()).encode()
            response = talk.send("POST", f"{search.path}/.search", body=body)
            if response.status in ABSENT:
                self._known.correct(searches=False)
                raise port.AbilitiesChanged(f"POST /.search answered {response.status}", status=response.status)
        else:
            response = talk.send("GET", search.path, query=search.query())
        self._learn(search, response)
        replies.require_success(response, where=where, now=self._clock())
        return reading.json_of(response, where=where)

    def _learn(self, search: Search, response: Response) -> None:
        """Note what an answer tells of the target's abilities.

        Raises:
            AbilitiesChanged: it cannot be asked like this.
        """
        if response.status == 501 and search.path == "/Groups":
            self._known.correct(keeps_groups=False)
            raise port.AbilitiesChanged("GET /Groups answered 501", status=501)
        if response.status == 400 and search.is_joined:
            self._known.correct(joins_filters=False)
            raise port.AbilitiesChanged("the target joins no filters", status=400)
        if response.status in {400, 501} and search.filter:
            self._known.correct(filters=False)
            raise port.AbilitiesChanged("the target knows no such filter", status=response.status)

    def _pages(self, talk: Conversation, search: Search) -> tuple[list[Any], bool]:
        """Return all resources, page by page (RFC 7644 section 3.4.2.4), and whether none is missing."""
        found: dict[str, Any] = {}
        total = 0
        for resources, said in self._each_page(talk, search):
            total = said
            found |= {str(each["id"]): each for each in resources if isinstance(each, dict) and "id" in each}
        return list(found.values()), len(found) >= total

    def _each_page(self, talk: Conversation, search: Search) -> Iterator[tuple[list[Any], int]]:
        start = 1
        for _ in range(MOST_PAGES):
            page = search if start == 1 else replace(search, start=start)
            resources, total = lookups.read_list(self._answer_to(talk, page))
            yield resources, total
            start += len(resources)
            if not resources or start > total:
                return

    def _read(self, resources: list[Any]) -> tuple[Account, ...]:
        return lookups.accounts_in(resources, mapped=self._mapped, protect=self._protect)
