"""How often the rows of an import are counted when its sender asks all the time."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from scim_bridge.intake.hr.imports.progress import MOST, REST, SHORT_S, Progress
from scim_bridge.store.imports import Import

IMPORT = Import(
    id=1,
    tenant="acme",
    source="hr",
    name="one",
    is_snapshot=True,
    is_dry_run=False,
    is_whole=True,
    status="waiting",
    step="",
    reached=0,
    rows=200_000,
    reason="",
    spared="",
    token_id=None,
    correlation_id="c",
    said_at=1,
    at=1,
    worked_at=1,
    finished_at=None,
)


@dataclass
class Database:
    """Counts, and takes its time for it."""

    takes_s: float
    now_s: float = 0.0
    counted: list[int] = field(default_factory=list)

    def __call__(self, found: Import) -> dict[str, int]:
        self.now_s += self.takes_s
        self.counted.append(found.id)
        return {"created": len(self.counted)}

    def timer(self) -> float:
        return self.now_s


def asking(database: Database) -> Callable[[Import], int]:
    progress = Progress(database, timer=database.timer)
    return lambda found: progress.outcomes(found)["created"]


def test_what_is_counted_at_once_is_counted_for_everybody() -> None:
    ask = asking(Database(takes_s=SHORT_S / 2))
    assert [ask(IMPORT) for _ in range(3)] == [1, 2, 3]


def test_what_takes_long_is_told_again_for_a_while() -> None:
    database = Database(takes_s=1.0)
    ask = asking(database)
    assert [ask(IMPORT), ask(IMPORT)] == [1, 1]
    database.now_s += REST - 0.5
    assert ask(IMPORT) == 1
    database.now_s += 1.0
    assert ask(IMPORT) == 2


def test_the_end_is_told_as_it_is() -> None:
    ask = asking(Database(takes_s=1.0))
    assert [ask(IMPORT), ask(replace(IMPORT, finished_at=7))] == [1, 2]


def test_one_import_says_nothing_of_another() -> None:
    database = Database(takes_s=1.0)
    ask = asking(database)
    assert [ask(IMPORT), ask(replace(IMPORT, id=2))] == [1, 2]
    assert database.counted == [1, 2]


def test_of_many_only_the_latest_are_remembered() -> None:
    database = Database(takes_s=1.0)
    progress = Progress(database, timer=database.timer)
    for number in range(MOST + 5):
        progress.outcomes(replace(IMPORT, id=number))
    assert len(progress._found) == MOST
