"""Who gets past the door, from where, and how often; everybody else is told why, and nothing of anybody is logged."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.dispatcher import RecordingDispatcher
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from running.door import SCIM, Ticking

from scim_bridge import metrics
from scim_bridge.domain import networks
from scim_bridge.settings.models import Settings, WebSettings
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app
from scim_bridge.web.pace import Pace
from scim_bridge.web.recognition import KEPT_MS

SECOND_NS = 1_000_000_000

MakeDoor = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def shared_store(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """What is asked of the store here, `test_token_store` asks on both databases."""
    path = tmp_path_factory.mktemp("door") / "bridge.db"
    path.write_bytes(sqlite_template.read_bytes())
    store = Store.open(f"sqlite:///{path}", clock=Ticking())
    yield store
    store.close()


@pytest.fixture
def make_door(shared_store: Store) -> MakeDoor:
    """A front door of its own settings over the shared store."""

    def make(*, store: Store | None = None, clock: Any = None, pace: Pace | None = None, **web: Any) -> FlaskClient:
        app = create_app(
            Settings(web=WebSettings(**web)),
            store or shared_store,
            RecordingDispatcher(),
            clock=clock or shared_store.clock,
            secret=b"s" * 32,
            pace=pace,
        )
        return app.test_client()

    return make


@pytest.fixture
def issue(shared_store: Store, tenant_settings: Any) -> Callable[..., tokens.Issued]:
    def make(**options: Any) -> tokens.Issued:
        with shared_store.begin(tenant_settings.id) as tx:
            return tokens.issue(tx, source="idp", **{"scopes": ["scim"], **options})

    return make


def ask(door: FlaskClient, token: str, *, address: str = "127.0.0.1", path: str = "/Users", **headers: str) -> Any:
    """Make a request from an address as a sender with this token."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return door.get(
        f"/scim/v2{path}",
        headers={"Authorization": f"Bearer {token}", **given},
        environ_base={"REMOTE_ADDR": address},
    )


def refused(reason: str) -> float:
    return REGISTRY.get_sample_value("scim_bridge_refused_total", {"reason": reason}) or 0.0


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


# -- Tokens -----------------------------------------------------------------


def test_a_token_opens_the_door_as_a_basic_password_too(sender: Any) -> None:
    sender.user("ann")
    for header in (basic(f"okta:{sender.token}"), basic(f":{sender.token}").replace("Basic", "basic")):
        assert sender.get("/Users", Authorization=header).json["totalResults"] == 1


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        ("Bearer", "malformed"),
        ("{token}", "malformed"),  # no scheme
        ("Token {token}", "malformed"),
        ("Bearer {token}{token}", "malformed"),
        ("Bearer {token} x", "malformed"),
        ("Bearer {token},Bearer {token}", "malformed"),  # the header twice
        ("Basic {token}", "malformed"),
        ("Basic ====", "malformed"),
        (basic("no colon"), "malformed"),
        (basic("user:"), "malformed"),
        (basic("user:pässwörd"), "malformed"),
        (basic("user:password"), "malformed"),
        ("Bearer ëëë", "malformed"),
        ("Bearer " + "x" * 100_000, "malformed"),
        (basic("x" * 100_000 + ":y"), "malformed"),
        (f"Bearer scb_{'0' * 16}_{'0' * 64}", "unknown"),
        (basic(f"okta:scb_{'1' * 16}_{'0' * 64}"), "unknown"),
    ],
)
def test_whoever_shows_no_token_is_challenged_in_scim(sender: Any, authorization: str | None, reason: str) -> None:
    before = refused(reason)
    header = {} if authorization is None else {"Authorization": authorization.replace("{token}", sender.token)}
    response = sender.client.get("/scim/v2/Users", headers=header)
    assert (response.status_code, response.content_type) == (401, SCIM)
    assert response.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert "token" in response.json["detail"]
    schemes = [each.split()[0] for each in response.headers.getlist("WWW-Authenticate")]
    assert schemes == ["Bearer", "Basic"]
    assert refused(reason) == before + 1


