"""Which fields of a document an expression reads: what may pass the door, and what a partial row must name."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str, ...]
"""Names from the outermost in; elements of lists are not counted, ANY stands for every name."""

Node = Mapping[str, Any]

ANY = "*"

_PASSING_ON = frozenset({"sort_by", "min_by", "max_by", "reverse", "to_array", "not_null"})
"""Functions whose result is a part of what they are given; all others make something new."""


class Want(IntEnum):
    """How much of a value is wanted."""

    NOTHING = 0
    PLAIN = 1
    """A text, a number or a truth; of a table only what is wanted within it."""
    ALL = 2


@dataclass(slots=True)
class Tree:
    """What is wanted of a document: of itself, and of what is within it."""

    branches: dict[str, "Tree"] = field(default_factory=dict)
    wants: Want = Want.NOTHING

    def add(self, path: Path, want: Want) -> None:
        """Want what a path leads to."""
        tree = self
        for name in path:
            tree = tree.branches.setdefault(name, Tree())
        tree.wants = max(tree.wants, want)

    def pruned(self, value: Any) -> Any:
        """Return of a value only what is wanted."""
        if self.wants is Want.ALL:
            return value
        if isinstance(value, Mapping):
            rest = self.branches.get(ANY)
            if rest is None:
                return {name: tree.pruned(value[name]) for name, tree in self.branches.items() if name in value}
            return {name: self.branches.get(name, rest).pruned(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.pruned(each) for each in value]
        return value if self.wants is Want.PLAIN else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an expression may read; the empty path means the whole document."""

    found: frozenset[Path]
    """Where its result may come from."""
    taken: frozenset[Path]
    """What it reads to make a result of, or to choose."""

    @property
    def paths(self) -> frozenset[Path]:
        """Return everything that it may read."""
        return self.found | self.taken


def reading_of(node: Node) -> Reading:
    """Return what a parsed expression may read."""
    reader = _Reader()
    found = reader.follow(node, frozenset({()}))
    return Reading(found=found, taken=frozenset(reader.taken))


def is_named(value: Any, path: Path) -> bool:
    """Tell whether a document names what a path leads to, be it with an empty value."""
    for name in path:
        if isinstance(value, list):
            return True
        if name == ANY:
            return value is not None
        if not isinstance(value, Mapping):
            # A name above that is given empty empties what is below.
            return value in (None, "")
        if name not in value:
            return False
        value = value[name]
    return True


class _Reader:
    """Follows an expression through the places where its values may come from."""

    def __init__(self) -> None:
        self.taken: set[Path] = set()
        """What is read but does not become part of the result."""

    def follow(self, node: Node, places: frozenset[Path]) -> frozenset[Path]:
        """Return where the result of a node may come from, given where its input does."""
        children = [child for child in node.get("children", ()) if isinstance(child, dict)]
        match node["type"]:
            case "field":
                return frozenset((*place, node["value"]) for place in places)
            case "subexpression" | "pipe" | "index_expression" | "projection" | "flatten":
                return self._through(children, places)
            case "value_projection":
                left = self.follow(children[0], places)
                return self._through(children[1:], frozenset((*place, ANY) for place in left))
            case "filter_projection":
                left = self.follow(children[0], places)
                self.taken |= self.follow(children[2], left)
                return self.follow(children[1], left)
            case "identity" | "current" | "index" | "slice":
                return places
            case "or_expression" | "and_expression":
                return frozenset().union(*(self.follow(child, places) for child in children))
            case "function_expression":
                return self._called(node["value"], children, places)
            case _:
                for child in children:
                    self.taken |= self.follow(child, places)
                return frozenset()

    def _through(self, children: Iterable[Node], places: frozenset[Path]) -> frozenset[Path]:
        for child in children:
            places = self.follow(child, places)
        return places

    def _called(self, function: str, arguments: Collection[Node], places: frozenset[Path]) -> frozenset[Path]:
        found: frozenset[Path] = frozenset()
        for argument in arguments:
            if argument["type"] != "expref":
                found |= self.follow(argument, places)
        for argument in arguments:
            if argument["type"] == "expref":
                self.taken |= self._through(argument["children"], found)
        if function in _PASSING_ON:
            return found
        self.taken |= found
        return frozenset()
