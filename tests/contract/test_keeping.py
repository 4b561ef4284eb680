"""One answer to each Idempotency-Key, whatever happens between the claim and the answer, on both databases."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.books import add_person
from scim2_models import SCIMException
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse

from scim_bridge.intake.scim.keeping import Keeping, Keys
from scim_bridge.intake.scim.service import BridgeService
from scim_bridge.settings.models import WebSettings
from scim_bridge.store import first_answers, tables
from scim_bridge.store.engine import Store, StoreUnavailable

SECRET = b"s" * 32
REQUEST = ScimRequest(method="POST", base_url="http://x", path="/Users", headers={"Idempotency-Key": "k"}, body=b"{}")


class Death(BaseException):
    """The process ends here."""


class Refused(SCIMException):
    """A refusal with any status."""

    def __init__(self, status: int) -> None:
        super().__init__(detail="no")
        self.status = status


@dataclass
class Door:
    """Answers requests that each put one more person into the directory."""

    store: Store
    keys: Keys
    numbers: Any = field(default_factory=itertools.count)
    answers: int = 0

    def ask(self, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None) -> Any:
        """Send the same request; `before` is called before the commit of its change, `after` after it."""

        def serve(keeping: Keeping | None) -> ScimResponse:
            assert keeping is not None
            self.answers += 1
            response = ScimResponse(HTTPStatus.CREATED, {"id": self.answers}, {"ETag": f'W/"{self.answers}"'})
            with self.store.begin("acme") as tx:
                add_person(tx, f"p{next(self.numbers)}")
                before()
                keeping.keep(tx, response, is_given=True)
            after()
            return response

        return self.answer(serve)

    def answer(self, serve: Callable[[Keeping | None], ScimResponse]) -> Any:
        return self.keys.answer(REQUEST, tenant="acme", token_id="t1", serve=serve)

    def people(self) -> int:
        with self.store.begin("acme", write=False) as tx:
            return int(tx.connection.execute(sa.select(sa.func.count()).select_from(tables.resource)).scalar_one())

    def end(self, error: BaseException) -> Callable[[], None]:
        def fail() -> None:
            raise error

        return fail


OWNERS = itertools.count()


def make_door(store: Store) -> Door:
    service = BridgeService(WebSettings(), secret=SECRET)
    return Door(store, Keys(store, service, secret=SECRET, new_owner=lambda: f"owner-{next(OWNERS)}"))


@pytest.fixture
def door(store: Store) -> Door:
    return make_door(store)


def test_whoever_asks_again_is_answered_the_same(door: Door) -> None:
    first, again = door.ask(), door.ask()
    assert (first.status, first.body) == (201, {"id": 1})
    assert (again.status, again.text) == (201, '{"id":1}')
    assert again.headers == {**first.headers, "Idempotent-Replayed": "true"}
    assert door.people() == 1


def test_a_death_after_the_commit_loses_no_answer(door: Door) -> None:
    with pytest.raises(Death):
        door.ask(after=door.end(Death()))
    assert door.ask().text == '{"id":1}'
    assert door.people() == 1


@pytest.fixture
def dying(store: Store) -> Iterator[Callable[[], None]]:
    """Give a function that ends the process for good: it begins no other transaction."""

    def refuse(_connection: Any) -> None:
        raise Death

    def die() -> None:
        sa.event.listen(store.engine, "begin", refuse)
        raise Death

    yield die
    if sa.event.contains(store.engine, "begin", refuse):
        sa.event.remove(store.engine, "begin", refuse)


def test_a_death_before_the_commit_is_found_out_after_a_minute(
    store_url: str, door: Door, dying: Callable[[], None], clock: Any
) -> None:
    with pytest.raises(Death):
        door.ask(before=dying)
    door = make_door(Store.open(store_url, clock=clock))
    assert door.people() == 0
    waits = door.ask()
    assert (waits.status, waits.headers["Retry-After"]) == (409, "2")
    clock.advance(ms=first_answers.GIVEN_UP_MS)
    assert door.ask().body == {"id": 1}
    assert door.people() == 1
    door.store.close()


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), RuntimeError("a bug"), Refused(503), Refused(429)])
def test_a_failure_gives_the_key_back(door: Door, error: Exception) -> None:
    with pytest.raises(type(error)):
        door.ask(before=door.end(error))
    assert door.ask().body == {"id": 2}
    assert door.people() == 1


def test_an_outage_at_the_commit_that_was_none_loses_no_answer(door: Door) -> None:
    """The connection broke after the database had committed: nobody knows, so the key is given back in vain."""
    with pytest.raises(StoreUnavailable):
        door.ask(after=door.end(StoreUnavailable("the connection is gone")))
    assert door.ask().text == '{"id":1}'
    assert door.people() == 1


def test_a_refusal_is_an_answer_too(door: Door) -> None:
    refused = door.ask(before=door.end(Refused(404)))
    again = door.ask()
    assert (refused.status, again.status) == (404, 404)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert door.people() == 0


def test_a_request_that_is_overtaken_undoes_its_change(door: Door, clock: Any) -> None:
    """It took a minute before its change; whoever asked again has the key by then."""
    overtaken: list[Any] = []

    def serve(keeping: Keeping | None) -> ScimResponse:
        assert keeping is not None
        clock.advance(ms=first_answers.GIVEN_UP_MS)
        overtaken.append(door.ask())
        with door.store.begin("acme") as tx:
            add_person(tx, "late")
            keeping.keep(tx, ScimResponse(HTTPStatus.OK), is_given=True)
        raise AssertionError("it was not overtaken")

    late = door.answer(serve)
    assert (late.status, late.headers["Retry-After"]) == (409, "2")
    assert overtaken[0].body == {"id": 1}
    assert door.ask().text == '{"id":1}'
    assert door.people() == 1


def test_an_answer_that_is_still_open_is_given_again_once_it_is_settled(door: Door) -> None:
    asked_meanwhile: list[Any] = []

    def serve(keeping: Keeping | None) -> ScimResponse:
        assert keeping is not None
        with door.store.begin("acme") as tx:
            keeping.keep(tx, ScimResponse(HTTPStatus.CREATED, {"id": 1}), is_given=False)
        asked_meanwhile.append(door.ask())
        return ScimResponse(HTTPStatus.BAD_REQUEST, {"status": "400"})

    door.answer(serve)
    assert asked_meanwhile[0].status == 409
    again = door.ask()
    assert (again.status, again.text) == (400, '{"status":"400"}')
    assert door.people() == 0


def test_a_refusal_after_an_attempt_that_was_undone_is_kept(door: Door) -> None:
    """The first attempt had kept its answer when the database undid it; the second attempt is refused."""

    def serve(keeping: Keeping | None) -> ScimResponse:
        assert keeping is not None
        with pytest.raises(ZeroDivisionError), door.store.begin("acme") as tx:
            keeping.keep(tx, ScimResponse(HTTPStatus.CREATED, {"id": 1}), is_given=True)
            raise ZeroDivisionError
        raise Refused(409)

    assert door.answer(serve).status == 409
    assert door.ask().headers["Idempotent-Replayed"] == "true"
    assert door.ask().status == 409
