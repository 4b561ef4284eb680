"""Every page of the console with real data: nothing overlaps, nothing is empty, axe finds no serious fault."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browser import machine, pictures
from browser.stage import LONG, TENANT, Stage

from scim_bridge import wiring
from scim_bridge.operators import drift, replay_plans
from scim_bridge.web.console.catalogue import PAGES

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text("utf-8")

RUN_AXE = """
async rules => {
  const only = rules.length ? { runOnly: { type: 'rule', values: rules } } : {};
  const found = await axe.run(document, { resultTypes: ['violations'], ...only });
  return found.violations
    .filter(each => each.impact === 'serious' || each.impact === 'critical')
    .map(each => each.id + ': ' + each.nodes.map(node => node.html + ' ' + node.failureSummary).join(' | '));
}
"""

OF_SCHEME_AND_WIDTH = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")
"""The rules whose findings may differ from one scheme or width to another; the others see the same document."""

VIEWS = ((1280, "light", ()), (390, "dark", OF_SCHEME_AND_WIDTH))
"""A desk in light, a phone in dark; and which of axe's rules are asked there, all where none is named."""

WIDE = """
() => [...document.querySelectorAll('main *')]
  .filter(each => !each.closest('.scroll') && each.getBoundingClientRect().right > window.innerWidth + 1)
  .map(each => each.outerHTML.slice(0, 120))
"""

MIDDLES = """
() => [...document.querySelectorAll('header > *, header li')].map(each => {
  const box = each.getBoundingClientRect();
  return box.top + box.height / 2;
})
"""
"""How far down the middles of the header's parts are, in pixels."""

ONE_ROW_PX = 4

LEVELS = "() => [...document.querySelectorAll('h1, h2, h3, h4')].map(each => Number(each.tagName[1]))"

MARKUP = "<img src=x onerror=alert(1)>"

PATHS = {
    "overview": "/",
    "pause": "/lanes/trakstar/pause",
    "inbox": "/inbox",
    "inbox-people": "/inbox/people",
    "discard": "/inbox/discard",
    "people": "/people",
    "person": "/people/{dead}",
    "batch": "/batches/1",
    "replays": "/replays",
    "replay-form": "/replays/plan",
    "replay": "/replays/{replay}",
    "replay-question": "/replays/{replay}/approve",
    "holds": "/holds",
    "holds-none": "/holds?kind=takeover",
    "hold-question": "/holds/release?kind=deactivation",
    "hold-allow": "/holds/allow",
    "imports": "/imports",
    "import": "/imports/{import}",
    "drift": "/drift",
    "comparison": "/drift/{errand}",
    "drift-question": "/drift/compare?target=trakstar",
    "requests": "/requests",
    "audit": "/audit",
    "audit-chain": "/audit/chain",
    "faults": "/faults",
    "runbooks": "/runbooks",
    "runbook": "/runbooks/too_long",
    "tokens": "/tokens",
    "token-form": "/tokens/create",
    "token-question": "/tokens/{token}/rotate",
}


@pytest.fixture(scope="module")
def furnished(stage: Stage) -> Stage:
    """People who were delivered, died, and are held; an import, a comparison, a plan, and a refused request."""
    stage.push("ann", "bob", "cyd", "dan", "eve", "fay")
    stage.push("gus", "hal", name={"givenName": "Gus", "familyName": LONG})
    stage.push("ida", name={"givenName": MARKUP, "familyName": LONG})
    stage.settle()
    for name in ("ann", "bob", "cyd", "dan"):
        stage.change(name, active=False)
    stage.bridge.request("POST", "/Users", stage.sender, {"schemas": [], "userName": ""})
    stage.bridge.request("POST", "/Users", stage.sender, {"nonsense": True})
    stage.ids["import"] = stage.bring_in(
        "id,mail,first,last\n7,jim@example.com,Jim,Person\n,nobody@example.com,No,Body\n8,,Kim,Lost\n"
    )
    store, settings = stage.bridge.store, stage.bridge.settings
    dispatcher = wiring.open_dispatcher(settings)
    try:
        asked = drift.ask(store, dispatcher, tenant=TENANT, target="trakstar", who="ann@desk")
        stage.settle()
        deadline = time.monotonic() + 30
        while drift.show(store, tenant=TENANT, number=asked["errand"])["status"] in {"waiting", "working"}:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        made = replay_plans.plan(store, settings, tenant=TENANT, who="ann@desk")
        stage.ids |= {"errand": str(asked["errand"]), "replay": str(made["replay"]), "dead": stage.ids["gus"]}
        stage.ids["token"] = stage.issue("ops:viewer").split("_")[1]
    finally:
        dispatcher.close()
        store.close()
    return stage


