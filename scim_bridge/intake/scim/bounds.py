"""How much one request may ask for, whatever its size in bytes: what costs more than its bytes is bounded by number."""

import re
from typing import Any

from scim2_models import (
    InvalidPathException,
    InvalidValueException,
    PatchOp,
    PatchOperation,
    PayloadTooLargeException,
    Resource,
)

MAX_ITEMS = 100_000
"""Values in a body, those within others too: four times what a group of 1 MB has."""

MAX_VALUES = 1_000
"""Values of one attribute of a user. The members of a group are rows, and bounded by the size of a request alone."""

MAX_OPERATIONS = 1_000
"""Operations of one PATCH; more, where Bulk may hold more: authentik cuts its patches to what Bulk announces.

Those that only add and remove members in a plain way are not counted: they cost little, and senders send thousands."""

MAX_IN_PATCHES = 5
"""Operations within the patches of a bulk request, for each operation that the bulk request may hold."""

MAX_PATH = 8_000
"""Characters of one path, and parentheses as of a filter."""

MAX_SELECTION = 100_000
"""Characters of all paths of a PATCH that hold a filter."""

MAX_COMPARISONS = 5_000
"""Comparisons that the patches of one request make: for each term of a path's filter, every value of the attribute is
read. A thousand take a quarter of a second, in which others wait to write."""

MAX_NAMES = 500
"""Names in `attributes` or `excludedAttributes`."""

_JOINTS = re.compile(r"\s(?:and|or)\s", re.IGNORECASE)
_PLAIN_WEIGHT = 10
"""Values that are merely copied cost a tenth of one that is compared."""


def check_patch(payload: Any, *, most: int, nesting: int) -> None:
    """Refuse a tolerated PatchOp message that takes long to read.

    Raises:
        PayloadTooLargeException: it holds more than `most` operations, or they select too much.
        InvalidPathException: a path is too long, or has more than `nesting` parentheses.
    """
    operations = payload.get("Operations") if isinstance(payload, dict) else None
    if not isinstance(operations, list):
        return
    if len(operations) > most:
        raise PayloadTooLargeException(detail=f"The PATCH holds more than {most} operations. Send them in several.")
    found = [each.get("path") for each in operations if isinstance(each, dict)]
    _check_paths([path for path in found if isinstance(path, str)], nesting=nesting)


def check_bulk(operations: list[Any], *, most: int) -> None:
    """Refuse a bulk request of too many operations, before any is read, or of patches that hold too many.

    Raises:
        PayloadTooLargeException: it is one.
    """
    if len(operations) > most:
        raise PayloadTooLargeException(detail=f"The number of operations exceeds the maxOperations ({most})")
    patched = sum(_patch_operations(each) for each in operations)
    if patched > MAX_IN_PATCHES * most:
        raise PayloadTooLargeException(
            detail=f"The patches of the bulk request hold more than {MAX_IN_PATCHES * most} operations. "
            "Send less at once."
        )


def _patch_operations(operation: Any) -> int:
    """Return how many operations the patch within an operation holds; 0 where there is none."""
    data = operation.get("data") if isinstance(operation, dict) else None
    inner = data.get("Operations") if isinstance(data, dict) else None
    return len(inner) if isinstance(inner, list) else 0


def _check_paths(paths: list[str], *, nesting: int) -> None:
    for path in paths:
        if len(path) > MAX_PATH or path.count("(") + path.count("[") > nesting:
            raise InvalidPathException(
                detail=f"A path is longer than {MAX_PATH} characters or has more than {nesting} parentheses"
            )
    if sum(len(path) for path in paths if "[" in path) > MAX_SELECTION:
        raise PayloadTooLargeException(detail="The PATCH selects too much at once. Send it in several.")


def check_values(name: str, values: Any) -> None:
    """Refuse an attribute of a user with too many values.

    Raises:
        InvalidValueException: it has more than MAX_VALUES.
    """
    if isinstance(values, list) and len(values) > MAX_VALUES and name != "members":
        raise InvalidValueException(detail=f"{name} holds more than {MAX_VALUES} values")


def check_result(resource: Resource[Any]) -> None:
    """Refuse what a patch has made of a user, if an attribute has too many values now.

    Raises:
        InvalidValueException: as `check_values`.
    """
    for field in type(resource).model_fields:
        check_values(field, getattr(resource, field, None))


def check_names(names: Any) -> None:
    """Refuse too many names of attributes.

    Raises:
        InvalidValueException: there are more than MAX_NAMES.
    """
    count = names.count(",") + 1 if isinstance(names, str) else len(names) if isinstance(names, list) else 0
    if count > MAX_NAMES:
        raise InvalidValueException(detail=f"More than {MAX_NAMES} attributes are named")


def check_comparisons(patch: "PatchOp[Any]", resource: Resource[Any], *, made: int = 0) -> int:
    """Return how many values of a resource a patch compares; refuse one that does so too often.

    Raises:
        PayloadTooLargeException: with those that the request `made` before, there are more than MAX_COMPARISONS.
    """
    sizes: dict[str, int] = {}
    comparisons = 0
    for operation in patch.operations or []:
        binding = None if operation.path is None else operation.path.resolve()
        if binding is None or not binding.is_multivalued:
            continue
        name = binding.field_name
        sizes[name] = sizes.get(name, len(getattr(resource, name, None) or [])) + _added(operation)
        if operation.path is not None and operation.path.value_filter is not None:
            comparisons += sizes[name] * (1 + len(_JOINTS.findall(str(operation.path))))
        else:
            comparisons += sizes[name] // _PLAIN_WEIGHT
    if made + comparisons > MAX_COMPARISONS:
        raise PayloadTooLargeException(
            detail="The PATCH compares too many values. Send its operations in several, or replace the attribute."
        )
    return comparisons


def _added(operation: "PatchOperation[Any]") -> int:
    if operation.op == PatchOperation.Op.remove:
        return 0
    return len(operation.value) if isinstance(operation.value, list) else 1
