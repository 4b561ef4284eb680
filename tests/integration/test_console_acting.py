"""Acting at the console: who may, what is asked first, what is then done, and what somebody else's number shows."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.dispatcher import RecordingDispatcher
from werkzeug.test import TestResponse

from scim_bridge.operators import holds as decisions
from scim_bridge.operators import replay_plans
from scim_bridge.settings.models import GuardSettings, Settings, TenantSettings
from scim_bridge.store import errands, imports, inbound, plans, tables, tokens
from scim_bridge.store.engine import Store
from scim_bridge.store.imports import Staged
from scim_bridge.store.inbound import Seen
from scim_bridge.web.app import create_app

Bench = Any

ASK_ALWAYS = GuardSettings(max=0, share=1.0, window_s=3600, min=0)
MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def store(sqlite_url: str, clock: Any) -> Iterator[Store]:
    """A migrated store; what the pages ask of it is tested on both databases elsewhere."""
    opened = Store.open(sqlite_url, clock=clock, use_database_clock=False)
    yield opened
    opened.close()


class Visitor:
    """A browser that is signed in at the console of a bench's bridge, with a token of one scope."""

    def __init__(self, console: "Console", scope: str, tenant: str) -> None:
        self.app = console.app
        self.client = self.app.test_client()
        with console.bench.store.begin(tenant) as tx:
            issued = tokens.issue(tx, scopes=[scope], source="idp", name="Ann")
        self.token_id = issued.id
        assert self.client.post("/console/sign-in", data={"token": issued.value}).status_code == 303
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.client.get("/console/holds").text)
        assert found is not None
        self.csrf = found[1]

    def get(self, path: str) -> TestResponse:
        return self.client.get(f"/console{path}")

    def post(self, path: str, **fields: Any) -> TestResponse:
        return self.client.post(f"/console{path}", data={"csrf": self.csrf, **fields})

    def told(self, answer: TestResponse) -> str:
        """Return what the page says that an answer leads to."""
        assert answer.status_code == 303, answer.text
        page = self.client.get(answer.headers["Location"])
        found = re.search(r'class="told" role="status">(.*?)</p>', page.text)
        assert found is not None, page.text
        return found[1]


class Console:
    """The console over a bench's store, with a second tenant that has nothing to do with it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.dispatcher = RecordingDispatcher()
        settings = Settings(tenants=[*bench.settings.tenants, TenantSettings(id="other")])
        self.app = create_app(settings, bench.store, self.dispatcher, clock=bench.clock, secret=b"s" * 32)

    def visitor(self, scope: str = "ops:operator", tenant: str = "acme") -> Visitor:
        return Visitor(self, scope, tenant)

    def audited(self) -> list[tuple[str, str]]:
        with self.bench.store.across_tenants("test") as tx:
            audit = tables.audit.c
            return [(row.who, row.what) for row in tx.connection.execute(sa.select(audit.who, audit.what))]


@pytest.fixture
def console(make_bench: Any) -> Console:
    """Ann, Bob and Cyd have accounts; the guard asks about everybody who leaves."""
    bench = make_bench(guard=ASK_ALWAYS)
    bench.target.tells_ids = True
    for who in ("ann", "bob", "cyd"):
        bench.push(who)
    bench.work()
    return Console(bench)


def kill(bench: Bench, *who: str, **changes: Any) -> None:
    """Let the target refuse a change of these people once."""
    for each in who:
        bench.target.refuses[f"{each}@example.com"] = "refused"
        bench.push(each, title="Chief", **changes)
    bench.work()
    bench.target.refuses.clear()


def planned(console: Console) -> int:
    kill(console.bench, "ann", "bob")
    bench = console.bench
    made = replay_plans.plan(bench.store, bench.settings, tenant="acme", who="test")
    return int(made["replay"])


def hold(console: Console, *who: str) -> None:
    for each in who:
        console.bench.push(each, active=False)
    console.bench.work()


def asked(visitor: "Visitor", path: str) -> str:
    """Return what a question's form sends along of whom it asked about."""
    found = re.search(r'name="digest" value="([0-9a-f]+)"', visitor.get(path).text)
    assert found is not None
    return found[1]


