"""What cannot be read or recorded, told in errors that help the sender."""

from collections.abc import Iterator
from contextlib import contextmanager

from scim2_models import InvalidValueException, NotFoundException, TooManyException, UniquenessException

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.recording.recorder import Incomplete, UnknownMembers
from scim_bridge.store import directory
from scim_bridge.store.engine import StatementTimedOut
from scim_bridge.store.search import folding

_SHOWN_OF_ID = 64
"""Characters of an unknown id that its refusal shows; ours are shorter."""

_TAKEN = {
    USER: "Another user of this tenant has this userName, active or not. Find it by a filter on userName.",
    GROUP: "Another group of this tenant has this displayName and externalId. Find it by a filter on displayName.",
}


def unknown(kind: str, scim_id: str) -> NotFoundException:
    """Return the error for an id that no living resource of a kind has."""
    return NotFoundException(detail=f"There is no {kind} with the id {scim_id[:_SHOWN_OF_ID]!r}")


@contextmanager
def in_time() -> Iterator[None]:
    """Turn a read that took longer than a request may into its error.

    Raises:
        TooManyException: it did.
    """
    try:
        yield
    except StatementTimedOut:
        raise TooManyException(
            detail="The search takes too long. Filter by userName, externalId or emails.value, or ask for less."
        ) from None


@contextmanager
def named() -> Iterator[None]:
    """Turn what recording refuses into its errors.

    Raises:
        UniquenessException: another resource has the name.
        InvalidValueException: a value, or a member, cannot be.
    """
    try:
        yield
    except directory.NameTaken as error:
        raise UniquenessException(detail=_TAKEN[error.args[0]]) from None
    except folding.ValueTooLong as error:
        raise InvalidValueException(
            detail=f"{error} is longer than {folding.MAX_INDEXED_BYTES} bytes; people are looked up by it"
        ) from None
    except folding.NotStorable as error:
        raise InvalidValueException(detail=f"{error} holds a NUL character or half a surrogate pair") from None
    except Incomplete as error:
        raise InvalidValueException(detail=f"{error} is required and must not be empty") from None
    except UnknownMembers as error:
        unknown = error.args[0]
        raise InvalidValueException(
            detail=f"There is no User with the id {unknown[0][:_SHOWN_OF_ID]!r}"
            + (f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else "")
            + ". Members are users; create them first."
        ) from None
