"""Notices reach a real receiver by a signed call, whatever it does with them. On both databases."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from fakes.target import FakeTarget
from pydantic import SecretStr

from scim_bridge.domain.notices import Kind
from scim_bridge.sandbox.receivers.receiver import Mood, Receiver
from scim_bridge.settings.models import FieldSettings, GuardSettings
from scim_bridge.settings.notices import NoticeSettings
from scim_bridge.store import notices as owed
from scim_bridge.store import tables, tokens
from scim_bridge.store.engine import Store
from workers.relay import expiry, housekeeping, loop, notifying, reminding
from workers.runtime import Runtime
from workers.targets import port

SECRET = "whsec_c2l4dGVlbi1ieXRlcy1hbmQtbW9yZS1vZi1pdA=="
DAY = 86_400_000
CREW = tuple(f"p{number}" for number in range(12))


@pytest.fixture
def receiver(clock: Any, store: Store) -> Iterator[Receiver]:
    del store  # it is closed later than this
    with Receiver(SECRET, now_s=lambda: clock() / 1000) as opened:
        yield opened
    # Who was kept hanging would else go on with a store that is closed.
    for thread in threading.enumerate():
        if thread.name.startswith("notices-"):
            thread.join(15)


def told_to(bench: Any, *receivers: tuple[str, str], **wishes: Any) -> Any:
    """Have the bench's relay tell these receivers (name and URL)."""
    named = [NoticeSettings(name=name, url=url, secret=SecretStr(SECRET), **wishes) for name, url in receivers]
    bench.runtime.settings = bench.settings.model_copy(update={"notices": named})
    return bench


def relay(runtime: Runtime, *, patience_s: float = 5) -> None:
    """Let the relay come by once, and wait for what it sends."""
    assert notifying.run_once(runtime, runtime.clock()) == runtime.clock() + notifying.EVERY_MS
    notifying.finish(runtime, patience_s=patience_s)


def owe(bench: Any, count: int = 1, *, target: str = "lms", kind: Kind = Kind.BREAKER) -> None:
    with bench.store.begin("acme") as tx:
        owed.owe(tx, kind, target=target, count=count)


def postings(bench: Any) -> list[Any]:
    with bench.store.across_tenants("test") as tx:
        return list(tx.connection.execute(sa.select(tables.posting).order_by(tables.posting.c.id)))


@pytest.fixture
def paging(make_bench: Callable[..., Any], receiver: Receiver) -> Any:
    """A bench that holds every deactivation, and one receiver who is told everything."""
    bench = make_bench(guard=GuardSettings(max=0, share=1.0, min=0))
    bench.target.tells_ids = True
    return told_to(bench, ("pager", receiver.url))


def test_one_hold_of_many_people_is_one_notice_without_a_name(paging: Any, receiver: Receiver) -> None:
    for who in CREW:
        paging.push(who)
    paging.work()
    for who in CREW:
        paging.push(who, active=False)
    paging.work()
    relay(paging.runtime)
    [notice] = receiver.notices
    assert {name: notice[name] for name in ("kind", "tenant", "target", "count", "link")} == {
        "kind": "hold",
        "tenant": "acme",
        "target": "lms",
        "count": len(CREW),
        "link": None,
    }
    assert notice.keys() == {"id", "kind", "tenant", "target", "at", "count", "what", "advice", "link"}
    assert "12 people are held" in notice["what"]
    assert "hold list --tenant acme --target lms" in notice["advice"]
    assert "example.com" not in repr(notice)
    assert receiver.refused == 0


def test_a_person_who_is_held_already_is_no_news(paging: Any, receiver: Receiver, clock: Any) -> None:
    paging.push("ann")
    paging.work()
    paging.push("ann", active=False)
    paging.work()
    relay(paging.runtime)
    clock.advance(ms=DAY)
    paging.push("ann", active=False, title="Former")
    paging.work(shifts=2)
    relay(paging.runtime)
    assert len(receiver.notices) == 1