def held(console: Console, *, rejected: bool = False) -> list[str]:
    rows = decisions.list_held(console.bench.store, tenant="acme", rejected=rejected)
    return [row["user"].partition("@")[0] for row in rows]


# Who may

FOR_OPERATORS = (
    *("/replays/plan", "/replays/1/approve", "/replays/1/cancel"),
    *("/holds/release", "/holds/reject", "/holds/allow"),
    *("/drift/compare", "/drift/1/repair"),
)
FOR_ADMINS = ("/tokens/create", "/tokens/abc/rotate", "/tokens/abc/revoke", "/faults/put-back")


def test_a_viewer_can_change_nothing(console: Console) -> None:
    viewer = console.visitor("ops:viewer")
    for path in FOR_OPERATORS + FOR_ADMINS:
        assert (path, viewer.get(path).status_code, viewer.post(path).status_code) == (path, 403, 403)


def test_tokens_the_chain_or_faults_are_for_admins_alone(console: Console) -> None:
    operator = console.visitor("ops:operator")
    assert [operator.get(path).status_code for path in ("/tokens", "/audit/chain", "/faults")] == [403, 403, 403]
    for path in FOR_ADMINS:
        assert (path, operator.get(path).status_code, operator.post(path).status_code) == (path, 403, 403)


def test_a_viewer_is_not_shown_what_they_may_not_do(console: Console) -> None:
    number = planned(console)
    hold(console, "cyd")
    viewer, operator = console.visitor("ops:viewer"), console.visitor("ops:operator")
    for path, words in {
        "/replays": "Plan a replay",
        f"/replays/{number}": "Approve…",
        "/holds": "Release all of these…",
        "/drift": "Compare now…",
    }.items():
        assert words not in viewer.get(path).text
        assert words in operator.get(path).text
    for_admins, admin = ('href="/console/tokens"', 'href="/console/faults"'), console.visitor("ops:admin")
    assert [words in operator.get("/holds").text for words in for_admins] == [False, False]
    assert [words in admin.get("/holds").text for words in for_admins] == [True, True]


def test_no_form_of_another_site_does_anything(console: Console) -> None:
    admin = console.visitor("ops:admin")
    rules = [
        rule
        for rule in console.app.url_map.iter_rules()
        if rule.endpoint.startswith("console.") and "POST" in (rule.methods or ()) and rule.endpoint != "console.enter"
    ]
    assert len(rules) >= len(FOR_OPERATORS + FOR_ADMINS)
    for rule in rules:
        path = re.sub(r"<[^>]*>", "1", rule.rule)
        answers = [admin.client.post(path, data=fields).status_code for fields in ({}, {"csrf": "f" * 64})]
        assert (path, answers) == (path, [403, 403])
    assert console.audited() == []


# Numbers that are nobody's, or another's


NOT_THERE = (
    *("/replays/999", "/replays/0", "/replays/99999999999999999999", "/replays/1x", "/replays/999/standing"),
    *("/replays/999/approve", "/replays/999/cancel", "/imports/none", "/imports/a.b", "/imports/none/report.csv"),
    *("/drift/999", "/drift/999/standing", "/drift/999/rows.csv", "/drift/999/repair", "/holds/release?user=eve"),
    *("/tokens/none/rotate", "/tokens/none/revoke"),
)


def test_what_is_not_there_is_404(console: Console) -> None:
    admin = console.visitor("ops:admin")
    assert {path: admin.get(path).status_code for path in NOT_THERE} == dict.fromkeys(NOT_THERE, 404)


def test_what_is_another_tenants_is_404(console: Console) -> None:
    number, own = planned(console), console.visitor("ops:admin")
    with console.bench.store.begin("acme") as tx:
        errand, _ = errands.ask(tx, target="lms", kind=errands.RECONCILE, who="test", asked={})
    bring_in(console)
    stranger = console.visitor("ops:admin", tenant="other")
    for path in (
        *(f"/replays/{number}{rest}" for rest in ("", "/standing", "/approve", "/cancel")),
        *(f"/drift/{errand.id}{rest}" for rest in ("", "/standing", "/rows.csv", "/repair")),
        *(f"/imports/file1{rest}" for rest in ("", "/report.csv")),
        *(f"/tokens/{own.token_id}{rest}" for rest in ("/rotate", "/revoke")),
    ):
        assert (path, stranger.get(path).status_code) == (path, 404)
    for path in (f"/replays/{number}/approve", f"/replays/{number}/cancel", f"/drift/{errand.id}/repair"):
        assert (path, stranger.post(path).status_code) == (path, 404)
    for path in (f"/tokens/{own.token_id}/rotate", f"/tokens/{own.token_id}/revoke"):
        assert (path, stranger.post(path).status_code) == (path, 404)
    assert own.get(f"/replays/{number}").status_code == own.get("/tokens").status_code == 200


