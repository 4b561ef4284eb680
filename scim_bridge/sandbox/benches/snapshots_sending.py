"""Sends a file of HR rows as an integrator would: uploads it, asks until it is done, and reads the report."""

import csv
import http.client
import io
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scim_bridge.sandbox.benches import snapshots_plan
from scim_bridge.sandbox.benches.connection import BenchFailed
from scim_bridge.sandbox.benches.snapshots_plan import Sheet

SOURCE = "hr"

_PATH = "/hr/v1/imports"
_LOOK_EVERY_S = 0.1
_LONGEST_S = 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the report tells."""

    outcomes: Counter[str]
    touched: Mapping[str, str] = field(repr=False)
    """What became of the rows that were not unchanged, by id."""


def source() -> str:
    """Return the source of the rows, as configuration."""
    table = f'[[tenants.sources]]\nname = "{SOURCE}"\nkind = "csv"\nactive_values = ["active"]\n'
    return table + snapshots_plan.MAPPING


def send(sheet: Sheet, *, port: int, token: str, is_dry_run: bool) -> Told:
    """Send a file as a snapshot and return what its report tells once it is done.

    Raises:
        BenchFailed: it is not taken, or does not come to its end.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LONGEST_S)
    try:
        authorization = {"Authorization": f"Bearer {token}"}
        headers = {**authorization, "Content-Type": "text/csv", "Content-Length": str(sheet.size)}
        with sheet.path.open("rb") as file:
            query = f"?mode=snapshot&dry_run={'true' if is_dry_run else 'false'}"
            connection.request("POST", f"{_PATH}{query}", file, headers)
        summary = _answer(connection, wanted=202)
        location = summary["location"]
        deadline = time.monotonic() + _LONGEST_S
        while summary["status"] != "done":
            if summary["status"] == "refused" or time.monotonic() > deadline:
                raise BenchFailed(f"the import is {summary['status']}: {summary['reason']}")
            time.sleep(_LOOK_EVERY_S)
            connection.request("GET", location, headers=authorization)
            summary = _answer(connection, wanted=200)
        if summary["nobody_missing_because"]:
            raise BenchFailed(f"nobody was taken for gone: {summary['nobody_missing_because']}")
        connection.request("GET", summary["report"]["csv"], headers=authorization)
        return _told(connection.getresponse())
    except (OSError, http.client.HTTPException) as error:
        raise BenchFailed(f"the front door does not answer ({type(error).__name__})") from error
    finally:
        connection.close()


def _answer(connection: http.client.HTTPConnection, *, wanted: int) -> Any:
    response = connection.getresponse()
    body = response.read()
    if response.status != wanted:
        raise BenchFailed(f"{response.status} instead of {wanted}: {body[:300].decode(errors='replace')}")
    return json.loads(body)


def _told(response: http.client.HTTPResponse) -> Told:
    outcomes: Counter[str] = Counter()
    touched: dict[str, str] = {}
    for row in csv.DictReader(io.TextIOWrapper(response, encoding="utf-8", newline="")):
        outcomes[row["outcome"]] += 1
        if row["outcome"] != "unchanged":
            touched[row["id"]] = row["outcome"]
    return Told(outcomes=outcomes, touched=touched)
