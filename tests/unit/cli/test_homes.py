"""Every command is found in its module, though only that of the command that was called is read."""

import importlib
import pkgutil
import subprocess
import sys

import click

from scim_bridge import cli


def test_every_module_s_commands_are_reached() -> None:
    context = click.Context(cli.main)
    top = {name: cli.main.get_command(context, name) for name in cli.main.list_commands(context)}
    below = [each for group in top.values() if isinstance(group, click.Group) for each in group.commands.values()]
    for found in pkgutil.iter_modules(cli.__path__):
        for command in getattr(importlib.import_module(f"scim_bridge.cli.{found.name}"), "COMMANDS", ()):
            assert command is top.get(command.name) or command in below, command.name


def test_a_process_that_only_starts_others_reads_no_models() -> None:
    code = "import sys; from scim_bridge import cli; cli.main(['up', '--help'], standalone_mode=False); "
    told = "print([each for each in ('scim2_models', 'flask') if each in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code + told], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"
