from typing import Any

import jmespath
import pytest

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


def test_a_failure_holds_no_value_of_the_document() -> None:
    with pytest.raises(ExpressionFailed) as caught:
        Expression("abs(a)").value_in({"a": "secret"})
    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
