"""Imports as the front door offers them: a file is taken in and told where its report will be; the rest is the relay's.

The source is the token's, so that nobody sends rows in another source's name.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO

from scim2_models import InvalidValueException, NotFoundException, SCIMException

from scim_bridge import secrets
from scim_bridge.domain.instants import Millis, of_datetime
from scim_bridge.intake.hr.imports import receiving, report
from scim_bridge.intake.hr.imports.progress import Progress
from scim_bridge.intake.hr.imports.reading import FileRefused
from scim_bridge.intake.hr.imports.receiving import Arrival, Receiver, Renew
from scim_bridge.intake.scim import idempotency
from scim_bridge.mapping.rows import RowMapping
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import WITHOUT_ROWS, SourceSettings
from scim_bridge.store import first_answers, imports
from scim_bridge.store.engine import Store, compact_json
from scim_bridge.store.first_answers import Claimed, ClaimLost, Differs, FirstAnswer, Keyed
from scim_bridge.store.imports import Import
from scim_bridge.store.tokens import Principal

PATH = "/hr/v1/imports"

_PIECE_BYTES = 1 << 18
_MODES = {"delta": False, "snapshot": True}
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class ImportRefused(SCIMException):
    """A file, or the source that sent it, cannot be taken."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request that brings a file."""

    principal: Principal
    query: Mapping[str, str]
    content_type: str | None
    key: str | None
    """Its Idempotency-Key."""
    file: BinaryIO = field(repr=False)
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The answer to it: the import's summary, and whether it is given again."""

    text: str
    name: str
    is_replayed: bool = False


class ImportDoor:
    """Takes files of all tenants in, and tells what became of them."""

    def __init__(
        self, tenants: Sequence[TenantSettings], store: Store, *, secret: bytes, new_owner: Callable[[], str]
    ) -> None:
        """Keep files in a store. `secret` makes digests; `new_owner` gives each request with a key its own name."""
        self._store = store
        self._progress = Progress(partial(report.counted, store))
        self._secret = secret
        self._new_owner = new_owner
        self._sources: dict[tuple[str, str], SourceSettings] = {
            (tenant.id, source.name): source for tenant in tenants for source in tenant.sources
        }
        self._receivers: dict[tuple[str, str], Receiver] = {}

    def take(self, sent: Sent) -> Taken:
        """Take a file in, or give the first answer to the same request with the same key again.

        Raises:
            SCIMException: the request, the file or the key cannot be taken; the sentence says why.
        """
        receiver = self._receiver(sent.principal)
        arrival = _arrival(sent)
        keyed = self._keyed(sent)
        if keyed is None:
            return self._taken(self._receive(receiver, arrival, sent))
        with self._store.begin(sent.principal.tenant) as tx:
            found = first_answers.claim(tx, keyed, owner=self._new_owner())
        if isinstance(found, FirstAnswer):
            name = dict(found.headers)["name"]
            return Taken(text=found.body or "", name=name, is_replayed=True)
        if isinstance(found, Differs):
            raise idempotency.KeyReused
        if not isinstance(found, Claimed):
            raise idempotency.StillRunning
        try:
            renew = partial(first_answers.renew, keyed=keyed, claimed=found)
            taken = self._taken(self._receive(receiver, arrival, sent, renew))
            self._keep(sent.principal.tenant, keyed, found, taken)
        except ClaimLost:
            # Of the same file that came again: it is taken in, and this one ends as one that broke off.
            raise idempotency.StillRunning from None
        except BaseException:
            with self._store.begin(sent.principal.tenant) as tx:
                first_answers.release(tx, keyed, found)
            raise
        return taken

    def find(self, principal: Principal, name: str) -> Import:
        """Return an import of the token's source.

        Raises:
            NotFoundException: there is none of this name.
        """
        with self._store.begin(principal.tenant, write=False) as tx:
            found = imports.named(tx, name) if name.isalnum() else None
        if found is None or found.source != principal.source:
            raise NotFoundException(detail="There is no such import of this token's source.")
        return found

    def summary(self, found: Import) -> dict[str, Any]:
        """Return where an import stands, with the addresses of its report."""
        path = f"{PATH}/{found.name}"
        return {
            **report.told(found, self._progress.outcomes(found)),
            "report": {"csv": f"{path}/report.csv", "json": f"{path}/report.json"},
        }

    def _taken(self, found: Import) -> Taken:
        return Taken(text=compact_json({**self.summary(found), "location": f"{PATH}/{found.name}"}), name=found.name)

    def _receiver(self, principal: Principal) -> Receiver:
        key = principal.tenant, principal.source
        settings = self._sources.get(key)
        if settings is None or settings.kind in WITHOUT_ROWS:
            raise ImportRefused(
                detail=f"The token is of the source {principal.source!r}, which takes no rows. Make one with"
                " `scim-bridge token create --scope hr --source NAME` for a source that has a [mapping]."
            )
        if key not in self._receivers:
            self._receivers[key] = Receiver(
                store=self._store, settings=settings, mapping=RowMapping(settings), secret=self._secret
            )
        return self._receivers[key]

    @staticmethod
    def _receive(receiver: Receiver, arrival: Arrival, sent: Sent, renew: Renew = lambda _tx: None) -> Import:
        try:
            return receiver.receive(arrival, sent.file, renew=renew)
        except FileRefused as refused:
            raise ImportRefused(detail=str(refused)) from None

    def _keyed(self, sent: Sent) -> Keyed | None:
        if sent.key is None:
            return None
        if (
            not sent.key
            or len(sent.key) > idempotency.MAX_LENGTH
            or not (sent.key.isascii() and sent.key.isprintable())
        ):
            raise InvalidValueException(
                detail=f"{idempotency.HEADER} takes 1 to {idempotency.MAX_LENGTH} printable ASCII characters"
            )
        asked = compact_json(sorted(sent.query.items())).encode()
        return Keyed(
            token_id=sent.principal.token_id,
            route=secrets.digest(self._secret, "route", b"POST", PATH.encode()),
            key=secrets.digest(self._secret, "key", sent.key.encode()),
            body=secrets.digest(self._secret, "body", asked, _digest_of(sent.file)),
        )

    def _keep(self, tenant: str, keyed: Keyed, claimed: Claimed, taken: Taken) -> None:
        answer = FirstAnswer(status=202, headers=(("name", taken.name),), body=taken.text)
        with self._store.begin(tenant) as tx:
            first_answers.keep(tx, keyed, claimed, answer)


