"""The command that shows the whole product without any account."""

import click

from scim_bridge.cli.options import json_option


@click.command()
@click.option("--once", is_flag=True, help="Play it and end; exit 0 when nothing is lost and the books agree.")
@click.option("--scenario", metavar="NAME", help="What goes wrong; without it, nothing much does.")
@click.option("--list-scenarios", "lists", is_flag=True, help="Show the names of all scenarios, and end.")
@json_option
@click.pass_context
def demo(ctx: click.Context, scenario: str | None, *, once: bool, lists: bool, as_json: bool) -> None:
    """Run the bridge between made-up senders and simulated targets."""
    # The sandbox brings servers and senders of its own, which no other command has a use for.
    from scim_bridge.sandbox.stories import demo as story  # noqa: PLC0415 - see above

    ctx.exit(story.run(once=once, scenario=story.HELP if lists else scenario, as_json=as_json))


COMMANDS = (demo,)
