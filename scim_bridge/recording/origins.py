"""Who asked for a change."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a change comes from: the source's name, its token, and the id that follows it to its outcome."""

    source: str
    correlation_id: str
    token_id: str | None = None
