"""What a sender is told of a change, by where its operations stand."""

import pytest
from scim2_server.requests import ScimRequest

from scim_bridge.domain.states import State
from scim_bridge.intake.scim import acknowledging
from scim_bridge.intake.scim.acknowledging import Reason
from scim_bridge.store.standing import Fate


def fate(state: State, *, target: str = "lms", code: str | None = "ok", operations: int = 1) -> Fate:
    return Fate(target=target, state=state, code=code, operations=operations)


WAITING, SENDING, DEAD = fate(State.WAITING), fate(State.SENDING), fate(State.DEAD, code="missing_field")
FINE = [fate(State.DELIVERED), fate(State.UNCHANGED), fate(State.SKIPPED)]


@pytest.mark.parametrize(
    ("fates", "header"),
    [
        # Nobody is owed anything.
        ([], "confirmed"),
        (FINE, "confirmed"),
        ([*FINE, fate(State.HELD)], "accepted; reason=held"),
        ([fate(State.DISCARDED)], "accepted; reason=held"),
        ([fate(State.WAITING, operations=1001)], "accepted; reason=size"),
        ([*FINE, DEAD], "accepted"),
        # What is dead stays dead, whatever else still goes on.
        ([WAITING, DEAD], "accepted"),
    ],
)
def test_what_is_known_is_told(fates: list[Fate], header: str) -> None:
    known = acknowledging.judge(fates, number=7)
    assert known is not None
    assert known.header == header
    assert (known.refusal is not None) is (DEAD in fates)


@pytest.mark.parametrize("fates", [[WAITING], [SENDING], [*FINE, WAITING], [fate(State.HELD), SENDING]])
def test_nothing_is_known_while_the_bridge_works(fates: list[Fate]) -> None:
    assert acknowledging.judge(fates, number=7) is None


def refusal(*dead: Fate) -> acknowledging.SCIMException:
    known = acknowledging.judge(dead, number=7)
    assert known is not None
    assert known.refusal is not None
    return known.refusal


def test_a_refusal_names_target_code_advice_and_change() -> None:
    found = refusal(DEAD)
    assert found.status == 400
    assert found.detail == (
        "lms has not taken this (missing_field): The target needs a value that the source does not send. Fill it in "
        "the source, or give it in [mapping]. The change itself is recorded as #7."
    )


def test_a_refusal_tells_each_target_once() -> None:
    found = refusal(DEAD, fate(State.DEAD, code="no_seats"), fate(State.DEAD, target="crm", code="no_seats"))
    assert found.detail.count("lms has not") == found.detail.count("crm has not") == 1


def test_only_what_the_sender_can_mend_is_called_an_invalid_value() -> None:
    assert refusal(DEAD).scim_type == "invalidValue"
    assert refusal(DEAD, fate(State.DEAD, target="crm", code="no_seats")).scim_type == ""
    assert refusal(fate(State.DEAD, code="not in the catalogue")).scim_type == ""


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        ("POST", "/Bulk", Reason.BULK),
        ("DELETE", "/Users/1", Reason.LEAVER),
        ("delete", "/Groups/1", Reason.LEAVER),
        ("POST", "/Users", None),
        ("PATCH", "/Users/1", None),
    ],
)
def test_some_requests_are_never_waited_for(method: str, path: str, reason: Reason | None) -> None:
    assert acknowledging.reason_of_request(ScimRequest(method=method, base_url="", path=path)) == reason


def test_nobody_waits_for_nothing_or_for_a_leaver() -> None:
    assert acknowledging.reason_of_changes([], is_leaver=False) is Reason.UNCHANGED
    assert acknowledging.reason_of_changes([1], is_leaver=True) is Reason.LEAVER
    assert acknowledging.reason_of_changes([1], is_leaver=False) is None
