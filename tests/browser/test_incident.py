"""An incident from its first notice to an empty inbox, at the console: a wrong key, long names, a mended mapping.

Then, at the same bridge: replays planned, approved, watched and cancelled, by mouse and by keyboard alone.

pytest -n 0 tests/browser/test_incident.py --incident-s 3600      with its whole hour
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser import pictures
from browser.stage import KEY, LONG, SHORTENED, TENANT, Stage, opened

from scim_bridge.sandbox.receivers.receiver import Receiver

MOST_STEPS = 80

LONG_NAMED = tuple(f"long{number}" for number in range(300))

SECRET = "whsec_c2l4dGVlbi1ieXRlcy1hbmQtbW9yZS1vZi1pdA=="
NOTICES = """
[[notices]]
name = "pager"
url = "{url}"
secret = "env:PAGER_SECRET"
kinds = ["quarantine"]
link = "https://bridge.example.com/console/"
[[notices]]
name = "desk"
url = "{url}"
secret = "env:PAGER_SECRET"
kinds = ["dead"]
link = "https://bridge.example.com/console/inbox?target={{target}}"
"""

SOON_S = 30
SOMEBODY_EVERY_S = 5.0
FEWEST_WHO_COME = 10


@dataclass
class Incident:
    """A stage, and the one who is told of what happens on it."""

    stage: Stage
    receiver: Receiver
    screenshots: Path

    def notice(self, kind: str) -> dict[str, Any]:
        """Wait for the first notice of a kind."""
        deadline = time.monotonic() + SOON_S
        while True:
            found = [each for each in self.receiver.notices if each["kind"] == kind]
            if found:
                return found[0]
            assert time.monotonic() < deadline, f"no notice of kind {kind}"
            time.sleep(0.05)

    def followed(self, notice: dict[str, Any]) -> AbstractContextManager[Any]:
        """Open the console where a notice leads."""
        where = urlsplit(notice["link"])
        path = where.path.removeprefix("/console")
        return self.stage.page(f"{path}?{where.query}" if where.query else path)


@pytest.fixture(scope="module")
def incident(chromium: Any, screenshots: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Incident]:
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver(SECRET))
        notices = NOTICES.format(url=receiver.url)
        folder = tmp_path_factory.mktemp("bridge")
        stage = stack.enter_context(opened(chromium, folder, notices=notices, PAGER_SECRET=SECRET))
        yield Incident(stage, receiver, screenshots)


def test_an_incident_is_worked_through_from_its_notice_to_an_empty_inbox(incident: Incident, incident_s: float) -> None:
    stage = incident.stage
    stage.push("ann", "bob")
    stage.settle()
    late = work_through_the_wrong_key(incident, incident_s)
    work_through_the_long_names(incident)
    prove_the_ledger(stage)
    everybody = 2 + late + len(LONG_NAMED)
    assert stage.target.state.duplicates() == ()
    assert len(stage.target.state.accounts) == everybody
    # As many as there are accounts, each of which was made: nobody is in two calls.
    assert changes(stage) == {"POST": everybody}
    told = Counter(each["kind"] for each in incident.receiver.notices)
    assert (told, incident.receiver.refused) == ({"quarantine": 1, "dead": 1}, 0)


def work_through_the_wrong_key(incident: Incident, lasts_s: float) -> int:
    """Have the target refuse the bridge's key while people come; returns how many came."""
    stage = incident.stage
    # Somebody makes a new key at the target, and the bridge still has the old one.
    stage.target.vendor._api_key = "key-2"
    ends_at = time.monotonic() + lasts_s
    stage.push("late0")
    notice = incident.notice("quarantine")
    assert (notice["tenant"], notice["target"]) == ("acme", "trakstar")
    with incident.followed(notice) as page:
        page.get_by_text("quarantined", exact=True).wait_for()
    came = 1
    while came < FEWEST_WHO_COME or time.monotonic() < ends_at:
        stage.push(f"late{came}")
        came += 1
        time.sleep(min(SOMEBODY_EVERY_S, lasts_s / FEWEST_WHO_COME))
    refused = sum(call.status == 401 for call in stage.target.log.calls())
    assert 1 <= refused <= most_refused(lasts_s), refused
    # The key that the bridge has is made good again.
    stage.target.vendor._api_key = KEY
    with incident.followed(notice) as page:
        pictures.take(page, incident.screenshots, "quarantine", of=".lane", tallest_px=700)
        page.get_by_role("link", name="Resume trakstar…").click()
        page.get_by_role("heading", name="Resume trakstar?").wait_for()
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("status").filter(has_text="tried now").wait_for()
    assert stage.settle()["tenants"][0]["operations"]["dead"] == 0
    return came


def most_refused(lasts_s: float) -> int:
    """Return how many calls the target may refuse: what is under way at first, then one a wait, each twice as long."""
    return 3 + sum(10 * 2**number <= lasts_s for number in range(5)) + int(lasts_s // 150)


def work_through_the_long_names(incident: Incident) -> None:
    """Have people come whom the target does not take, mend the mapping, and replay them."""
    stage = incident.stage
    stage.push_at_once(*LONG_NAMED, name={"givenName": "Ann", "familyName": LONG})
    notice = incident.notice("dead")
    assert "too_long" in notice["what"]
    stage.settle()
    with incident.followed(notice) as page:
        group = page.get_by_role("listitem").filter(has_text="trakstar: too long")
        assert f"{len(LONG_NAMED)} people" in group.inner_text()
        pictures.take(page, incident.screenshots, "inbox")
    # The mapping is mended in the configuration, which is read when the bridge starts.
    stage.bridge.stop()
    stage.configure(SHORTENED)
    stage.bridge.start()
    with incident.followed(notice) as page:
        page.get_by_role("link", name="Plan a replay").click()
        page.get_by_role("button", name="Show the plan").click()
        page.get_by_text("makes an account").first.wait_for()
        pictures.take(page, incident.screenshots, "replay", tallest_px=680)
        page.get_by_role("link", name="Approve…").click()
        page.get_by_role("heading", name=f"Replay {len(LONG_NAMED)} people?").wait_for()
        page.get_by_role("button", name="Approve").click()
        page.locator("#standing:not([hx-get])").wait_for()
        assert delivered(page) == len(LONG_NAMED)
        page.get_by_role("link", name="Inbox").click()
        page.get_by_text("The inbox is empty").wait_for()


def prove_the_ledger(stage: Stage) -> None:
    """Verify the ledger as an operator would."""
    stage.settle()
    verified = subprocess.run(
        [sys.executable, "-m", "scim_bridge", "ledger", "verify", "--config", str(stage.bridge.config)],
        cwd=stage.bridge.folder,
        env=stage.bridge.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


def delivered(page: Any) -> int:
    """Return how many people the page of a replay calls delivered."""
    figure = page.locator("#standing dt", has_text="Delivered").locator("xpath=following-sibling::dd[1]")
    return int(figure.inner_text())


def changes(stage: Stage) -> dict[str, int]:
    """Return how many people the calls that changed something carried, by their method."""
    counts: Counter[str] = Counter()
    for call in stage.target.log.calls():
        if call.method != "GET" and call.is_applied:
            counts[call.method] += call.items
    return dict(counts)


@pytest.fixture
def mended(incident: Incident, request: pytest.FixtureRequest) -> Stage:
    """Two people whom the target refused, and would take now."""
    stage = incident.stage
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
