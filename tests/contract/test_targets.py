"""What delivery relies on, of every target alike: the fake, and the real ones against their simulators over HTTP."""

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from fakes.people import call, item, person
from fakes.shipped import shipped_settings
from fakes.target import FakeTarget

from scim_bridge.domain.people import Account, Person, Record, Step
from scim_bridge.domain.replies import Answer, Verdict
from scim_bridge.planning.calls import Call, Item
from scim_bridge.sandbox.targets.faults import Fault
from scim_bridge.sandbox.targets.mindtickle import MindTickleOptions, simulate_mindtickle
from scim_bridge.sandbox.targets.scim import ScimOptions, simulate_scim
from scim_bridge.sandbox.targets.seeds import SeedUser
from scim_bridge.sandbox.targets.trakstar import TrakstarOptions, simulate_trakstar
from scim_bridge.settings.models import GroupSettings
from workers.targets import port, registry
from workers.targets.port import Target

GROUPS = {"*": GroupSettings(group="{displayName}")}
NOW = 1_700_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A target, and what a test may do behind its back."""

    target: Target
    refuse: Callable[[str, str], None]
    seed: Callable[[str], None]
    fail: Callable[[str], None]
    """Let the next call end so: reset-before, reset-after, 500, 429, 401."""

    def submit(self, made: Call, **group_ids: str) -> Answer:
        return self.target.submit(made, group_ids=group_ids, batch_number=1, deadline_s=5.0)

    def do(self, step: Step, *people: Person, account_ids: dict[int, str] | None = None, **parts: Any) -> Answer:
        ids = account_ids or {}
        items = [item(self.target, step, who, account_id=ids.get(who.operation_id), **parts) for who in people]
        return self.submit(call(self.target, *items))

    def look_up(self, *people: Person) -> dict[int, Account]:
        """Return the accounts of people by operation, found as delivery finds them: by matching values."""
        items = tuple(item(self.target, Step.LOOK_UP, who) for who in people)
        answer = self.submit(Call(step=Step.LOOK_UP, items=items))
        assert answer.complete
        return {
            each.person.operation_id: account
            for each in items
            for account in answer.accounts
            if account.matching.items() & each.matching.items()
        }

    def created(self, *people: Person) -> dict[int, str]:
        """Create people and return their account ids."""
        answer = self.do(Step.CREATE, *people)
        assert {reply.verdict for reply in answer.replies.values()} == {Verdict.DONE}
        return {number: account.account_id for number, account in self.look_up(*people).items()}

    def make_group(self, name: str) -> dict[str, str]:
        answer = self.submit(Call(step=Step.CREATE_GROUP, items=(), groups=(name,)))
        return dict(answer.group_ids)


FAILURES: dict[str, port.CallFailed] = {
    "reset-before": port.AnswerLost("reset"),
    "reset-after": port.AnswerLost("reset"),
    "500": port.AnswerLost("500", status=500),
    "429": port.RateLimited(retry_after_s=7.0),
    "401": port.CredentialRefused(status=401),
}

FAULTS = {
    "reset-before": Fault(answer="reset", when="before"),
    "reset-after": Fault(answer="reset", when="after"),
    "500": Fault(status=500),
    "429": Fault(status=429, headers={"Retry-After": "7"}),
    "401": Fault(status=401),
}


@contextmanager
def _fake() -> Iterator[Rig]:
    target = FakeTarget(groups=GROUPS)
    yield Rig(
        target=target,
        refuse=lambda who, text: target.refuses.update({who: text}),
        seed=lambda who: [target.seed(who), None][1],
        fail=lambda how: target.fail_next(FAILURES[how], after=how == "reset-after"),
    )


def _rig(sim: Any, target: Any) -> Rig:
    return Rig(
        target=target,
        refuse=lambda who, text: sim.vendor.refusals.add({who: text}),
        seed=lambda who: sim.vendor.seed(
            [SeedUser(first_name="Old", last_name="Hand", email=who, user_name=who)], groups=[], courses=[]
        ),
        fail=lambda how: sim.faults.add(FAULTS[how]),
    )


@contextmanager
def _trakstar(options: TrakstarOptions, **changes: Any) -> Iterator[Rig]:
    with simulate_trakstar(api_key="key", limits=(), options=options) as sim:
        settings = shipped_settings("trakstar", {"api_key": "key"}, base_url=sim.base_url, groups=GROUPS, **changes)
        target: Any = registry.build(settings, clock=lambda: NOW)
        try:
            yield _rig(sim, target)
        finally:
            target.close()


@contextmanager
def _mindtickle(options: MindTickleOptions, **changes: Any) -> Iterator[Rig]:
    with simulate_mindtickle(api_key="key", company_id="acme", limits=(), options=options) as sim:
        secrets = {"api_key": "key", "company_id": "acme"}
        settings = shipped_settings("mindtickle", secrets, **sim.urls, groups=GROUPS, **changes)
        target: Any = registry.build(settings, clock=lambda: NOW)
        target.probe()
        try:
            yield _rig(sim, target)
        finally:
            target.close()


@contextmanager
def _scim(options: ScimOptions, *, api_key: str = "key", **changes: Any) -> Iterator[Rig]:
    with simulate_scim(api_key=api_key, limits=(), options=options) as sim:
        name, _, password = api_key.partition(":")
        secrets = {"token": api_key} if options.auth == "bearer" else {"username": name, "password": password}
        settings = shipped_settings("scim", secrets, **{**sim.urls, "groups": GROUPS, "limits": [], **changes})
        target: Any = registry.build(settings, clock=lambda: NOW)
        target.probe()
        try:
            yield _rig(sim, target)
        finally:
            target.close()


VENDOR = {
    "create_semantics": "add_only",
    "edit_answer": "empty",
    "custom_field_style": "camel",
    "invite_path": "vendor",
    "bulk_archive": "on",
    "bulk_groups": "on",
    "unarchive": "on",
}

RIGS: dict[str, Callable[[], Any]] = {
    "fake": _fake,
    "trakstar": lambda: _trakstar(TrakstarOptions()),
    "trakstar-vendor": lambda: _trakstar(TrakstarOptions.vendor(create_semantics="add_only"), **VENDOR),
    "mindtickle-bulk": lambda: _mindtickle(MindTickleOptions(shuffle=True)),
    "mindtickle-single": lambda: _mindtickle(MindTickleOptions(bulk="none")),
    "mindtickle-rest": lambda: _mindtickle(MindTickleOptions(bulk="rest"), bulk_mode="rest"),
    "mindtickle-no-patch": lambda: _mindtickle(MindTickleOptions(patch=False)),
    "scim-all": lambda: _scim(ScimOptions(shuffle=True)),
    "scim-none": lambda: _scim(
        ScimOptions(auth="basic", bulk=False, patch=False, filters="none", search=False, max_results=3),
        api_key="bridge:p:w",
        auth="basic",
    ),
    "scim-single-filters": lambda: _scim(ScimOptions(bulk=False, filters="eq"), filter="single"),
    "scim-bulk-no-patch": lambda: _scim(ScimOptions(patch=False)),
    "scim-no-bulk": lambda: _scim(ScimOptions(bulk=False, members="filled")),
    "scim-bulk-no-filters": lambda: _scim(ScimOptions(filters="none", max_results=2, bulk_references=False)),
    "mindtickle-bare": lambda: _mindtickle(
        MindTickleOptions(bulk="none", patch=False, filters="none", search=False, max_results=2)
    ),
}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with RIGS[request.param]() as made:
        yield made


LACKS: dict[Step | str, set[str]] = {
    Step.REACTIVATE: {"trakstar"},
    "together": {name for name in RIGS if name not in ("mindtickle-bulk", "scim-all", "scim-bulk-no-filters")},
    "places": {name for name in RIGS if name.startswith(("mindtickle", "scim"))},
}
"""Which targets do not offer what; held to the targets' own word below."""