def _digest_of(file: BinaryIO) -> bytes:
    """Return a digest of a file, which is rewound."""
    found = hashlib.sha256()
    while piece := file.read(_PIECE_BYTES):
        found.update(piece)
    file.seek(0)
    return found.digest()


def moment_of(text: str) -> Millis:
    """Return the instant that a text names (RFC 3339).

    Raises:
        ValueError: it names none, or no zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return of_datetime(moment.astimezone(UTC))


def _arrival(sent: Sent) -> Arrival:
    unknown = sorted(sent.query.keys() - {"mode", "dry_run", "said_at"})
    if unknown:
        raise InvalidValueException(detail=f"There is no parameter {unknown[0][:64]!r}: mode, dry_run and said_at are.")
    mode, dry_run = sent.query.get("mode", "delta"), sent.query.get("dry_run", "false").lower()
    if mode not in _MODES:
        raise InvalidValueException(detail="mode is delta (some people) or snapshot (everybody whom the source holds).")
    if dry_run not in _TRUTHS:
        raise InvalidValueException(detail="dry_run is true or false.")
    said_at = sent.query.get("said_at")
    try:
        moment = None if said_at is None else moment_of(said_at)
    except (ValueError, OverflowError):
        raise InvalidValueException(
            detail="said_at is when the source made the file, with a zone: 2026-11-21T02:00:00Z."
        ) from None
    return Arrival(
        tenant=sent.principal.tenant,
        source=sent.principal.source,
        correlation_id=sent.correlation_id,
        is_snapshot=_MODES[mode],
        is_dry_run=_TRUTHS[dry_run],
        format=receiving.name_of_format(sent.content_type),
        said_at=moment,
        token_id=sent.principal.token_id,
    )
