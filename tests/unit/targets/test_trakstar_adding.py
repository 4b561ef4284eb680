"""The answer of POST /user: every row is accounted for, or doubted."""

import random
from typing import Any

import pytest
from fakes.people import person

from scim_bridge.domain.people import Record, Step
from scim_bridge.domain.replies import Reply, Verdict
from scim_bridge.planning.calls import Call, Item
from workers.targets import port
from workers.targets.trakstar import adding
from workers.targets.trakstar.options import TrakstarOptions

DONE, CONFLICT, REFUSED, UNKNOWN = Verdict.DONE, Verdict.CONFLICT, Verdict.REFUSED, Verdict.UNKNOWN
EXISTS = "A user with this email already exists"


def row(number: int, **attributes: Any) -> Item:
    return Item(
        step=Step.CREATE,
        person=person(number),
        desired=Record(active=True, attributes=attributes or {"email": f"u{number}@x.example", "firstName": "Ann"}),
    )


def replies(rows: list[Item], answer: Any, *, create_semantics: str = "add_only") -> dict[int, Reply]:
    options = TrakstarOptions(base_url="http://x", api_key="k", create_semantics=create_semantics)
    call = Call(step=Step.CREATE, items=tuple(rows))
    return dict(adding.read_added(call, answer, options, batch_number=7, status=200).replies)


def verdicts(rows: list[Item], answer: Any, **options: Any) -> list[Verdict]:
    told = replies(rows, answer, **options)
    return [told[each.person.operation_id].verdict for each in rows]


THREE = [row(1), row(2), row(3)]
MIXED = [row(1), row(2, username="two"), row(3, username="three")]
TWINS = [row(1), row(2, email="twin@x.example"), row(3, email="TWIN@x.example")]


@pytest.mark.parametrize(
    ("rows", "answer", "expected"),
    [
        (THREE, {"batchId": 7, "usersAdded": 3, "errors": []}, [DONE, DONE, DONE]),
        (THREE, {"usersAdded": 3}, [DONE, DONE, DONE]),  # no errors, no list of them
        (THREE, {"usersAdded": 2, "errors": [{"email": "u2@x.example", "error": EXISTS}]}, [DONE, CONFLICT, DONE]),
        (THREE, {"usersAdded": 2, "errors": [{"email": "U2@X.example", "error": "no"}]}, [DONE, REFUSED, DONE]),
        # in another order
        (
            THREE,
            {
                "usersAdded": 1,
                "errors": [{"email": "u3@x.example", "error": "no"}, {"email": "u1@x.example", "error": EXISTS}],
            },
            [CONFLICT, DONE, REFUSED],
        ),
        # the counts disagree: of all rows nothing is known, also of the one with an error
        (THREE, {"usersAdded": 3, "errors": [{"email": "u2@x.example", "error": "no"}]}, [UNKNOWN] * 3),
        (THREE, {"usersAdded": 1, "errors": [{"email": "u2@x.example", "error": "no"}]}, [UNKNOWN] * 3),
        (THREE, {"usersAdded": 0, "errors": []}, [UNKNOWN] * 3),
        # an error that fits nobody hides one failure among the others
        (THREE, {"usersAdded": 2, "errors": [{"email": "other@x.example", "error": "no"}]}, [UNKNOWN] * 3),
        (THREE, {"usersAdded": 2, "errors": [{"error": "no"}]}, [UNKNOWN] * 3),
        (THREE, {"usersAdded": 2, "errors": ["no"]}, [UNKNOWN] * 3),
        (
            THREE,
            {"usersAdded": 1, "errors": [{"email": "", "error": "no"}, {"email": "u1@x.example", "error": "no"}]},
            [REFUSED, UNKNOWN, UNKNOWN],
        ),
        # two errors for one row: then another row's failure is not told
        (
            THREE,
            {
                "usersAdded": 1,
                "errors": [{"email": "u1@x.example", "error": "a"}, {"email": "u1@x.example", "error": "b"}],
            },
            [UNKNOWN] * 3,
        ),
        # people without an address: the error may hold the username, or nothing
        (MIXED, {"usersAdded": 2, "errors": [{"email": "Two", "error": EXISTS}]}, [DONE, CONFLICT, DONE]),
        (MIXED, {"usersAdded": 2, "errors": [{"email": "", "error": EXISTS}]}, [UNKNOWN] * 3),
        # two rows of one address: one error means one of them, nobody knows which; two mean both
        (TWINS, {"usersAdded": 2, "errors": [{"email": "twin@x.example", "error": EXISTS}]}, [DONE, UNKNOWN, UNKNOWN]),
        (
            TWINS,
            {"usersAdded": 1, "errors": [{"email": "twin@x.example", "error": EXISTS}] * 2},
            [DONE, CONFLICT, CONFLICT],
        ),
        # the answer of another call
        (THREE, {"batchId": 8, "usersAdded": 3, "errors": []}, [UNKNOWN] * 3),
        # the older page: nothing is said of anybody
        (THREE, {"batchId": 7}, [UNKNOWN] * 3),
        (THREE, {}, [UNKNOWN] * 3),
        (THREE, {"usersAdded": "3", "errors": []}, [UNKNOWN] * 3),
        (THREE, {"usersAdded": True, "errors": []}, [UNKNOWN] * 3),
        (THREE, {"usersAdded": 3, "errors": {"email": "x"}}, [UNKNOWN] * 3),
        # the newer page names everybody
        (
            THREE,
            {
                "batchId": "7",
                "added": [{"id": 1, "email": "u1@x.example"}],
                "errors": [{"email": "u3@x.example", "error": "no"}],
            },
            [DONE, UNKNOWN, REFUSED],
        ),
        (THREE, {"added": [{"id": 1, "email": "u1@x.example"}, {"id": 2, "email": "u1@x.example"}]}, [UNKNOWN] * 3),
        (THREE, {"added": [{"email": "u1@x.example"}, "u2@x.example", {"id": 3}]}, [UNKNOWN] * 3),
    ],
)
def test_each_row_is_accounted_for_or_doubted(rows: list[Item], answer: Any, expected: list[Verdict]) -> None:
    assert verdicts(rows, answer) == expected