OFFERED = (Step.CREATE_GROUP, Step.JOIN)
"""What every target offers."""


def offering(what: Step | str) -> pytest.MarkDecorator:
    """Run a test against the targets that offer something."""
    return pytest.mark.parametrize("rig", [name for name in RIGS if name not in LACKS.get(what, ())], indirect=True)


@pytest.mark.parametrize("name", RIGS)
def test_each_target_offers_what_the_table_says(name: str) -> None:
    with RIGS[name]() as made:
        abilities = made.target.abilities()
    offered: set[Step | str] = {step for step in Step if abilities.sizes.get(step)}
    offered |= {"places"} if abilities.creates_carry_groups else set()
    offered |= {"together"} if abilities.together else set()
    assert {what for what in (*OFFERED, *LACKS) if what not in offered} == {
        what for what, who in LACKS.items() if name in who
    }


def _many(rig: Rig, step: Step, wanted: int) -> int:
    """Return how many people of a test may go in one call of this target."""
    abilities = rig.target.abilities()
    return min(wanted, abilities.mixed if step in abilities.mixable else abilities.sizes[step])


def _shows(account: Account, desired: Record) -> None:
    """Whatever a target shows of somebody, it shows as the mapping wrote it: else nothing would ever be `unchanged`."""
    shown = {name: value for name, value in account.known.attributes.items() if name in desired.attributes}
    assert shown == {name: desired.attributes[name] for name in shown}
    assert shown


