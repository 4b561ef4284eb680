"""The console's door, through the application: signing in, staying, leaving, and what no other site can do."""

import re
import secrets
from collections.abc import Callable

import pytest
from fakes.dispatcher import RecordingDispatcher
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from scim_bridge.settings.models import Settings, TargetSettings, TenantSettings
from scim_bridge.store import lanes, tokens
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app


class Browser:
    """A browser that keeps its cookies, and tokens to sign in with."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self.store = store
        target = TargetSettings(name="trakstar", kind="fake")
        settings = Settings(tenants=[TenantSettings(id="acme", targets=[target])])
        with store.across_tenants("make the lanes", write=True) as tx:
            lanes.sync(tx, [("acme", "trakstar"), ("other", "elsewhere")])
        app = create_app(settings, store, RecordingDispatcher(), clock=clock, secret=secrets.token_bytes(32))
        self.client: FlaskClient = app.test_client()

    def token(self, scope: str = "ops:viewer", **more: object) -> str:
        with self.store.begin("acme") as tx:
            return tokens.issue(tx, scopes=[scope], source="idp", name="<b>Ann</b>", **more).value  # type: ignore[arg-type]

    def sign_in(self, token: str) -> TestResponse:
        return self.client.post("/console/sign-in", data={"token": token})


@pytest.fixture
def browser(store: Store, clock: Callable[[], int]) -> Browser:
    return Browser(store, clock)


def test_a_token_of_an_operator_opens_the_overview_of_their_tenant(browser: Browser) -> None:
    assert browser.sign_in(browser.token()).status_code == 303
    page = browser.client.get("/console/")
    assert page.status_code == 200
    assert "trakstar" in page.text
    assert "elsewhere" not in page.text


def test_a_name_with_markup_is_shown_as_text(browser: Browser) -> None:
    browser.sign_in(browser.token())
    page = browser.client.get("/console/").text
    assert "&lt;b&gt;Ann&lt;/b&gt;" in page
    assert "<b>Ann" not in page


def test_the_cookie_holds_no_token_and_is_kept_from_scripts_and_other_sites(browser: Browser) -> None:
    token = browser.token()
    cookie = browser.sign_in(token).headers["Set-Cookie"]
    assert token.split("_")[2] not in cookie
    assert {"HttpOnly", "SameSite=Strict", "Path=/console"} <= set(cookie.split("; "))


@pytest.mark.parametrize("token", ["", "nonsense", f"scb_{'0' * 16}_{'0' * 64}"])
def test_what_is_no_token_does_not_sign_in(browser: Browser, token: str) -> None:
    answer = browser.sign_in(token)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text


def test_a_senders_token_does_not_sign_in(browser: Browser) -> None:
    assert browser.sign_in(browser.token("scim")).status_code == 403


def test_without_a_session_every_page_leads_to_the_sign_in(browser: Browser) -> None:
    answer = browser.client.get("/console/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/sign-in")


def test_a_revoked_token_ends_its_sessions_at_once(browser: Browser) -> None:
    token = browser.token()
    browser.sign_in(token)
    with browser.store.begin("acme") as tx:
        assert tokens.revoke(tx, token.split("_")[1])
    assert browser.client.get("/console/").status_code == 303


def test_a_session_that_somebody_made_up_is_none(browser: Browser) -> None:
    browser.client.set_cookie("scim_bridge_console", "WyJhIiwiYiJd.aaaa.bbbb", path="/console")
    assert browser.client.get("/console/").status_code == 303


def test_a_form_of_another_site_does_nothing(browser: Browser) -> None:
    browser.sign_in(browser.token())
    assert browser.client.post("/console/sign-out").status_code == 403
    assert browser.client.post("/console/sign-out", data={"csrf": "f" * 64}).status_code == 403
    assert browser.client.get("/console/").status_code == 200


def test_signing_out_ends_the_session_in_this_browser(browser: Browser) -> None:
    browser.sign_in(browser.token())
    csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', browser.client.get("/console/").text)
    assert csrf is not None
    assert browser.client.post("/console/sign-out", data={"csrf": csrf[1]}).status_code == 303
    assert browser.client.get("/console/").status_code == 303


def test_pages_allow_no_script_but_their_own(browser: Browser) -> None:
    policy = browser.client.get("/console/sign-in").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_words_that_somebody_put_into_the_address_are_not_shown(browser: Browser) -> None:
    browser.sign_in(browser.token())
    assert "pay here" not in browser.client.get("/console/?told=pay%20here").text


@pytest.mark.parametrize("path", ["/console/nothing", "/console/static/nothing.js"])
def test_what_is_not_there_is_404(browser: Browser, path: str) -> None:
    browser.sign_in(browser.token())
    assert browser.client.get(path).status_code == 404