def test_lists_show_nothing_of_another_tenant(console: Console) -> None:
    planned(console)
    hold(console, "cyd")
    bring_in(console)
    stranger = console.visitor("ops:admin", tenant="other")
    for path in ("/replays", "/holds", "/imports", "/drift", "/requests", "/audit", "/tokens"):
        page = stranger.get(path)
        assert page.status_code == 200
        assert not re.search(r"lms|cyd|file1|Replay \d", page.text), path


# Replays


def test_a_plan_shows_each_person_before_and_after_while_nothing_is_sent(console: Console) -> None:
    kill(console.bench, "ann")
    calls = len(console.bench.target.calls)
    operator = console.visitor()
    answer = operator.post("/replays/plan", target="lms")
    assert "Nothing is replayed yet" in operator.told(answer)
    page = operator.client.get(answer.headers["Location"]).text
    assert re.search(r"ann@example\.com.*changes the account.*title.*<ins>Chief</ins>", page, re.DOTALL)
    assert len(console.bench.target.calls) == calls
    assert console.bench.states()["dead"] == 1


def test_a_plan_of_nothing_says_so(console: Console) -> None:
    answer = console.visitor().post("/replays/plan", target="lms")
    assert answer.status_code == 409
    assert "Nothing that is dead fits this." in answer.text


WRONG = ({"target": "nowhere"}, {"since": "yesterday"}, {"code": "none"}, {"policy": "burn"}, {"operation": "x"})


def test_a_wrong_field_leads_back_to_the_form(console: Console) -> None:
    operator = console.visitor()
    for fields in WRONG:
        answer = operator.post("/replays/plan", **fields)
        assert (fields, answer.status_code) == (fields, 400)
        assert 'role="alert"' in answer.text
        assert "Show the plan" in answer.text


def test_a_plan_is_approved_after_one_question_by_name(console: Console) -> None:
    number, operator = planned(console), console.visitor()
    question = operator.get(f"/replays/{number}/approve").text
    assert "Replay 2 people?" in question
    assert "at least 2 calls" in question
    assert "Approved" in operator.told(operator.post(f"/replays/{number}/approve"))
    assert console.audited()[-1] == (f"Ann (token {operator.token_id})", "replay approve")
    page = operator.get(f"/replays/{number}").text
    assert 'hx-trigger="every 2s"' in page
    assert 'hx-trigger="every 2s"' in operator.get(f"/replays/{number}/standing").text


def test_a_stale_plan_is_refused_with_the_difference(console: Console) -> None:
    number, operator = planned(console), console.visitor()
    console.bench.push("ann", title="Boss")
    answer = operator.post(f"/replays/{number}/approve")
    assert answer.status_code == 409
    assert re.search(r"What has changed.*ann@example\.com.*the person has changed", answer.text, re.DOTALL)
    assert "Plan again" in answer.text
    assert "bob@example.com" not in answer.text.partition("Where it stands")[0]
    assert operator.get(f"/replays/{number}/approve").status_code == 200
    assert operator.post(f"/replays/{number}/approve").status_code == 409


def test_a_plan_that_was_not_finished_offers_no_approval(console: Console) -> None:
    number, operator = planned(console), console.visitor()
    assert 'id="approve"' in operator.get(f"/replays/{number}").text
    with console.bench.store.begin("acme") as tx:
        plans.note(tx, number, figures={})
    assert operator.get("/replays").status_code == 200
    page = operator.get(f"/replays/{number}").text
    assert ('id="approve"' in page, 'id="cancel"' in page, "not finished" in page) == (False, True, True)
    assert operator.get(f"/replays/{number}/approve").status_code == 409
    assert operator.post(f"/replays/{number}/approve").status_code == 409


