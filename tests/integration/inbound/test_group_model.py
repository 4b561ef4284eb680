"""Groups do what a dictionary of sets would do, whatever is done to them in whatever order and form.

`pytest tests/integration/inbound/test_group_model.py -n 0 --requests 20000` tries ten times as many histories, each run
others; the seed is told at its head.
"""

import json
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from fuzz.options import Effort
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from scim_bridge.store import tables
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

NAMES = st.sampled_from(["Sales", "Support", "sales"])
MAPPED = "Sales"
NOBODY = "00000000000000000000000000000000"
NUMBERS = st.integers(0, 11)
PEOPLE = st.lists(NUMBERS, max_size=4, unique=True)
FORMS = st.sampled_from(["add", "whole", "filter", "list", "or", "all", "replace", "rename"])
STEP = st.tuples(FORMS, PEOPLE, NAMES, st.booleans())


class Groups(RuleBasedStateMachine):
    """Sends what a sender may and compares with plain dictionaries: who there is, and who is in what."""

    def __init__(self, sender: Any, store: Store) -> None:
        super().__init__()
        self.sender, self.store = sender, store
        self.people: dict[str, bool] = {}
        self.gone: list[str] = []
        self.groups: dict[str, tuple[str, frozenset[str]]] = {}
        self.changes = self._changes()

    @initialize(count=st.integers(2, 5))
    def begin(self, count: int) -> None:
        for _ in range(count):
            self.join_the_company(with_group=False)
        self.make_a_group(MAPPED, [0, 1])

    # -- What is done ---------------------------------------------------

    @rule(with_group=st.booleans())
    def join_the_company(self, *, with_group: bool) -> None:
        number = len(self.people) + len(self.gone)
        made = self.sender.user(f"u{number}-{id(self)}")
        self.people[made["id"]] = True
        if with_group:
            self.edit_once(0, ("add", [len(self.people) - 1], MAPPED, False))

    @rule(who=NUMBERS, active=st.booleans())
    def activate(self, who: int, *, active: bool) -> None:
        """Whether somebody is active says nothing about their groups."""
        scim_id = self._living(who)
        if scim_id is not None:
            answer = self.sender.patch(f"/Users/{scim_id}", {"op": "replace", "path": "active", "value": active})
            assert answer.status_code == 200
            self.people[scim_id] = active

    @rule(who=NUMBERS)
    def leave_the_company(self, who: int) -> None:
        scim_id = self._living(who)
        if scim_id is not None:
            assert self.sender.delete(f"/Users/{scim_id}").status_code == 204
            del self.people[scim_id]
            self.gone.append(scim_id)
            self.groups = {key: (name, held - {scim_id}) for key, (name, held) in self.groups.items()}

    @rule(name=NAMES, who=PEOPLE)
    def make_a_group(self, name: str, who: list[int]) -> None:
        ids = self._ids(who)
        with self._owing(None, name, frozenset(ids), is_fine=self._all_live(ids)):
            body = {"displayName": name, "members": [{"value": each} for each in ids]}
            answer = self.sender.post("/Groups", body)
            if self._all_live(ids):
                assert answer.status_code == 201, answer.text
                self.groups[answer.json["id"]] = (name, frozenset(ids))
            else:
                self._is_refused(answer)

    @rule(first=st.lists(STEP, min_size=2, max_size=6), then=st.lists(STEP, min_size=2, max_size=6))
    def edit_the_first_often(self, first: list[Any], then: list[Any]) -> None:
        for steps in (first, then):
            for step in steps:
                self.edit(0, [step])
            self.edit(0, [step for step in steps if step[0] != "all"] or steps)

    @rule(which=NUMBERS, step=STEP)
    def edit_once(self, which: int, step: tuple[str, list[int], str, bool]) -> None:
        self.edit(which, [step])

    @rule(which=NUMBERS, steps=st.lists(STEP, min_size=1, max_size=5))
    def edit(self, which: int, steps: list[tuple[str, list[int], str, bool]]) -> None:
        """PATCH in every form that removes and adds members, alone and several in one request."""
        scim_id = self._group(which)
        if scim_id is None:
            return
        name, held = self.groups[scim_id]
        is_fine = True
        operations = []
        for form, who, new_name, is_loud in steps:
            ids = self._ids(who)
            operation, name, held = _step(form, ids, new_name, name, held)
            is_fine = is_fine and (form not in ("add", "whole", "replace") or self._all_live(ids))
            operations.append({**operation, "op": operation["op"].title()} if is_loud else operation)
        with self._owing(scim_id, name, held, is_fine=is_fine):
            answer = self.sender.patch(f"/Groups/{scim_id}", *operations)
            if is_fine:
                assert answer.status_code == 204, answer.text
                self.groups[scim_id] = (name, held)
            else:
                self._is_refused(answer)

    @rule(which=NUMBERS, name=NAMES, who=st.none() | PEOPLE)
    def put(self, which: int, name: str, who: list[int] | None) -> None:
        scim_id = self._group(which)
        if scim_id is None:
            return
        ids = self._ids(who or [])
        held = self.groups[scim_id][1] if who is None else frozenset(ids)
        body = {"displayName": name} | ({} if who is None else {"members": [{"value": each} for each in ids]})
        with self._owing(scim_id, name, held, is_fine=self._all_live(ids)):
            answer = self.sender.put(f"/Groups/{scim_id}", body)
            if self._all_live(ids):
                assert answer.status_code == 200, answer.text
                assert {each["value"] for each in answer.json["members"]} == held
                self.groups[scim_id] = (name, held)
            else:
                self._is_refused(answer)

    @rule(which=NUMBERS)
    def delete_a_group(self, which: int) -> None:
        scim_id = self._group(which)
        if scim_id is not None:
            with self._owing(scim_id, "", frozenset(), is_fine=True):
                assert self.sender.delete(f"/Groups/{scim_id}").status_code == 204
                del self.groups[scim_id]
            assert self.sender.get(f"/Groups/{scim_id}").status_code == 404

    # -- What is seen ---------------------------------------------------

    @rule(who=NUMBERS)
    def look_for_somebodys_groups(self, who: int) -> None:
        scim_id = self._ids([who])[0]
        found = self.sender.get(f'/Groups?filter=members eq "{scim_id}"').json["Resources"]
        expected = {key for key, (_, held) in self.groups.items() if scim_id in held}
        assert {each["id"] for each in found} == expected
        if scim_id in self.people:
            shown = self.sender.get(f"/Users/{scim_id}").json
            assert shown["active"] == self.people[scim_id]
            named = {(each["value"], each["display"]) for each in shown.get("groups", [])}
            assert named == {(key, self.groups[key][0]) for key in expected}

    @rule(which=NUMBERS)
    def look_at_a_group_without_its_members(self, which: int) -> None:
        scim_id = self._group(which)
        if scim_id is not None:
            shown = self.sender.get(f"/Groups/{scim_id}?excludedAttributes=members").json
            assert "members" not in shown
            assert shown["displayName"] == self.groups[scim_id][0]
            first = next(iter(self.groups[scim_id][1]), NOBODY)
            page = self.sender.get(f'/Groups?filter=id eq "{scim_id}" and members eq "{first}"').json
            assert page["totalResults"] == (first != NOBODY)

    @invariant()
    def groups_are_as_they_should_be(self) -> None:
        page = self.sender.get("/Groups").json
        seen = {
            each["id"]: (each["displayName"], frozenset(member["value"] for member in each["members"]))
            for each in page["Resources"]
        }
        assert seen == self.groups
        assert page["totalResults"] == len(self.groups)

    def teardown(self) -> None:
        for scim_id in list(self.groups):
            self.sender.delete(f"/Groups/{scim_id}")
        for scim_id in self.people:
            self.sender.delete(f"/Users/{scim_id}")

    # -- Helpers of the model -------------------------------------------

    def _ids(self, who: list[int]) -> list[str]:
        """Return ids by number: mostly of the living, now and then of somebody who has gone or never was."""
        living = list(self.people) or [NOBODY]
        strange = {10: (self.gone or [NOBODY])[-1], 11: NOBODY}
        return list(dict.fromkeys(strange.get(each) or living[each % len(living)] for each in who))

    def _living(self, who: int) -> str | None:
        return list(self.people)[who % len(self.people)] if self.people else None

    def _group(self, which: int) -> str | None:
        return list(self.groups)[which % len(self.groups)] if self.groups else None

    def _all_live(self, ids: list[str]) -> bool:
        return all(each in self.people for each in ids)

    def _is_refused(self, answer: Any) -> None:
        assert (answer.status_code, answer.json["scimType"]) == (400, "invalidValue"), answer.text

    def _changes(self) -> list[Any]:
        change = tables.change.c
        query = sa.select(change.number, change.owed, change.request).where(change.tenant == self.sender.tenant)
        with self.store.begin(self.sender.tenant, write=False) as tx:
            return list(tx.connection.execute(query.order_by(change.number)))

    def _owing(self, scim_id: str | None, name: str, held: frozenset[str], *, is_fine: bool) -> "Owing":
        old_name, old = self.groups[scim_id] if scim_id else ("", frozenset[str]())
        return Owing(self, old_name, old, name, held, is_fine=is_fine)


