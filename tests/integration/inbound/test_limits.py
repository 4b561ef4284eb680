"""Every limit of a request is kept to the letter, and what is announced of it is true."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running.door import Ticking

from scim_bridge.intake.scim import bounds, filter_text, payloads
from scim_bridge.settings.models import WebSettings
from scim_bridge.store.engine import Store
from scim_bridge.web import auth

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
README = Path(__file__).resolve().parents[3] / "config" / "README.md"


@pytest.fixture(scope="module")
def shared_store(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Requests that are refused do not reach the database, so one kind will do."""
    path = tmp_path_factory.mktemp("limits") / "bridge.db"
    path.write_bytes(sqlite_template.read_bytes())
    store = Store.open(f"sqlite:///{path}", clock=Ticking())
    yield store
    store.close()


@pytest.fixture
def web_settings() -> WebSettings:
    return WebSettings(max_body_bytes=2_000, bulk_max_operations=3, bulk_max_payload_bytes=3_000, max_results=3)


@pytest.fixture
def announced(sender: Any) -> dict[str, Any]:
    return dict(sender.get("/ServiceProviderConfig").json)


def refusal(response: Any) -> tuple[int, str | None]:
    return response.status_code, response.json.get("scimType")


def padded(message: dict[str, Any], size: int) -> bytes:
    """Return a message as JSON of exactly so many bytes."""
    text = json.dumps(message).encode()
    return text + b" " * (size - len(text))


def test_a_page_holds_as_many_resources_as_are_announced(sender: Any, announced: dict[str, Any]) -> None:
    for number in range(5):
        sender.user(f"u{number}")
    most = announced["filter"]["maxResults"]
    assert most == announced["pagination"]["maxPageSize"] == 3
    for query in ("count=1000000", "count=4", "count=1000000&cursor=", "filter=userName pr&count=5"):
        page = sender.get(f"/Users?{query}").json
        assert (page["itemsPerPage"], len(page["Resources"]), page["totalResults"]) == (most, most, 5), query
    searched = sender.post("/Users/.search", {"count": 4}).json
    assert len(searched["Resources"]) == most
    assert len(sender.get("/Users").json["Resources"]) == announced["pagination"]["defaultPageSize"]


def test_bulk_takes_as_many_operations_as_are_announced(sender: Any, announced: dict[str, Any]) -> None:
    most = announced["bulk"]["maxOperations"]

    def bulk(count: int) -> Any:
        operations = [{"method": "DELETE", "path": f"/Users/{number}"} for number in range(count)]
        return sender.post("/Bulk", {"schemas": [BULK], "Operations": operations})

    assert bulk(most).status_code == 200
    assert refusal(bulk(most + 1)) == (413, None)
    assert str(most) in sender.last.json["detail"]


def test_bulk_takes_as_many_bytes_as_are_announced(sender: Any, announced: dict[str, Any]) -> None:
    most = announced["bulk"]["maxPayloadSize"]
    message = {"schemas": [BULK], "Operations": [{"method": "DELETE", "path": "/Users/1"}]}
    assert sender.post("/Bulk", padded(message, most)).status_code == 200
    assert refusal(sender.post("/Bulk", padded(message, most + 1))) == (413, None)
    assert str(most) in sender.last.json["detail"]


def test_a_body_has_as_many_bytes_as_are_set(sender: Any, web_settings: WebSettings) -> None:
    most = web_settings.max_body_bytes
    assert sender.post("/Users", padded({"userName": "ann"}, most)).status_code == 201
    assert refusal(sender.post("/Users", padded({"userName": "bob"}, most + 1))) == (413, None)
    assert str(most) in sender.last.json["detail"]
    # Announced as more than anybody takes: nothing of it is read.
    assert refusal(sender.post("/Users", padded({"userName": "bob"}, 3_001))) == (413, None)


def nested(levels: int) -> str:
    """Return a user whose JSON is nested so deeply, itself counted."""
    return '{"userName": "ann", "x": ' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def test_json_is_nested_as_deeply_as_is_told(sender: Any) -> None:
    assert sender.post("/Users", nested(payloads.MAX_DEPTH)).status_code == 201
    assert refusal(sender.post("/Users", nested(payloads.MAX_DEPTH + 1))) == (400, "invalidSyntax")
    assert refusal(sender.post("/Users/.search", nested(payloads.MAX_DEPTH + 1))) == (400, "invalidSyntax")


def test_a_filter_is_as_long_as_is_told(sender: Any) -> None:
    def filtered(length: int) -> Any:
        start = 'userName eq "'
        text = f'{start}{"x" * (length - len(start) - 1)}"'
        assert len(text) == length
        return sender.get(f"/Users?filter={text}")

    assert filtered(filter_text.MAX_LENGTH).status_code == 200
    assert refusal(filtered(filter_text.MAX_LENGTH + 1)) == (400, "invalidFilter")


@pytest.mark.parametrize("part", ["(title pr)", "emails[value pr]"])
def test_brackets_side_by_side_nest_nothing(sender: Any, part: str) -> None:
    filtered = " or ".join([part] * (filter_text.MAX_NESTING + 1))
    assert sender.get(f"/Users?filter={filtered}").status_code == 200


def test_a_filter_is_nested_as_deeply_as_is_told(sender: Any) -> None:
    def filtered(depth: int) -> Any:
        return sender.get(f"/Users?filter={'(' * depth}title pr{')' * depth}")

    assert filtered(filter_text.MAX_NESTING).status_code == 200
    assert refusal(filtered(filter_text.MAX_NESTING + 1)) == (400, "invalidFilter")


def test_limits_that_are_no_settings_are_told() -> None:
    rows = re.findall(r"^\| ([a-z][^|]+) \| ([\d,]+) \| (\d{3})", README.read_text("utf-8"), re.MULTILINE)
    told = {name: (int(limit.replace(",", "")), int(status)) for name, limit, status in rows}
    assert told == {
        "levels of nested JSON": (payloads.MAX_DEPTH, 400),
        "characters of a filter": (filter_text.MAX_LENGTH, 400),
        "levels of parentheses and brackets in a filter": (filter_text.MAX_NESTING, 400),
        "values in a body, those within others too": (bounds.MAX_ITEMS, 413),
        "values of one attribute of a user": (bounds.MAX_VALUES, 400),
        "operations of a PATCH, not counting plain ones on members; more if `web.bulk_max_operations` is more": (
            bounds.MAX_OPERATIONS,
            413,
        ),
        "operations within the patches of a Bulk request, for each operation that it may hold": (
            bounds.MAX_IN_PATCHES,
            413,
        ),
        "characters of a path": (bounds.MAX_PATH, 400),
        "characters of the paths of a PATCH that hold a filter": (bounds.MAX_SELECTION, 413),
        "comparisons of a request's patches: for each term of a path's filter, the values of the attribute": (
            bounds.MAX_COMPARISONS,
            413,
        ),
        "names in `attributes` or `excludedAttributes`": (bounds.MAX_NAMES, 400),
        "wrong tokens with the same first half, in a minute, in one process": (auth.MAX_FAILURES, 429),
    }
