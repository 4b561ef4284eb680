"""The scim-bridge command: a module a group of commands. A command parses, calls one function and prints.

Only the module of the command that was called is read: all of them together take longer to read than most commands run.
"""

import importlib
import sys
import traceback
from typing import Any

import click

from scim_bridge import reading
from scim_bridge.errors import BridgeError

HOMES: dict[str, tuple[str, ...]] = {
    "audit": ("auditing",),
    "batch": ("people",),
    "bench": ("benches",),
    "chaos": ("chaos",),
    "completion": ("examining",),
    "demo": ("showing",),
    "doctor": ("examining",),
    "drift": ("drifting",),
    "failed": ("failures", "inbox"),
    "hold": ("deciding",),
    "hr": ("hr", "hr_events", "hr_imports"),
    "inbound": ("inbound",),
    "lane": ("deciding",),
    "ledger": ("operating",),
    "mapping": ("mapping",),
    "migrate": ("bringing_up",),
    "queue": ("queueing",),
    "reconcile": ("drifting",),
    "relay": ("processes",),
    "replay": ("failures", "replaying"),
    "runbook": ("examining",),
    "status": ("operating",),
    "target": ("drifting",),
    "token": ("tokens",),
    "up": ("bringing_up",),
    "user": ("people",),
    "web": ("processes",),
    "worker": ("processes",),
}
"""Each command's module; what further modules name stands below it."""


class _Commands(click.Group):
    """A group whose commands fail in sentences, never in tracebacks."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click has it
        """Return the names of all commands."""
        return sorted(HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, read when it is first asked for."""
        if cmd_name in HOMES and cmd_name not in self.commands:
            own, *below = (_commands_in(module) for module in HOMES[cmd_name])
            command = own[cmd_name]
            for each in (each for commands in below for each in commands.values()):
                if isinstance(command, click.Group):
                    command.add_command(each)
            self.add_command(command)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BridgeError as error:
            _fail(f"{error}{error.aside}", error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - the command's outermost edge
            _tell_store_unavailable(error)
            # The place is enough for a report; the message may quote a row.
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind = type(error).__name__
            _fail(f"this is a fault of scim-bridge, please report it: {kind} at {place.name} in {place.filename}", 1)


def _commands_in(module: str) -> dict[str, click.Command]:
    with reading.undisturbed():
        found = importlib.import_module(f"{__name__}.{module}").COMMANDS
    return {str(each.name): each for each in found}


def _tell_store_unavailable(error: Exception) -> None:
    """Fail in the sentence of a store that does not answer, if that is what the error says."""
    engine = sys.modules.get("scim_bridge.store.engine")
    if engine is None or not isinstance(error, engine.StoreUnavailable):
        return
    from scim_bridge.store import readiness  # noqa: PLC0415 - a command that works on no store does without

    _fail(readiness.sentence(error), 1)


def _fail(sentence: str, exit_code: int) -> None:
    click.echo(f"scim-bridge: {sentence}", err=True)
    sys.exit(exit_code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scim-bridge", prog_name="scim-bridge")
def main() -> None:
    """Bring users and groups from identity providers and HR systems to learning platforms."""