def test_a_hold_that_nobody_decides_is_told_again(paging: Any, receiver: Receiver, clock: Any) -> None:
    paging.push("ann")
    paging.work()
    paging.push("ann", active=False)
    paging.work()
    clock.advance(ms=reminding.ASKS_AGAIN_MS)
    reminding.run_once(paging.runtime, clock())
    relay(paging.runtime)
    assert [(each["kind"], each["count"]) for each in receiver.notices] == [("hold", 1), ("hold_expired", 1)]


def test_a_quarantine_is_told_once_however_long_it_lasts(paging: Any, receiver: Receiver, clock: Any) -> None:
    paging.target.fail_next(port.CredentialRefused(status=401))
    paging.target.probe_failure = port.CredentialRefused(status=401)
    paging.push("ann")
    for _ in range(4):
        paging.work()
        clock.advance(ms=60_000)
    relay(paging.runtime)
    assert [(each["kind"], each["target"], each["count"]) for each in receiver.notices] == [("quarantine", "lms", 1)]


def test_an_open_breaker_is_told_once(paging: Any, receiver: Receiver, clock: Any) -> None:
    for _ in range(5):
        paging.target.fail_next(port.Unreachable("refused"))
    paging.target.probe_failure = port.Unreachable("refused")
    paging.push("ann")
    for _ in range(9):
        paging.work()
        clock.advance(ms=20_000)
    relay(paging.runtime)
    assert [(each["kind"], each["count"]) for each in receiver.notices] == [("breaker", 1)]


def test_the_first_dead_of_a_code_are_told_at_once_then_those_of_the_next_hour(
    paging: Any, receiver: Receiver, clock: Any
) -> None:
    paging.runtime.targets["acme", "lms"] = FakeTarget(fields={"title": FieldSettings(required=True)})
    told = []
    for names in (("ann", "bob"), ("cyd",), ("dan",)):
        for who in names:
            paging.push(who)
        paging.work()
        relay(paging.runtime)
        told.append([(each["kind"], each["target"], each["count"]) for each in receiver.notices])
    clock.advance(ms=3_600_000)
    relay(paging.runtime)
    first = [("dead", "lms", 2)]
    assert told == [first, first, first]
    assert [each["count"] for each in receiver.notices] == [2, 2]
    assert "missing_field" in receiver.notices[0]["what"]
    assert "failed list --tenant acme --target lms --code missing_field" in receiver.notices[0]["advice"]


def test_somebody_whose_account_was_there_is_told_of(make_bench: Callable[..., Any], receiver: Receiver) -> None:
    bench = told_to(make_bench(), ("pager", receiver.url))
    bench.target.seed("ann@example.com", protected=True)
    bench.push("ann")
    bench.work(shifts=2)
    relay(bench.runtime)
    [notice] = receiver.notices
    assert (notice["kind"], notice["count"], "--kind takeover" in notice["advice"]) == ("hold", 1, True)


def test_the_end_of_a_token_is_told_at_thirty_days_then_at_fourteen(
    paging: Any, receiver: Receiver, clock: Any
) -> None:
    with paging.store.begin("acme") as tx:
        ends_at = tx.now + 31 * DAY
        token_id = tokens.issue(tx, scopes=["scim"], source="idp", name="Ann", expires_at=ends_at).id
    told = []
    for _ in range(18):
        for _ in range(2):
            # A relay that starts again tells nothing twice.
            paging.runtime.expiries_seen_at = None
            expiry.run_once(paging.runtime, clock())
            relay(paging.runtime)
        told.append(len(receiver.notices))
        clock.advance(ms=DAY)
    assert told == [0] + [1] * 16 + [2]
    assert receiver.notices[0]["what"] == f"The token {token_id} of acme expires within 30 days."
    assert (receiver.notices[1]["target"], "Ann" in repr(receiver.notices)) == (None, False)


def test_the_relay_does_it_soon(paging: Any, receiver: Receiver) -> None:
    owe(paging)
    due = dict.fromkeys(loop.DUTIES, 0)
    loop.run_due(paging.runtime, due)
    notifying.finish(paging.runtime, patience_s=5)
    assert len(receiver.notices) == 1
    assert due["notifying"] - paging.clock() <= 1_000


