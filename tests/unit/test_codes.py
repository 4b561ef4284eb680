"""Whatever the code calls an outcome is in the catalogue, or nobody is told what to do about it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from scim_bridge.domain.catalogue import CATALOGUE

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = (
    "scim_bridge/mapping",
    "scim_bridge/planning",
    "scim_bridge/recording",
    "workers/delivery",
    "workers/targets",
)
"""Where outcomes are made."""


def codes_in(path: Path) -> Iterator[str]:
    """Yield the texts that are given as a code, by that name or behind a state."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            given = [each.value for each in node.keywords if each.arg == "code"]
            for before, after in zip(node.args, node.args[1:], strict=False):
                if (
                    isinstance(before, ast.Attribute)
                    and isinstance(before.value, ast.Name)
                    and before.value.id == "State"
                ):
                    given.append(after)
            yield from (each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str))


def test_every_code_of_an_outcome_is_in_the_catalogue() -> None:
    told = {code for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py") for code in codes_in(path)}
    assert len(told) > 30
    assert told - CATALOGUE.keys() - {""} == set()