@pytest.mark.parametrize("answer", [None, [], "ok", 3])
def test_an_answer_that_is_no_object_is_lost(answer: Any) -> None:
    with pytest.raises(port.AnswerLost):
        replies(THREE, answer)


def test_ids_are_text_when_they_are_told() -> None:
    told = replies([row(1)], {"added": [{"id": 1662430007, "email": "u1@x.example"}]})
    assert told[1] == Reply(verdict=DONE, account_id="1662430007")


@pytest.mark.parametrize(
    ("create_semantics", "verdict", "code"), [("add_only", CONFLICT, "conflict"), ("upsert", DONE, "adopted")]
)
def test_a_user_who_was_updated_was_there_before_us(create_semantics: str, verdict: Verdict, code: str) -> None:
    answer = {"added": [], "updated": [{"id": 5, "email": "u1@x.example"}]}
    told = replies([row(1)], answer, create_semantics=create_semantics)[1]
    assert (told.verdict, told.code) == (verdict, code)


@pytest.mark.parametrize(
    ("text", "verdict", "code"),
    [
        ("A user with this email or username already exists", CONFLICT, "conflict"),
        ("Email is already in use.", CONFLICT, "conflict"),
        ("Username has already been taken", CONFLICT, "conflict"),
        ("duplicate email", CONFLICT, "conflict"),
        ("username is taken by another user", CONFLICT, "conflict"),
        ("User already registered", CONFLICT, "conflict"),
        ("No seats are left in this account", REFUSED, "no_seats"),
        ("License limit reached", REFUSED, "no_seats"),
        ("firstName is longer than 35", REFUSED, "too_long"),
        ("lastName is required", REFUSED, "missing_field"),
        ("email is no valid email", REFUSED, "invalid_value"),
        ("Domain of the address is invalid", REFUSED, "invalid_value"),
        ("The department does not exist", REFUSED, "refused"),
        ("", REFUSED, "refused"),
    ],
)
def test_an_error_is_understood_by_its_words(text: str, verdict: Verdict, code: str) -> None:
    told = replies([row(1)], {"usersAdded": 0, "errors": [{"email": "u1@x.example", "error": text}]})[1]
    assert (told.verdict, told.code) == (verdict, code)


def test_the_detail_names_nobody() -> None:
    ann = row(1, firstName="Ann", lastName="O'Neil", email="ann@x.example", username="aoneil")
    text = "Cannot add Ann O'Neil (AONEIL, ann@x.example) to Annapolis, ask boss@x.example"
    told = replies([ann], {"usersAdded": 0, "errors": [{"email": "ann@x.example", "error": text}]})[1]
    assert told.detail == "Cannot add <value> <value> (<value>, <address>) to Annapolis, ask <address>"


@pytest.mark.parametrize("seed", range(30))
def test_whatever_a_faithful_target_says_no_row_is_called_done_that_failed(seed: int) -> None:
    """Rows with and without addresses fail at random; a row is DONE only if it did not fail, REFUSED only if it did."""
    randomness = random.Random(seed)
    rows = [
        row(n, **({"email": f"u{n}@x.example"} if randomness.random() < 0.8 else {"username": f"name{n}"}))
        for n in range(1, 40)
    ]
    failed = {each.person.operation_id for each in rows if randomness.random() < 0.1}
    style = randomness.choice(["empty", "username", "omit"])
    errors: list[dict[str, str]] = []
    for each in rows:
        if each.person.operation_id in failed and each.desired is not None:
            names = each.desired.attributes
            held = names.get("email") or {"empty": "", "username": names.get("username", "")}.get(style)
            errors.append({"error": "no", **({} if held is None else {"email": held})})
    randomness.shuffle(errors)
    told = replies(rows, {"usersAdded": len(rows) - len(failed), "errors": errors})
    assert set(told) == {each.person.operation_id for each in rows}
    assert not {number for number, reply in told.items() if reply.verdict is DONE} & failed
    assert {number for number, reply in told.items() if reply.verdict is REFUSED} <= failed