@pytest.mark.parametrize("mood", [500, 404, 301, "redirect", "cut", "hang", "drip"])
def test_whatever_goes_wrong_the_notice_comes_again(
    paging: Any, receiver: Receiver, clock: Any, monkeypatch: pytest.MonkeyPatch, mood: Mood
) -> None:
    monkeypatch.setattr(notifying, "DEADLINE_S", 1.0)
    receiver.moods = [mood, mood]
    owe(paging)
    relay(paging.runtime)
    assert receiver.notices == []
    clock.advance(ms=4_999)
    relay(paging.runtime)
    assert len(receiver.paths) == 1
    clock.advance(ms=2_501)
    relay(paging.runtime)
    clock.advance(ms=15_000)
    relay(paging.runtime)
    assert (len(receiver.notices), set(receiver.paths)) == (1, {"/notices"})
    assert [each.state for each in postings(paging)] == ["sent"]


def test_a_notice_whose_answer_was_lost_comes_again_by_the_same_id(paging: Any, receiver: Receiver, clock: Any) -> None:
    receiver.moods = ["lose"]
    owe(paging)
    relay(paging.runtime)
    clock.advance(ms=7_500)
    relay(paging.runtime)
    assert (len(receiver.notices), receiver.duplicates) == (1, 1)


def test_a_receiver_that_asks_for_patience_is_given_it(paging: Any, clock: Any) -> None:
    receiver = paging.runtime.settings.notices[0]
    owe(paging)
    with paging.store.across_tenants("test", write=True) as tx:
        owed.share_out(tx, [owed.Wish(destination="pager", kinds=list(Kind))])
        posting = owed.claim(tx, "pager", lease_ms=1)
    assert posting is not None
    notifying._settle(paging.runtime, receiver, posting, notifying._Refusal(reason="HTTP 429", asked_s=120))
    [row] = postings(paging)
    assert row.due_at == clock() + 120_000


