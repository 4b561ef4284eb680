"""The command that breaks the bridge on purpose and looks whether anybody was lost."""

import random

import click

from scim_bridge.cli.options import json_option, print_json

INTERRUPTED = 130


@click.command()
@click.option("--rounds", type=click.IntRange(1, 100_000), default=9, show_default=True, help="About 15 s each.")
@click.option("--seed", type=int, help="What is broken when; printed when not given.")
@click.option(
    "--store",
    type=click.Choice(["sqlite", "postgresql"]),
    default="sqlite",
    show_default=True,
    help="The database; PostgreSQL is the one that pip install 'scim-bridge[test]' brings along.",
)
@json_option
@click.pass_context
def chaos(ctx: click.Context, rounds: int, seed: int | None, store: str, *, as_json: bool) -> None:
    """Break workers, queue and database in the middle of deliveries; exit 1 when anybody is lost, doubled or stuck.

    Real processes on simulated targets. In each round people are pushed, changed and deactivated while a worker is
    killed, or stopped and continued later, at a numbered step of its round of delivery; another goes on. At the end of
    a round the targets must hold exactly what the sender had accepted, and the books must agree.
    """
    from scim_bridge.sandbox.chaos import rounds as chaos_rounds  # noqa: PLC0415 - only for those who play with it
    from scim_bridge.sandbox.interrupts import signals_as_interrupts  # noqa: PLC0415 - as above

    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    played = []
    try:
        with signals_as_interrupts():
            for each in chaos_rounds.play(store, rounds=rounds, seed=seed):
                played.append(each)
                faults = (*each.lost, *each.twice, *each.stuck, *each.other)
                click.echo(
                    f"round {each.round.number} of {rounds}  seed {seed}  {each.elapsed_s:5.1f} s  "
                    f"{each.round.told}: {'good' if each.is_good else 'WRONG'}",
                    err=as_json,
                )
                for fault in faults:
                    click.echo(f"  {fault}", err=as_json)
    except KeyboardInterrupt:
        click.echo("stopped; everything is removed", err=True)
        ctx.exit(INTERRUPTED)
    totals = {
        "rounds": len(played),
        "seed": seed,
        "lost": sum(len(each.lost) for each in played),
        "twice": sum(len(each.twice) for each in played),
        "stuck": sum(len(each.stuck) for each in played),
        "other": sum(len(each.other) for each in played),
    }
    if as_json:
        print_json(totals)
    else:
        click.echo(
            f"{len(played)} rounds, seed {seed}: {totals['lost']} lost, {totals['twice']} twice applied, "
            f"{totals['stuck']} stuck, {totals['other']} otherwise wrong"
        )
    ctx.exit(0 if all(each.is_good for each in played) else 1)


COMMANDS = (chaos,)
