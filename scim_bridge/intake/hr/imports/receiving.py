"""Takes a file of HR rows in: reads it as a stream, keeps of each row what the mapping reads, and lets it wait.

A row that its source said last time, and nothing else since, is known by its digest and kept without its fields.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, TextIO
from uuid import uuid4

from pydantic_core import to_json

from scim_bridge.domain.catalogue import code_named
from scim_bridge.domain.instants import Millis
from scim_bridge.domain.texts import is_storable
from scim_bridge.intake.hr.imports import objects, reading, sheets
from scim_bridge.intake.hr.imports.reading import FileRefused, Line, Lines
from scim_bridge.mapping.rows import RowMapping
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import hr_events, imports, staging
from scim_bridge.store.engine import Store, Transaction, compact_json
from scim_bridge.store.imports import Import, Staged

STAGED_AT_ONCE = 2_000
"""Rows that are kept in one transaction."""

Format = Literal["csv", "json"]

Renew = Callable[[Transaction], None]
"""Tells whoever else waits for the file that it still comes."""

_SORTED = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
"""Made once: making one costs as much as a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A file that came in, and what its sender says of it."""

    tenant: str
    source: str
    correlation_id: str
    is_snapshot: bool = False
    """Whether it names everybody whom the source holds."""
    is_dry_run: bool = False
    format: Format | None = None
    """None: found out from the file."""
    said_at: Millis | None = None
    """When the source made it; None: now."""
    token_id: str | None = None


def name_of_format(told: str | None) -> Format | None:
    """Return the format that a media type or a file's name tells, None where it tells none."""
    text = (told or "").partition(";")[0].strip().lower()
    if text.endswith(("json", "ndjson", "jsonl")):
        return "json"
    return "csv" if text.endswith(("csv", "tsv", "tab-separated-values")) else None


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Takes in the files of one source. `secret` makes the digests of rows."""

    store: Store
    settings: SourceSettings
    mapping: RowMapping
    secret: bytes = field(repr=False)
    _key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Another mapping makes another digest, so that everybody is looked at again.
        self._key = hashlib.blake2b(self.mapping.digest.encode(), digest_size=32, key=self.secret[:64]).digest()

    def receive(
        self,
        arrival: Arrival,
        file: BinaryIO,
        *,
        progress: Callable[[int], None] = lambda _rows: None,
        renew: Renew = lambda _tx: None,
    ) -> Import:
        """Keep the rows of a file and return its import, which waits to be worked off.

        `renew` is called in each transaction that keeps some of it, perhaps in another thread; what it raises undoes
        that one, and ends all.

        Raises:
            FileRefused: the file cannot be read at all, and nothing is kept; or it was given up while it came.
        """
        format_ = arrival.format or _format_of(file)
        with reading.opened(file, self.settings.encoding or reading.encoding_of(file)) as text:
            lines = self._lines(text, format_)
            reader = _Reader(self.mapping, self._key, headings=lines.headings)
            return self._keep(arrival, lines, reader, progress, renew)

    def _keep(
        self, arrival: Arrival, lines: Lines, reader: "_Reader", progress: Callable[[int], None], renew: Renew
    ) -> Import:
        is_whole = arrival.is_snapshot if lines.headings is None else self.mapping.fields <= lines.headings
        with self.store.begin(arrival.tenant) as tx:
            begun = imports.begin(
                tx,
                source=arrival.source,
                name=uuid4().hex,
                is_snapshot=arrival.is_snapshot,
                is_dry_run=arrival.is_dry_run,
                is_whole=is_whole,
                token_id=arrival.token_id,
                correlation_id=arrival.correlation_id,
                said_at=tx.now if arrival.said_at is None else min(arrival.said_at, tx.now),
            )
        rows = 0
        # While the database takes some rows in, the next are read.
        with ThreadPoolExecutor(1, thread_name_prefix="staging") as staging_thread:
            taken: Future[None] | None = None
            for some in _batches(lines):
                read = [reader.read(line) for line in some]
                if taken is not None:
                    taken.result()
                    progress(rows)
                rows += len(some)
                taken = staging_thread.submit(self._stage, begun, read, renew)
            if taken is not None:
                taken.result()
                progress(rows)
        with self.store.begin(arrival.tenant) as tx:
            _note(tx, begun, status=imports.WAITING, rows=rows, **_cut_off(lines, arrival))
            renew(tx)
            staging.refuse_repeated(tx, begun.id, advice=code_named(staging.REPEATED).advice)
            waiting = imports.named(tx, begun.name)
        assert waiting is not None  # noqa: S101 - it was begun above
        return waiting

    def _lines(self, text: TextIO, format_: Format) -> Lines:
        if format_ == "json":
            return objects.read(text)
        lines = sheets.read(text, delimiter=self.settings.delimiter, wanted=self.mapping.fields)
        if lines.headings is not None and not self.mapping.fields & lines.headings:
            needed = ", ".join(sorted(self.mapping.fields))
            raise FileRefused(f"The heading has none of the columns that the source's [mapping] reads: {needed}.")
        return lines

    def _stage(self, begun: Import, read: Sequence["_Read"], renew: Renew) -> None:
        digests = {each.external_id: each.digest for each in read if each.external_id and each.digest}
        with self.store.begin(begun.tenant, write=False) as tx:
            # What an earlier file, or an event that waits, will have changed by then is not known yet.
            is_behind = imports.is_behind_another(tx, begun) or hr_events.are_waiting(tx, begun.source)
            known = frozenset() if is_behind else staging.unchanged_of(tx, begun.source, digests)
        unchanged: list[tuple[int, str, str]] = []
        others: list[Staged] = []
        for each in read:
            if each.digest and each.external_id in known and digests[each.external_id] == each.digest:
                unchanged.append((each.position, each.external_id, each.digest))
            else:
                others.append(_staged(each))
        with self.store.begin(begun.tenant) as tx:
            _note(tx, begun)
            renew(tx)
            staging.keep_unchanged(tx, begun.id, unchanged)
            imports.stage(tx, begun.id, others)


def _cut_off(lines: Lines, arrival: Arrival) -> dict[str, str]:
    """Return what the report says of a file that ends too soon: what was lost of it has no row of its own."""
    if not lines.truncated:
        return {}
    said = f"The file is cut off: {lines.truncated}."
    if arrival.is_snapshot:
        return {"spared": f"{said} Nobody is taken for gone."}
    return {"reason": f"{said} What follows was not read: send the file again."}


def _note(tx: Transaction, begun: Import, **values: Any) -> None:
    """Note how far a file has come in, unless whoever looks for those that broke off has ended it."""
    if not imports.note_received(tx, begun.id, **values):
        raise FileRefused(imports.BROKE_OFF)


@dataclass(slots=True)
class _Read:
    """What is kept of a line until it is staged."""

    position: int
    external_id: str = ""
    digest: str = ""
    fields: Mapping[str, Any] | None = field(default=None, repr=False)
    fault: str = ""


class _Reader:
    """Tells of the lines of one file whom they are about, and by what they are known again."""

    def __init__(self, mapping: RowMapping, key: bytes, *, headings: frozenset[str] | None) -> None:
        self._mapping = mapping
        self._digest = hashlib.blake2b(digest_size=16, key=key)
        self._columns = None if headings is None else sorted(mapping.fields & headings)
        if self._columns is not None:
            # A column more may make another person of the same cells.
            self._digest.update(to_json(self._columns))

    def read(self, line: Line) -> _Read:
        """Return a row's id, its digest and what the mapping reads of it."""
        if line.fields is None:
            return _Read(line.position, fault=line.fault)
        digest = self._digest.copy()
        if self._columns is None:
            fields: Mapping[str, Any] = self._mapping.only(line.fields)
            digest.update(_SORTED.encode(fields).encode("utf-8", "surrogatepass"))
        else:
            # Cells are texts, and only those that the mapping reads: they come in the same order in every file.
            fields = line.fields
            digest.update(repr([fields[name] for name in self._columns]).encode())
        return _Read(line.position, self._mapping.id_of(fields), digest.hexdigest(), fields)


def _format_of(file: BinaryIO) -> Format:
    first = file.read(64).lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")
    file.seek(0)
    return "json" if first[:1] in (b"[", b"{") else "csv"


def _batches(lines: Lines) -> Iterator[list[Line]]:
    some: list[Line] = []
    for line in lines:
        some.append(line)
        if len(some) == STAGED_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _staged(read: _Read) -> Staged:
    if read.fields is None:
        return _refused(read, "row_not_read")
    if not read.external_id:
        return _refused(read, "row_without_id")
    fields = compact_json(read.fields)
    if not is_storable(fields):
        return _refused(read, "invalid_value")
    return Staged(position=read.position, external_id=read.external_id, digest=read.digest, fields=fields)


def _refused(read: _Read, name: str) -> Staged:
    code = code_named(name)
    return Staged(
        position=read.position,
        external_id=read.external_id,
        outcome="refused",
        code=code.name,
        field=code.field,
        advice=f"{code.advice} {read.fault}".rstrip(),
    )