def test_a_cancelled_plan_sends_nothing(console: Console) -> None:
    number, operator = planned(console), console.visitor()
    assert f"Cancel replay {number}?" in operator.get(f"/replays/{number}/cancel").text
    assert "Cancelled" in operator.told(operator.post(f"/replays/{number}/cancel"))
    assert operator.post(f"/replays/{number}/approve").status_code == 409
    assert console.bench.states()["dead"] == 2


def test_a_plan_is_made_again_with_its_filters_but_never_with_fewer(console: Console) -> None:
    kill(console.bench, "ann", "bob")
    operator = console.visitor()
    for fields, words in (
        (
            {"target": "lms", "since": "7d", "policy": "skip"},
            r"/replays/plan\?target=lms&amp;since=20\S+&amp;policy=skip",
        ),
        ({"user": "ann@example.com"}, "Choose the people again"),
    ):
        path = operator.post("/replays/plan", **fields).headers["Location"].removeprefix("/console").partition("?")[0]
        operator.post(f"{path}/cancel")
        page = operator.get(path).text
        assert re.search(words, page), page
    assert "Plan again" not in page


# Holds


def test_a_release_asks_once_with_the_number(console: Console) -> None:
    hold(console, "ann", "bob")
    operator = console.visitor()
    assert "Release 2 people?" in operator.get("/holds/release?kind=deactivation").text
    digest = asked(operator, "/holds/release?kind=deactivation")
    answer = operator.post("/holds/release", kind="deactivation", people=2, digest=digest, reason="asked HR")
    assert operator.told(answer) == "2 people released."
    assert held(console) == []
    assert (f"Ann (token {operator.token_id})", "hold release") in console.audited()
    assert console.dispatcher.wakes == [("acme", "lms", True)]


def test_one_person_is_rejected_while_the_others_wait(console: Console) -> None:
    hold(console, "ann", "bob")
    operator = console.visitor()
    question = operator.get("/holds/reject?user=ann@example.com&kind=deactivation").text
    assert "Leave the accounts of 1 person as they are?" in question
    digest = asked(operator, "/holds/reject?user=ann@example.com&kind=deactivation")
    chosen = {"kind": "deactivation", "user": "ann@example.com", "people": 1, "digest": digest}
    operator.post("/holds/reject", **chosen, reason="stays")
    assert (held(console), held(console, rejected=True)) == (["bob"], ["ann"])
    assert "ann@example.com" in operator.get("/holds?rejected=yes").text


def test_nobody_is_released_when_more_are_held_than_were_asked_about(console: Console) -> None:
    hold(console, "ann")
    operator = console.visitor()
    digest = asked(operator, "/holds/release")
    hold(console, "bob")
    answer = operator.post("/holds/release", people=1, digest=digest, reason="asked HR")
    assert answer.status_code == 409
    assert "2 people are held now" in answer.text
    assert held(console) == ["ann", "bob"]


def test_a_release_needs_a_reason(console: Console) -> None:
    hold(console, "ann")
    assert console.visitor().post("/holds/release", people=1).status_code == 400
    assert held(console) == ["ann"]


def test_who_waits_for_an_account_is_decided_about_here_too(console: Console) -> None:
    bench = console.bench
    bench.target.seed("eve@example.com", protected=True)
    bench.push("eve")
    bench.work(shifts=2)
    operator = console.visitor()
    assert "eve@example.com" in operator.get("/holds?kind=takeover").text
    assert "eve@example.com" not in operator.get("/holds").text
    assert "overwritten" in operator.get("/holds/release?kind=takeover").text
    digest = asked(operator, "/holds/release?kind=takeover")
    answer = operator.post("/holds/release", kind="takeover", people=1, digest=digest, reason="asked Eve")
    assert operator.told(answer) == "1 person released."


def test_a_planned_day_is_allowed(console: Console) -> None:
    hold(console, "ann", "bob")
    operator = console.visitor()
    answer = operator.post("/holds/allow", target="lms", count=1, hours=24, reason="layoff", now="yes")
    assert "1 person released, 1 person still held" in operator.told(answer)
    assert operator.post("/holds/allow", target="lms", count="many", hours=24, reason="layoff").status_code == 400


