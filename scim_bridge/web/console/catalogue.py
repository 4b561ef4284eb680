"""The console's pages: which are in its menu, and where their routes are."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint

from scim_bridge.web.api.operations import Role
from scim_bridge.web.console.counter import Counter
from scim_bridge.web.console.pages import (
    audit,
    batches,
    drift,
    faults,
    holds,
    imports,
    inbox,
    overview,
    people,
    replays,
    requests,
    runbooks,
    tokens,
)

Install = Callable[[Blueprint, Counter], None]
"""Adds the routes of a topic."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the menu."""

    title: str
    path: str
    """Below /console."""
    role: Role = Role.VIEWER
    """Who has a lower one does not see it."""


PAGES = (
    Page("Overview", "/"),
    Page("Inbox", "/inbox"),
    Page("People", "/people"),
    Page("Replays", "/replays"),
    Page("Holds", "/holds"),
    Page("Imports", "/imports"),
    Page("Drift", "/drift"),
    Page("Requests", "/requests"),
    Page("Audit", "/audit"),
    Page("Faults", "/faults", Role.ADMIN),
    Page("Runbooks", "/runbooks"),
    Page("Tokens", "/tokens", Role.ADMIN),
)

INSTALLS: tuple[Install, ...] = (
    overview.install,
    inbox.install,
    people.install,
    batches.install,
    faults.install,
    runbooks.install,
    replays.install,
    holds.install,
    imports.install,
    drift.install,
    requests.install,
    audit.install,
    tokens.install,
)