@dataclass
class Window:
    """A page of the browser, and what goes wrong on it."""

    page: Any
    screenshots: Path | None
    """Where pictures of all pages go, when somebody wants them."""
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))

    def _hear(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(message.text)

    def visit(self, url: str, *, name: str) -> tuple[int, list[str]]:
        """Prove that a page is in order; returns its status, and what the browser had to say."""
        self.said.clear()
        status = self.page.goto(url).status
        assert self.page.title().endswith("SCIM Bridge")
        levels = self.page.evaluate(LEVELS)
        assert (levels[0], levels.count(1)) == (1, 1)
        assert all(level <= before + 1 for before, level in pairwise(levels)), levels
        self.page.evaluate(AXE)
        for width, scheme, rules in VIEWS:
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(color_scheme=scheme)
            if self.screenshots is not None:
                self.page.screenshot(path=self.screenshots / f"{name}-{width}.png", full_page=True)
            needed, there = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert needed <= there, self.page.evaluate(WIDE)
            assert self.page.evaluate(RUN_AXE, list(rules)) == []
        return status, list(self.said)


@pytest.fixture(scope="module")
def window(furnished: Stage, screenshots: Path) -> Iterator[Window]:
    with furnished.page("") as page:
        yield Window(page, screenshots if machine.keeps_pictures() else None)


def test_every_page_of_the_menu_is_visited() -> None:
    assert {page.path for page in PAGES} <= set(PATHS.values())


@pytest.mark.parametrize("name", PATHS)
def test_a_page_is_whole(furnished: Stage, window: Window, name: str) -> None:
    url = f"{furnished.bridge.url}/console{PATHS[name].format(**furnished.ids)}"
    assert window.visit(url, name=name) == (200, [])


@pytest.mark.parametrize(("name", "path", "status"), [("404", "/replays/999", 404), ("sign-in", "/sign-in", 200)])
def test_a_page_of_no_use_is_whole_too(furnished: Stage, window: Window, name: str, path: str, status: int) -> None:
    found, said = window.visit(f"{furnished.bridge.url}/console{path}", name=name)
    # The browser itself tells of every answer that is an error.
    assert (found, [each for each in said if "status of 404" not in each]) == (status, [])


def test_the_header_is_one_row_of_a_desks_screen(furnished: Stage) -> None:
    with furnished.page("/holds") as page:
        page.set_viewport_size({"width": 1280, "height": 900})
        middles = page.evaluate(MIDDLES)
        assert max(middles) - min(middles) < ONE_ROW_PX, middles
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 1280


def test_the_held_are_shown_with_what_can_be_decided(furnished: Stage, screenshots: Path) -> None:
    with furnished.page("/holds?kind=deactivation&target=trakstar") as page:
        assert page.get_by_role("link", name="Release all of these…").is_visible()
        assert page.get_by_role("row").count() == 1 + 3
        pictures.take(page, screenshots, "holds")


def test_the_skip_link_is_first_and_leads_to_the_content(furnished: Stage) -> None:
    with furnished.page("/holds") as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
