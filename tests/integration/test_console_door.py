"""What keeps the console's door: encryption, other sites, the pace of a token, and what an address may hold."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes.dispatcher import RecordingDispatcher
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from scim_bridge.settings.models import Settings, TenantSettings, WebSettings
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store
from scim_bridge.web.api.operations import Desk
from scim_bridge.web.app import create_app
from scim_bridge.web.auth import Doorkeeper
from scim_bridge.web.console.doors import console_endpoints
from scim_bridge.web.pace import Pace

OUTSIDE = "https://bridge.example.com/idp/"


@pytest.fixture
def store(sqlite_url: str, clock: Callable[[], int]) -> Iterator[Store]:
    opened = Store.open(sqlite_url, clock=clock, use_database_clock=False)
    yield opened
    opened.close()


class Door:
    """A console whose web process is reached without encryption, and browsers at it."""

    def __init__(self, store: Store, clock: Any, *, public_url: str | None = None, pace: Pace | None = None) -> None:
        self.store = store
        settings = Settings(tenants=[TenantSettings(id="acme")], web=WebSettings(public_url=public_url))
        self.app = create_app(settings, store, RecordingDispatcher(), clock=clock, secret=b"s" * 32, pace=pace)

    def sign_in(self, client: FlaskClient | None = None, **headers: str) -> TestResponse:
        with self.store.begin("acme") as tx:
            value = tokens.issue(tx, scopes=["ops:admin"], source="idp", name="Ann").value
        client = client or self.app.test_client()
        return client.post("/console/sign-in", data={"token": value}, headers=headers)

    def browser(self) -> FlaskClient:
        client = self.app.test_client()
        assert self.sign_in(client).status_code == 303
        return client


Make = Callable[..., Door]


@pytest.fixture
def make_door(store: Store, clock: Any) -> Make:
    return lambda **options: Door(store, clock, **options)


def csrf_of(client: FlaskClient) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/console/runbooks").text)
    assert found is not None
    return found[1]


# Encryption


@pytest.mark.parametrize(("public_url", "base_url"), [(OUTSIDE, "http://inside:8080"), (None, "https://bridge")])
def test_where_browsers_come_encrypted_the_session_is_kept_to_that(
    make_door: Make, public_url: str | None, base_url: str
) -> None:
    client = make_door(public_url=public_url).app.test_client()
    page = client.get("/console/sign-in", base_url=base_url)
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    with make_door().store.begin("acme") as tx:
        value = tokens.issue(tx, scopes=["ops:admin"], source="idp").value
    answer = client.post("/console/sign-in", data={"token": value}, base_url=base_url)
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


@pytest.mark.parametrize("public_url", [None, "http://127.0.0.1:8080"])
def test_where_browsers_come_unencrypted_they_may_keep_the_session(make_door: Make, public_url: str | None) -> None:
    answer = make_door(public_url=public_url).sign_in()
    assert "Secure" not in answer.headers["Set-Cookie"].split("; ")
    assert "Strict-Transport-Security" not in answer.headers


# Other sites

FOREIGN: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    {"Origin": "https://evil.example.com"},
    {"Origin": "http://localhost:9999"},
    {"Origin": "null"},
    {"Origin": "http://[evil"},
)
OWN: tuple[dict[str, str], ...] = (
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost"},
    {"Origin": "http://localhost:80"},
    {"Origin": "https://bridge.example.com"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxied.example.com"},
)


def test_another_site_signs_nobody_in(make_door: Make) -> None:
    door = make_door(public_url=OUTSIDE)
    for headers in FOREIGN:
        answer = door.sign_in(**headers)
        assert (headers, answer.status_code) == (headers, 403)
        assert "Set-Cookie" not in answer.headers
        assert "another site" in answer.text


def test_a_form_of_our_own_signs_in(make_door: Make) -> None:
    door = make_door(public_url=OUTSIDE)
    for headers in OWN:
        assert (headers, door.sign_in(**headers).status_code) == (headers, 303)


def test_another_site_does_nothing_even_with_a_forms_secret(make_door: Make) -> None:
    client = make_door().browser()
    csrf = csrf_of(client)
    for headers in FOREIGN:
        assert client.post("/console/sign-out", data={"csrf": csrf}, headers=headers).status_code == 403


def test_pages_let_their_own_forms_say_where_they_are_from(make_door: Make) -> None:
    page = make_door().app.test_client().get("/console/sign-in")
    assert page.headers["Referrer-Policy"] == "same-origin"


# The pace of a token, and the note of its use


def test_pages_are_shown_at_a_tokens_pace(make_door: Make) -> None:
    client = make_door(pace=Pace(2, clock_ns=lambda: 10**12)).browser()
    assert client.get("/console/runbooks").status_code == 200
    answer = client.get("/console/runbooks")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert "more than 2 requests in a second" in answer.text
    with client.get("/console/static/console.css") as sheet:
        assert sheet.status_code == 200


def test_who_signs_in_too_often_is_told_when_to_come_again(make_door: Make) -> None:
    client = make_door().app.test_client()
    wrong = {"token": f"scb_{'0' * 16}_{'0' * 64}"}
    answers = [client.post("/console/sign-in", data=wrong) for _ in range(21)]
    assert (answers[-1].status_code, answers[-1].headers.get("Retry-After")) == (429, "60")


def test_looking_at_pages_is_a_use_of_the_token(make_door: Make, clock: Any) -> None:
    door = make_door()
    client = door.browser()
    clock.advance(ms=5 * tokens.TOUCH_MS)
    assert client.get("/console/runbooks").status_code == 200
    with door.store.begin("acme", write=False) as tx:
        assert [row.last_used_at for row in tokens.listed(tx)] == [clock()]


# Proofs


def test_the_chain_is_proved_while_no_other_proof_is_made(store: Store, make_door: Make, clock: Any) -> None:
    door = make_door()
    desk = Desk(settings=Settings(), store=store, dispatcher=RecordingDispatcher(), clock=clock)
    door.app = Flask("console")
    door.app.register_blueprint(console_endpoints(desk, Doorkeeper(store, clock), secret=b"s" * 32))
    client = door.browser()
    with desk.proving:
        answer = client.get("/console/audit/chain")
    assert answer.status_code == 409
    assert "being proved" in answer.text
    assert [client.get("/console/audit/chain").status_code for _ in range(2)] == [200, 200]


# What an address may hold, and how it is asked for


def test_a_page_is_asked_about_without_being_sent(make_door: Make) -> None:
    client = make_door().browser()
    for path in ("/console/runbooks", "/console/audit"):
        answer = client.head(path)
        assert (answer.status_code, answer.data) == (200, b"")


def test_who_leaves_is_told_what_ends_all_sessions(make_door: Make) -> None:
    client = make_door().browser()
    answer = client.post("/console/sign-out", data={"csrf": csrf_of(client)})
    assert "Revoking the token ends all of its sessions" in client.get(answer.headers["Location"]).text


def test_what_nobody_can_print_names_nothing(make_door: Make) -> None:
    client = make_door().browser()
    csrf = csrf_of(client)
    for part in ("%00", "a%00b", "%0A", "%1B", "%E2%80%AE"):
        for path in (f"people/{part}", f"lanes/{part}/pause", f"imports/{part}", f"tokens/{part}/revoke"):
            assert (path, client.get(f"/console/{path}").status_code) == (path, 404)
        answer = client.post(f"/console/lanes/{part}/pause", data={"csrf": csrf, "reason": "x"})
        assert (part, answer.status_code) == (part, 404)
        assert "There is no such page" in answer.text


# What a page tells of the action before it


def test_only_the_session_that_did_something_is_told_so(make_door: Make) -> None:
    door = make_door()
    own, other = door.browser(), door.browser()
    with door.store.begin("acme") as tx:
        spare = tokens.issue(tx, scopes=["scim"], source="idp").id
    answer = own.post(f"/console/tokens/{spare}/revoke", data={"csrf": csrf_of(own)})
    told = answer.headers["Location"].partition("told=")[2]
    pages = [browser.get(f"/console/runbooks?told={told}").text for browser in (own, other)]
    assert [f"The token {spare} is revoked." in page for page in pages] == [True, False]
    assert spare not in door.app.test_client().get(f"/console/sign-in?told={told}").text
