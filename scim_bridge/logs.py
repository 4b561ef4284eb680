"""Logs: one JSON object a line on stderr, readable lines on a terminal. Events are constant strings with fields."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

from scim_bridge.errors import BridgeError

NEVER_SHOWN = frozenset(
    {
        "api_key",
        "authorization",
        "body",
        "cookie",
        "credential",
        "display_name",
        "document",
        "email",
        "emails",
        "name",
        "password",
        "phone",
        "request_body",
        "scim_token",
        "secret",
        "token",
        "user_name",
        "username",
        "webhook_secret",
    }
)
"""Fields that may hold a secret or a person; dropped from every line, whoever logged them."""

OUR_MESSAGES = frozenset({"scim_bridge.store.engine.StoreUnavailable", "scim_bridge.store.engine.StatementTimedOut"})
"""Exceptions, beside BridgeError, whose messages are ours and hold no values. By name: the store stands above us."""

EventDict = MutableMapping[str, Any]


def configure(level: str, *, process: str) -> None:
    """Send everything that is logged in this process, libraries included, to stderr in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(process),
        drop_sensitive,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # They log addresses and statements at their lower levels.
    for chatty in ("sqlalchemy", "alembic", "rq", "redis", "werkzeug"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    # Whatever these log, they log with whole addresses, filters with people's values included, or with the row that
    # could not be written: nothing of it is kept.
    for telltale in ("urllib3", "psycopg"):
        logging.getLogger(telltale).setLevel(logging.CRITICAL + 1)


def follow(correlation_id: str) -> None:
    """Put the id of what is done from now on, and nothing of what was done before, on every line of this thread."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)


def drop_sensitive(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Take out the fields that may hold a secret or a person."""
    for field in [field for field in event if field.lower() in NEVER_SHOWN]:
        del event[field]
    return event


def describe_exception(error: BaseException) -> str:
    """Return what an exception and its causes are and where they were raised, without what they say.

    Libraries quote the value that they could not read, so only messages of our own making are shown.
    """
    told, seen = list[str](), set[int]()
    opening, current = "", error
    while True:
        seen.add(id(current))
        told.append(opening + _title(current))
        told += [f"holds {_title(each)}" for each in getattr(current, "exceptions", ())]
        told += [
            f"  {frame.f_code.co_filename}:{line}:{frame.f_code.co_name}"
            for frame, line in traceback.walk_tb(current.__traceback__)
        ]
        cause = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        if cause is None or id(cause) in seen:
            return "\n".join(told)
        opening, current = "caused by ", cause


def _title(error: BaseException) -> str:
    kind = type(error)
    names = {f"{each.__module__}.{each.__qualname__}" for each in kind.__mro__}
    is_ours = isinstance(error, BridgeError) or bool(names & OUR_MESSAGES)
    return f"{kind.__name__}: {error}" if is_ours else kind.__name__


def _named(process: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event.setdefault("process", process)
        return event

    return add


def _rendering() -> list[structlog.typing.Processor]:
    described = structlog.processors.ExceptionRenderer(lambda exc_info: describe_exception(exc_info[1]))
    if sys.stderr.isatty():
        # It leaves alone what is described already; its own tracebacks would show local variables.
        return [described, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [described, structlog.processors.JSONRenderer()]
