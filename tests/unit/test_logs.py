"""What a log line holds, and what it never does."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from scim_bridge import logs


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What this process writes to stderr, logging configured as in a real one."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure("info", process="web")
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def last(lines: io.StringIO) -> dict[str, object]:
    return dict(json.loads(lines.getvalue().splitlines()[-1]))


def test_a_line_is_json_with_event_process_and_fields(lines: io.StringIO) -> None:
    structlog.get_logger("a").warning("lane_paused", tenant="acme")
    assert {"event": "lane_paused", "process": "web", "tenant": "acme", "level": "warning"}.items() <= last(
        lines
    ).items()


def test_a_line_has_the_correlation_id_of_what_is_being_done(lines: io.StringIO) -> None:
    for correlation_id in ("req-1", "req-2"):
        logs.follow(correlation_id)
        structlog.get_logger("a").warning("x")
        assert last(lines)["correlation_id"] == correlation_id


@pytest.mark.parametrize("field", sorted(logs.NEVER_SHOWN))
def test_a_field_that_may_hold_a_person_or_a_secret_is_dropped(lines: io.StringIO, field: str) -> None:
    structlog.get_logger("a").warning("x", **{field: "ann@example.com", "batch": 7})
    assert "ann@example.com" not in lines.getvalue()
    assert last(lines)["batch"] == 7


def test_a_traceback_shows_no_local_variables(lines: io.StringIO) -> None:
    def fail(_person: str) -> None:
        raise RuntimeError("refused")

    try:
        fail("ann@example.com".upper())
    except RuntimeError:
        structlog.get_logger("a").exception("duty_failed")
    assert "RuntimeError: refused" in str(last(lines)["exception"])
    assert "ANN@EXAMPLE.COM" not in lines.getvalue()


def test_libraries_log_in_the_same_form(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("something %s", "odd")
    assert last(lines)["event"] == "something odd"


def test_chatty_libraries_are_heard_from_warning_on(lines: io.StringIO) -> None:
    logging.getLogger("urllib3.connectionpool").info("GET /user?email=ann@example.com")
    assert lines.getvalue() == ""
