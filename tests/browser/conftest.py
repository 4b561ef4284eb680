"""A real browser at the console of a running bridge, with people who were delivered, died or are held.

Where there is no browser these tests are skipped, unless SCIM_BRIDGE_BROWSER=required says that they must not be.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from browser import machine
from browser.stage import Stage, opened

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")

# One test says that there is no browser; the others are not even looked for.
collect_ignore = (
    ["test_pages.py", "test_incident.py"] if machine.lacking() is not None and not machine.is_required() else []
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser that this machine has."""
    if machine.lacking() is not None:
        pytest.fail(f"no browser here: {machine.lacking()} is missing")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only machines with a browser have it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=machine.path(), args=[*FLAGS], headless=True)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the pages go: to SCIM_BRIDGE_SCREENSHOTS, when that names a folder."""
    named = os.environ.get("SCIM_BRIDGE_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def stage(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One bridge a file, and its simulated target."""
    with ExitStack() as stack:
        yield stack.enter_context(opened(chromium, tmp_path_factory.mktemp("bridge")))
