"""What is wrong with a configuration: every problem with its file and key, all told at once."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scim_bridge.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to mend. Holds no value: a value may be a secret."""

    file: str
    key: str
    text: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.file}: {self.key}: {self.text}" if self.key else f"{self.file}: {self.text}"


class SettingsRefused(UsageError):  # noqa: N818 - it says what happened to the settings
    """The configuration cannot be used; `problems` names everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems; the message lists them, a line each."""
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"the configuration has {head}:\n{lines}")


@dataclass(slots=True)
class Findings:
    """Collects problems while a configuration is read."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, file: Path | str, key: str, text: str) -> None:
        """Note a problem; the same one is noted once."""
        problem = Problem(file=str(file), key=key, text=text)
        if problem not in self.problems:
            self.problems.append(problem)

    def add_unknown(self, file: Path | str, key: str, known: Iterable[str]) -> None:
        """Note a key that nothing reads, with the known one that was perhaps meant."""
        name = key.rpartition(".")[2]
        by_lower = {each.lower(): each for each in sorted(known)}
        near = difflib.get_close_matches(name.lower(), by_lower, n=1)
        self.add(file, key, f"unknown key; did you mean {by_lower[near[0]]}?" if near else "unknown key")

    def add_invalid(self, file: Path | str, prefix: str, error: ValidationError, known: Iterable[str]) -> None:
        """Note what a model found wrong, without the values."""
        names = list(known)
        for found in error.errors(include_url=False, include_context=False, include_input=False):
            key = dotted(prefix, *found["loc"])
            if found["type"] == "extra_forbidden":
                self.add_unknown(file, key, names)
            else:
                self.add(file, key, _sentence(key, found["type"], found["msg"]))

    def refuse(self) -> None:
        """Raise SettingsRefused when there is any problem."""
        if self.problems:
            raise SettingsRefused(self.problems)


def dotted(*parts: str | int) -> str:
    """Return a key path: names with dots between, positions in brackets."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part:
            path += f".{part}" if path else part
    return path


def without_faults(table: Mapping[str, Any], error: ValidationError) -> dict[str, Any]:
    """Return a table without what a model found wrong, so that the rest of it can be checked further.

    What is wrong inside a table of it is taken out alone; anything else goes as a whole.
    """
    sound = dict(table)
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        key, *within = found["loc"]
        value = sound.get(str(key))
        if within and isinstance(value, dict):
            sound[str(key)] = {name: each for name, each in value.items() if name != within[0]}
        else:
            sound.pop(str(key), None)
    return sound


def _sentence(key: str, kind: str, message: str) -> str:
    if kind == "model_type":
        return f"must be a [{key}] table" if key.isidentifier() else "must be a table"
    if kind == "dict_type":
        return "must be a table"
    text = message.removeprefix("Value error, ").replace("Input should be", "must be")
    return text[:1].lower() + text[1:]
