"""A search that takes longer than a request may is refused with advice; it neither hangs nor fails (RFC 7644 3.12)."""

from typing import Any

import pytest

from scim_bridge.settings.models import WebSettings


@pytest.fixture
def web_settings() -> WebSettings:
    return WebSettings(statement_timeout_s=0.001)


def test_a_search_that_takes_too_long_is_too_many(sender: Any) -> None:
    addresses = [{"value": f"{number}@x"} for number in range(20)]
    made = [
        {"method": "POST", "path": "/Users", "bulkId": name, "data": {"userName": name, "emails": addresses}}
        for name in (f"u{number}" for number in range(50))
    ]
    assert sender.post("/Bulk", {"Operations": made}).status_code == 200
    slow = " or ".join(f'emails[value co "{number}z"]' for number in range(90))
    message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": slow}
    for answer in (sender.get(f"/Users?filter={slow}"), sender.post("/Users/.search", message)):
        assert (answer.status_code, answer.json["scimType"]) == (400, "tooMany")
        assert "Filter by userName" in answer.json["detail"]
