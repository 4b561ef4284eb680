"""The `scope` of a target as a SCIM filter over Users: for one document here, and for counting in the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from scim2_models import SCIMException, ScimFilter, SearchRequest
from scim2_server.utils import parametrize

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import USER
from scim_bridge.store.engine import Transaction
from scim_bridge.store.search import pages


@dataclass(frozen=True, slots=True)
class CompiledFilter:
    """A filter that has been read."""

    filter: ScimFilter[Any]

    def takes(self, document: Mapping[str, Any]) -> bool:
        """Tell whether it matches a User document."""
        return self.filter.match(MODELS[USER].model_validate(dict(document)))


def compiled(text: str) -> CompiledFilter:
    """Return a filter over Users, checked against what a User has.

    Raises:
        ValueError: it is no SCIM filter (RFC 7644 section 3.4.2.2), or names what a User does not have.
    """
    try:
        request = parametrize(SearchRequest, MODELS[USER])(filter=text)
    except (ValidationError, SCIMException) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ValueError(f"{text!r} is no SCIM filter over Users: {reason}") from None
    assert request.filter is not None  # noqa: S101 - it was given and has been read
    return CompiledFilter(request.filter)


def count_active(tx: Transaction, scope: str) -> int:
    """Return how many active users of the transaction's tenant are in a scope.

    Raises:
        ValueError: the scope cannot be counted by the database, though it can be matched.
    """
    try:
        request = parametrize(SearchRequest, MODELS[USER])(filter=f"({scope}) and not (active eq false)", count=0)
        return pages.find(tx, [(USER, MODELS[USER])], request).total or 0
    except SCIMException as error:
        raise ValueError(type(error).__name__) from None