def test_what_cannot_be_a_token_is_never_held_to_be_a_guess(sender: Any) -> None:
    """Somebody else's nonsense must not turn a sender's 401, which it understands, into a 429."""
    answers = {sender.get("/Users", Authorization="Bearer nonsense").status_code for _ in range(50)}
    assert answers == {401}


def test_a_right_token_is_let_in_while_its_prefix_is_guessed(sender: Any) -> None:
    wrong = sender.token[:-1] + ("0" if sender.token[-1] != "0" else "1")
    before = refused("guessed")
    answers = [sender.get("/Users", Authorization=basic(f"x:{wrong}")) for _ in range(25)]
    assert [each.status_code for each in answers] == [401] * 20 + [429] * 5
    assert answers[-1].headers["Retry-After"] == "60"
    assert refused("guessed") == before + 5
    assert sender.get("/Users").status_code == 200


class Counting(Store):
    """A store that knows how often a token was looked up."""

    lookups = 0

    def across_tenants(self, reason: str, **options: Any) -> Any:
        self.lookups += "token" in reason
        return super().across_tenants(reason, **options)


def test_a_busy_sender_costs_a_lookup_only_now_and_then(
    make_door: MakeDoor, issue: Callable[..., tokens.Issued], shared_store: Store, clock: Any
) -> None:
    counting = Counting(shared_store.engine, clock=shared_store.clock)
    door, token = make_door(store=counting, clock=clock), issue().value
    assert {ask(door, token).status_code for _ in range(20)} == {200}
    assert counting.lookups == 1
    clock.advance(ms=KEPT_MS)
    assert ask(door, token).status_code == 200
    assert counting.lookups == 2
    # Wrong ones are never remembered, and what cannot be one is never looked up.
    assert {ask(door, f"scb_{'0' * 16}_{'0' * 64}").status_code for _ in range(3)} == {401}
    assert {ask(door, "nonsense").status_code for _ in range(3)} == {401}
    assert counting.lookups == 5


def test_a_revoked_token_is_refused_within_a_second(
    make_door: MakeDoor, issue: Callable[..., tokens.Issued], shared_store: Store, tenant_settings: Any, clock: Any
) -> None:
    doors, issued = [make_door(clock=clock) for _ in range(2)], issue()
    assert [ask(door, issued.value).status_code for door in doors] == [200, 200]
    with shared_store.begin(tenant_settings.id) as tx:
        assert tokens.revoke(tx, issued.id)
    before = refused("revoked")
    clock.advance(ms=KEPT_MS)
    assert [ask(door, issued.value).status_code for door in doors] == [401, 401]
    assert refused("revoked") == before + 2


def test_a_token_that_expires_is_refused_from_that_moment(
    make_door: MakeDoor, issue: Callable[..., tokens.Issued], shared_store: Store
) -> None:
    ticking: Any = shared_store.clock
    issued, before = issue(expires_at=ticking() + 60_000), refused("expired")
    door = make_door()
    assert ask(door, issued.value).status_code == 200
    ticking.advance(ms=60_000)
    assert ask(door, issued.value).status_code == 401
    assert refused("expired") == before + 1


@pytest.mark.parametrize(("ended", "sentence"), [("revoked", "is revoked"), ("expired", "has expired")])
def test_an_ended_token_is_told_so_however_often_it_comes(
    make_door: MakeDoor,
    issue: Callable[..., tokens.Issued],
    shared_store: Store,
    tenant_settings: Any,
    ended: str,
    sentence: str,
) -> None:
    """An identity provider that was forgotten shows its admin a 401 that says why, and never a 429."""
    issued, before = issue(expires_at=1 if ended == "expired" else None), refused(ended)
    if ended == "revoked":
        with shared_store.begin(tenant_settings.id) as tx:
            tokens.revoke(tx, issued.id)
    door = make_door()
    answers = [ask(door, issued.value) for _ in range(25)]
    assert {each.status_code for each in answers} == {401}
    assert sentence in answers[-1].json["detail"]
    assert refused(ended) == before + 25
    # To whoever does not know all of it, it is a token like any other that is none.
    wrong = issued.value[:-1] + ("0" if issued.value[-1] != "0" else "1")
    assert sentence not in ask(door, wrong).json["detail"]


