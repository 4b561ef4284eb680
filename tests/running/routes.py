"""Applications are built by the thousand here, with the same routes: how a route's URL is built is compiled once.

Werkzeug compiles two functions for each route of each application, which is most of what an application costs. They
are bound to their route afterwards and hold nothing of it but its text, unless it has defaults.
"""

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]

compiled_anew = Rule._compile_builder
"""What werkzeug does for each route."""

_compiled: dict[tuple[Any, ...], Builder] = {}


def compiled_once(rule: Rule, append_unknown: bool = True) -> Builder:  # noqa: FBT001, FBT002 - werkzeug's own signature
    """Return what builds the URL of a route, made for the first route of that text."""
    if rule.defaults:
        return compiled_anew(rule, append_unknown)
    key = (rule.rule, tuple(rule._trace), append_unknown)
    if key not in _compiled:
        _compiled[key] = compiled_anew(rule, append_unknown)
    return _compiled[key]


Rule._compile_builder = compiled_once  # type: ignore[method-assign]
