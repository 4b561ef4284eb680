from typing import Any

import jmespath
import jmespath.exceptions
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scim_bridge.mapping.expressions import Expression, ExpressionFailed

DOCUMENTS: list[dict[str, Any]] = [
    {},
    {"a": None},
    {"a": "text"},
    {"a": ["b"]},
    {"a": {"b": 1}},
    {"a": {"b": {"c": ""}}},
    {"a": {"b": [{"c": 1}]}},
    {"a": False},
]


@pytest.mark.parametrize("path", ["a", "a.b", "a.b.c", "z", "z.a"])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_plain_path_finds_what_jmespath_finds(path: str, document: dict[str, Any]) -> None:
    assert Expression(path).value_in(document) == jmespath.search(path, document)


EMAIL = "(emails[?primary].value | [0]) || emails[0].value || (contains(userName || '', '@') && userName) || null"

EXPRESSIONS = (
    *(
        EMAIL,
        "emails[?type == 'work'].value | [0]",
        "emails[*].value",
        "emails[].value",
        "emails[-1].value",
        "emails[7]",
    ),
    *("a || b", "a && b", "a && b || c", "!a", "a | b", "a.b | [0]", "a[0].b", "@", "`0` || a", "`[]` || a", "[a, b]"),
    *("length(emails)", "emails[?!primary].value", "a[?b].c", "emails[?primary].{x: value}", "emails[1:].value"),
    *("not_null(a, b)", "sort_by(emails, &value)[0].value", "emails[?value]", 'userName || `"none"`'),
)

scalars = st.none() | st.booleans() | st.sampled_from([0, 1, "", "text", "a@b.example", "work"])
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=8,
)
emails = st.lists(
    st.dictionaries(st.sampled_from(["value", "primary", "type"]), scalars, max_size=3) | scalars, max_size=3
)
documents = st.fixed_dictionaries(
    {}, optional={"emails": emails | nested, "userName": scalars, "a": nested, "b": nested}
)


@settings(max_examples=400)
@given(text=st.sampled_from(EXPRESSIONS), document=documents)
def test_an_expression_finds_what_jmespath_finds(text: str, document: dict[str, Any]) -> None:
    try:
        expected = jmespath.search(text, document)
    except (jmespath.exceptions.JMESPathError, TypeError, ValueError):
        with pytest.raises(ExpressionFailed):
            Expression(text).value_in(document)
        return
    found = Expression(text).value_in(document)
    assert (found, type(found)) == (expected, type(expected))


def test_a_failure_holds_no_value_of_the_document() -> None:
    with pytest.raises(ExpressionFailed) as caught:
        Expression("abs(a)").value_in({"a": "secret"})
    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
