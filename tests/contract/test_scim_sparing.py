"""What others have written in a SCIM service stays: members of a group, further addresses of an account."""

import json
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from fakes.people import call, item, person
from scim_services import BARE, document, group, new_id, service, submit, write_beside

from scim_bridge.domain.people import Link, Record, Step
from scim_bridge.domain.replies import Reply, Verdict
from scim_bridge.planning.calls import Call, Item
from scim_bridge.sandbox.targets.faults import Fault
from scim_bridge.sandbox.targets.scim import ScimOptions
from scim_bridge.sandbox.targets.seeds import SeedUser
from scim_bridge.sandbox.targets.simulator import Simulator
from workers.targets import port
from workers.targets.scim.service import ScimService


class TestTheMembersOfAGroup:
    """Without PATCH a group is put back whole: whom the service does not show must not fall out of it."""

    @pytest.mark.parametrize("members", ["always", "filled", "asked", "never"])
    def test_nobody_is_put_out_of_a_group_by_a_join(self, members: Any) -> None:
        with service(replace(BARE, members=members)) as (sim, target):
            sales = self.prepared(sim, target)
            told = self.join(target, sales)
            assert sim.state.find("old@example.com").groups == {"Sales"}
            assert told.verdict is (Verdict.UNSUPPORTED if members == "never" else Verdict.DONE)
            assert (sim.log.count("PUT") == 0) == (members == "never")

    @pytest.mark.parametrize("members", ["filled", "asked", "never"])
    def test_a_group_that_we_made_may_be_joined(self, members: Any) -> None:
        with service(replace(BARE, members=members)) as (sim, target):
            target.probe()
            sales = group(target)
            assert self.join(target, sales).verdict is Verdict.DONE
            assert sim.state.groups == ((sales, "Sales", 1),)

    def test_a_group_that_we_made_and_somebody_else_has_filled_is_left_alone(self) -> None:
        with service(replace(BARE, members="never")) as (sim, target):
            target.probe()
            sales = group(target)
            old = new_id(target, person(9))
            held = sim.vendor.state.get("Group", sales)
            sim.vendor.state.replace(held, {**held.document, "members": [{"value": old}]})
            held.modified_ms += 1
            assert self.join(target, sales).verdict is Verdict.UNSUPPORTED
            assert sim.state.groups == ((sales, "Sales", 1),)

    @pytest.mark.parametrize(("others", "verdict"), [("Legal", Verdict.DONE), (None, Verdict.UNSUPPORTED)])
    def test_an_empty_group_is_believed_of_a_service_that_shows_members_elsewhere(
        self, others: str | None, verdict: Verdict
    ) -> None:
        with service(replace(BARE, members="asked")) as (sim, target):
            target.probe()
            seed = SeedUser(first_name="O", last_name="H", email="o@example.com", groups=(others,) if others else ())
            sim.vendor.seed([seed], groups=["Sales", "Legal"], courses=[])
            listed = submit(target, Call(step=Step.LOOK_UP, items=(), groups=("Sales",))).group_ids
            assert self.join(target, listed["Sales"]).verdict is verdict

    def test_who_leaves_last_leaves_a_group_that_may_be_joined_again(self) -> None:
        with service(replace(BARE, members="filled")) as (_, target):
            target.probe()
            sales, ann = group(target), new_id(target, person(1))
            for step in (Step.JOIN, Step.LEAVE, Step.JOIN):
                made = call(target, item(target, step, person(1), account_id=ann, group="Sales"))
                assert submit(target, made, Sales=sales).replies[1].verdict is Verdict.DONE

    @staticmethod
    def prepared(sim: Simulator[Any], target: ScimService) -> str:
        target.probe()
        seed = SeedUser(first_name="O", last_name="H", email="old@example.com", groups=("Sales",))
        sim.vendor.seed([seed], groups=["Sales"], courses=[])
        return submit(target, Call(step=Step.LOOK_UP, items=(), groups=("Sales",))).group_ids["Sales"]

    @staticmethod
    def join(target: ScimService, group_id: str) -> Reply:
        made = call(target, item(target, Step.JOIN, person(1), account_id=new_id(target, person(1)), group="Sales"))
        return submit(target, made, Sales=group_id).replies[1]


class TestAnAddressAmongOthers:
    PRIVATE: ClassVar = {"value": "ann@home.example", "type": "home"}
    CHANGE: ClassVar = {"email": "new@example.com"}

    def known(
        self, target: ScimService, account_id: str, *, email: str = "user1@example.com", attempts: int = 0
    ) -> Item:
        link = Link(account_id=account_id, known=Record(active=True, attributes={"email": email}))
        ann = replace(person(1), link=link, attempts=attempts)
        return item(target, Step.UPDATE, ann, account_id=account_id, changes=self.CHANGE)

    @pytest.mark.parametrize("patch", [True, False])
    @pytest.mark.parametrize("bulk", [True, False])
    def test_the_others_stay_when_it_changes(self, patch: bool, bulk: bool) -> None:  # noqa: FBT001 - a table's columns
        with service(ScimOptions(patch=patch, bulk=bulk)) as (sim, target):
            target.probe()
            account_id = new_id(target, person(1))
            ours = {"value": "user1@example.com", "type": "work", "primary": True}
            write_beside(sim, account_id, emails=[self.PRIVATE, ours])
            told = submit(target, call(target, self.known(target, account_id))).replies
            assert told[1].verdict is Verdict.DONE
            assert document(sim, account_id)["emails"] == [self.PRIVATE, {**ours, "value": "new@example.com"}]

    @pytest.mark.parametrize("bulk", [True, False])
    def test_when_it_is_not_what_it_was_the_account_is_read_back(self, bulk: bool) -> None:  # noqa: FBT001 - a column
        with service(ScimOptions(bulk=bulk)) as (sim, target):
            target.probe()
            account_id = new_id(target, person(1))
            write_beside(sim, account_id, emails=[self.PRIVATE])
            others = [item(target, Step.CREATE, person(2))] if bulk else []
            told = submit(target, call(target, self.known(target, account_id), *others)).replies
            assert told[1].verdict is Verdict.UNKNOWN
            assert document(sim, account_id)["emails"] == [self.PRIVATE]

    @pytest.mark.parametrize("kind", ["invalidPath", "invalidFilter", "noTarget"])
    def test_a_service_that_picks_no_address_gets_the_whole_user(self, kind: str) -> None:
        with service(ScimOptions(bulk=False)) as (sim, target):
            target.probe()
            account_id = new_id(target, person(1))
            write_beside(sim, account_id, emails=[self.PRIVATE, {"value": "user1@example.com", "primary": True}])
            body = json.dumps({"scimType": kind, "status": "400"})
            sim.faults.add(Fault(status=400, body=body, method="PATCH"))
            changing = self.known(target, account_id, attempts=1)
            with pytest.raises(port.AbilitiesChanged):
                submit(target, call(target, changing))
            assert submit(target, call(target, changing)).replies[1].verdict is Verdict.DONE
            assert self.PRIVATE in document(sim, account_id)["emails"]