def test_somebody_created_is_found_as_they_were_sent(rig: Rig) -> None:
    ann = person(1)
    rig.created(ann)
    account = rig.look_up(ann)[1]
    desired = rig.target.desired(ann)
    assert isinstance(desired, Record)
    assert account.known.active
    _shows(account, desired)


def test_somebody_who_is_not_there_is_not_found(rig: Rig) -> None:
    rig.created(person(1))
    assert rig.look_up(person(2)) == {}


def test_a_look_up_of_many_finds_each(rig: Rig) -> None:
    people = [person(n) for n in range(1, 1 + _many(rig, Step.CREATE, 20))]
    rig.created(*people)
    assert set(rig.look_up(*people)) == {who.operation_id for who in people}


def test_creating_a_taken_name_is_a_conflict_in_whatever_letter_case(rig: Rig) -> None:
    rig.created(person(1))
    answer = rig.do(Step.CREATE, person(2, user_name="USER1@example.com"))
    assert answer.replies[2].verdict is Verdict.CONFLICT


def test_one_conflict_leaves_the_others_alone(rig: Rig) -> None:
    rig.seed("user2@example.com")
    people = [person(n) for n in range(1, 1 + _many(rig, Step.CREATE, 3))]
    answer = rig.do(Step.CREATE, *people)
    verdicts = {number: reply.verdict for number, reply in answer.replies.items()}
    assert verdicts == {n: Verdict.CONFLICT if n == 2 else Verdict.DONE for n in verdicts}


def test_one_refusal_leaves_the_others_alone(rig: Rig) -> None:
    rig.refuse("user1@example.com", "user1@example.com is not welcome")
    people = [person(n) for n in range(1, 1 + _many(rig, Step.CREATE, 3))]
    answer = rig.do(Step.CREATE, *people)
    verdicts = {number: reply.verdict for number, reply in answer.replies.items()}
    assert verdicts == {n: Verdict.REFUSED if n == 1 else Verdict.DONE for n in verdicts}


@pytest.mark.parametrize("rig", [name for name in RIGS if name != "fake"], indirect=True)
def test_a_refusal_of_a_real_target_names_nobody(rig: Rig) -> None:
    rig.refuse("user1@example.com", "Ann Doe1 <user1@example.com> is not welcome")
    answer = rig.do(Step.CREATE, person(1))
    detail = answer.replies[1].detail
    assert "not welcome" in detail
    assert not any(part in detail for part in ("user1", "example", "Ann", "Doe1"))


