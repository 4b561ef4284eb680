"""Commands that measure what is promised of the bridge's speed, on this machine."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click
from rich.console import Console

from scim_bridge.cli.options import json_option, print_json
from scim_bridge.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


class Report(Protocol):
    """What a bench found."""

    @property
    def missed(self) -> list[str]:
        """Return a sentence for everything that went wrong, or misses its bar."""

    def to_json(self) -> dict[str, Any]:
        """Return all of it as `--json` prints it."""

    def show(self, console: Console) -> None:
        """Print the figures."""


MOST_USERS = 10_000_000
INTERRUPTED = 130

_WHERE = (
    click.option(
        "--store",
        "choice",
        type=click.Choice(["sqlite", "postgresql", "both"]),
        default="both",
        show_default=True,
        help="The database, or one after the other.",
    ),
    click.option(
        "--postgres-url",
        metavar="URL",
        envvar="SCIM_BRIDGE_BENCH_POSTGRES_URL",
        help="A PostgreSQL server and a user who may make databases (and, at first, the role of the bridge) there, "
        "as postgresql://user@host/postgres; the bench makes one of its own and drops it. "
        "Unless given, the one that pip install 'scim-bridge[test]' brings along.",
    ),
    click.option(
        "--dir",
        "parent",
        type=click.Path(path_type=Path, resolve_path=True),
        help="Where the databases are kept meanwhile; a million users take about 5 GB. Else the temporary folder.",
    ),
    click.option("--seed", type=int, help="Who is asked for; printed when not given."),
)


def where_options(command: F) -> F:
    """Add the options that say on which databases, and where."""
    for option in reversed(_WHERE):
        command = option(command)
    return command


@click.group()
def bench() -> None:
    """Measure on this machine what is promised of the bridge's speed."""


@bench.command("directory")
@click.option(
    "--users",
    metavar="N,N,...",
    default="1000,10000,100000",
    show_default=True,
    help="The directory's sizes, each built up from the one before. Promised is 1000,10000,100000,1000000.",
)
@click.option(
    "--requests", type=click.IntRange(1, 100_000), default=300, show_default=True, help="Of each kind, at each size."
)
@where_options
@json_option
@click.pass_context
def bench_directory(
    ctx: click.Context,
    users: str,
    requests: int,
    choice: str,
    postgres_url: str | None,
    parent: Path | None,
    seed: int | None,
    *,
    as_json: bool,
) -> None:
    """Ask directories of several sizes over HTTP; exit 1 when a bar is missed, and say which.

    One client asks, one request after the other, after a warm-up. A cursor leads only from page to page, so the way to
    the middle of the list is walked, in pages of 100, before reading on from there is measured.
    """
    from scim_bridge.sandbox.benches import databases, directory  # noqa: PLC0415 - see _finish

    order = directory.Order(
        stores=databases.chosen(choice),
        users=parse_sizes(users),
        requests=requests,
        seed=_seed(seed),
        postgres_url=postgres_url,
        parent=parent,
    )
    _finish(ctx, lambda console: directory.run(order, console=console), seed=order.seed, as_json=as_json)


@bench.command("group")
@click.option("--members", type=click.IntRange(1, 1_000_000), default=50_000, show_default=True, help="At first.")
@click.option("--clients", type=click.IntRange(1, 256), default=16, show_default=True, help="At the same time.")
@click.option("--patches", type=click.IntRange(1, 1_000_000), default=2_000, show_default=True, help="Of all clients.")
@where_options
@json_option
@click.pass_context
def bench_group(
    ctx: click.Context,
    members: int,
    clients: int,
    patches: int,
    choice: str,
    postgres_url: str | None,
    parent: Path | None,
    seed: int | None,
    *,
    as_json: bool,
) -> None:
    """Have many clients add and remove members of one large group; exit 1 when one is lost or a bar is missed.

    Each client changes members of its own, and sends its next PATCH when the last one is answered. In the end the
    members in the database must be exactly those of the model, and the books must agree.
    """
    from scim_bridge.sandbox.benches import databases, group  # noqa: PLC0415 - see _finish

    order = group.Order(
        stores=databases.chosen(choice),
        members=members,
        clients=clients,
        patches=patches,
        seed=_seed(seed),
        postgres_url=postgres_url,
        parent=parent,
    )
    _finish(ctx, lambda console: group.run(order, console=console), seed=order.seed, as_json=as_json)


PARTS = ("creates", "edits", "backlog", "leavers", "choosing", "poison", "hung", "replay", "all")


@bench.command("delivery")
@click.option(
    "--part",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    default=("all",),
    show_default=True,
    help="What to measure; may be given several times.",
)
@click.option(
    "--users",
    type=click.IntRange(1, MOST_USERS),
    help="In place of each part's own number, which is the promised one. Creates: 200 a call, 10 calls in 10 s.",
)
@where_options
@json_option
@click.pass_context
def bench_delivery(
    ctx: click.Context,
    parts: tuple[str, ...],
    users: int | None,
    choice: str,
    postgres_url: str | None,
    parent: Path | None,
    seed: int | None,
    *,
    as_json: bool,
) -> None:
    """Have simulated targets told of many people; exit 1 when a bar is missed, and say which.

    creates: new people at the real limit. edits: several changes of one person. backlog: throughput without limits, and
    the workers' memory. leavers: deactivations while creates wait. choosing: who is next, in a short backlog and in a
    long one. poison: one user who is refused among many. hung: a target that is silent beside one that is not.
    replay: people whom a mapping kept out, by a plan once it is mended, in the time that the plan shows.
    """
    from scim_bridge.sandbox.benches import databases, delivery  # noqa: PLC0415 - see _finish

    order = delivery.Order(
        stores=databases.chosen(choice),
        parts=delivery.chosen(parts),
        users=users,
        seed=_seed(seed),
        postgres_url=postgres_url,
        parent=parent,
    )
    _finish(ctx, lambda console: delivery.run(order, console=console), seed=order.seed, as_json=as_json)


