"""POST /Bulk by RFC 7644 3.7, with the figures and the disorder of the options."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from scim_bridge.sandbox.targets.scim import answers, schemas
from scim_bridge.sandbox.targets.scim.answers import ScimError
from scim_bridge.sandbox.targets.scim.options import ScimOptions
from scim_bridge.sandbox.targets.scim.side import ScimSide

Operation = Mapping[str, Any]


class _UnresolvedError(Exception):
    """The operation refers to one that has not been done yet."""


class BulkRun:
    """The operations of one request, done in order; one that refers to a later one waits for it."""

    def __init__(self, side: ScimSide, *, fail_on_errors: int | None, at_most: int | None) -> None:
        self._side = side
        self._fail_on_errors = fail_on_errors
        self._at_most = at_most
        self._made: dict[str, str] = {}
        self._failed: set[str] = set()
        self._errors = 0
        self._done = 0
        self.entries: list[dict[str, Any]] = []

    def work(self, operations: Sequence[Operation]) -> None:
        """Do the operations until all are done, too many have failed, or `at_most` is reached."""
        waiting = list(operations)
        while waiting:
            postponed: list[Operation] = []
            for operation in waiting:
                if self._is_over():
                    return
                try:
                    self._do(operation)
                except _UnresolvedError:
                    postponed.append(operation)
            if len(postponed) == len(waiting):
                for operation in postponed:
                    if not self._is_over():
                        self._fail(operation, ScimError(400, "a bulkId refers to no operation", "invalidValue"))
                return
            waiting = postponed

    def _is_over(self) -> bool:
        is_full = self._at_most is not None and self._done >= self._at_most
        return is_full or (self._fail_on_errors is not None and self._errors >= self._fail_on_errors)

    def _do(self, operation: Operation) -> None:
        method, bulk_id = operation["method"], operation.get("bulkId")
        try:
            _require_parts(operation)
            path, data = self._resolve(operation["path"]), self._resolve(operation.get("data"))
            performed = self._side.perform(method, path, data)
        except ScimError as error:
            self._fail(operation, error)
            return
        self._done += 1
        if bulk_id is not None:
            self._made[bulk_id] = performed.resource_id
        self.entries.append(
            {"method": method, **_named(bulk_id), "location": performed.location, "status": str(performed.status)}
        )

    def _fail(self, operation: Operation, error: ScimError) -> None:
        self._done += 1
        self._errors += 1
        bulk_id = operation.get("bulkId")
        if bulk_id is not None:
            self._failed.add(bulk_id)
        located = {} if operation["method"] == "POST" else {"location": self._side.base + operation["path"]}
        self.entries.append(
            {
                "method": operation["method"],
                **_named(bulk_id),
                **located,
                "status": str(error.status),
                "response": answers.scim_error_body(error, self._side.options),
            }
        )

    def _resolve(self, value: Any) -> Any:
        """Put identifiers in place of `bulkId:` references, wherever they stand."""
        if isinstance(value, str) and "bulkId:" in value and self._side.options.bulk_references:
            before, _, bulk_id = value.partition("bulkId:")
            if before not in {"", "/Users/", "/Groups/"}:
                return value
            if bulk_id in self._failed:
                raise ScimError(400, "the operation that a bulkId refers to has failed", "invalidValue")
            if bulk_id not in self._made:
                raise _UnresolvedError
            return before + self._made[bulk_id]
        if isinstance(value, dict):
            return {name: self._resolve(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._resolve(each) for each in value]
        return value


def require_small(operations: Any, payload_bytes: int, options: ScimOptions) -> None:
    """Raise ScimError 413 when a bulk request is above one of the two limits, and 501 when there is no bulk."""
    if not options.bulk:
        raise ScimError(501, "bulk requests are not supported")
    if payload_bytes > options.max_payload_bytes:
        raise ScimError(413, f"the payload is above maxPayloadSize ({options.max_payload_bytes})")
    if isinstance(operations, list) and len(operations) > options.max_operations:
        raise ScimError(413, f"there are more operations than maxOperations ({options.max_operations})")


def answer_bulk(
    body: Any, side: ScimSide, *, payload_bytes: int, at_most: int | None, randomness: random.Random
) -> dict[str, Any]:
    """Do a bulk request and return its BulkResponse; raises ScimError when it is refused as a whole."""
    require_small(body.get("Operations") if isinstance(body, dict) else None, payload_bytes, side.options)
    wrong = schemas.breach("BulkRequest", body)
    if wrong is not None:
        raise ScimError(400, wrong, "invalidSyntax")
    bulk_ids = [each["bulkId"] for each in body["Operations"] if "bulkId" in each]
    if len(set(bulk_ids)) != len(bulk_ids):
        raise ScimError(400, "a bulkId is used twice", "invalidValue")
    run = BulkRun(side, fail_on_errors=body.get("failOnErrors"), at_most=at_most)
    run.work(body["Operations"])
    if side.options.shuffle:
        randomness.shuffle(run.entries)
    return {"schemas": [schemas.BULK_RESPONSE], "Operations": run.entries}


def _require_parts(operation: Operation) -> None:
    if operation["method"] == "POST" and "bulkId" not in operation:
        raise ScimError(400, "a POST in a bulk request needs a bulkId", "invalidSyntax")
    if operation["method"] != "DELETE" and "data" not in operation:
        raise ScimError(400, "only a DELETE in a bulk request has no data", "invalidSyntax")


def _named(bulk_id: str | None) -> dict[str, str]:
    return {} if bulk_id is None else {"bulkId": bulk_id}
