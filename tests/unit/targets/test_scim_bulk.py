"""SCIM Bulk: who is meant by which entry of the answer."""

from dataclasses import replace
from typing import Any

import pytest
from fakes.people import person

from scim_bridge.domain.people import Link, Record, Step
from scim_bridge.domain.replies import Reply, Verdict
from scim_bridge.planning.calls import Item
from workers.targets import port
from workers.targets.scim import bulk, mapping

DONE, CONFLICT, REFUSED, UNKNOWN = Verdict.DONE, Verdict.CONFLICT, Verdict.REFUSED, Verdict.UNKNOWN
GONE, RETRY, UNSUPPORTED = Verdict.GONE, Verdict.RETRY, Verdict.UNSUPPORTED


def part(number: int, step: Step, **parts: Any) -> Item:
    desired = Record(active=True, attributes={"userName": f"user{number}@x.example", "name.givenName": "Ann"})
    return Item(step=step, person=person(number), desired=desired, account_id=f"a{number}", **parts)


CREATE_AND_UPDATE = [part(1, Step.CREATE), part(2, Step.UPDATE, changes={"title": "x"})]


def told(items: list[Item], answer: Any) -> dict[int, Reply]:
    operations = mapping.operations_of(items, group_ids={"Sales": "g1"}, patches=True)
    return bulk.read_replies(operations, answer)


def entries(*listed: dict[str, Any]) -> dict[str, Any]:
    return {"Operations": list(listed)}


def error(status: int, scim_type: str = "", detail: str = "no") -> dict[str, Any]:
    return {"status": str(status), "response": {"scimType": scim_type, "detail": detail, "status": str(status)}}


def test_answers_are_matched_by_bulk_id_in_any_order() -> None:
    replies = told(
        CREATE_AND_UPDATE,
        entries(
            {"bulkId": "op1", "method": "PATCH", "status": "409", "response": {"scimType": "uniqueness"}},
            {"bulkId": "op0", "method": "POST", "status": "201", "location": "https://h/scim/v2/Users/new-1"},
        ),
    )
    assert replies[1] == Reply(verdict=DONE, account_id="new-1")
    assert (replies[2].verdict, replies[2].code) == (REFUSED, "merge_needed")


def test_an_answer_without_bulk_id_is_matched_by_method_and_location() -> None:
    replies = told(
        CREATE_AND_UPDATE,
        entries(
            {"method": "PATCH", "status": "200", "location": "https://other.example/v9/Users/a2"},
            {"bulkId": "op0", "method": "POST", "status": "201", "response": {"id": "new-1"}},
        ),
    )
    assert [replies[n].verdict for n in (1, 2)] == [DONE, DONE]


@pytest.mark.parametrize(
    "answer",
    [
        entries({"bulkId": "op1", "method": "PATCH", "status": "200"}),  # the first has none
        entries(
            {"bulkId": "op1", "status": "200"}, {"bulkId": "op0", "status": "201"}, {"bulkId": "op0", "status": "409"}
        ),
        entries({"bulkId": "op1", "status": "200"}, {"bulkId": "op0"}),  # no status
        entries({"bulkId": "op1", "status": "200"}, {"bulkId": "op0", "status": "soon"}),
        entries({"bulkId": "op1", "status": "200"}, {"method": "POST", "status": "201", "location": "/Users/9"}),
        entries({"bulkId": "op1", "status": "200"}, {"bulkId": "op9", "status": "201"}),
        entries({"bulkId": "op1", "status": "200"}, {"bulkId": "op0", "status": "302"}),
        entries({"bulkId": "op1", "status": "200"}, {"bulkId": "op0", "status": "500"}),  # it may have been applied
    ],
)
def test_who_has_no_clear_entry_is_unknown_and_the_others_are_not(answer: Any) -> None:
    replies = told(CREATE_AND_UPDATE, answer)
    assert [replies[n].verdict for n in (1, 2)] == [UNKNOWN, DONE]


@pytest.mark.parametrize("answer", [None, [], {}, {"Operations": None}, {"detail": "x"}])
def test_what_is_no_bulk_response_is_a_lost_answer(answer: Any) -> None:
    with pytest.raises(port.AnswerLost):
        told(CREATE_AND_UPDATE, answer)


def test_a_status_may_be_a_number_or_an_object() -> None:
    replies = told(
        CREATE_AND_UPDATE, entries({"bulkId": "op0", "status": 201}, {"bulkId": "op1", "status": {"code": "204"}})
    )
    assert [replies[n].verdict for n in (1, 2)] == [DONE, DONE]


