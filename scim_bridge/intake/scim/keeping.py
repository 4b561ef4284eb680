"""Answers a request with an Idempotency-Key once: the answer is kept with its change, and given to who asks again."""

from collections.abc import Callable
from http import HTTPStatus

import structlog
from scim2_models import SCIMException
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.service import ScimService

from scim_bridge.intake.scim import answers, idempotency
from scim_bridge.intake.scim.answers import TextResponse
from scim_bridge.store import first_answers
from scim_bridge.store.engine import Store, StoreUnavailable, Transaction
from scim_bridge.store.first_answers import Claimed, ClaimLost, Differs, FirstAnswer, Keyed, Running

_log = structlog.get_logger(__name__)


class Keeping:
    """Keeps the answer to one request that was the first with its key."""

    def __init__(self, store: Store, tenant: str, keyed: Keyed, claimed: Claimed) -> None:
        """Keep it under this claim."""
        self._store = store
        self._tenant = tenant
        self._keyed = keyed
        self._claimed = claimed
        self._is_given = False

    def keep(self, tx: Transaction, response: ScimResponse, *, is_given: bool) -> None:
        """Keep an answer in the transaction of its change. Not given: it may be another one in the end (see `give`).

        Raises:
            ClaimLost: this request took so long that another has taken its key over; the change must be undone.
        """
        first_answers.keep(tx, self._keyed, self._claimed, _first_answer(response), is_given=is_given)
        self._is_given = is_given

    def give(self, response: ScimResponse) -> None:
        """Keep what the sender is answered in the end, unless it was kept with the change. Never fails a request."""
        if not self._is_given:
            self.give_refusal(response)

    def give_refusal(self, response: ScimResponse) -> None:
        """Keep an answer that belongs to no change. Never fails a request."""
        try:
            with self._store.begin(self._tenant) as tx:
                self.keep(tx, response, is_given=True)
        except (StoreUnavailable, ClaimLost):
            # What was kept with the change is given again instead, once the key's time is over.
            _log.warning("first_answer_not_kept", tenant=self._tenant)

    def release(self) -> None:
        """Give the key back, if no answer was kept. Never fails a request: a key that stays is taken over later."""
        try:
            with self._store.begin(self._tenant) as tx:
                first_answers.release(tx, self._keyed, self._claimed)
        except StoreUnavailable:
            _log.warning("key_not_released", tenant=self._tenant)


class Keys:
    """The Idempotency-Keys of all senders."""

    def __init__(self, store: Store, service: ScimService, *, secret: bytes, new_owner: Callable[[], str]) -> None:
        """Keep answers in a store. `secret` makes the digests; `new_owner` gives each request a name of its own."""
        self._store = store
        self._service = service
        self._secret = secret
        self._new_owner = new_owner

    def answer(
        self, request: ScimRequest, *, tenant: str, token_id: str, serve: Callable[[Keeping | None], ScimResponse]
    ) -> ScimResponse:
        """Return the first answer to a request with this key, or what `serve` answers, which is kept.

        Raises:
            InvalidValueException: the key cannot be one.
            Whatever `serve` raises, but for refusals of a request with a key: they are answers too.
        """
        keyed = idempotency.keyed(request, token_id=token_id, secret=self._secret)
        if keyed is None:
            return serve(None)
        with self._store.begin(tenant) as tx:
            found = first_answers.claim(tx, keyed, owner=self._new_owner())
        if isinstance(found, FirstAnswer):
            return _again(found)
        if isinstance(found, Differs):
            raise idempotency.KeyReused
        if isinstance(found, Running):
            return self._still_running()
        return self._first(Keeping(self._store, tenant, keyed, found), serve)

    def _first(self, keeping: Keeping, serve: Callable[[Keeping | None], ScimResponse]) -> ScimResponse:
        try:
            response = serve(keeping)
        except ClaimLost:
            return self._still_running()
        except SCIMException as refused:
            if not idempotency.is_final(refused.status):
                keeping.release()
                raise
            response = self._service.error_response(refused)
            keeping.give_refusal(response)
            return response
        except BaseException:
            keeping.release()
            raise
        keeping.give(response)
        return response

    def _still_running(self) -> ScimResponse:
        response = self._service.error_response(idempotency.StillRunning())
        response.headers["Retry-After"] = str(idempotency.RETRY_AFTER_S)
        return response


def _first_answer(response: ScimResponse) -> FirstAnswer:
    return FirstAnswer(
        status=int(response.status), headers=tuple(response.headers.items()), body=answers.text_of(response)
    )


def _again(first: FirstAnswer) -> ScimResponse:
    headers = {**dict(first.headers), idempotency.REPLAYED: "true"}
    status = HTTPStatus(first.status)
    return ScimResponse(status, None, headers) if first.body is None else TextResponse(status, first.body, headers)
