"""Commands about the queue: jobs of ours that crashed, and waking all lanes again when the queue was lost."""

import click

from scim_bridge import wiring
from scim_bridge.cli import rows
from scim_bridge.cli.options import config_option, json_option, opened, print_json
from scim_bridge.errors import UsageError
from scim_bridge.operators import crashed
from scim_bridge.operators.replay import operator_name
from scim_bridge.settings.loading import Role

_JOB = {name: name for name in ("job", "at", "function", "tenant")}


@click.group()
def queue() -> None:
    """Look after the queue, which carries only names of work: what is lost with it, the store knows."""


@queue.command("crashed")
@config_option
@click.option("--tenant", metavar="T", help="Only this customer's.")
@json_option
def show_crashed(config: str | None, tenant: str | None, *, as_json: bool) -> None:
    """Show jobs that crashed by the bridge's own fault: when, what it was about, and where it broke off."""
    settings = wiring.load_settings(Role.OPERATOR, config)
    found = crashed.crashed(wiring.queue_url(settings), tenant=tenant)
    if as_json:
        print_json(found)
        return
    if found["crashed"]:
        told = [
            {**job, "arguments": ", ".join(map(str, job["arguments"])), "traceback": " < ".join(job["traceback"])}
            for job in found["crashed"]
        ]
        rows.print_rows(_JOB, told, below={"with": "arguments", "broke off": "traceback"})
    click.echo(f"{len(found['crashed'])} crashed")


@queue.command("retry")
@config_option
@click.argument("job", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="All that crashed.")
@click.option("--tenant", metavar="T", help="Only this customer's.")
@json_option
def retry(config: str | None, job: str | None, tenant: str | None, *, everything: bool, as_json: bool) -> None:
    """Have a crashed job run again, by its ID of queue crashed, or all of them."""
    if (job is None) != everything:
        raise UsageError("say what is to run again: the ID of one job, or --all")
    with opened(config) as (settings, store):
        url = wiring.queue_url(settings)
        result = crashed.put_back(store, url, who=operator_name(), tenant=tenant, job=job)
    if as_json:
        print_json(result)
        return
    click.echo(f"{result['jobs']} {'runs' if result['jobs'] == 1 else 'run'} again")
    if result["left_alone"]:
        click.echo(f"{result['left_alone']} left alone: none of the bridge's, or of no tenant that there is")


@queue.command("rebuild")
@config_option
@click.option("--tenant", metavar="T", help="Only this customer's lanes.")
@json_option
def rebuild(config: str | None, tenant: str | None, *, as_json: bool) -> None:
    """Wake every lane that has work now, after the queue was lost or emptied; the relay does so by itself, too."""
    with opened(config) as (settings, store):
        dispatcher = wiring.open_dispatcher(settings)
        try:
            result = crashed.rebuild(store, dispatcher, wiring.queue_url(settings), who=operator_name(), tenant=tenant)
        finally:
            dispatcher.close()
    if as_json:
        print_json(result)
        return
    for lane in result["lanes"]:
        click.echo(f"woken: {lane['tenant']} {lane['target']}")
    count = len(result["lanes"])
    click.echo(f"{count} {'lane has' if count == 1 else 'lanes have'} work and {'was' if count == 1 else 'were'} woken")


COMMANDS = (queue,)
