"""The console's pages about lanes, the dead, people and calls: what a person sees there, and what they can do."""

import re
import secrets
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import redis
import rq
from fakes.dispatcher import RecordingDispatcher
from integration.valkey_server import ValkeyServer
from rq.serializers import JSONSerializer
from werkzeug.test import TestResponse

from scim_bridge import dispatch
from scim_bridge.operators import audit, runbooks
from scim_bridge.settings.models import LimitSettings
from scim_bridge.store import lanes, tokens
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app
from scim_bridge.web.console.sessions import COOKIE

SCRIPT = "<script>alert(1)</script>"

POSTS = ("/lanes/lms/pause", "/lanes/lms/resume", "/inbox/discard", "/inbox/note", "/faults/put-back")

NOT_THERE = (
    "/people/nobody",
    "/people?who=nobody",
    "/batches/99",
    "/batches/99999999999999999999",
    "/batches/one",
    "/inbox/people?after=99",
    "/lanes/nowhere/pause",
    "/runbooks/nothing",
)

NO_FILTERS = {
    "target=nowhere": "no target nowhere",
    "since=soon": "is no time",
    "code=x": "no code x",
    "user=%00": "one line of text",
}


@pytest.fixture
def store(sqlite_url: str, clock: Callable[[], int]) -> Iterator[Store]:
    opened = Store.open(sqlite_url, clock=clock, use_database_clock=False)
    yield opened
    opened.close()


class Console:
    """A browser at the console of a bench's tenant."""

    def __init__(self, bench: Any, scope: str, *, queue_url: str = "") -> None:
        self.bench = bench
        self.dispatcher = RecordingDispatcher()
        clock, secret = bench.clock, secrets.token_bytes(32)
        app = create_app(bench.settings, bench.store, self.dispatcher, clock=clock, secret=secret, queue_url=queue_url)
        self.client = app.test_client()
        with bench.store.begin("acme") as tx:
            token = tokens.issue(tx, scopes=[scope], source="idp", name="Ann").value
        self.client.post("/console/sign-in", data={"token": token})

    def get(self, path: str, *, part: bool = False) -> TestResponse:
        return self.client.get(f"/console{path}", headers={"HX-Request": "true"} if part else {})

    def read(self, path: str) -> str:
        """Return what a page says, without its markup."""
        page = self.get(path)
        assert page.status_code == 200, page.text
        return words_of(page.text)

    def post(self, path: str, **fields: object) -> TestResponse:
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get("/").text)
        assert csrf is not None
        return self.client.post(f"/console{path}", data={"csrf": csrf[1], **fields})

    def asked(self, path: str) -> dict[str, str]:
        """Return what the form of a question sends along."""
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', self.get(path).text)
        return {name: unescape(value) for name, value in fields if name != "csrf"}

    def act(self, path: str, **fields: object) -> str:
        """Send a form and return what the page says to which it leads."""
        answer = self.post(path, **fields)
        assert answer.status_code == 303, words_of(answer.text)
        return words_of(self.client.get(answer.headers["Location"]).text)


def words_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def die(bench: Any, *names: str, detail: str = "refused") -> None:
    """Let the target refuse people."""
    for each in names:
        bench.target.refuses[f"{each}@example.com".casefold()] = detail
        bench.push(each)
    bench.work(shifts=2)


@pytest.fixture
def operator(bench: Any) -> Console:
    return Console(bench, "ops:operator")


@pytest.fixture
def viewer(bench: Any) -> Console:
    return Console(bench, "ops:viewer")


# The overview


def test_the_overview_tells_of_each_lane_what_it_owes(bench: Any, viewer: Console) -> None:
    die(bench, "ann")
    bench.push("bob")
    page = viewer.read("/")
    assert "lms idle Nothing is due. Pending 1 Held 0 Dead 1" in page
    assert 'href="/console/inbox?target=lms"' in viewer.get("/").text


def test_the_overview_shows_the_calls_against_the_limit(make_bench: Callable[..., Any]) -> None:
    bench = make_bench(limits=[LimitSettings(requests=10, per_s=10)])
    bench.push("ann")
    bench.work()
    bench.clock.advance(ms=4_000)
    page = Console(bench, "ops:viewer").get("/").text
    assert "Calls in any 10 s, over the last 5 minutes; the line is the limit" in words_of(page)
    assert "Now 1 of 10, at most 1 of 10." in words_of(page)
    assert page.count("<rect") == 2
    assert page.count("<line") == 1


