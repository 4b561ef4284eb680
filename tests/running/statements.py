"""Databases are opened by the thousand here, and all of a kind are alike: a statement is compiled once for each kind.

SQLAlchemy keeps what it has compiled by engine, and by its dialect. A test is over before it asks for much twice. An
engine with options that might change what statements become keeps its statements to itself.
"""

from typing import Any

import sqlalchemy
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

ROOM = 5_000
"""Statements that are kept for each kind of database; more than there are."""

CHANGE_NO_STATEMENT = {"hide_parameters", "pool_size", "pool_use_lifo", "max_overflow", "connect_args", "poolclass"}

made_alone = sqlalchemy.create_engine
"""What the library does for each engine."""

_kept: dict[type, LRUCache[Any, Any]] = {}


def made_with_others(*args: Any, **options: Any) -> Engine:
    """Make an engine that keeps compiled statements together with all others of its dialect."""
    engine = made_alone(*args, **options)
    if options.keys() <= CHANGE_NO_STATEMENT:
        engine._compiled_cache = _kept.setdefault(type(engine.dialect), LRUCache(ROOM))
    return engine


def is_alike(dialect: DefaultDialect, other: object) -> bool:
    """Tell whether statements for one dialect do for another; those here are all set up alike."""
    return type(dialect) is type(other)


def kind_of(dialect: DefaultDialect) -> int:
    """Return the same for all dialects that are alike."""
    return hash(type(dialect))


sqlalchemy.create_engine = made_with_others
DefaultDialect.__eq__ = is_alike  # type: ignore[method-assign]
DefaultDialect.__hash__ = kind_of  # type: ignore[method-assign]
