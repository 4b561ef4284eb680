"""Reading a kind's own options: with their types, all problems named at once."""

from collections.abc import Iterable
from typing import Any

from scim_bridge.settings.models import TargetSettings


class OptionsRefused(ValueError):  # noqa: N818 - it says what happened to the options
    """The options of a target cannot be used; the message names each that is wrong."""


class OptionReader:
    """Reads a target's options one by one and collects what is wrong with them."""

    def __init__(self, settings: TargetSettings) -> None:
        self._name = settings.name
        self._options = settings.options
        self._secrets = settings.secrets
        self.problems: list[str] = []

    def text(self, key: str, otherwise: str = "") -> str:
        """Return an option that is text."""
        value = self._options.get(key, otherwise)
        if isinstance(value, str):
            return value
        self.problems.append(f"{key} must be text")
        return otherwise

    def url(self, key: str) -> str:
        """Return an address without a slash at its end; empty when it is not given."""
        value = self.text(key).rstrip("/")
        if value and not value.startswith(("http://", "https://")):
            self.problems.append(f"{key} must begin with https:// or http://")
        return value

    def choice(self, key: str, allowed: Iterable[str]) -> str:
        """Return one of the allowed words; the first when the option is not given."""
        words = tuple(allowed)
        value = self._options.get(key, words[0])
        if value in words:
            return str(value)
        self.problems.append(f"{key} must be one of {', '.join(words)}")
        return words[0]

    def switch(self, key: str) -> bool:
        """Return whether a switch is on: "on" or true, "off" or false; off when it is not given."""
        value = self._options.get(key, "off")
        if isinstance(value, bool):
            return value
        return self.choice(key, ("off", "on")) == "on"

    def number(self, key: str, otherwise: float, *, least: float) -> float:
        """Return a number that is not below its least."""
        value = self._options.get(key, otherwise)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= least:
            return float(value)
        self.problems.append(f"{key} must be a number from {least:g} on")
        return otherwise

    def table(self, key: str) -> dict[str, Any]:
        """Return a table; empty when it is not given."""
        value = self._options.get(key, {})
        if isinstance(value, dict):
            return dict(value)
        self.problems.append(f"{key} must be a table")
        return {}

    def secret(self, key: str) -> str:
        """Return a secret's value; empty when there is none."""
        value = self._secrets.get(key)
        return "" if value is None else value.get_secret_value()

    def need(self, key: str, value: str) -> None:
        """Note a problem when a value is empty."""
        if not value:
            self.problems.append(f"{key} is missing")

    def finish(self) -> None:
        """Raise OptionsRefused when anything was wrong."""
        if self.problems:
            raise OptionsRefused(f"target {self._name}: {'; '.join(self.problems)}")