def test_calls_of_long_ago_are_not_in_the_chart(bench: Any, viewer: Console) -> None:
    bench.push("ann")
    bench.work()
    bench.clock.advance(ms=400_000)
    assert "No calls." in viewer.read("/")


def test_the_overview_renews_only_the_part_that_moves(viewer: Console) -> None:
    part = viewer.get("/", part=True).text
    assert "lms" in part
    assert "<h1" not in part
    assert 'hx-trigger="every 5s"' in viewer.get("/").text
    assert "hx-trigger" not in viewer.get("/?live=no").text


def test_a_quarantined_lane_says_why(bench: Any, viewer: Console, store: Store) -> None:
    with store.begin("acme") as tx:
        lanes.note(tx, bench.lane().id, quarantined_at=1, quarantine_reason="401: the key is refused")
    page = viewer.read("/")
    assert "quarantined The target refuses the credential" in page
    assert "401: the key is refused" in page


def test_a_tenant_without_lanes_is_told_what_to_do(store: Store, make_bench: Callable[..., Any]) -> None:
    bench = make_bench()
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [])
    assert "name a target in the configuration" in Console(bench, "ops:viewer").read("/")


def test_an_operator_pauses_a_lane_after_one_question(bench: Any, operator: Console) -> None:
    bench.push("ann")
    question = operator.read("/lanes/lms/pause")
    assert "What is owed waits: 1 person now" in question
    assert bench.lane().paused_at is None
    assert "lms is paused." in operator.act("/lanes/lms/pause", reason="the key changes")
    assert bench.lane().pause_reason == "the key changes"
    assert "the key changes Since 2023-11-14 22:13:20 UTC, by Ann (token " in operator.read("/")
    assert audited(bench)[0]["what"] == "lane pause"


def test_a_lane_is_not_paused_without_a_reason(bench: Any, operator: Console) -> None:
    assert operator.post("/lanes/lms/pause", reason=" ").status_code == 400
    assert bench.lane().paused_at is None


def test_an_operator_sets_a_paused_lane_going(bench: Any, operator: Console) -> None:
    operator.act("/lanes/lms/pause", reason="a moment")
    assert "lms goes on." in operator.act("/lanes/lms/resume")
    assert bench.lane().paused_at is None
    assert ("acme", "lms", False) in operator.dispatcher.wakes


def test_a_lane_that_is_paused_already_says_so(operator: Console) -> None:
    operator.act("/lanes/lms/pause", reason="a moment")
    answer = operator.post("/lanes/lms/pause", reason="again")
    assert answer.status_code == 409
    assert "paused already" in answer.text


# The inbox


def test_the_inbox_groups_the_dead_with_advice(bench: Any, viewer: Console) -> None:
    die(bench, "ann", "bob")
    page = viewer.read("/inbox")
    assert "2 operations in 1 group." in page
    assert "lms: refused 2 people" in page
    assert "Who can mend it: source." in page
    assert 'href="/console/runbooks/refused"' in viewer.get("/inbox").text


def test_an_empty_inbox_says_so(viewer: Console) -> None:
    assert "The inbox is empty" in viewer.read("/inbox")


def test_the_inbox_is_filtered(bench: Any, viewer: Console) -> None:
    die(bench, "ann", "bob")
    assert "1 operation in 1 group." in viewer.read("/inbox?user=ann@example.com")
    assert "Nothing that is dead fits this filter." in viewer.read("/inbox?code=too_long")
    assert "Nothing that is dead fits this filter." in viewer.read("/inbox?until=1h")


def test_a_filter_that_cannot_be_is_refused_beside_the_form(viewer: Console) -> None:
    for query, says in NO_FILTERS.items():
        page = viewer.get(f"/inbox?{query}")
        assert page.status_code == 400
        assert says in words_of(page.text)
        assert 'action="/console/inbox"' in page.text