def test_markup_in_a_name_is_text_on_every_page(console: Console) -> None:
    bench = console.bench
    name = {"userName": f"{MARKUP}@example.com", "title": MARKUP}
    bench.push("eve", **name)
    bench.work()
    bench.target.refuses[f"{MARKUP}@example.com"] = MARKUP
    bench.push("eve", **name, displayName=MARKUP, nickName=MARKUP)
    hold(console, "cyd")
    bench.push("eve", **{**name, "title": f"{MARKUP}2"})
    bench.work()
    operator = console.visitor()
    plan = operator.post("/replays/plan").headers["Location"].removeprefix("/console")
    for path in ("/holds", plan, "/audit"):
        page = operator.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in operator.get(plan).text


# Imports, requests, the audit


def bring_in(console: Console) -> None:
    given = {"source": "hr", "name": "file1", "is_snapshot": False, "is_dry_run": False, "is_whole": False}
    with console.bench.store.begin("acme") as tx:
        begun = imports.begin(tx, **given, correlation_id="c", said_at=tx.now)
        rows = [
            Staged(position=1, external_id="7", outcome="applied", change=3),
            Staged(position=2, external_id=MARKUP, outcome="refused", code="row_without_id", advice="Give it an id."),
        ]
        imports.stage(tx, begun.id, rows)
        imports.note(tx, begun.id, status=imports.DONE, rows=2, finished_at=tx.now)


def test_an_import_shows_what_became_of_each_row(console: Console) -> None:
    bring_in(console)
    viewer = console.visitor("ops:viewer")
    assert "/console/imports/file1" in viewer.get("/imports").text
    page = viewer.get("/imports/file1").text
    assert "Give it an id." in page
    assert "applied" in page
    assert MARKUP not in page
    refused = viewer.get("/imports/file1?refused=yes").text
    assert "Give it an id." in refused
    assert ">applied<" not in refused
    report = viewer.get("/imports/file1/report.csv")
    assert report.headers["Content-Type"].startswith("text/csv")
    assert report.text.splitlines()[1].startswith("1,7,applied")


def test_requests_that_were_refused_can_be_shown_alone(console: Console) -> None:
    seen = {"at": 1, "method": "POST", "took_ms": 3, "tenant": "acme", "token_id": None, "source": "idp"}
    with console.bench.store.begin("acme") as tx:
        inbound.append(
            tx,
            [
                Seen(**seen, route="/scim/v2/Users", status=201, correlation_id="taken"),
                Seen(**seen, route="/scim/v2/Groups", status=400, correlation_id="wrong", detail=MARKUP),
            ],
        )
    viewer = console.visitor("ops:viewer")
    assert {"taken", "wrong"} <= set(re.findall(r"<code>(\w+)</code>", viewer.get("/requests").text))
    refused = viewer.get("/requests?refused=yes").text
    assert "wrong</code>" in refused
    assert "taken</code>" not in refused
    assert MARKUP not in refused


def test_the_audit_is_filtered_by_the_first_words_of_what_was_done(console: Console) -> None:
    number, operator = planned(console), console.visitor()
    operator.post(f"/replays/{number}/cancel")
    assert "replay cancel" in operator.get("/audit?what=replay").text
    assert "replay cancel" not in operator.get("/audit?what=hold").text
    assert operator.get("/audit?since=yesterday").status_code == 400


def test_an_admin_verifies_the_chain(console: Console) -> None:
    admin = console.visitor("ops:admin")
    assert "agrees" in admin.get("/audit/chain").text
    page = admin.get(f"/audit/chain?expect=9:{'0' * 64}").text
    assert "does not agree" in page
    assert "scim-bridge audit verify" in page
    assert admin.get("/audit/chain?expect=nonsense").status_code == 400


# Drift


def test_a_comparison_is_asked_for_once(console: Console) -> None:
    operator = console.visitor()
    assert "Nothing is changed." in operator.get("/drift/compare?target=lms").text
    first = operator.post("/drift/compare", target="lms")
    assert "Asked for" in operator.told(first)
    assert "under way already" in operator.told(operator.post("/drift/compare", target="lms"))
    assert [tenant for tenant, _ in console.dispatcher.errands] == ["acme"]
    assert console.audited() == [(f"Ann (token {operator.token_id})", "reconcile")]
    assert operator.post("/drift/compare", target="nowhere").status_code == 400


