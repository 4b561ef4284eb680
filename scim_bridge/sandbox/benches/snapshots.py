"""`scim-bridge bench rows`: an HR system sends everybody, then everybody with 1 % of them changed, and that again."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from scim_bridge.sandbox.benches import databases, figures, footprints, front_door, snapshots_plan, snapshots_sending
from scim_bridge.sandbox.benches.front_door import FrontDoor
from scim_bridge.sandbox.benches.snapshots_plan import Plan, Sheet
from scim_bridge.sandbox.benches.snapshots_sending import SOURCE, Told
from scim_bridge.sandbox.stories import worlds
from scim_bridge.settings import loading
from scim_bridge.store import comparing, lanes, tokens
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger
from scim_bridge.supervisor import commands

SECONDS = 20.0
MOST_MB = 150.0

FIRST, TRIED, CHANGED, AGAIN = "everybody is new", "dry run of the changes", "1 % changed", "the same again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be measured."""

    stores: Sequence[str]
    rows: int
    seed: int
    postgres_url: str | None = field(default=None, repr=False)
    parent: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of one file, from the first byte sent to the last byte of its report."""

    name: str
    took_s: float
    cpu_s: float
    """Of the bridge's processes."""
    database_cpu_s: float | None
    """None: the database has no processes of its own here."""
    peak_mb: float
    """The most that any of the bridge's processes had so far."""
    told: Told = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "name": self.name,
            "took_s": round(self.took_s, 2),
            "cpu_s": round(self.cpu_s, 2),
            "database_cpu_s": None if self.database_cpu_s is None else round(self.database_cpu_s, 2),
            "peak_mb": round(self.peak_mb, 1),
            "outcomes": dict(sorted(self.told.outcomes.items())),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """What became of all files on one database; `bars` are sentences, and whether each holds."""

    store: str
    runs: Sequence[Run]
    bars: Sequence[tuple[str, bool]]

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "store": self.store,
            "runs": [run.to_json() for run in self.runs],
            "bars": [{"bar": sentence, "met": met} for sentence, met in self.bars],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured on each database."""

    order: Order
    companies: Sequence[Company]

    @property
    def missed(self) -> list[str]:
        """Return a sentence for everything that went wrong, or misses its bar."""
        return [f"{each.store}: {sentence}" for each in self.companies for sentence, met in each.bars if not met]

    def to_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        told = {"seed": self.order.seed, "rows": self.order.rows}
        return {**told, "companies": [each.to_json() for each in self.companies], "missed": self.missed}

    def show(self, console: Console) -> None:
        """Print one table, and the bars that are met; those that are not, the command prints."""
        shown: dict[str, Callable[[Run], str]] = {
            "s": lambda run: f"{run.took_s:.1f}",
            "CPU s": lambda run: f"{run.cpu_s:.1f}",
            "database's CPU s": lambda run: "-" if run.database_cpu_s is None else f"{run.database_cpu_s:.1f}",
            "rows that are not unchanged": lambda run: f"{len(run.told.touched):,}",
        }
        lines = [
            [f"{name}: {what}", *(cell(each.runs[place]) for each in self.companies)]
            for place, name in enumerate((FIRST, TRIED, CHANGED, AGAIN))
            for what, cell in shown.items()
        ]
        lines.append(["peak memory of a process, MB", *(f"{each.runs[-1].peak_mb:.0f}" for each in self.companies)])
        title = f"Snapshots of {self.order.rows:,} people, from upload to the end of the report"
        figures.print_table(title, ["", *(each.store for each in self.companies)], lines, console=console)
        for each in self.companies:
            for sentence, met in each.bars:
                if met:
                    console.print(f"MET     {each.store}: {sentence}", highlight=False, soft_wrap=True)


def run(order: Order, *, console: Console) -> Report:
    """Send the files to a front door and a relay, and compare what became of them; everything is removed at the end.

    Raises:
        UsageError: there is no such database, or nothing can be written.
        BenchFailed, StageFailed: there is no answer, or something does not start.
    """
    databases.check(order.stores, postgres_url=order.postgres_url)
    companies: list[Company] = []
    for store in order.stores:
        with (
            databases.folder(order.parent) as folder,
            databases.made(store, folder=folder, postgres_url=order.postgres_url) as url,
            front_door.opened(url, folder=folder, more=snapshots_sending.source()) as door,
        ):
            companies.append(_company(door, order, store=store, folder=folder, console=console))
    return Report(order=order, companies=companies)


def _company(door: FrontDoor, order: Order, *, store: str, folder: Path, console: Console) -> Company:
    plan = snapshots_plan.make(people=order.rows, seed=order.seed)
    first = snapshots_plan.write(plan.first(), folder / "first.csv")
    second = snapshots_plan.write(plan.second(), folder / "second.csv")
    with ExitStack() as stack:
        settings = loading.load(folder / "bridge.toml", environ={})
        environ = commands.environment(settings, environ=worlds.environment(), config_path=str(folder / "bridge.toml"))
        relay = stack.enter_context(
            worlds.running("relay", commands.relay(), folder=folder, patience_s=front_door.STOP_S, environ=environ)
        )
        with door.store.begin(front_door.TENANT) as tx:
            token = tokens.issue(tx, scopes=["hr"], source=SOURCE, name="bench").value
        runs: list[Run] = []
        for name, sheet in ((FIRST, first), (TRIED, second), (CHANGED, second), (AGAIN, second)):
            measured = _measured(name, sheet, door, token, [door.process.popen.pid, relay.popen.pid], folder=folder)
            relay.check()
            console.print(f"{store}: {name}: {measured.took_s:.1f} s", highlight=False)
            runs.append(measured)
    return Company(store=store, runs=runs, bars=[*bars(plan, runs), *books(door.store, plan)])


def _measured(name: str, sheet: Sheet, door: FrontDoor, token: str, roots: Sequence[int], *, folder: Path) -> Run:
    postmaster = footprints.postmaster_of(folder)

    def used() -> tuple[float, float]:
        ours = footprints.cpu_s(pid for root in roots for pid in footprints.family(root))
        return ours, 0.0 if postmaster is None else footprints.cpu_s(footprints.family(postmaster))

    cpu_s, database_cpu_s = used()
    began = time.perf_counter()
    told = snapshots_sending.send(sheet, port=door.port, token=token, is_dry_run=name == TRIED)
    took_s, after = time.perf_counter() - began, used()
    return Run(
        name=name,
        took_s=took_s,
        cpu_s=after[0] - cpu_s,
        database_cpu_s=None if postmaster is None else after[1] - database_cpu_s,
        peak_mb=footprints.peak_mb(pid for root in roots for pid in footprints.family(root)),
        told=told,
    )


def bars(plan: Plan, runs: Sequence[Run]) -> Iterator[tuple[str, bool]]:
    """Yield what is promised of the files, each with whether it holds."""
    first, tried, changed, again = runs
    for each in (changed, again):
        yield f"{each.name}: {each.took_s:.1f} s, the bar is {SECONDS:g} s", each.took_s < SECONDS
    peak_mb = max(each.peak_mb for each in runs)
    yield f"the largest process had {peak_mb:.0f} MB, the bar is {MOST_MB:g} MB", peak_mb < MOST_MB
    wanted = plan.changes()
    everybody = len(wanted) + plan.unchanged
    yield (
        f"{first.name}: {first.told.outcomes['created']} of {plan.people} rows made somebody",
        first.told.outcomes == {"created": plan.people},
    )
    for each in (tried, changed):
        yield (
            f"{each.name}: {len(each.told.touched)} rows changed somebody, {len(wanted)} should",
            each.told.touched == wanted,
        )
        yield (
            f"{each.name}: the report tells of {each.told.outcomes.total()} people, {everybody} are concerned",
            each.told.outcomes == Counter(wanted.values()) + Counter(unchanged=plan.unchanged),
        )
    yield f"{again.name}: {len(again.told.touched)} rows became anything", set(again.told.outcomes) == {"unchanged"}


def books(store: Store, plan: Plan) -> Iterator[tuple[str, bool]]:
    """Compare the directory with what the last file says, and have the books proved: each change owes one operation."""
    wanted = plan.titles()
    with store.begin(front_door.TENANT, write=False) as tx:
        lane = lanes.by_target(tx, front_door.TARGET)
    assert lane is not None  # noqa: S101 - the front door was opened with it
    wrong = there = 0
    for person, _ in comparing.users(store, front_door.TENANT, lane.id):
        there += 1
        found = person.document.get("title"), person.document.get("active", True)
        wrong += wanted.get(person.document["userName"]) != found
    yield (
        f"{wrong} of {there} people are not as their rows say, {len(wanted)} should be there",
        (wrong == 0 and there == len(wanted)),
    )
    proved = verify_ledger(store, front_door.TENANT)
    [tenant] = proved["tenants"]
    changes, operations = tenant["changes"]["accepted"], sum(tenant["operations"].values())
    due = plan.people + len(plan.changes())
    yield f"{changes} changes and {operations} operations are in the books, {due} are due", changes == operations == due
    yield "the books agree" if proved["balanced"] else "the books do not agree", proved["balanced"]
