"""How long it is remembered whom a token stands for."""

from typing import Any

from scim_bridge.store.tokens import Principal
from scim_bridge.web import recognition
from scim_bridge.web.recognition import ASKED_AGAIN_MS, KEPT_MS, Recognition


def principal(**changes: Any) -> Principal:
    return Principal(tenant="acme", token_id="0" * 16, scopes=frozenset({"scim"}), source="idp", **changes)


def test_a_right_token_is_recalled_for_half_a_second(clock: Any) -> None:
    memory = Recognition(clock)
    memory.keep("digest", principal(), asked_at=clock())
    clock.advance(ms=KEPT_MS - 1)
    assert memory.recall("digest") == principal()
    clock.advance(ms=1)
    assert memory.recall("digest") is None


def test_recalling_prolongs_nothing(clock: Any) -> None:
    memory = Recognition(clock)
    memory.keep("digest", principal(), asked_at=clock())
    for _ in range(5):
        clock.advance(ms=KEPT_MS // 5)
        recalled = memory.recall("digest")
    assert recalled is None


def test_the_question_counts_and_not_the_answer(clock: Any) -> None:
    """A token that was revoked while the store was slow to answer is not kept longer for that."""
    memory = Recognition(clock)
    asked_at = clock()
    clock.advance(ms=KEPT_MS)
    memory.keep("digest", principal(), asked_at=asked_at)
    assert memory.recall("digest") is None


def test_a_token_that_ends_meanwhile_is_not_recalled(clock: Any) -> None:
    memory = Recognition(clock)
    memory.keep("digest", principal(ends_at=clock() + 100), asked_at=clock())
    clock.advance(ms=99)
    assert memory.recall("digest") is not None
    clock.advance(ms=1)
    assert memory.recall("digest") is None


def test_a_clock_that_is_set_back_keeps_nothing(clock: Any) -> None:
    memory = Recognition(clock)
    memory.keep("digest", principal(), asked_at=clock())
    clock.advance(ms=-1)
    assert memory.recall("digest") is None


def test_one_request_alone_asks_again_while_the_others_recall(clock: Any) -> None:
    memory = Recognition(clock)
    memory.keep("digest", principal(), asked_at=clock())
    clock.advance(ms=ASKED_AGAIN_MS - 1)
    assert not memory.is_to_be_asked_again("digest")
    clock.advance(ms=1)
    assert [memory.is_to_be_asked_again("digest") for _ in range(3)] == [True, False, False]
    assert memory.recall("digest") == principal()
    memory.keep("digest", principal(), asked_at=clock())
    clock.advance(ms=ASKED_AGAIN_MS)
    assert memory.is_to_be_asked_again("digest")


def test_a_question_without_an_answer_prolongs_nothing(clock: Any) -> None:
    memory = Recognition(clock)
    memory.keep("digest", principal(), asked_at=clock())
    clock.advance(ms=ASKED_AGAIN_MS)
    assert memory.is_to_be_asked_again("digest")
    clock.advance(ms=KEPT_MS - ASKED_AGAIN_MS)
    assert memory.recall("digest") is None


def test_another_token_is_not_recognised(clock: Any) -> None:
    memory = Recognition(clock)
    memory.keep("digest", principal(), asked_at=clock())
    assert memory.recall("another") is None


def test_only_so_many_are_kept(clock: Any) -> None:
    memory = Recognition(clock)
    most = recognition._MOST_TOKENS
    for number in range(most + 10):
        memory.keep(f"digest {number}", principal(), asked_at=clock())
    assert len(memory._known) == most
    assert memory.recall("digest 0") is None
    assert memory.recall(f"digest {most + 9}") is not None