def test_a_comparison_that_is_over_offers_to_repair(console: Console) -> None:
    store, operator = console.bench.store, console.visitor()
    with store.begin("acme") as tx:
        errand, _ = errands.ask(tx, target="lms", kind=errands.RECONCILE, who="test", asked={"repair": False})
        taken = errands.take(tx, errand.id, lease_ms=1000)
        assert taken is not None
        line = {"kind": "missing", "resource_id": None, "account_id": MARKUP, "detail": ["title"]}
        errands.add_rows(tx, taken, [line], first=1)
    assert 'hx-trigger="every 2s"' in operator.get(f"/drift/{errand.id}").text
    with store.begin("acme") as tx:
        errands.end(tx, taken, status=errands.DONE, answer={"missing": 1, "differing": 0})
    page = operator.get(f"/drift/{errand.id}").text
    assert "hx-trigger" not in page
    assert MARKUP not in page
    assert operator.get(f"/drift/{errand.id}/standing").headers["HX-Refresh"] == "true"
    assert "Nobody of this kind differs" in operator.get(f"/drift/{errand.id}?kind=extra").text
    assert "1 account was missing or differed" in operator.get(f"/drift/{errand.id}/repair").text
    assert operator.get(f"/drift/{errand.id}/rows.csv").text.splitlines()[1].startswith("missing")
    assert "Asked for" in operator.told(operator.post(f"/drift/{errand.id}/repair"))


# Tokens


def test_a_new_token_is_shown_once(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    admin = console.visitor("ops:admin")
    answer = admin.post("/tokens/create", scope="ops:viewer", name="Bob", days=30)
    assert answer.status_code == 200
    [value] = re.findall(r"scb_[0-9a-f]{16}_[0-9a-f]{64}", answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    assert not [name for name, each in answer.headers if value in each and name]
    assert value not in admin.get("/tokens").text
    assert value not in admin.get("/audit").text
    assert value not in "".join(capsys.readouterr())
    other = console.app.test_client()
    assert other.post("/console/sign-in", data={"token": value}).status_code == 303


def test_a_replaced_token_has_a_successor_that_is_shown_once(console: Console) -> None:
    admin, other = console.visitor("ops:admin"), console.visitor("ops:viewer")
    answer = admin.post(f"/tokens/{other.token_id}/rotate", overlap=0)
    assert len(re.findall(r"scb_[0-9a-f]{16}_[0-9a-f]{64}", answer.text)) == 1
    assert other.get("/holds").status_code == 303


def test_a_token_that_cannot_be_leads_back_to_the_form(console: Console) -> None:
    admin = console.visitor("ops:admin")
    for fields in ({}, {"scope": "ops:god"}, {"scope": "scim", "source": "none"}, {"scope": "scim", "days": "0"}):
        answer = admin.post("/tokens/create", **fields)
        assert (fields, answer.status_code) == (fields, 400)
        assert 'role="alert"' in answer.text
    assert "token create" not in [what for _, what in console.audited()]


def test_revoking_ones_own_token_is_said_beforehand(console: Console) -> None:
    admin = console.visitor("ops:admin")
    assert "you are signed out" in admin.get(f"/tokens/{admin.token_id}/revoke").text
    admin.post(f"/tokens/{admin.token_id}/revoke")
    assert admin.get("/tokens").headers["Location"] == "/console/sign-in"


# The templates


def test_no_template_calls_what_the_store_says_safe() -> None:
    folder = Path(__file__).parents[2] / "scim_bridge/web/console/templates"
    found = {path.name for path in folder.glob("*.html") if re.search(r"\|\s*safe\b|autoescape", path.read_text())}
    assert found == set()


def test_no_template_has_what_the_policy_forbids() -> None:
    folder = Path(__file__).parents[2] / "scim_bridge/web/console/templates"
    forbidden = re.compile(r"<style|\sstyle=|\son\w+=|javascript:|<script(?! src=)")
    assert {path.name for path in folder.glob("*.html") if forbidden.search(path.read_text())} == set()
