"""Which texts operators may write, and how texts come into a spreadsheet."""

import pytest

from scim_bridge.domain.texts import as_cell
from scim_bridge.errors import UsageError
from scim_bridge.operators import notes


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "needs words"),
        (" \n ", "needs words"),
        ("x" * 10_000, "10000 characters is too long; 2000 is the most"),
        ("a\x00b", "nobody can read"),
        ("a\x1b[2Jb", "nobody can read"),
        ("a\u202eb", "nobody can read"),
        ("\ud800", "nobody can read"),
    ],
)
def test_a_note_that_nobody_can_read_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        notes.checked(text, what="a note")


def test_a_note_may_be_of_several_lines_in_any_script() -> None:
    assert notes.checked(" ask 張さん\r\n\tor <b>Ann</b> 👩‍💻\n", what="a note") == "ask 張さん\n\tor <b>Ann</b> 👩‍💻"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert as_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "ann", "a=b", "<script>", "'=1"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert as_cell(text) == text