def test_after_a_day_a_notice_is_given_up_with_a_line_in_the_log(
    paging: Any, receiver: Receiver, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.moods = [503] * 100
    began_at = clock()
    owe(paging)
    with structlog.testing.capture_logs() as logged:
        monkeypatch.setattr(notifying, "log", structlog.get_logger("test"))
        relay(paging.runtime)
        while [each.state for each in postings(paging)] == ["waiting"]:
            clock.now = postings(paging)[0].due_at
            relay(paging.runtime)
    assert clock() - began_at == DAY
    assert 25 <= len(receiver.paths) <= 45
    last = logged[-1]
    assert (last["event"], last["log_level"], last["reason"]) == ("notice_given_up", "error", "HTTP 503")
    assert [each["event"] for each in logged[:-1]] == ["notice_not_taken"] * (len(logged) - 1)
    clock.advance(ms=DAY)
    relay(paging.runtime)
    assert receiver.notices == []


def test_a_receiver_that_hangs_holds_up_neither_relay_nor_others(
    make_bench: Callable[..., Any], receiver: Receiver, clock: Any
) -> None:
    with Receiver(SECRET, now_s=lambda: clock() / 1000) as hanging:
        hanging.moods = ["hang"]
        bench = told_to(make_bench(), ("slow", hanging.url), ("pager", receiver.url))
        owe(bench)
        began_at = time.monotonic()
        notifying.run_once(bench.runtime, clock())
        bench.runtime.messengers["pager"].join(5)
        assert (len(receiver.notices), time.monotonic() - began_at < 5) == (1, True)
        notifying.run_once(bench.runtime, clock())
        assert len(hanging.paths) <= 1
    notifying.finish(bench.runtime, patience_s=5)


def test_no_transaction_is_open_while_a_receiver_is_called(paging: Any, receiver: Receiver, clock: Any) -> None:
    receiver.moods = ["hang"]
    owe(paging)
    notifying.run_once(paging.runtime, clock())
    deadline = time.monotonic() + 5
    while not receiver.paths and time.monotonic() < deadline:
        time.sleep(0.01)
    assert paging.store.engine.pool.checkedout() == 0
    owe(paging, kind=Kind.QUARANTINE)


def test_several_relays_send_each_notice_once(paging: Any, receiver: Receiver) -> None:
    numbers = range(30)
    for number in numbers:
        owe(paging, target=f"t{number}")
    relays = [
        Runtime(
            settings=paging.runtime.settings,
            store=paging.store,
            dispatcher=paging.runtime.dispatcher,
            fingerprint_key=b"k" * 32,
            clock=paging.clock,
        )
        for _ in range(3)
    ]
    threads = [threading.Thread(target=relay, args=(each,)) for each in relays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in relays:
        relay(each)
    assert sorted(each["target"] for each in receiver.notices) == sorted(f"t{number}" for number in numbers)
    assert (receiver.duplicates, len(receiver.paths)) == (0, len(numbers))


def test_a_receiver_is_told_only_what_it_wants(make_bench: Callable[..., Any], receiver: Receiver) -> None:
    bench = told_to(
        make_bench(), ("pager", receiver.url), kinds=[Kind.QUARANTINE], link="https://x.example/{tenant}/{kind}"
    )
    owe(bench)
    owe(bench, kind=Kind.QUARANTINE)
    relay(bench.runtime)
    assert [(each["kind"], each["link"]) for each in receiver.notices] == [
        ("quarantine", "https://x.example/acme/quarantine")
    ]


def test_without_receivers_nothing_piles_up(make_bench: Callable[..., Any], clock: Any) -> None:
    bench = make_bench()
    owe(bench)
    relay(bench.runtime)
    clock.advance(ms=notifying.KEPT_MS + 1)
    housekeeping.run_once(bench.runtime, clock())
    with bench.store.across_tenants("test") as tx:
        assert tx.connection.execute(sa.select(tables.notice)).all() == []


def test_what_a_receiver_that_is_gone_should_have_had_is_given_up(paging: Any, receiver: Receiver, clock: Any) -> None:
    receiver.moods = [500]
    owe(paging)
    relay(paging.runtime)
    told_to(paging, ("other", receiver.url))
    clock.advance(ms=2 * notifying.STRAY_MS)
    housekeeping.run_once(paging.runtime, clock())
    assert [each.state for each in postings(paging)] == ["given_up"]


def test_the_way_to_verify_that_the_readme_shows_believes_what_is_ours_alone(paging: Any, receiver: Receiver) -> None:
    requests: list[tuple[dict[str, str], bytes]] = []
    answer = receiver.answer

    def keep(headers: Any, path: str, body: bytes, connection: Any) -> Any:
        requests.append(({name.lower(): value for name, value in headers.items()}, body))
        return answer(headers, path, body, connection)

    receiver.answer = keep  # type: ignore[method-assign]
    paging.clock.now = round(time.time() * 1000)
    owe(paging)
    relay(paging.runtime)
    [(headers, body)] = requests
    readme = (Path(__file__).resolve().parents[2] / "config" / "README.md").read_text("utf-8")
    [shown] = re.findall(r"```python\n(.*?def is_genuine.*?)```", readme, re.DOTALL)
    names: dict[str, Any] = {}
    exec(shown, names)
    is_genuine = names["is_genuine"]
    assert is_genuine(SECRET, headers, body)
    assert not is_genuine("whsec_YW5vdGhlci1zZWNyZXQtb2YtdGhlLXNhbWUtc2l6ZQ==", headers, body)
    assert not is_genuine(SECRET, headers, body.replace(b"acme", b"evil"))
    assert not is_genuine(SECRET, {**headers, "webhook-id": "ntc_other"}, body)
    assert not is_genuine(SECRET, {**headers, "webhook-timestamp": str(int(time.time()) - 400)}, body)
    assert not is_genuine(SECRET, {}, body)
