"""Commands for one installation: examine it, read the runbooks, complete commands in a shell."""

import os
from typing import Any

import click
from click.shell_completion import get_completion_class

from scim_bridge import logs, wiring
from scim_bridge.cli.options import config_option, json_option, print_json
from scim_bridge.errors import UsageError
from scim_bridge.operators import doctor as examination
from scim_bridge.operators import runbooks
from scim_bridge.operators.findings import Grade
from scim_bridge.settings.loading import Role

_ROLES = ("web", "worker", "relay", "all")
_SIGNS = {"good": "good   ", "warning": "WARNING", "wrong": "WRONG  "}


@click.command()
@config_option
@click.option("--role", type=click.Choice(_ROLES), help="Look for the secrets of such a process, which must be here.")
@json_option
@click.pass_context
def doctor(ctx: click.Context, config: str | None, role: str | None, *, as_json: bool) -> None:
    """Examine this installation; exit 0 when nothing is wrong, warnings aside, else 1. Changes nothing."""
    logs.configure("error", process="cli")
    found = examination.examine(
        config,
        role=None if role is None else Role(role),
        environ=os.environ,
        clock=wiring.now_ms,
        queue_url_of=wiring.queue_url,
    )
    if as_json:
        print_json(found)
    else:
        _tell(found)
    ctx.exit(1 if found["grade"] == Grade.WRONG.value else 0)


def _tell(found: dict[str, Any]) -> None:
    for each in found["checks"]:
        click.echo(f"{_SIGNS[each['grade']]}  {each['check']}: {each['what']}")
        if each["advice"]:
            click.echo(f"         {each['advice']}")


@click.command()
@click.argument("code", required=False)
@json_option
def runbook(code: str | None, *, as_json: bool) -> None:
    """Print the page of CODE, a code of an outcome or notice-<kind>; without it, the names of all pages."""
    if code is None:
        titles = {name: runbooks.title(name) for name in runbooks.names()}
        if as_json:
            print_json({"runbooks": [{"code": name, "title": title} for name, title in titles.items()]})
        else:
            for name, title in titles.items():
                click.echo(f"{name:<26}{title}")
        return
    page = runbooks.page(code)
    if page is None:
        raise UsageError(f"there is no page {code}; scim-bridge runbook lists all")
    if as_json:
        print_json({"code": code, "title": runbooks.title(code), "text": page})
    else:
        click.echo(page.rstrip())


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete the commands and their options.

    bash: add to ~/.bashrc: eval "$(scim-bridge completion bash)"

    zsh: add to ~/.zshrc: eval "$(scim-bridge completion zsh)"

    fish: scim-bridge completion fish > ~/.config/fish/completions/scim-bridge.fish
    """
    script = get_completion_class(shell)
    assert script is not None  # noqa: S101 - click has one for each of the choices
    click.echo(script(ctx.find_root().command, {}, "scim-bridge", "_SCIM_BRIDGE_COMPLETE").source())


COMMANDS = (doctor, runbook, completion)
