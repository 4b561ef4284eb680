"""Files of HR rows as they are really exported: how they are coded, cut into cells, and cut off."""

import io
from typing import Any

import pytest

from scim_bridge.intake.hr.imports import objects, reading, sheets
from scim_bridge.intake.hr.imports.reading import FileRefused


def rows(content: bytes, *, delimiter: str | None = None) -> tuple[list[Any], str]:
    """Return the rows of a CSV file (None: unreadable), and why it is taken for cut off."""
    file = io.BytesIO(content)
    with reading.opened(file, reading.encoding_of(file)) as text:
        lines = sheets.read(text, delimiter=delimiter)
        found = [line.fields for line in lines]
    return found, lines.truncated


def listed(content: str) -> tuple[list[Any], str]:
    lines = objects.read(io.StringIO(content))
    found = [line.fields for line in lines]
    return found, lines.truncated


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_is_read_however_it_is_coded(encoding: str, delimiter: str) -> None:
    content = "id,name\r\n007,Änne Groß\r\n".replace(",", delimiter).encode(encoding)
    assert rows(content) == ([{"id": "007", "name": "Änne Groß"}], "")


SHEETS: list[tuple[str, list[Any]]] = [
    # Blank trailer lines, and lines of nothing but delimiters.
    ("id;name\n1;Ann\n;\n\n  ;  \n", [{"id": "1", "name": "Ann"}]),
    # A line break and the delimiter within quotes.
    ('id;name\n1;"Ann\nof; Ghent"\n', [{"id": "1", "name": "Ann\nof; Ghent"}]),
    # Text stays text: zeros, formulas, numbers that are too long for one.
    (
        "id;name\n000;=1+1\n12345678901234567890;1e5\n",
        [{"id": "000", "name": "=1+1"}, {"id": "12345678901234567890", "name": "1e5"}],
    ),
    # No line break at the end; a blank line at the beginning; blanks around headings.
    ("\n id ; name\n1;Ann", [{"id": "1", "name": "Ann"}]),
    # Empty cells too many are of no account, others make a row unreadable; so do cells too few.
    ("id;name\n1;Ann;;\n2;Bob;x\n3\n4;Dan\n", [{"id": "1", "name": "Ann"}, None, None, {"id": "4", "name": "Dan"}]),
    # Single carriage returns, as old spreadsheets write them.
    ("id;name\r1;Ann\r", [{"id": "1", "name": "Ann"}]),
]


@pytest.mark.parametrize(("text", "found"), SHEETS)
def test_a_sheet_is_read_as_it_is_meant(text: str, found: list[Any]) -> None:
    assert rows(text.encode()) == (found, "")


def test_the_delimiter_that_is_configured_wins() -> None:
    assert rows(b"id|a,b,c\n1|2\n", delimiter="|") == ([{"id": "1", "a,b,c": "2"}], "")


CUT = [
    ("id;name\n1;Ann\n2", "fewer cells"),
    ('id;name\n1;Ann\n2;"Bo', "within a quoted cell"),
    ('id;name\n1;"' + "x" * 200_000, "longer than"),
]


@pytest.mark.parametrize(("text", "why"), CUT)
def test_a_sheet_that_is_cut_off_is_known(text: str, why: str) -> None:
    assert why in rows(text.encode())[1]


HEAD = "id;name;title\n"
MISQUOTED: list[tuple[str, list[Any], str]] = [
    # A mark that opens and never closes; the end of the file is not taken for its fault.
    ('1;"Ann;x\n2;Bob;y\n3;Cyd;z\n', [None, "2", "3"], ""),
    # The next mark closes it, in a cell of its own or at the end of one.
    ('1;"Ann;x\n2;Bob;y\n3;"Cyd";z\n', [None, "2", "3"], ""),
    ('1;"Ann;x\n2;Bob;y\n3;Cyd";z\n4;Dan;z\n', [None, "2", "3", "4"], ""),
    # Marks within a cell are text, and what follows a closing one is read over.
    ('1;Ann "the Ace";x\n2;"Bob" ;y\n', ["1", "2"], ""),
    # More breaks than one in a text, delimiters among them.
    ('1;"Ann\n\nof; Ghent";x\n2;Bob;"y\nz"\n', ["1", "2"], ""),
    # A mark that opens, and so many lines behind it that no cell could hold them.
    ('1;"Ann;x\n' + "2;Bob;y\n" * 20_000, [None, *["2"] * 20_000], ""),
    # No CSV at all.
    ('1;"Ann;x\n' * 300, [None] * 100, "quotation marks"),
]


@pytest.mark.parametrize(("text", "ids", "why"), MISQUOTED)
def test_a_stray_quotation_mark_costs_its_own_line_only(text: str, ids: list[Any], why: str) -> None:
    found, truncated = rows((HEAD + text).encode())
    assert [fields and fields["id"] for fields in found] == ids
    assert (why in truncated) if why else not truncated


def test_a_line_with_a_stray_quotation_mark_is_named() -> None:
    lines = list(sheets.read(io.StringIO('\nid;name;x\n1;"Ann;x\n2;"Bob\nB";y\n3;Cyd\n'), delimiter=None))
    assert [line.fault for line in lines] == [
        "Line 3 of the file has a quotation mark too many, or one too few.",
        "",
        "It begins in line 6 of the file.",
    ]


@pytest.mark.parametrize("content", [b"", b"\n\n", b";;;\n", b"\xef\xbb\xbf"])
def test_a_sheet_without_a_heading_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused, match="empty"):
        rows(content)


LISTS: list[tuple[str, list[Any], str]] = [
    ('[{"id": 1}, {"id": 2}]', [{"id": 1}, {"id": 2}], ""),
    ('{"id": 1}\n{"id": 2}\n', [{"id": 1}, {"id": 2}], ""),
    ('{"rows": [{"id": 1}], "next": null}', [{"id": 1}], ""),
    ("[]", [], ""),
    ('[{"id": 1}, 7, "x"]', [{"id": 1}, None, None], ""),
    ('{"id": 1}\n{"id": }\n{"id": 3}\n', [{"id": 1}, None, {"id": 3}], ""),
    ('[{"id": 1}, {"id": 2}', [{"id": 1}, {"id": 2}], "not closed"),
    ('[{"id": 1}, {"id', [{"id": 1}], "no JSON"),
    ('[{"id": 1}, nonsense]', [{"id": 1}], "no JSON"),
    ("[" * 100_000, [], "no JSON"),
]


@pytest.mark.parametrize(("text", "found", "why"), LISTS)
def test_json_is_read_as_a_list_or_an_object_a_line(text: str, found: list[Any], why: str) -> None:
    read, truncated = listed(text)
    assert read == found
    assert (why in truncated) if why else not truncated


def test_objects_may_lie_across_the_pieces_in_which_a_file_is_read() -> None:
    many = [{"id": number, "text": "ü" * (number % 700)} for number in range(900)]
    text = "[" + ",".join(str(each).replace("'", '"') for each in many) + "]"
    assert listed(text) == (many, "")


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(FileRefused, match="no JSON"):
        listed("hello")


def test_a_number_of_thousands_of_digits_is_not_read_and_breaks_nothing() -> None:
    found, _ = listed('{"id": "1"}\n{"id": ' + "7" * 5_000 + '}\n{"id": "3"}\n')
    assert found == [{"id": "1"}, None, {"id": "3"}]
