"""The command that breaks the bridge on purpose and looks whether anybody was lost."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from scim_bridge.cli.options import json_option, print_json

INTERRUPTED = 130


@click.command()
@click.option("--rounds", type=click.IntRange(1, 100_000), default=13, show_default=True, help="How many.")
@click.option("--seed", type=int, help="What is broken when; printed when not given.")
@click.option("--first", type=click.IntRange(1), default=1, show_default=True, help="The number to begin with.")
@click.option(
    "--abreast",
    type=click.IntRange(1, 32),
    default=4,
    show_default=True,
    help="Bridges side by side; a round is mostly waiting.",
)
@click.option(
    "--store",
    type=click.Choice(["sqlite", "postgresql"]),
    default="sqlite",
    show_default=True,
    help="The database; PostgreSQL is the one that pip install 'scim-bridge[test]' brings along.",
)
@json_option
@click.pass_context
def chaos(
    ctx: click.Context, rounds: int, seed: int | None, first: int, abreast: int, store: str, *, as_json: bool
) -> None:
    """Break workers, front door, queue, database in the middle of deliveries; exit 1 when anybody is lost or stuck.

    Real processes on simulated targets. In each round people are pushed, changed and deactivated while a process is
    killed, or stopped and continued later, at a numbered step; another goes on. At the end of a round the targets must
    hold exactly what the sender had accepted, nobody twice, and the books must agree. A round whose step nobody came to
    proves nothing and is not counted as good.
    """
    from scim_bridge.sandbox.chaos import abreast as side_by_side  # noqa: PLC0415 - only for those who play with it
    from scim_bridge.sandbox.interrupts import signals_as_interrupts  # noqa: PLC0415 - as above

    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    began = time.monotonic()
    played = []
    try:
        with signals_as_interrupts():
            numbers = range(first, first + rounds)
            for each in side_by_side.play(store, numbers=numbers, seed=seed, abreast=abreast):
                played.append(each)
                _tell_round(each, store=store, to_stderr=as_json)
    except KeyboardInterrupt:
        click.echo("stopped; everything is removed", err=True)
        ctx.exit(INTERRUPTED)
    totals = _totals(played, seed=seed, elapsed_s=time.monotonic() - began)
    if as_json:
        print_json(totals)
    else:
        _tell_totals(totals)
    ctx.exit(1 if any(each.faults for each in played) else 0)


def _tell_round(played: Any, *, store: str, to_stderr: bool) -> None:
    number, seed = played.round.number, played.round.seed
    verdict = "WRONG" if played.faults else "good"
    click.echo(
        f"round {number:3}  seed {seed}  {played.elapsed_s:5.1f} s  {played.round.told}: {verdict}", err=to_stderr
    )
    for fault in played.faults:
        click.echo(f"  {fault}", err=to_stderr)
    if played.faults:
        again = f"scim-bridge chaos --store {store} --seed {seed} --first {number} --rounds 1"
        click.echo(f"  again: {again}", err=to_stderr)


def _totals(played: Sequence[Any], *, seed: int, elapsed_s: float) -> dict[str, Any]:
    in_order = sorted(played, key=lambda each: (each.round.order.point, each.round.order.stops))
    return {
        "rounds": len(played),
        "seed": seed,
        "elapsed_s": round(elapsed_s, 1),
        "lost": sum(len(each.lost) for each in played),
        "twice": sum(len(each.twice) for each in played),
        "stuck": sum(len(each.stuck) for each in played),
        "other": sum(len(each.other) for each in played),
        "never_reached": sum(not each.was_reached for each in played),
        "struck": dict(Counter(each.round.way for each in in_order if each.was_reached)),
        "besides": dict(sorted(Counter(each.round.strike for each in played).items())),
    }


def _tell_totals(totals: dict[str, Any]) -> None:
    for name in ("struck", "besides"):
        for what, times in totals[name].items():
            click.echo(f"{times:5} rounds  {what}")
    click.echo(
        f"{totals['rounds']} rounds, seed {totals['seed']}, {totals['elapsed_s']:.0f} s: {totals['lost']} lost, "
        f"{totals['twice']} twice applied, {totals['stuck']} stuck, {totals['other']} otherwise wrong, "
        f"{totals['never_reached']} never reached"
    )


COMMANDS = (chaos,)