def test_people_of_a_group_are_shown_a_page_at_a_time(bench: Any, viewer: Console) -> None:
    die(bench, *(f"p{number}" for number in range(60)))
    first = viewer.get("/inbox/people?target=lms&code=refused").text
    more = re.search(r'hx-get="([^"]+)"', first)
    assert more is not None
    rest = viewer.get(unescape(more[1]).removeprefix("/console"), part=True).text
    assert "<html" not in rest
    assert "hx-get" not in rest
    seen = [re.findall(r"(p\d+)@example\.com</a>", page) for page in (first, rest)]
    assert [len(each) for each in seen] == [50, 10]
    assert len({*seen[0], *seen[1]}) == 60


def test_a_group_is_discarded_after_one_question(bench: Any, operator: Console) -> None:
    die(bench, "ann", "bob")
    assert "Discard 2 operations?" in operator.read("/inbox/discard?target=lms&code=refused")
    assert bench.states()["dead"] == 2
    told = operator.act(
        "/inbox/discard", **operator.asked("/inbox/discard?target=lms&code=refused"), reason="they left"
    )
    assert "2 operations discarded." in told
    assert bench.states() == {"discarded": 2}
    assert audited(bench)[0]["what"] == "failed discard"


def test_who_died_since_the_question_is_not_discarded(bench: Any, operator: Console) -> None:
    die(bench, "ann", "bob")
    asked = operator.asked("/inbox/discard?target=lms")
    bench.clock.advance(ms=1000)
    die(bench, "cyd")
    assert "2 operations discarded." in operator.act("/inbox/discard", **asked, reason="they left")
    assert bench.states() == {"dead": 1, "discarded": 2}


def test_nothing_is_discarded_when_other_than_what_was_asked_about(bench: Any, operator: Console) -> None:
    die(bench, "ann", "bob")
    asked = operator.asked("/inbox/discard?target=lms")
    operator.act("/inbox/discard", operation=bench.operations()[0].id, reason="she left")
    refused = operator.post("/inbox/discard", **asked, reason="they left")
    assert (refused.status_code, "1 is dead now, not 2" in words_of(refused.text)) == (409, True)
    assert bench.states() == {"dead": 1, "discarded": 1}


def test_who_is_ticked_is_discarded_alone(bench: Any, operator: Console) -> None:
    die(bench, "ann", "bob")
    number = bench.operations()[0].id
    assert f'name="operation" value="{number}"' in operator.get(f"/inbox/discard?ticked=yes&operation={number}").text
    operator.act("/inbox/discard", operation=number, reason="she left")
    assert bench.states() == {"dead": 1, "discarded": 1}


def test_nothing_is_discarded_without_a_reason(bench: Any, operator: Console) -> None:
    die(bench, "ann")
    assert operator.post("/inbox/discard", target="lms", reason="").status_code == 400
    assert bench.states() == {"dead": 1}


def test_nobody_ticked_does_not_mean_everybody(bench: Any, operator: Console) -> None:
    die(bench, "ann")
    for does in ("discard", "note", "replay"):
        answer = operator.get(f"/inbox/{does}?ticked=yes&target=lms")
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/console/inbox/people?target=lms")


def test_what_is_ticked_goes_to_the_plan_of_a_replay(operator: Console) -> None:
    answer = operator.get("/inbox/replay?ticked=yes&operation=3&operation=4")
    assert answer.headers["Location"] == "/console/replays/plan?operation=3&operation=4"


def test_a_note_stands_beside_the_dead_and_in_the_persons_timeline(bench: Any, operator: Console) -> None:
    die(bench, "ann")
    number = bench.operations()[0].id
    told = operator.act("/inbox/note", target="lms", operation=number, text=f"asked HR\n{SCRIPT}")
    assert f"asked HR {SCRIPT} Ann" in told
    assert f"asked HR {SCRIPT} Ann" in operator.read("/people?who=ann@example.com")


def test_no_note_is_written_where_the_filters_cannot_be_read(bench: Any, operator: Console) -> None:
    die(bench, "ann")
    number = bench.operations()[0].id
    assert operator.post("/inbox/note", since="soon", operation=number, text="asked HR").status_code == 400
    assert "asked HR" not in operator.read("/inbox/people")


def test_a_note_that_is_too_long_is_refused(bench: Any, operator: Console) -> None:
    die(bench, "ann")
    answer = operator.post("/inbox/note", operation=bench.operations()[0].id, text="x" * 10_000)
    assert answer.status_code == 400
    assert "too long" in answer.text