def test_an_update_changes_what_it_names(rig: Rig) -> None:
    ann = person(1)
    ids = rig.created(ann)
    before = rig.target.desired(ann)
    renamed = person(1, name={"givenName": "Anna", "familyName": "Doe1"})
    after = rig.target.desired(renamed)
    assert isinstance(before, Record)
    assert isinstance(after, Record)
    changes = {name: value for name, value in after.attributes.items() if before.attributes.get(name) != value}
    answer = rig.do(Step.UPDATE, renamed, account_ids=ids, changes=changes)
    assert answer.replies[1].verdict is Verdict.DONE
    _shows(rig.look_up(ann)[1], after)


def test_an_update_of_an_account_that_is_not_there_says_gone(rig: Rig) -> None:
    answer = rig.do(
        Step.UPDATE,
        person(1),
        account_ids={1: "999"},
        changes={"title": "x"} if not _is_trakstar(rig) else {"firstName": "x"},
    )
    assert answer.replies[1].verdict is Verdict.GONE


def test_a_deactivated_account_is_found_inactive(rig: Rig) -> None:
    ann = person(1)
    ids = rig.created(ann)
    leaver = person(1, active=False)
    assert rig.do(Step.DEACTIVATE, leaver, account_ids=ids).replies[1].verdict is Verdict.DONE
    assert not rig.look_up(ann)[1].known.active


def test_deactivating_twice_is_done_both_times(rig: Rig) -> None:
    leaver = person(1, active=False)
    ids = rig.created(person(1))
    verdicts = [rig.do(Step.DEACTIVATE, leaver, account_ids=ids).replies[1].verdict for _ in range(2)]
    assert verdicts == [Verdict.DONE, Verdict.DONE]


@offering(Step.REACTIVATE)
def test_a_reactivated_account_is_found_active(rig: Rig) -> None:
    ann = person(1)
    ids = rig.created(ann)
    rig.do(Step.DEACTIVATE, person(1, active=False), account_ids=ids)
    assert rig.do(Step.REACTIVATE, ann, account_ids=ids).replies[1].verdict is Verdict.DONE
    assert rig.look_up(ann)[1].known.active


@offering(Step.CREATE_GROUP)
def test_a_group_that_was_made_is_listed_with_the_same_id(rig: Rig) -> None:
    made = rig.make_group("Sales")
    listed = rig.submit(Call(step=Step.LOOK_UP, items=(), groups=("Sales",))).group_ids
    assert made == {"Sales": listed["Sales"]}


def test_a_listing_shows_every_account_though_nobody_is_named(rig: Rig) -> None:
    rig.created(person(1))
    rig.created(person(2))
    answer = rig.submit(Call(step=Step.LOOK_UP, items=(), full=True, everybody=True))
    mine = {value for account in answer.accounts for value in account.matching.values()}
    assert answer.complete
    assert {"user1@example.com", "user2@example.com"} <= mine


@offering(Step.JOIN)
def test_somebody_joins_a_group_and_leaves_it(rig: Rig) -> None:
    ann = person(1)
    ids, groups = rig.created(ann), rig.make_group("Sales")
    for step, expected in ((Step.JOIN, {"Sales"}), (Step.LEAVE, set())):
        made = call(rig.target, item(rig.target, step, ann, account_id=ids[1], group="Sales"))
        assert rig.submit(made, **groups).replies[1].verdict is Verdict.DONE
        assert rig.look_up(ann)[1].known.groups == expected


@offering(Step.JOIN)
def test_many_join_one_group_together(rig: Rig) -> None:
    people = [person(n) for n in range(1, 1 + min(_many(rig, Step.CREATE, 4), _many(rig, Step.JOIN, 4)))]
    ids, groups = rig.created(*people), rig.make_group("Sales")
    items = [item(rig.target, Step.JOIN, who, account_id=ids[who.operation_id], group="Sales") for who in people]
    answer = rig.submit(call(rig.target, *items), **groups)
    assert {reply.verdict for reply in answer.replies.values()} == {Verdict.DONE}
    assert all(account.known.groups == {"Sales"} for account in rig.look_up(*people).values())


