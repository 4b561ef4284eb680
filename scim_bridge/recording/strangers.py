"""Those of whom a source first says that they have left: nobody is made of them, and it is remembered."""

from collections.abc import Iterable
from dataclasses import replace

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import USER
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import request_text
from scim_bridge.store import contributions, directory_users, identities, ledger, numbers, strangers, tables
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.engine import Transaction
from scim_bridge.store.identities import Identity
from scim_bridge.store.strangers import Stranger


class Strangers:
    """The strangers whom some rows of one source name."""

    def __init__(self, tx: Transaction, source: str, external_ids: Iterable[str]) -> None:
        """Read those who are known as such, of ids that name nobody."""
        ids = sorted(set(external_ids))
        self._source = source
        self._known = strangers.of_source(tx, source, ids) if ids else {}
        self._heard: dict[str, str | None] = {}
        """Of whom these rows told it, with the id of the request that did."""

    def left_at(self, external_id: str) -> Millis | None:
        """Return when the source last said that a stranger has left; None: it did not."""
        known = self._known.get(external_id)
        return None if known is None else known.said_at

    def confirm(self, external_id: str, *, at: Millis) -> None:
        """Take it that the source said at an instant too that a stranger has left."""
        known = self._known.get(external_id)
        if known is not None and known.said_at < at:
            self._known[external_id] = replace(known, said_at=at)

    def leave(self, external_id: str, *, at: Millis, digest: str | None, correlation_id: str | None = None) -> None:
        """Remember that somebody whom nobody knows has left."""
        known = self._known.get(external_id) or Stranger(external_id=external_id, said_at=at)
        self._known[external_id] = replace(known, said_at=at, row_digest=digest)
        self._heard[external_id] = correlation_id

    def come(self, external_id: str) -> None:
        """Take it that somebody is none any more."""
        self._known.pop(external_id, None)
        self._heard.pop(external_id, None)

    def write(self, tx: Transaction, origin: Origin) -> None:
        """Keep those of whom these rows said that they have left."""
        heard = [self._known[each] for each in sorted(self._heard)]
        kept = [each for each in heard if each.resource_id is not None]
        new = [each for each in heard if each.resource_id is None]
        if new:
            reserved = directory_users.reserve(tx, len(new))()
            versions = numbers.reserve(tx, tables.change.c.number, len(new))()
            strangers.bury(tx, list(zip(reserved, versions, strict=True)))
            change = {
                "previous": 0,
                "kind": "delete",
                "source": origin.source,
                "token_id": origin.token_id,
                "request": request_text(USER),
                "owed": 0,
            }
            books = {
                version: {
                    **change,
                    "resource_id": number,
                    "correlation_id": self._heard[each.external_id] or origin.correlation_id,
                }
                for each, number, version in zip(new, reserved, versions, strict=True)
            }
            ledger.send_changes(tx, books)
            kept += [replace(each, resource_id=number) for each, number in zip(new, reserved, strict=True)]
        contributions.write(tx, [self._word(each) for each in kept])
        identities.put(tx, self._source, [_identity(each) for each in kept])

    def _word(self, stranger: Stranger) -> Contribution:
        return Contribution(
            source=self._source,
            resource_id=stranger.resource_id or 0,
            document={},
            said_at=stranger.said_at,
            active=False,
            external_id=stranger.external_id,
        )


def _identity(stranger: Stranger) -> Identity:
    return Identity(
        external_id=stranger.external_id, resource_id=stranger.resource_id or 0, row_digest=stranger.row_digest
    )
