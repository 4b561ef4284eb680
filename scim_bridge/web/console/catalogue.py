"""The console's pages: which are in its menu, and where their routes are."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint

from scim_bridge.web.console.counter import Counter
from scim_bridge.web.console.pages import overview

Install = Callable[[Blueprint, Counter], None]
"""Adds the routes of a topic."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the menu."""

    title: str
    path: str
    """Below /console."""


PAGES = (Page("Overview", "/"),)

INSTALLS: tuple[Install, ...] = (overview.install,)