@offering("together")
def test_all_that_somebody_needs_goes_in_one_call(rig: Rig) -> None:
    groups, people = rig.make_group("Sales"), [person(1), person(2)]
    items = [
        item(rig.target, step, who, group="Sales" if step is Step.JOIN else None)
        for who in people
        for step in (Step.CREATE, Step.JOIN)
    ]
    replies = rig.submit(call(rig.target, *items), **groups).replies
    for number, account in rig.look_up(*people).items():
        told = replies[number]
        assert (told.verdict, told.account_id) == (Verdict.DONE, account.account_id)
        # What the reply does not tell is asked for again: it never tells of more than there is.
        assert told.known is not None
        assert told.known.groups <= account.known.groups


def test_no_call_makes_more_requests_than_it_has_booked(rig: Rig) -> None:
    """Except for the pages of a listing, whose number nobody knows before."""
    ann = person(1)
    ids, groups = rig.created(ann), rig.make_group("Sales")
    made = [
        call(rig.target, item(rig.target, Step.JOIN, ann, account_id=ids[1], group="Sales")),
        call(rig.target, item(rig.target, Step.DEACTIVATE, person(1, active=False), account_id=ids[1])),
        call(rig.target, item(rig.target, Step.CREATE, person(2))),
    ]
    for each in made:
        counter = itertools.count()
        answer = rig.target.submit(
            each, group_ids=groups, batch_number=1, deadline_s=5.0, count=functools.partial(next, counter)
        )
        assert {reply.verdict for reply in answer.replies.values()} == {Verdict.DONE}
        assert next(counter) <= rig.target.reads_beside(each)


@offering("places")
def test_created_people_are_in_the_groups_that_the_call_carries(rig: Rig) -> None:
    groups = rig.make_group("Sales")
    ann = person(1, groups=("Sales",))
    rig.submit(call(rig.target, item(rig.target, Step.CREATE, ann)), **groups)
    assert rig.look_up(ann)[1].known.groups == {"Sales"}


@pytest.mark.parametrize(
    ("how", "failure"),
    [
        ("reset-before", port.AnswerLost),
        ("500", port.AnswerLost),
        ("429", port.RateLimited),
        ("401", port.CredentialRefused),
    ],
)
def test_a_call_that_fails_before_it_is_applied_leaves_nothing_behind(
    rig: Rig, how: str, failure: type[port.CallFailed]
) -> None:
    rig.fail(how)
    with pytest.raises(failure):
        rig.do(Step.CREATE, person(1))
    assert rig.look_up(person(1)) == {}


def test_a_lost_answer_is_told_apart_from_a_refusal_and_found_by_a_look_up(rig: Rig) -> None:
    rig.fail("reset-after")
    with pytest.raises(port.AnswerLost):
        rig.do(Step.CREATE, person(1))
    assert set(rig.look_up(person(1))) == {1}


def test_the_wait_that_a_target_asks_for_is_told(rig: Rig) -> None:
    rig.fail("429")
    with pytest.raises(port.RateLimited) as caught:
        rig.do(Step.CREATE, person(1))
    assert caught.value.retry_after_s == 7.0


def test_a_probe_of_a_target_that_is_well_says_nothing(rig: Rig) -> None:
    rig.target.probe()
    assert not rig.target.needs_probe()


def test_what_is_kept_of_a_request_holds_no_value_of_a_person(rig: Rig) -> None:
    made = call(rig.target, item(rig.target, Step.CREATE, person(1)))
    _, path, redacted = rig.target.describe(made)
    answer = rig.submit(made)
    kept = f"{path} {redacted} {answer.redacted}"
    assert not any(part in kept for part in ("user1", "example.com", "Ann", "Doe1", "E1"))


def _is_trakstar(rig: Rig) -> bool:
    return "trakstar" in type(rig.target).__name__.lower()


def test_every_item_of_a_call_has_a_reply(rig: Rig) -> None:
    people = [person(n) for n in range(1, 1 + _many(rig, Step.CREATE, 7))]
    rig.seed("user3@example.com")
    items: list[Item] = [item(rig.target, Step.CREATE, who) for who in people]
    assert set(rig.submit(call(rig.target, *items)).replies) == {who.operation_id for who in people}
