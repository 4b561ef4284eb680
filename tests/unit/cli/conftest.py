"""Runs commands in this process and puts logging back as it was."""

import logging
from collections.abc import Callable, Iterator

import pytest
import structlog
from click.testing import CliRunner, Result

from scim_bridge.cli import main

Run = Callable[..., Result]


@pytest.fixture
def run() -> Iterator[Run]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield lambda *arguments: CliRunner().invoke(main, list(arguments))
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
