"""How rows are shown: whole, whatever is in them, at every width."""

import io

import pytest
from rich.console import Console

from scim_bridge.cli import rows

FACTS = {"user": "user", "code": "code"}
BELOW = {"what to do": "advice", "reason": "detail"}
LONG = "a.person.with.a.very.long.name@subsidiary.of.a.company.example.com"
ROW = {"user": LONG, "code": None, "advice": "Mend [x] first", "detail": "refused [/x] and [bold]"}


def console(width: int, *, is_terminal: bool = True) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=is_terminal, color_system=None)


def printed(at: Console) -> str:
    assert isinstance(at.file, io.StringIO)
    return at.file.getvalue()


def test_a_wide_terminal_gets_a_table_with_brackets_as_they_are() -> None:
    wide = console(200)
    rows.print_rows(FACTS, [ROW], below=BELOW, console=wide)
    for text in ("what to do", LONG, "Mend [x] first", "refused [/x] and [bold]"):
        assert text in printed(wide)


@pytest.mark.parametrize(("width", "is_terminal"), [(80, True), (200, False)], ids=["narrow", "pipe"])
def test_elsewhere_a_row_is_a_block_that_is_never_cut(
    capsys: pytest.CaptureFixture[str], width: int, *, is_terminal: bool
) -> None:
    rows.print_rows(FACTS, [ROW], below=BELOW, console=console(width, is_terminal=is_terminal))
    assert capsys.readouterr().out == (
        f"user {LONG}  code -\n  what to do: Mend [x] first\n  reason: refused [/x] and [bold]\n"
    )


def test_a_text_cannot_break_its_line_or_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    rows.print_rows({"reason": "detail"}, [{"detail": "one\r\ntwo\x1b[2Jthree"}], console=console(80))
    assert capsys.readouterr().out == "reason one two [2Jthree\n"
