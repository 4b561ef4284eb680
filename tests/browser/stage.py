"""A running bridge with a simulated target, and a browser that is signed in at its console."""

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from running.bridge import Bridge, user

from scim_bridge.sandbox.targets.trakstar import simulate_trakstar
from scim_bridge.store import tokens

TENANT = "acme"
KEY = "key-1"
LONG = "Wolfeschlegelsteinhausenbergerdorff-Vorhergewarnt"
"""A family name that Trakstar does not take whole."""

PATIENCE_MS = 40_000
DESK = {"width": 1280, "height": 900}

CONFIGURATION = """
[worker]
processes = 1
[[tenants]]
id = "acme"
[[tenants.sources]]
name = "idp"
[[tenants.sources]]
name = "hr"
kind = "csv"
[tenants.sources.mapping]
externalId = "id"
userName = "mail"
emails = "mail"
"name.givenName" = "first"
"name.familyName" = "last"
[[tenants.targets]]
name = "trakstar"
kind = "trakstar"
base_url = "{url}"
api_key = "env:TRAKSTAR_API_KEY"
{more}
[tenants.targets.guard]
max = 1
share = 1.0
min = 0
[[tenants.targets.limits]]
requests = 100
per_s = 1
"""

SHORTENED = '[tenants.targets.fields.lastName]\non_too_long = "shorten"\n'


@dataclass
class Stage:
    """The bridge, the target, and a browser."""

    browser: Any
    bridge: Bridge
    target: Any
    notices: str = ""
    """Tables of receivers of notices."""
    ids: dict[str, str] = field(default_factory=dict)
    cookies: Any = None
    idle: list[Any] = field(default_factory=list)
    """Pages that nobody looks at."""

    @property
    def sender(self) -> str:
        """A token of the identity provider."""
        if "sender" not in self.ids:
            self.ids["sender"] = self.bridge.token(TENANT)
        return self.ids["sender"]

    def configure(self, more: str = "") -> None:
        """Write the configuration, with further tables of the target."""
        text = CONFIGURATION.format(url=self.target.base_url, more=more)
        web = '[web]\nadmin_bind = "127.0.0.1:0"\nrequests_per_s = 0\nworkers = 1\n'
        self.bridge.config.write_text(f'{web}[store]\nurl = "sqlite:///var/bridge.db"\n{text}{self.notices}')

    def issue(self, scope: str, *, source: str = "idp") -> str:
        """Make a token."""
        store = self.bridge.store
        try:
            with store.begin(TENANT) as tx:
                return str(tokens.issue(tx, scopes=[scope], source=source, name="Ann").value)
        finally:
            store.close()

    def push(self, *names: str, **changes: Any) -> None:
        """Have the identity provider create people."""
        for name in names:
            status, answer = self.bridge.request("POST", "/Users", self.sender, {**user(name), **changes})
            assert status == 201, answer
            self.ids[name] = answer["id"]

    def push_at_once(self, *names: str, **changes: Any) -> None:
        """Have the identity provider create people by one Bulk request."""
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": name, "data": {**user(name), **changes}} for name in names
        ]
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
        status, answer = self.bridge.request("POST", "/Bulk", self.sender, body)
        assert status == 200, answer
        assert {each["status"] for each in answer["Operations"]} == {"201"}

    def change(self, name: str, **changes: Any) -> None:
        """Have the identity provider replace somebody."""
        status, answer = self.bridge.request("PUT", f"/Users/{self.ids[name]}", self.sender, {**user(name), **changes})
        assert status == 200, answer

    def bring_in(self, rows: str) -> str:
        """Send a CSV file as the HR system would; returns the import's name."""
        address = urlsplit(self.bridge.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {self.issue('hr', source='hr')}", "Content-Type": "text/csv"}
            connection.request("POST", "/hr/v1/imports", body=rows.encode(), headers=headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            assert answer.status == 202, told
            return str(told["id"])
        finally:
            connection.close()

    def settle(self) -> dict[str, Any]:
        """Wait until nothing is waiting or in a call; returns the books, proved."""
        return self.bridge.wait_until_settled(within_s=60)

    def sign_in(self, scope: str = "ops:admin") -> None:
        """Sign in by the form, and keep the session for all pages that are opened from now on."""
        page = self._new_page()
        page.goto(f"{self.bridge.url}/console/")
        page.get_by_label("Operator token").fill(self.issue(scope))
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Overview").wait_for()
        self.cookies = page.context.storage_state()
        self.idle.append(page)

    def _new_page(self, **how: Any) -> Any:
        context = self.browser.new_context(storage_state=self.cookies, viewport=DESK, **how)
        context.set_default_timeout(PATIENCE_MS)
        return context.new_page()

    @contextmanager
    def page(self, path: str = "/", *, scripts: bool = True) -> Iterator[Any]:
        """Open a page of the console as the operator who signed in.

        Each new one is a new process of the browser, so one that a test was done with serves the next.
        """
        page = self.idle.pop() if scripts and self.idle else self._new_page(java_script_enabled=scripts)
        is_whole = False
        try:
            if path:
                page.goto(f"{self.bridge.url}/console{path}")
            yield page
            is_whole = scripts
        finally:
            if is_whole:
                page.goto("about:blank")
                page.set_viewport_size(DESK)
                page.emulate_media(color_scheme="light")
                self.idle.append(page)
            else:
                page.context.close()


@contextmanager
def opened(browser: Any, folder: Path, *, notices: str = "", **environ: str) -> Iterator[Stage]:
    """Start a bridge and its target; both are stopped at the end."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SCIM_BRIDGE")}
    with ExitStack() as stack:
        target = stack.enter_context(simulate_trakstar(api_key=KEY, limits=()))
        bridge = Bridge(
            folder=folder, config=folder / "bridge.toml", environ={**plain, "TRAKSTAR_API_KEY": KEY, **environ}
        )
        made = Stage(browser=browser, bridge=bridge, target=target, notices=notices)
        made.configure()
        stack.callback(bridge.stop)
        bridge.start()
        made.sign_in()
        yield made
        for page in made.idle:
            page.context.close()
