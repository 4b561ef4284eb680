"""Counts and times requests, by route: a path names people, a route does not."""

import time

from flask import Flask, Response, g, request

from scim_bridge import metrics


def install(app: Flask) -> None:
    """Measure every request that the application answers."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.began_at = time.monotonic()


def _end(response: Response) -> Response:
    # Where there is no route, the method too is whatever the caller made up.
    route, method = ("none", "other") if request.url_rule is None else (request.url_rule.rule, request.method)
    metrics.HTTP_REQUESTS.labels(route=route, method=method, status=response.status_code).inc()
    metrics.HTTP_SECONDS.labels(route=route).observe(time.monotonic() - g.get("began_at", time.monotonic()))
    return response