@bench.command("events")
@click.option("--seconds", type=click.IntRange(1, 86_400), default=600, show_default=True, help="How long.")
@click.option("--rate", type=click.IntRange(1, 1_000), default=50, show_default=True, help="Events a second.")
@where_options
@json_option
@click.pass_context
def bench_events(
    ctx: click.Context,
    seconds: int,
    rate: int,
    choice: str,
    postgres_url: str | None,
    parent: Path | None,
    seed: int | None,
    *,
    as_json: bool,
) -> None:
    """Have an HR system send events, a tenth twice, a twentieth late; exit 1 when one is lost or a bar is missed.

    Each is signed and sent when it is due, whether or not earlier ones are answered. In the end the people in the
    directory must be exactly those of the model, and the books must agree.
    """
    from scim_bridge.sandbox.benches import databases, events  # noqa: PLC0415 - see _finish

    order = events.Order(
        stores=databases.chosen(choice),
        seconds=seconds,
        rate=rate,
        seed=_seed(seed),
        postgres_url=postgres_url,
        parent=parent,
    )
    _finish(ctx, lambda console: events.run(order, console=console), seed=order.seed, as_json=as_json)


@bench.command("rows")
@click.option("--rows", type=click.IntRange(100, 1_000_000), default=200_000, show_default=True, help="Of each file.")
@where_options
@json_option
@click.pass_context
def bench_rows(
    ctx: click.Context,
    rows: int,
    choice: str,
    postgres_url: str | None,
    parent: Path | None,
    seed: int | None,
    *,
    as_json: bool,
) -> None:
    """Have an HR system send everybody, then everybody with 1 % changed, twice; exit 1 when a bar is missed.

    Each file is a snapshot, sent over HTTP and worked off by a relay; the one with the changes is tried by a dry run
    before. Time is reckoned until the whole report is read. In the end directory and books must be those of the model.
    """
    from scim_bridge.sandbox.benches import databases, snapshots  # noqa: PLC0415 - see _finish

    order = snapshots.Order(
        stores=databases.chosen(choice),
        rows=rows,
        seed=_seed(seed),
        postgres_url=postgres_url,
        parent=parent,
    )
    _finish(ctx, lambda console: snapshots.run(order, console=console), seed=order.seed, as_json=as_json)


@bench.command("inbox")
@click.option(
    "--operations", type=click.IntRange(1_000, 10_000_000), default=1_000_000, show_default=True, help="In all."
)
@click.option("--dead", type=click.IntRange(10, 1_000_000), default=50_000, show_default=True, help="Of these.")
@click.option("--requests", type=click.IntRange(1, 10_000), default=40, show_default=True, help="Of each kind.")
@where_options
@json_option
@click.pass_context
def bench_inbox(
    ctx: click.Context,
    operations: int,
    dead: int,
    requests: int,
    choice: str,
    postgres_url: str | None,
    parent: Path | None,
    seed: int | None,
    *,
    as_json: bool,
) -> None:
    """Ask for the dead in groups and pages, and for the lanes' figures, among many operations; exit 1 at a missed bar.

    Each question is asked again and again, in this process, without HTTP; none may take 300 ms at p95.
    """
    from scim_bridge.sandbox.benches import databases, inbox  # noqa: PLC0415 - see _finish

    order = inbox.Order(
        stores=databases.chosen(choice),
        operations=operations,
        dead=dead,
        requests=requests,
        seed=_seed(seed),
        postgres_url=postgres_url,
        parent=parent,
    )
    _finish(ctx, lambda console: inbox.run(order, console=console), seed=order.seed, as_json=as_json)


def parse_sizes(text: str) -> list[int]:
    """Return the numbers of a list like 1000,10000.

    Raises:
        UsageError: it is no such list, or a number is too small or too large.
    """
    sizes = []
    for part in text.split(","):
        if not part.strip().isdecimal() or not 1 <= int(part) <= MOST_USERS:
            raise UsageError(f"--users takes numbers from 1 to {MOST_USERS:,} with commas between, not {text!r}")
        sizes.append(int(part))
    return sizes


def _seed(given: int | None) -> int:
    return random.SystemRandom().randrange(1_000_000) if given is None else given


def _finish(ctx: click.Context, measure: Callable[[Console], Report], *, seed: int, as_json: bool) -> None:
    """Measure, print what was found, and exit 0 or 1. The sandbox is only read in by those who play with it."""
    from scim_bridge.sandbox.interrupts import signals_as_interrupts  # noqa: PLC0415 - as above

    progress = Console(stderr=True)
    # Figures of a machine that is busy with something else tell little.
    progress.print(
        f"seed {seed}; load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", highlight=False
    )
    try:
        with signals_as_interrupts():
            report = measure(progress)
    except KeyboardInterrupt:
        progress.print("stopped; everything is removed")
        ctx.exit(INTERRUPTED)
    if as_json:
        print_json(report.to_json())
    else:
        report.show(Console())
        for fault in report.missed:
            click.echo(f"MISSED  {fault}")
    ctx.exit(1 if report.missed else 0)


COMMANDS = (bench,)