def test_last_use_is_noted(sender: Any, shared_store: Store) -> None:
    def last_use() -> int | None:
        with shared_store.begin(sender.tenant, write=False) as tx:
            return tokens.listed(tx)[0].last_used_at

    assert last_use() is None
    sender.get("/Users")
    assert last_use() is not None


# -- Networks ---------------------------------------------------------------


@pytest.fixture
def bound(issue: Callable[..., tokens.Issued]) -> str:
    """A token that is good from two networks."""
    return issue(networks=[networks.parse_network(each) for each in ("192.0.2.0/24", "2001:db8::/32")]).value


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("192.0.2.7", 200),
        ("::ffff:192.0.2.7", 200),  # a socket for both shows IPv4 so
        ("2001:db8::7", 200),
        ("192.0.3.7", 403),
        ("::1", 403),
        ("::192.0.2.7", 403),
        ("", 403),
        ("nonsense", 403),
    ],
)
def test_a_bound_token_is_good_from_its_networks_only(
    make_door: MakeDoor, bound: str, address: str, status: int
) -> None:
    before = refused("network")
    response = ask(make_door(), bound, address=address, X_Forwarded_For="192.0.2.7")
    assert response.status_code == status
    assert refused("network") == before + (status == 403)


@pytest.mark.parametrize(
    ("proxies", "forwarded_for", "status"),
    [
        (1, "192.0.2.7", 200),
        (1, "198.51.100.9, 192.0.2.7:51234", 200),
        (1, "[2001:db8::7]:443", 200),
        (1, "::ffff:192.0.2.7", 200),
        (2, "192.0.2.7, 10.0.0.9", 200),
        (1, "192.0.2.7, 198.51.100.9", 403),  # the first is what the sender made up
        (2, "192.0.2.7", 403),  # a hop is missing
        (1, None, 403),  # the proxy tells nothing: its own address is nobody's
        (1, "", 403),
        (1, "192.0.2.7, ", 403),
        (1, "unknown", 403),
        (1, "192.0.2.7 198.51.100.9", 403),
        (1, "192.0.2.0/24", 403),
        (1, "192.0.2.7" * 800, 403),
    ],
)
def test_behind_proxies_the_sender_is_who_they_say(
    make_door: MakeDoor, bound: str, proxies: int, forwarded_for: str | None, status: int
) -> None:
    headers = {} if forwarded_for is None else {"X_Forwarded_For": forwarded_for}
    # The proxy itself stands in the token's network: that helps nobody.
    response = ask(make_door(trusted_proxies=proxies), bound, address="192.0.2.1", **headers)
    assert response.status_code == status