@pytest.mark.parametrize(
    ("step", "entry", "verdict", "code"),
    [
        (Step.CREATE, error(409, "uniqueness"), CONFLICT, "conflict"),
        (Step.CREATE, {"status": "409", "response": "SCIM user conflict"}, CONFLICT, "conflict"),
        (Step.CREATE, {"status": "400", "response": {"error": {"type": "SCIM_CONFLICT"}}}, CONFLICT, "conflict"),
        (Step.CREATE, error(400, "invalidValue"), REFUSED, "invalid_value"),
        (Step.CREATE, error(400, "invalidValue", "userName is required"), REFUSED, "missing_field"),
        (Step.CREATE, {"status": "400", "response": {"error": {"description": "No seats left"}}}, REFUSED, "no_seats"),
        (Step.CREATE, error(400), REFUSED, "refused"),
        (Step.CREATE, error(403), RETRY, "unavailable"),  # nobody's fault, and never dead one by one
        (Step.CREATE, error(429), RETRY, "unavailable"),
        (Step.CREATE, error(501), UNSUPPORTED, "unsupported"),
        (Step.UPDATE, error(404), GONE, "ok"),
        (Step.DEACTIVATE, error(404), GONE, "ok"),
        (Step.UPDATE, error(412), RETRY, "unavailable"),
        (Step.JOIN, error(404), RETRY, "blocked_by_group"),
        (Step.JOIN, error(400, "invalidValue", "A member does not exist"), GONE, "ok"),
        (Step.JOIN, error(400, "invalidValue"), REFUSED, "invalid_value"),
        (Step.LEAVE, error(404), DONE, "already_so"),
        (Step.LEAVE, error(400, "noTarget"), DONE, "already_so"),
    ],
)
def test_each_error_says_what_to_do_next(step: Step, entry: dict[str, Any], verdict: Verdict, code: str) -> None:
    items = [part(1, step, group="Sales", changes={"title": "x"}), part(2, Step.DEACTIVATE)]
    places = {1: "op1", 2: "op0"} if step in {Step.JOIN, Step.LEAVE} else {1: "op0", 2: "op1"}
    reply = told(items, entries({"bulkId": places[1], **entry}, {"bulkId": places[2], "status": "200"}))[1]
    assert (reply.verdict, reply.code) == (verdict, code)


@pytest.mark.parametrize("status", [401, 403])
def test_when_every_entry_refuses_the_credential_the_whole_call_does(status: int) -> None:
    with pytest.raises(port.CredentialRefused):
        told(CREATE_AND_UPDATE, entries({"bulkId": "op0", **error(status)}, {"bulkId": "op1", **error(status)}))


def test_members_of_one_group_go_in_one_operation() -> None:
    items = [
        part(1, Step.JOIN, group="Sales"),
        part(2, Step.LEAVE, group="Sales"),
        part(3, Step.JOIN, group="Sales"),
        part(4, Step.JOIN, group="Legal"),
    ]
    operations = mapping.operations_of(items, group_ids={"Sales": "g1", "Legal": "g2"}, patches=True)
    assert [(operation.path, len(operation.items)) for operation in operations] == [
        ("/Groups/g1", 3),
        ("/Groups/g2", 1),
    ]
    assert operations[0].data["Operations"] == [
        {"op": "add", "path": "members", "value": [{"value": "a1"}, {"value": "a3"}]},
        {"op": "remove", "path": 'members[value eq "a2"]'},
    ]


def test_a_refused_group_operation_blames_nobody_and_is_not_folded_again() -> None:
    items = [part(1, Step.JOIN, group="Sales"), part(2, Step.JOIN, group="Sales")]
    operations = mapping.operations_of(items, group_ids={"Sales": "g1"}, patches=True)
    answer = entries({"bulkId": "op0", **error(400, "invalidValue")})
    assert {reply.verdict for reply in bulk.read_replies(operations, answer).values()} == {RETRY}
    assert bulk.spoiled_groups(operations, bulk.read_parts(operations, answer)) == {"Sales"}
    unfolded = mapping.operations_of(items, group_ids={"Sales": "g1"}, patches=True, unfolded={"Sales"})
    assert [len(operation.items) for operation in unfolded] == [1, 1]


def test_the_detail_names_nobody() -> None:
    entry = {"bulkId": "op0", **error(400, "invalidValue", "Ann <user1@x.example> is not welcome")}
    reply = told([part(1, Step.CREATE)], entries(entry))[1]
    assert reply.detail == "<value> <<address>> is not welcome"


def test_bulk_ids_are_unique_and_nothing_stops_after_an_error() -> None:
    operations = mapping.operations_of(CREATE_AND_UPDATE, group_ids={}, patches=True)
    request = bulk.request_of(operations)
    assert [each["bulkId"] for each in request["Operations"]] == ["op0", "op1"]
    assert "failOnErrors" not in request


ANN = {"userName": "user1@x.example", "name.givenName": "Ann"}
MADE, REFUSED_ENTRY = {"status": "201", "location": "/Users/new-1"}, error(400, "invalidValue")


def joining(**parts: Any) -> list[Item]:
    """Return the items of somebody new who goes into a group at once."""
    made = part(1, Step.CREATE)
    return [made, replace(made, step=Step.JOIN, group="Sales", account_id=None, **parts)]


