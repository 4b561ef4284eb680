"""What a log line holds, and what it never does."""

import importlib
import io
import json
import logging
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog

from scim_bridge import logs, shipped
from scim_bridge.errors import UsageError
from scim_bridge.store.engine import Contended, StatementTimedOut, StoreUnavailable


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
    told = str(last(lines)["exception"])
    assert told.startswith("RuntimeError\n")
    assert told.endswith(":fail")
    assert "ANN@EXAMPLE.COM" not in lines.getvalue()


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize("is_ours", [False, True])
def test_what_a_foreign_exception_says_is_left_out(
    monkeypatch: pytest.MonkeyPatch, lines: io.StringIO, *, is_ours: bool, is_terminal: bool
) -> None:
    """Its causes too: a library quotes the value that it cannot read."""
    monkeypatch.setattr(lines, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", lines)
    logs.configure("info", process="web")
    logger = structlog.get_logger("a") if is_ours else logging.getLogger("some.library")
    try:
        misread()
    except KeyError:
        logger.exception("duty_failed")
    assert "@example.com" not in lines.getvalue()
    assert "KeyError" in lines.getvalue()
    assert "ValueError" in lines.getvalue()
    assert ":misread" in lines.getvalue()


def misread() -> None:
    try:
        int("ann@example.com")
    except ValueError as error:
        raise KeyError("bob@example.com") from error


@pytest.mark.parametrize("kind", [UsageError, StoreUnavailable, Contended, StatementTimedOut])
def test_what_our_own_exceptions_say_stays(lines: io.StringIO, kind: type[Exception]) -> None:
    structlog.get_logger("a").error("duty_failed", exc_info=kind("the disk is full"))
    assert f"{kind.__name__}: the disk is full" in str(last(lines)["exception"])


def test_exceptions_that_cause_each_other_are_told_once() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert logs.describe_exception(first) == "ValueError\ncaused by KeyError"


def test_exceptions_of_a_group_are_told() -> None:
    group = ExceptionGroup("ann@example.com", [ValueError("bob@example.com")])
    assert logs.describe_exception(group) == "ExceptionGroup\nholds ValueError"


def test_libraries_log_in_the_same_form(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("something %s", "odd")
    assert last(lines)["event"] == "something odd"


def test_chatty_libraries_are_heard_from_warning_on(lines: io.StringIO) -> None:
    logging.getLogger("urllib3.connectionpool").info("GET /user?email=ann@example.com")
    assert lines.getvalue() == ""


def test_the_front_doors_server_keeps_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes a log of its own about what the application did not catch."""
    (tmp_path / "bridge.toml").write_text(f'data_dir = "{tmp_path}"\n')
    monkeypatch.setenv("SCIM_BRIDGE_CONFIG", str(tmp_path / "bridge.toml"))
    configuration = runpy.run_path(str(shipped.folder() / "gunicorn.conf.py"))
    error_log, written = logging.getLogger("a.server.of.this.test"), io.StringIO()
    monkeypatch.setattr(error_log, "propagate", False)
    error_log.addHandler(logging.StreamHandler(written))
    configuration["on_starting"](SimpleNamespace(log=SimpleNamespace(error_log=error_log)))
    try:
        misread()
    except KeyError:
        error_log.exception("Error handling request %s", "/scim/v2/Users?filter=ann@example.com")
    assert "@example.com" not in written.getvalue()
    assert written.getvalue().startswith("Error handling request\nKeyError\n")


def test_the_library_that_calls_out_logs_nothing_whoever_sets_logging_up_last() -> None:
    """Its warnings quote whole addresses, so also filters with a person's address in them."""
    importlib.import_module("workers.http")
    logs.configure("info", process="test")
    assert not logging.getLogger("urllib3.connection").isEnabledFor(logging.CRITICAL)


def test_the_databases_driver_logs_nothing_itself() -> None:
    """What fails while another error is being told, it would log with the row that could not be written."""
    logs.configure("info", process="test")
    assert not logging.getLogger("psycopg").isEnabledFor(logging.CRITICAL)
