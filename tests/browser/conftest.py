"""A real browser at the console of a running bridge, with people who were delivered, died or are held.

Where there is no browser these tests are skipped, unless SCIM_BRIDGE_BROWSER=required says that they must not be.
"""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from browser.stage import Stage, opened

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser that this machine has."""
    path = next((found for name in NAMES if (found := shutil.which(name)) is not None), None)
    lacking = "chromium" if path is None else "the Python package playwright"
    if path is None or importlib.util.find_spec("playwright") is None:
        tell = pytest.fail if os.environ.get("SCIM_BRIDGE_BROWSER") == "required" else pytest.skip
        tell(f"no browser here: {lacking} is missing")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only machines with a browser have it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS], headless=True)
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
