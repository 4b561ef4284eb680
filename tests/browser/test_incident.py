"""An incident from the first sign to an empty inbox, at the console: a wrong key, long names, a mended mapping."""

from collections import Counter
from typing import Any

from browser.stage import KEY, LONG, SHORTENED, Stage

LATE = tuple(f"late{number}" for number in range(10))
LONG_NAMED = tuple(f"long{number}" for number in range(30))


def test_an_incident_is_worked_through_at_the_console(stage: Stage) -> None:
    stage.push("ann", "bob")
    stage.settle()
    # Somebody makes a new key at the target, and the bridge still has the old one.
    stage.target.vendor._api_key = "key-2"
    stage.push(*LATE)
    with stage.page("/") as page:
        page.get_by_text("quarantined", exact=True).wait_for()
        # The key that the bridge has is made good again.
        stage.target.vendor._api_key = KEY
        page.get_by_role("link", name="Resume trakstar…").click()
        page.get_by_role("heading", name="Resume trakstar?").wait_for()
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("status").filter(has_text="tried now").wait_for()
        assert stage.settle()["tenants"][0]["operations"]["dead"] == 0
    stage.push(*LONG_NAMED, name={"givenName": "Ann", "familyName": LONG})
    stage.settle()
    with stage.page("/inbox") as page:
        group = page.get_by_role("listitem").filter(has_text="trakstar: too long")
        assert f"{len(LONG_NAMED)} people" in group.inner_text()
    # The mapping is mended in the configuration, which is read when the bridge starts.
    stage.bridge.stop()
    stage.configure(SHORTENED)
    stage.bridge.start()
    with stage.page("/inbox") as page:
        page.get_by_role("link", name="Plan a replay").click()
        page.get_by_role("button", name="Show the plan").click()
        page.get_by_text("makes an account").first.wait_for()
        page.get_by_role("link", name="Approve…").click()
        page.get_by_role("heading", name=f"Replay {len(LONG_NAMED)} people?").wait_for()
        page.get_by_role("button", name="Approve").click()
        page.locator("#standing:not([hx-get])").wait_for()
        assert delivered(page) == len(LONG_NAMED)
        page.get_by_role("link", name="Inbox").click()
        page.get_by_text("The inbox is empty").wait_for()
    report = stage.settle()
    assert report["balanced"]
    assert stage.target.state.duplicates() == ()
    assert len(stage.target.state.accounts) == 2 + len(LATE) + len(LONG_NAMED)
    assert changes(stage) == {"POST": 2 + len(LATE) + len(LONG_NAMED)}


def delivered(page: Any) -> int:
    """Return how many people the page of a replay calls delivered."""
    figure = page.locator("#standing dt", has_text="Delivered").locator("xpath=following-sibling::dd[1]")
    return int(figure.inner_text())


def changes(stage: Stage) -> dict[str, int]:
    """Return how many people the calls that changed something carried, by their method: nobody is in two."""
    counts: Counter[str] = Counter()
    for call in stage.target.log.calls():
        if call.method != "GET" and call.is_applied:
            counts[call.method] += call.items
    return dict(counts)
