"""What can be done by command can be done by the API, and the other way round; where not, the reason is told here."""

from collections.abc import Iterator

import click

from scim_bridge.cli import main
from scim_bridge.web.api.catalogue import OPERATIONS

ONLY_BY_COMMAND = {
    **dict.fromkeys(("up", "web", "worker", "relay"), "starts processes; the API is one of them"),
    "migrate": "comes before any process can start",
    "doctor": "examines the machine on which it is called, also one on which nothing starts",
    "completion": "is about the shell in which it is called",
    "demo": "plays the product without an installation",
    "chaos": "breaks bridges of its own on purpose",
    "bench": "measures this machine",
    "hr import": "sends a file; POST /hr/v1/imports takes it with a token of the source that speaks",
    "replay run": "plans and approves in one step, for scripts; the API has the two steps",
}

ONLY_BY_API = {"lane_calls": "feeds a chart; status tells the same as a sentence: what is owed, and how long it takes"}


def commands(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every command that does something by itself, in words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        words = (*before, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join(words)
        if isinstance(command, click.Group):
            yield from commands(command, words)


def is_only_by_command(command: str) -> bool:
    return any(command == each or command.startswith(f"{each} ") for each in ONLY_BY_COMMAND)


def test_every_command_has_an_operation_of_the_api_or_a_reason() -> None:
    by_api = {each.command for each in OPERATIONS}
    assert {each for each in commands(main) if each not in by_api and not is_only_by_command(each)} == set()


def test_every_operation_of_the_api_has_a_command() -> None:
    there = set(commands(main))
    assert {each.name for each in OPERATIONS if each.command not in there} == set(ONLY_BY_API)


def test_no_reason_is_told_of_what_the_api_can_do_or_of_what_is_not_there() -> None:
    there = set(commands(main))
    by_api = {each.command for each in OPERATIONS}
    for each in ONLY_BY_COMMAND:
        assert each not in by_api
        assert any(command == each or command.startswith(f"{each} ") for command in there), each
