"""Applications are built by the thousand here, with the same routes: what a route's text means is compiled once.

Werkzeug parses the text of each route of each application, and compiles two functions that build its URL: most of what
an application costs. Nothing of that holds its route but for the text, unless it has defaults or converters of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from werkzeug.routing import BaseConverter, Rule
from werkzeug.routing.converters import DEFAULT_CONVERTERS
from werkzeug.routing.rules import RulePart

compiled_anew = Rule.compile
"""What werkzeug does for each route."""


@dataclass(frozen=True, slots=True)
class Compiled:
    parts: list[RulePart]
    trace: list[tuple[bool, str]]
    converters: dict[str, BaseConverter]
    arguments: set[str]
    builders: tuple[Callable[..., Any], Callable[..., Any]]


_compiled: dict[tuple[Any, ...], Compiled] = {}


def compiled_once(rule: Rule) -> None:
    """Compile a route, or take over what was compiled for the first one of that text."""
    if rule.defaults or rule.map.converters != DEFAULT_CONVERTERS:
        compiled_anew(rule)
        return
    key = (rule.rule, rule.merge_slashes, rule.host if rule.map.host_matching else rule.subdomain)
    known = _compiled.get(key)
    if known is None:
        compiled_anew(rule)
        builders = tuple(bound.__func__ for bound in (rule._build, rule._build_unknown))
        _compiled[key] = Compiled(rule._parts, rule._trace, rule._converters, rule.arguments, builders)
        return
    rule._parts, rule._trace, rule._converters = list(known.parts), list(known.trace), dict(known.converters)
    rule.arguments = set(known.arguments)
    rule._build, rule._build_unknown = (builder.__get__(rule, None) for builder in known.builders)


Rule.compile = compiled_once  # type: ignore[method-assign]
