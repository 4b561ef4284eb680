"""JMESPath expressions as configuration has them: compiled with errors that name the place."""

from collections.abc import Iterator, Mapping
from typing import Any

import jmespath
import jmespath.exceptions
from jmespath.functions import Functions

from scim_bridge.mapping import reading, steps


class ExpressionRefused(Exception):  # noqa: N818 - it says what happened to the expression
    """An expression of [mapping] cannot be read; the message names the place in it."""


class ExpressionFailed(Exception):  # noqa: N818 - it says what happened to the expression
    """An expression failed for one document. Holds no value of it."""


class Expression:
    """One compiled expression."""

    def __init__(self, text: str) -> None:
        """Compile.

        Raises:
            ExpressionRefused: when the text is no JMESPath, or calls a function that does not exist.
        """
        parsed = _parsed(text)
        self._find = steps.step_of(parsed)
        self.reads: reading.Reading = reading.reading_of(parsed)

    def value_in(self, document: Mapping[str, Any]) -> Any:
        """Return what the expression finds in a document, None when nothing.

        Raises:
            ExpressionFailed: when a function meets a type that it does not take.
        """
        try:
            return self._find(document)
        except (jmespath.exceptions.JMESPathError, TypeError, ValueError) as exc:
            kind = type(exc).__name__
        # Outside the except block: the library's message holds the value, and a chained traceback would show it.
        raise ExpressionFailed(kind)


def faults_of(expressions: Mapping[str, str]) -> list[str]:
    """Return what is wrong with named expressions, a sentence each; nothing when all can be read."""
    faults = []
    for name, text in expressions.items():
        try:
            Expression(text)
        except ExpressionRefused as exc:
            faults.append(f"{name}: {exc}")
    return faults


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        compiled = jmespath.compile(text)
    except jmespath.exceptions.EmptyExpressionError as exc:
        raise ExpressionRefused("the expression is empty") from exc
    except jmespath.exceptions.IncompleteExpressionError as exc:
        raise ExpressionRefused("the expression ends too early") from exc
    except jmespath.exceptions.ParseError as exc:
        raise ExpressionRefused(f"cannot be read from character {exc.lex_position + 1} on") from exc
    parsed: Mapping[str, Any] = compiled.parsed
    for function in _functions_in(parsed):
        if function not in Functions.FUNCTION_TABLE:
            raise ExpressionRefused(f"there is no function {function}()")
    return parsed


def _functions_in(node: Mapping[str, Any]) -> Iterator[str]:
    if node.get("type") == "function_expression":
        yield node["value"]
    for child in node.get("children", ()):
        if isinstance(child, dict):
            yield from _functions_in(child)
