"""What the tests spare themselves when they build applications changes no URL, and no match of one."""

from copy import copy

import pytest
from running.routes import compiled_anew, compiled_once
from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter, Map, Rule
from werkzeug.routing.exceptions import RequestRedirect

PATHS = ("/Users/ann", "/Users/ann/", "/Users/a/b", "/Users//ann", "/a", "/Users")


class Shout(BaseConverter):
    """Takes capital letters."""

    regex = "[A-Z]+"


def told(rule: Rule) -> tuple[object, ...]:
    """Everything that a compiled route says of itself: what it takes, and the URLs that it builds."""
    built = [
        builder(**{**each, "team": "red"})
        for builder in (rule._build, rule._build_unknown)
        for each in ({"id": "ann"}, {"id": "a/b c"}, {"id": "ann", "page": "2"})
    ]
    return rule._parts, rule._trace, sorted(rule.arguments), {n: type(c) for n, c in rule._converters.items()}, built


def found(routes: Map, path: str) -> object:
    try:
        return routes.bind("example.com").match(path)
    except (NotFound, RequestRedirect) as error:
        return type(error)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # The same route of two applications.
        (Rule("/Users/<id>", endpoint="user"), Rule("/Users/<id>", endpoint="user")),
        # A converter is the route's own, also where the text is the same but for it.
        (Rule("/Users/<id>", endpoint="user"), Rule("/Users/<path:id>", endpoint="user")),
        (Rule("/Users/<id>", endpoint="user"), Rule("/Users/<id>/", endpoint="user")),
        (Rule("/Users//<id>", endpoint="user"), Rule("/Users//<id>", endpoint="user", merge_slashes=False)),
        (Rule("/Users/<id>", endpoint="user", subdomain="a"), Rule("/Users/<id>", endpoint="user", subdomain="<team>")),
        (Rule("/Users/<id>", endpoint="user"), Rule("/Users/<id>", endpoint="user", defaults={"id": "me"})),
        (Rule("/a", endpoint="a", defaults={"id": "one"}), Rule("/a", endpoint="a", defaults={"id": "two"})),
    ],
)
def test_a_route_is_compiled_as_if_it_were_the_first_of_its_text(
    first: Rule, second: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rule in (first, second):
        alike = copy(rule)
        alike.arguments = set(rule.arguments)
        routes = Map([rule])
        once, matches = told(rule), [found(routes, path) for path in PATHS]
        rule.arguments = set(rule.defaults or ())
        compiled_anew(rule)
        assert once == told(rule)
        with monkeypatch.context() as patch:
            patch.setattr(Rule, "compile", compiled_anew)
            assert matches == [found(Map([copy(alike)]), path) for path in PATHS]


def test_a_converter_of_an_application_is_asked_there_only() -> None:
    plain, own = (Map(converters=given) for given in ({}, {"default": Shout}))
    for routes in (plain, own):
        routes.add(Rule("/Letters/<id>", endpoint="letters"))
    assert found(plain, "/Letters/ann") == ("letters", {"id": "ann"})
    assert found(own, "/Letters/ann") is NotFound


def test_routes_of_one_text_share_what_builds_them() -> None:
    rules = [Rule("/Groups/<id>", endpoint=endpoint) for endpoint in ("one", "other")]
    for rule in rules:
        Map([rule])
    one, other = rules
    assert one._build.__func__ is other._build.__func__  # type: ignore[attr-defined]
    assert one.compile.__func__ is compiled_once  # type: ignore[attr-defined]
