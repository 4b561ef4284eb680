"""A replay at the console: planned, approved, watched and cancelled, by mouse and by keyboard alone."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser.stage import TENANT, Stage

MOST_STEPS = 80


@pytest.fixture
def mended(stage: Stage, request: pytest.FixtureRequest) -> Stage:
    """Two people whom the target refused, and would take now."""
    names = [f"{request.node.name[-12:]}{letter}".replace("_", "") for letter in "ab"]
    stage.target.vendor.refusals.add({f"{name}@example.com": "not today" for name in names})
    stage.push(*names)
    assert stage.settle()["tenants"][0]["operations"]["dead"] == len(names)
    stage.target.vendor.refusals.clear()
    return stage


@contextmanager
def held_back(stage: Stage) -> Iterator[None]:
    """Let no approved replay begin meanwhile."""
    [relay] = stage.bridge.children("relay")
    store = stage.bridge.store
    try:
        # Stopped while it writes, it would keep everybody else from writing; nobody writes meanwhile.
        with store.begin(TENANT):
            os.kill(relay, signal.SIGSTOP)
            deadline = time.monotonic() + 10
            while not is_stopped(relay):
                assert time.monotonic() < deadline
                time.sleep(0.001)
        yield
    finally:
        os.kill(relay, signal.SIGCONT)
        store.close()


def is_stopped(pid: int) -> bool:
    """Tell whether no thread of a process runs any more."""
    states = [each.read_text().rpartition(")")[2].split()[0] for each in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


def accounts(stage: Stage) -> int:
    return len(stage.target.state.accounts)


def test_a_replay_is_planned_approved_then_watched_by_mouse(mended: Stage) -> None:
    before = accounts(mended)
    with mended.page("/replays") as page:
        page.get_by_role("link", name="Plan a replay").click()
        page.get_by_label("Target").select_option("trakstar")
        page.get_by_role("button", name="Show the plan").click()
        page.get_by_role("status").filter(has_text="Nothing is replayed yet").wait_for()
        assert page.get_by_text("makes an account").count() == 2
        assert accounts(mended) == before
        page.get_by_role("link", name="Approve…").click()
        page.get_by_role("heading", name="Replay 2 people?").wait_for()
        page.get_by_role("button", name="Approve").click()
        # Nobody loads the page again: it follows by itself.
        page.locator("#standing dt", has_text="Delivered").wait_for()
        assert page.locator("progress").get_attribute("value") == "2"
        page.locator("#standing:not([hx-get])").wait_for()
        assert accounts(mended) == before + 2
    assert mended.settle()["tenants"][0]["operations"]["dead"] == 0


def test_a_replay_is_planned_approved_then_watched_by_keyboard(mended: Stage) -> None:
    before = accounts(mended)
    with mended.page("/replays") as page:
        press_on(page, "Plan a replay")
        press_on(page, "Show the plan")
        press_on(page, "Approve…")
        press_on(page, "Approve")
        page.locator("#standing:not([hx-get])").wait_for()
        page.locator("#standing dt", has_text="Delivered").wait_for()
    assert accounts(mended) == before + 2
    assert mended.settle()["tenants"][0]["operations"]["dead"] == 0


def test_a_replay_is_planned_approved_then_watched_without_scripts(mended: Stage) -> None:
    before = accounts(mended)
    with mended.page("/replays", scripts=False) as page:
        page.get_by_role("link", name="Plan a replay").click()
        page.get_by_role("button", name="Show the plan").click()
        page.get_by_role("link", name="Approve…").click()
        page.get_by_role("button", name="Approve").click()
        page.get_by_text("of 2 operations put back or passed over").wait_for()
        while accounts(mended) < before + 2:
            time.sleep(0.1)
        mended.settle()
        page.reload()
        page.locator("#standing dt", has_text="Delivered").wait_for()


def test_a_running_replay_is_cancelled_by_mouse(mended: Stage) -> None:
    before = accounts(mended)
    with mended.page("/replays/plan") as page, held_back(mended):
        page.get_by_role("button", name="Show the plan").click()
        page.get_by_role("link", name="Approve…").click()
        page.get_by_role("button", name="Approve").click()
        page.get_by_text("0 of 2 operations put back or passed over").wait_for()
        page.get_by_role("link", name="Cancel…").click()
        page.get_by_text("2 operations stay dead").wait_for()
        page.get_by_role("button", name="Cancel the replay").click()
        page.get_by_role("status").filter(has_text="Cancelled").wait_for()
        page.get_by_role("link", name="Plan again").wait_for()
    report = mended.settle()
    assert (accounts(mended), report["tenants"][0]["operations"]["dead"]) == (before, 2)


def press_on(page: Any, words: str) -> None:
    """Go to what bears these words by Tab alone, see that it is shown where one is, and press Enter."""
    page.locator("h1").wait_for()
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == words:
            break
    else:
        pytest.fail(f"Tab never comes to {words!r}")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    address = page.url
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url != address)
