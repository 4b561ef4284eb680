"""What the tests spare themselves when they build applications changes no URL."""

import pytest
from running.routes import compiled_anew, compiled_once
from werkzeug.routing import Map, Rule


@pytest.mark.parametrize("append_unknown", [True, False])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        # The same route of two applications.
        (Rule("/Users/<id>", endpoint="user"), Rule("/Users/<id>", endpoint="user")),
        # A converter is the route's own, also where the text is the same but for it.
        (Rule("/Users/<id>", endpoint="user"), Rule("/Users/<path:id>", endpoint="user")),
        (Rule("/Users/<id>", endpoint="user"), Rule("/Users/<id>/", endpoint="user")),
        (Rule("/Users/<id>", endpoint="user", subdomain="a"), Rule("/Users/<id>", endpoint="user", subdomain="<team>")),
        (Rule("/Users/<id>", endpoint="user"), Rule("/Users/<id>", endpoint="user", defaults={"id": "me"})),
        (Rule("/a", endpoint="a", defaults={"id": "one"}), Rule("/a", endpoint="a", defaults={"id": "two"})),
    ],
)
def test_a_route_is_built_as_if_it_were_the_first_of_its_text(first: Rule, second: Rule, append_unknown: bool) -> None:  # noqa: FBT001 - werkzeug's own
    for rule in (first.empty(), second.empty()):
        Map([rule])
        anew = compiled_anew(rule, append_unknown).__get__(rule)
        once = compiled_once(rule, append_unknown).__get__(rule)
        for each in ({"id": "ann"}, {"id": "a/b c"}, {"id": "ann", "page": "2"}):
            values = {**each, "team": "red"}
            assert once(**values) == anew(**values)


def test_routes_of_one_text_share_what_builds_them() -> None:
    rules = [Rule("/Groups/<id>", endpoint=endpoint) for endpoint in ("one", "other")]
    for rule in rules:
        Map([rule])
    one, other = (compiled_once(rule) for rule in rules)
    assert one is other