class Owing:
    """Checks that an edit recorded one change that owes what it should, or none where nothing differs."""

    def __init__(
        self, model: Groups, old_name: str, old: frozenset[str], name: str, held: frozenset[str], *, is_fine: bool
    ) -> None:
        self._model = model
        self._before = model._changes()
        differing = old ^ held
        is_mapped = MAPPED in (old_name, name)
        concerned = (old | held) if old_name != name else differing
        self._owed = 1 + len(concerned) if is_mapped else 0
        self._is_recorded = is_fine and (old_name != name or bool(differing))
        self._moved = {"joined": len(held - old), "left": len(old - held)} if differing else None

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return
        made = self._model._changes()[len(self._before) :]
        assert len(made) == self._is_recorded
        for change in made:
            assert change.owed == self._owed
            assert json.loads(change.request).get("members") == self._moved


def _step(
    form: str, ids: list[str], new_name: str, name: str, held: frozenset[str]
) -> tuple[dict[str, Any], str, frozenset[str]]:
    """Return an operation, and the group's name and members after it."""
    listed = [{"value": each} for each in ids]
    match form:
        case "add":
            return {"op": "add", "path": "members", "value": listed}, name, held | {*ids}
        case "whole":
            return {"op": "add", "value": {"members": listed}}, name, held | {*ids}
        case "filter":
            chosen = ids[0] if ids else NOBODY
            return {"op": "remove", "path": f'members[value eq "{chosen}"]'}, name, held - {chosen}
        case "list":
            # With nobody in the list nobody is meant; without a list everybody.
            return {"op": "remove", "path": "members", "value": listed}, name, held - {*ids}
        case "or":
            terms = " or ".join(f'value eq "{each}"' for each in ids or [NOBODY])
            return {"op": "remove", "path": f"members[{terms}]"}, name, held - {*ids}
        case "all":
            return {"op": "remove", "path": "members"}, name, frozenset()
        case "replace":
            return {"op": "replace", "path": "members", "value": listed}, name, frozenset(ids)
        case _:
            return {"op": "replace", "value": {"displayName": new_name}}, new_name, held


@pytest.fixture
def histories(request: pytest.FixtureRequest, effort: Effort) -> int:
    short = 4 if "postgresql" in request.node.name else 10
    return short * 10 if effort.is_long else short


def test_groups_do_what_sets_would_do(sender: Any, shared_store: Store, histories: int, effort: Effort) -> None:
    chosen = settings(
        max_examples=histories,
        stateful_step_count=40,
        deadline=None,
        database=None,
        # What is found cannot be made smaller: ids are made anew each time.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    begun = hypothesis.seed(effort.seed or 0)(lambda: Groups(sender, shared_store))
    run_state_machine_as_test(begun, settings=chosen)
    report = verify_ledger(shared_store, sender.tenant)
    assert report["balanced"], report
