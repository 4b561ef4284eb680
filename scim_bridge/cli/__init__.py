"""The scim-bridge command: a module a group of commands. A command parses, calls one function and prints."""

import sys
import traceback
from typing import Any

import click

from scim_bridge.cli import benches, chaos, hr, hr_events, mapping, operating, processes, tokens
from scim_bridge.errors import BridgeError
from scim_bridge.store import readiness
from scim_bridge.store.engine import StoreUnavailable


class _Commands(click.Group):
    """A group whose commands fail in sentences, never in tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BridgeError as error:
            _fail(str(error), error.exit_code)
        except StoreUnavailable as error:
            _fail(readiness.sentence(error), 1)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - the command's outermost edge
            # The place is enough for a report; the message may quote a row.
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind = type(error).__name__
            _fail(f"this is a fault of scim-bridge, please report it: {kind} at {place.name} in {place.filename}", 1)


def _fail(sentence: str, exit_code: int) -> None:
    click.echo(f"scim-bridge: {sentence}", err=True)
    sys.exit(exit_code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scim-bridge", prog_name="scim-bridge")
def main() -> None:
    """Bring users and groups from identity providers and HR systems to learning platforms."""


for _command in (
    *processes.COMMANDS,
    *tokens.COMMANDS,
    *operating.COMMANDS,
    *mapping.COMMANDS,
    *hr.COMMANDS,
    *benches.COMMANDS,
    *chaos.COMMANDS,
):
    main.add_command(_command)
for _command in hr_events.COMMANDS:
    hr.hr.add_command(_command)