def test_the_dead_are_exported_as_csv(bench: Any, viewer: Console) -> None:
    die(bench, "ann")
    answer = viewer.get("/inbox/export.csv?target=lms")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert [line.split(",")[4] for line in answer.text.splitlines()] == ["user", "ann@example.com"]


# People


def test_a_person_is_found_with_all_that_happened(bench: Any, viewer: Console) -> None:
    die(bench, "ann", detail="the name is odd")
    page = viewer.read("/people?who=ANN@example.com")
    assert "ann@example.com" in page
    assert "create by idp" in page
    assert "lms dead refused" in page
    assert "the name is odd" in page
    assert "place 1 of 1" in page


def test_a_person_has_an_address_of_their_own(bench: Any, viewer: Console) -> None:
    bench.push("ann")
    assert "ann@example.com" in viewer.read(f"/people/{bench.ids['ann']}")
    assert viewer.get("/people/ann@example.com").status_code == 404


def test_several_who_have_borne_a_name_are_all_shown(bench: Any, viewer: Console) -> None:
    bench.push("ann")
    bench.delete("ann")
    bench.return_after_deletion("ann")
    assert "2 people have borne this" in viewer.read("/people?who=ann@example.com")


def test_what_a_target_holds_stands_beside_what_it_should_hold(bench: Any, viewer: Console) -> None:
    bench.push("ann", title="Clerk")
    bench.work(shifts=3)
    bench.push("ann", title="Chief")
    page = viewer.read("/people?who=ann@example.com")
    assert "title Clerk Chief differs" in page
    assert "userName ann@example.com ann@example.com differs" not in page


def test_of_a_long_history_the_newest_changes_are_shown(bench: Any, viewer: Console) -> None:
    for number in range(53):
        bench.push("ann", title=f"Title {number}")
    page = viewer.get("/people?who=ann@example.com").text
    assert page.count("Change ") == 50
    older = re.search(r'href="([^"]+changes=[^"]+)"', page)
    assert older is not None
    assert viewer.get(unescape(older[1]).removeprefix("/console")).text.count("Change ") == 53


# Calls


def test_a_call_is_shown_with_its_people(bench: Any, viewer: Console) -> None:
    die(bench, "ann")
    bench.push("bob")
    bench.work()
    page = viewer.read("/batches/1")
    assert "Call 1 to lms" in page
    assert "1 ann@example.com dead refused" in page


def test_a_call_of_another_tenant_is_not_there(bench: Any, viewer: Console, store: Store) -> None:
    die(bench, "ann")
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms"), ("other", "lms")])
    with store.begin("other") as tx:
        token = tokens.issue(tx, scopes=["ops:admin"], source="idp").value
    viewer.client.post("/console/sign-in", data={"token": token})
    assert viewer.get("/batches/1").status_code == 404
    assert viewer.get(f"/people/{bench.ids['ann']}").status_code == 404
    assert "The inbox is empty" in viewer.read("/inbox")


# All of them


def test_what_is_not_there_is_404(operator: Console) -> None:
    assert {path: operator.get(path).status_code for path in NOT_THERE} == dict.fromkeys(NOT_THERE, 404)


def test_a_viewer_changes_nothing(viewer: Console) -> None:
    fields = {"reason": "x", "operation": "1", "text": "x"}
    assert {path: viewer.post(path, **fields).status_code for path in POSTS} == dict.fromkeys(POSTS, 403)


def test_a_form_of_another_site_changes_nothing(operator: Console) -> None:
    fields = {"reason": "x", "operation": "1", "text": "x"}
    answers = {path: operator.client.post(f"/console{path}", data=fields).status_code for path in POSTS}
    assert answers == dict.fromkeys(POSTS, 403)


def test_a_viewer_is_offered_nothing_to_change(bench: Any, viewer: Console) -> None:
    die(bench, "ann")
    for path in ("/", "/inbox", "/inbox/people", "/people?who=ann@example.com", "/batches/1"):
        page = words_of(viewer.get(path).text)
        assert not re.search(r"Pause|Discard|Plan a replay|Add a note", page), path


def test_names_with_markup_are_shown_as_text(bench: Any, operator: Console) -> None:
    die(bench, SCRIPT, detail=f"no {SCRIPT}")
    for path in ("/", "/inbox", "/inbox/people", f"/people/{bench.ids[SCRIPT]}", "/batches/1"):
        page = operator.get(path).text
        assert SCRIPT not in page, path
    assert f"{SCRIPT}@example.com" in unescape(operator.get("/inbox/people").text)
    assert SCRIPT not in operator.get(f"/inbox?user={SCRIPT}&since={SCRIPT}").text