def test_a_refusal_tells_the_sender_its_address_and_the_log_nobody(
    make_door: MakeDoor, bound: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    response = ask(make_door(), bound, address="198.51.100.9")
    assert (response.status_code, response.content_type) == (403, SCIM)
    assert "from 198.51.100.9;" in response.json["detail"]
    unknown = ask(make_door(trusted_proxies=1), bound, address="198.51.100.9")
    assert "an address that the proxies in front do not tell" in unknown.json["detail"]
    logged = capfd.readouterr()
    assert "198.51.100.9" not in logged.out + logged.err + caplog.text


def test_the_metrics_name_neither_addresses_nor_tokens(
    make_door: MakeDoor, issue: Callable[..., tokens.Issued]
) -> None:
    issued = issue(name="ann@example.com", networks=[networks.parse_network("192.0.2.0/24")])
    door = make_door(pace=Pace(1, clock_ns=Nanoseconds()))
    for address in ("198.51.100.9", "192.0.2.7", "192.0.2.7"):
        ask(door, issued.value, address=address)
    ask(door, issued.value[:-1], address="198.51.100.9")
    text = metrics.exposition()[0].decode()
    assert issued.id in text
    for secret in (issued.value.rpartition("_")[2], "198.51.100.9", "192.0.2", "ann@example.com"):
        assert secret not in text


def test_a_token_that_is_bound_to_nothing_needs_no_address(
    make_door: MakeDoor, issue: Callable[..., tokens.Issued]
) -> None:
    token = issue().value
    assert ask(make_door(), token, address="nonsense").status_code == 200
    assert ask(make_door(trusted_proxies=3), token).status_code == 200


# -- Pace -------------------------------------------------------------------


class Nanoseconds:
    """A clock that the test moves."""

    now = 5 * SECOND_NS

    def __call__(self) -> int:
        return self.now


def test_too_many_requests_of_a_token_wait_and_nobody_elses(
    make_door: MakeDoor, issue: Callable[..., tokens.Issued], tenant_settings: Any
) -> None:
    now = Nanoseconds()
    door, busy, other = make_door(pace=Pace(5, clock_ns=now)), issue(), issue()
    answers = [ask(door, busy.value) for _ in range(8)]
    assert [each.status_code for each in answers] == [200] * 5 + [429] * 3
    assert answers[-1].content_type == SCIM
    assert answers[-1].json["status"] == "429"
    assert "5 requests in a second" in answers[-1].json["detail"]
    assert answers[-1].headers["Retry-After"] == "1"
    told = {"tenant": tenant_settings.id, "token_id": busy.id}
    assert REGISTRY.get_sample_value("scim_bridge_paced_total", told) == 3
    assert ask(door, other.value).status_code == 200
    now.now += SECOND_NS
    assert ask(door, busy.value).status_code == 200


def test_wrong_tokens_use_up_nobodys_requests(make_door: MakeDoor, issue: Callable[..., tokens.Issued]) -> None:
    door, token = make_door(pace=Pace(2, clock_ns=Nanoseconds())), issue().value
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    assert {ask(door, wrong).status_code for _ in range(10)} == {401}
    assert ask(door, token).status_code == 200


def test_health_is_not_held_to_a_pace(make_door: MakeDoor) -> None:
    door = make_door(pace=Pace(1, clock_ns=Nanoseconds()))
    assert {door.get(path).status_code for path in ("/healthz", "/readyz") for _ in range(5)} == {200}


# -- Addresses in answers ---------------------------------------------------


def locations(door: FlaskClient, token: str, **headers: str) -> set[str]:
    """Return where the addresses in the answers to a new user and a group of theirs lead."""
    given = {"Authorization": f"Bearer {token}", "Content-Type": SCIM}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    user = door.post("/scim/v2/Users", json={"userName": "ann"}, headers=given)
    body = {"displayName": "Sales", "members": [{"value": user.json["id"]}]}
    group = door.post("/scim/v2/Groups", json=body, headers=given)
    again = door.get(f"/scim/v2/Users/{user.json['id']}", headers=given)
    listed = door.get("/scim/v2/Groups", headers=given)
    discovered = door.get("/scim/v2/ServiceProviderConfig", headers=given)
    urls = [
        *(each.json["meta"]["location"] for each in (user, group, again, discovered)),
        *(each.headers["Location"] for each in (user, group)),
        group.json["members"][0]["$ref"],
        again.json["groups"][0]["$ref"],
        listed.json["Resources"][0]["meta"]["location"],
        listed.json["Resources"][0]["members"][0]["$ref"],
    ]
    return {url.partition("/scim/v2/")[0] for url in urls}


def test_every_address_in_answers_is_the_public_one(make_door: MakeDoor, issue: Callable[..., tokens.Issued]) -> None:
    door = make_door(public_url="https://bridge.example.com/idp/", trusted_proxies=1)
    told = {"X_Forwarded_For": "192.0.2.7", "X_Forwarded_Proto": "http", "X_Forwarded_Host": "evil.example"}
    assert locations(door, issue().value, **told) == {"https://bridge.example.com/idp"}


def test_proxies_tell_the_address_where_none_is_set(make_door: MakeDoor, issue: Callable[..., tokens.Issued]) -> None:
    told = {"X_Forwarded_For": "192.0.2.7", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "bridge.example.com"}
    assert locations(make_door(trusted_proxies=1), issue().value, **told) == {"https://bridge.example.com"}


def test_senders_cannot_tell_the_address(make_door: MakeDoor, issue: Callable[..., tokens.Issued]) -> None:
    told = {"X_Forwarded_For": "192.0.2.7", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "evil.example"}
    assert locations(make_door(), issue().value, **told) == {"http://localhost"}
