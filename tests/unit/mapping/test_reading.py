"""Which fields an expression reads: it must never be fewer than jmespath does."""

from typing import Any

import jmespath
import pytest

from scim_bridge.mapping import reading
from scim_bridge.mapping.expressions import Expression


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("a || b", {"a", "b"}),
        ("a && b", {"a", "b"}),
        ("!a", {"a"}),
        ("a.b[0].c", {"a.b.c"}),
        ('"First name"', {"First name"}),
        ("a[?x == `1`].v | [0]", {"a.x", "a.v"}),
        ("sort_by(e, &d)[-1].t", {"e.d", "e.t"}),
        ("*.x", {"*.x"}),
        ("{a: b}.a", {"b"}),
        ("join(' ', [a, b])", {"a", "b"}),
        ("map(&a, b)", {"b.a", "b"}),
        ("a[1:2].b", {"a.b"}),
        ("not_null(a.x, b)", {"a.x", "b"}),
        ("@", {""}),
        ("keys(@)", {""}),
        ("a == `1` && 'x' || 'y'", {"a"}),
    ],
)
def test_what_is_read(text: str, paths: set[str]) -> None:
    assert {".".join(path) for path in Expression(text).reads.paths} == paths


DOCUMENT: dict[str, Any] = {
    "a": {"b": [{"c": 1, "d": 2}], "x": 1},
    "b": [{"a": 1, "z": 2}],
    "e": [{"d": 2, "t": "late", "z": 0}, {"d": 1, "t": "early"}],
    "c": "text",
}


@pytest.mark.parametrize("text", ["a.b[0].c", "b[?a == `1`].z | [0]", "sort_by(e, &d)[-1].t", "*.x", "c || a", "e[].t"])
def test_an_expression_finds_the_same_in_what_is_left(text: str) -> None:
    tree = reading.Tree()
    for path in Expression(text).reads.paths:
        tree.add(path, reading.Want.ALL)
    assert jmespath.search(text, tree.pruned(DOCUMENT)) == jmespath.search(text, DOCUMENT)


@pytest.mark.parametrize(
    ("document", "path", "is_named"),
    [
        ({"a": None}, ("a",), True),
        ({}, ("a",), False),
        ({"a": {}}, ("a", "b"), False),
        ({"a": {"b": ""}}, ("a", "b"), True),
        ({"a": None}, ("a", "b"), True),
        ({"a": []}, ("a", "b"), True),
        ({"a": "text"}, ("a", "b"), False),
    ],
)
def test_a_name_above_that_is_given_empty_names_what_is_below(
    document: dict[str, Any], path: tuple[str, ...], *, is_named: bool
) -> None:
    assert reading.is_named(document, path) is is_named
