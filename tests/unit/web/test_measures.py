"""What is counted of requests."""

from flask import Flask

from scim_bridge import metrics
from scim_bridge.web import measures


def test_a_request_is_counted_by_its_route_and_never_by_its_path() -> None:
    app = Flask(__name__)
    app.add_url_rule("/Users/<who>", view_func=lambda who: who, endpoint="user")
    measures.install(app)
    app.test_client().get("/Users/ann@example.com")
    app.test_client().open("/nowhere/ann@example.com", method="ANNS")
    body, content_type = metrics.exposition()
    text = body.decode()
    assert 'http_requests_total{method="GET",route="/Users/<who>",status="200"} 1.0' in text
    assert 'http_requests_total{method="other",route="none",status="404"} 1.0' in text
    assert "ann@example.com" not in text
    assert "ANNS" not in text
    assert content_type.startswith("text/plain")