def test_pages_hold_no_scripts_or_styles_of_their_own(bench: Any, operator: Console) -> None:
    die(bench, "ann")
    for path in ("/", "/inbox", "/inbox/people", "/people?who=ann@example.com", "/batches/1", "/runbooks"):
        page = operator.get(path).text
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?! src=)", page), path
        assert re.search(r"<title>\S.* · SCIM Bridge</title>", page), path
        assert page.count("<h1") == 1, path


def test_every_field_has_a_label(bench: Any, operator: Console) -> None:
    die(bench, "ann")
    for path in ("/inbox", "/inbox/people", "/people", "/lanes/lms/pause", "/inbox/discard?target=lms"):
        page = operator.get(path).text
        labels = set(re.findall(r'<label for="([^"]+)"', page))
        for field in re.findall(r"<(?:input|select|textarea)[^>]*>", page):
            named = re.search(r'id="([^"]+)"', field)
            assert 'type="hidden"' in field or "aria-label=" in field or (named and named[1] in labels), field


def test_faults_say_when_the_queue_does_not_answer(bench: Any) -> None:
    assert "the queue does not answer" in Console(bench, "ops:admin").read("/faults")


def test_a_job_that_crashed_is_put_back_after_one_question(bench: Any, tmp_path: Path) -> None:
    valkey = ValkeyServer(tmp_path)
    valkey.start()
    try:
        with redis.Redis.from_url(valkey.url) as client:
            crash(client, "acme")
            crash(client, "other")
        admin = Console(bench, "ops:admin", queue_url=valkey.url)
        page = admin.read("/faults")
        assert "About acme, lms, lanes" in page
        assert "ValueError" in page
        assert "other" not in page
        question = re.search(r'href="([^"]+put-back[^"]+)"', admin.get("/faults").text)
        assert question is not None
        assert "Run 1 job again?" in admin.read(unescape(question[1]).removeprefix("/console"))
        job = question[1].partition("job=")[2]
        assert "1 job runs again. Faults" in admin.act("/faults/put-back", job=job)
        assert admin.post("/faults/put-back", job=job).status_code == 404
        assert "No job has crashed in the last week." in admin.read("/faults")
    finally:
        valkey.close()


def crash(client: "redis.Redis", tenant: str) -> None:
    queue = rq.Queue(dispatch.LANES, connection=client, serializer=JSONSerializer)
    job = queue.enqueue_call(dispatch.DELIVER, args=(tenant, "lms", dispatch.LANES), failure_ttl=3_600)
    queue.remove(job)
    with client.pipeline() as pipe:
        job._handle_failure("ValueError\n  /srv/workers/x.py:7:find", pipe)
        pipe.execute()


def test_a_runbook_tells_what_to_do(viewer: Console) -> None:
    assert "<h1>" in viewer.get("/runbooks/refused").text
    assert "refused" in viewer.read("/runbooks")


def test_the_pictures_of_the_runbooks_are_sent(viewer: Console) -> None:
    pages = [viewer.get(f"/runbooks/{name}").text for name in runbooks.names()]
    addresses = {found for page in pages for found in re.findall(r'<img src="/console(/[^"]+)" alt="[^"]+">', page)}
    assert len(addresses) == 4
    for address in addresses:
        with viewer.get(address) as sent:
            found = (sent.status_code, sent.mimetype, sent.data[:8])
            assert found == (200, "image/png", b"\x89PNG\r\n\x1a\n"), address
    assert {viewer.get(f"/pictures/{name}").status_code for name in ("none.png", "..%2fdoors.py", "../doors.py")} == {
        404
    }


def test_pictures_are_for_who_is_signed_in(viewer: Console) -> None:
    viewer.client.delete_cookie(COOKIE, path="/console")
    assert viewer.get("/pictures/holds.png").status_code == 303


def audited(bench: Any) -> list[dict[str, Any]]:
    """Return what the audit holds, the newest in front."""
    found: list[dict[str, Any]] = audit.list_entries(bench.store, bench.settings, tenant="acme")["items"]
    return found