def test_somebody_new_is_put_into_a_group_by_a_reference() -> None:
    operations = mapping.operations_of([part(2, Step.UPDATE), *joining()], group_ids={"Sales": "g1"}, patches=True)
    assert [each["bulkId"] for each in bulk.request_of(operations)["Operations"]] == ["op0", "op1", "op2"]
    [change] = operations[2].data["Operations"]
    assert change["value"] == [{"value": "bulkId:op1"}]


@pytest.mark.parametrize(
    ("create", "join", "verdict", "groups"),
    [
        (MADE, {"status": "200"}, DONE, {"Sales"}),
        # What was done is noted; what was not is tried again alone.
        (MADE, REFUSED_ENTRY, DONE, set()),
        (MADE, error(404), DONE, set()),
        # Whoever was not made is in no group.
        (error(409, "uniqueness"), REFUSED_ENTRY, CONFLICT, None),
        (error(400, "invalidValue"), REFUSED_ENTRY, REFUSED, None),
        (MADE, {"status": "500"}, UNKNOWN, None),
        ({"status": "500"}, REFUSED_ENTRY, UNKNOWN, None),
    ],
)
def test_one_reply_tells_of_all_that_was_done_for_somebody_new(
    create: Any, join: Any, verdict: Verdict, groups: set[str] | None
) -> None:
    reply = told(joining(), entries({"bulkId": "op0", **create}, {"bulkId": "op1", **join}))[1]
    assert reply.verdict is verdict
    assert (reply.known.groups if reply.known is not None else None) == groups
    if verdict is DONE:
        assert reply.account_id == "new-1"
        assert reply.known is not None
        assert reply.known.attributes == ANN


@pytest.mark.parametrize(
    ("update", "join", "verdict", "held"),
    [
        ({"status": "200"}, {"status": "200"}, DONE, ("x", {"Sales"})),
        ({"status": "200"}, REFUSED_ENTRY, DONE, ("x", set())),
        (REFUSED_ENTRY, {"status": "200"}, DONE, ("old", {"Sales"})),
        (REFUSED_ENTRY, error(400, "invalidValue"), REFUSED, None),
        (error(404), {"status": "200"}, GONE, None),
        ({"status": "200"}, {"status": "500"}, UNKNOWN, None),
    ],
)
def test_what_was_done_for_somebody_known_is_noted_and_no_more(
    update: Any, join: Any, verdict: Verdict, held: tuple[str, set[str]] | None
) -> None:
    link = Link(account_id="a1", known=Record(active=True, attributes={"title": "old"}))
    changing = replace(part(1, Step.UPDATE, changes={"title": "x"}), person=replace(person(1), link=link))
    items = [changing, replace(changing, step=Step.JOIN, group="Sales", changes={})]
    reply = told(items, entries({"bulkId": "op0", **update}, {"bulkId": "op1", **join}))[1]
    known = reply.known
    assert reply.verdict is verdict
    assert (None if known is None else (known.attributes["title"], known.groups)) == held


def refuses(items: list[Item], *answered: Any) -> tuple[bool, set[str]]:
    """Tell what is concluded of the service: whether it refuses references, and which groups one member spoiled."""
    operations = mapping.operations_of(items, group_ids={"Sales": "g1", "Legal": "g2"}, patches=True)
    answer = entries(*({"bulkId": f"op{place}", **each} for place, each in enumerate(answered)))
    parts = bulk.read_parts(operations, answer)
    return bulk.refuses_references(operations, parts), set(bulk.spoiled_groups(operations, parts))


@pytest.mark.parametrize(
    ("create", "join", "is_refused"),
    [
        (MADE, REFUSED_ENTRY, True),
        (MADE, error(400, "invalidValue", "member bulkId:op0 not found"), True),
        (REFUSED_ENTRY, REFUSED_ENTRY, False),
        # The group is gone, the service is not well, nothing was said: none of it is about references.
        (MADE, error(404), False),
        (MADE, error(503), False),
        (MADE, error(429), False),
    ],
)
def test_a_refused_reference_is_told_from_other_failures(create: Any, join: Any, *, is_refused: bool) -> None:
    assert refuses(joining(), create, join)[0] is is_refused


def test_a_reference_to_somebody_who_was_not_made_says_nothing_of_references() -> None:
    """Ann was made; the one request for all members was refused because of Bob, who was not."""
    bob = replace(part(2, Step.CREATE), step=Step.JOIN, group="Sales", account_id=None)
    items = [*joining(), part(2, Step.CREATE), bob]
    assert refuses(items, MADE, error(409, "uniqueness"), REFUSED_ENTRY) == (False, set())


def test_a_member_of_old_may_be_the_one_who_is_refused() -> None:
    known = part(2, Step.JOIN, group="Sales")
    assert refuses([*joining(), known], MADE, REFUSED_ENTRY) == (False, {"Sales"})


def test_a_reference_that_was_followed_proves_that_references_are() -> None:
    items = [*joining(), replace(joining()[1], group="Legal")]
    assert refuses(items, MADE, {"status": "200"}, REFUSED_ENTRY) == (False, set())
