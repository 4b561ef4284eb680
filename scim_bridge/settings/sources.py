"""The settings of one source, as checked values. `source_tables` makes them from files."""

from typing import Literal

from pydantic import Field, SecretStr

from scim_bridge.settings.checked import Checked

SourceKind = Literal["scim", "generic", "bamboohr", "hibob", "merge", "finch", "gusto", "personio", "paylocity", "csv"]
"""What a source sends: SCIM, the events of one HR system, our own JSON (`generic`), or nothing but files (`csv`)."""

WITHOUT_SECRET: frozenset[str] = frozenset({"scim", "csv"})
"""Kinds that show a token instead of signing what they send."""

WITHOUT_ROWS: frozenset[str] = frozenset({"scim"})
"""Kinds that send SCIM, to which no mapping applies."""


FETCHED: frozenset[str] = frozenset({"bamboohr", "hibob"})
"""Kinds whose people can be looked up in the HR system itself, when an event tells only that something changed."""


class FetchSettings(Checked):
    """How people are looked up in the HR system: its API, our credential there, and how many calls it allows."""

    base_url: str
    # Whose credential it is, where the HR system asks for a name beside it.
    user: str = ""
    # None in processes that look nobody up.
    secret: SecretStr | None = None
    requests: int = Field(default=30, ge=1, le=1_000_000)
    per_s: float = Field(default=60.0, gt=0, le=86_400, allow_inf_nan=False)


class SourceSettings(Checked):
    """One system that sends us people."""

    name: str
    kind: SourceKind = "scim"
    secret: SecretStr | None = None
    timezone: str = "UTC"
    owns: list[str] = Field(default_factory=list)
    # Sources that are configured no more: once this one speaks of a person, what they said of them does not count.
    replaces: list[str] = Field(default_factory=list)
    # What it sends is recorded and kept, and applied when it is paused no more.
    paused: bool = False
    mapping: dict[str, str] = Field(default_factory=dict)
    # Of strptime, tried besides ISO 8601.
    date_format: str | None = None
    # Compared without case and outer spaces; "*" stands for every other value.
    active_values: list[str] = Field(default_factory=list)
    inactive_values: list[str] = Field(default_factory=list)
    # Of the people whom the source is known to hold; a snapshot with fewer deactivates nobody.
    smallest_share: float = Field(default=0.8, ge=0, le=1, allow_inf_nan=False)
    # None: found out from the file.
    encoding: str | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    # None: whom an event only names is looked up by nobody.
    fetch: FetchSettings | None = None
