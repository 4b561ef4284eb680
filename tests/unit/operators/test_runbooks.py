"""The runbooks: a page for everything that asks for somebody, and no command in them that does not exist."""

import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest

import scim_bridge
from scim_bridge import cli
from scim_bridge.domain.catalogue import CATALOGUE
from scim_bridge.domain.notices import Kind
from scim_bridge.operators import runbooks
from scim_bridge.web.console.catalogue import PAGES

FOLDER = Path(scim_bridge.__file__).parent / "runbooks"
PICTURES = Path(scim_bridge.__file__).parent / "web" / "console" / "pictures"
README = Path(scim_bridge.__file__).parent.parent / "README.md"
AT = "/console/pictures"
LARGEST_BYTES = 40_000
HEADINGS = ["## See it", "## Do", "## Do not", "## Owner and end"]
ILLUSTRATED = ["credential_refused", "guard_held", "too_long", "notice-dead", "notice-hold", "notice-quarantine"]
STANDS_FOR = {"NUMBER": "7", "FILE": __file__}
"""What is put in the place of a word of a page that stands for a number, or for a file that is there."""


def commands() -> list[tuple[str, str]]:
    found = [
        (path.stem, line.strip())
        for path in sorted(FOLDER.glob("*.md"))
        for line in path.read_text("utf-8").splitlines()
        if line.strip().startswith("scim-bridge ")
    ]
    return sorted({line: name for name, line in found}.items())


def test_every_code_with_a_trouble_has_a_page() -> None:
    there = {path.stem for path in FOLDER.glob("*.md")}
    assert {name for name, code in CATALOGUE.items() if code.trouble is not None} - there == set()


def test_every_kind_of_notice_has_a_page() -> None:
    assert {f"notice-{kind.value}" for kind in Kind} - {path.stem for path in FOLDER.glob("*.md")} == set()


def test_every_page_belongs_to_a_code_or_a_notice() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(runbooks.names())


def test_who_decides_without_a_trouble_is_in_the_catalogue() -> None:
    assert {
        name for name in runbooks.DECIDED_BY_PEOPLE if CATALOGUE[name].trouble is None
    } == runbooks.DECIDED_BY_PEOPLE


@pytest.mark.parametrize("name", runbooks.names())
def test_a_page_is_short_and_says_what_a_page_says(name: str) -> None:
    text = runbooks.page(name)
    assert text is not None
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines[0].startswith(f"# {name}: ")
    assert 10 <= len(lines) <= 26
    assert [line for line in lines if line.startswith("##")] == HEADINGS
    assert any(name in line or "scim-bridge" in line for line in lines[1:])


@pytest.mark.parametrize("line", [line for line, _ in commands()])
def test_a_command_of_a_page_is_one_that_there_is(line: str) -> None:
    words = [STANDS_FOR.get(word, word) for word in shlex.split(line)[1:]]
    command: click.Command = cli.main
    context = click.Context(cli.main)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"no command {words[0]}"
        command, words = found, words[1:]
    # It parses as it would on a terminal: names, values and what must be given; nothing is done.
    command.make_context(str(command.name), words)


@pytest.mark.parametrize("name", runbooks.names())
def test_a_page_of_the_console_that_is_named_is_there(name: str) -> None:
    told = re.findall(r"Console: (.*?)\.(?:$|\s)", runbooks.page(name) or "", re.MULTILINE)
    named = {part.strip().split(" ")[0].rstrip(",") for each in told for part in each.split(";")}
    assert named - {"the"} <= {page.title for page in PAGES}


def test_the_codes_that_pages_name_have_pages() -> None:
    named = {code for line, _ in commands() for code in re.findall(r"--code (\w+)|runbook ([\w-]+)", line)}
    assert {each for pair in named for each in pair if each} <= set(runbooks.names())


def test_a_page_that_there_is_not_is_none() -> None:
    assert runbooks.page("ok") is None
    assert runbooks.page("../catalogue") is None


class Outline(HTMLParser):
    """Notes which elements a text opens, and fails on one that a page may not hold."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.still_open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert [name for name, _ in attrs if name != "start"] == []
        self.opened.append(tag)
        self.still_open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.still_open.pop() == tag


@pytest.mark.parametrize("name", runbooks.names())
def test_every_page_becomes_plain_html(name: str) -> None:
    outline = Outline()
    outline.feed(runbooks.render(runbooks.page(name) or "", pictures_at=AT))
    assert outline.still_open == []
    assert set(outline.opened) <= {"h1", "h2", "p", "ol", "ul", "li", "code", "pre"}
    assert outline.opened.count("h2") == len(HEADINGS)


def test_a_page_is_rendered_by_its_parts() -> None:
    text = "# a: b\n\nOne `x < y`\ntwo.\n\n"
    text += "1. First\n   goes on.\n2. Second\n\n    scim-bridge a <b>\n    c\n\n3. Third\n\n- Last\n"
    assert runbooks.render(text, pictures_at=AT).splitlines() == [
        "<h1>a: b</h1>",
        "<p>One <code>x &lt; y</code> two.</p>",
        "<ol><li>First goes on.</li><li>Second</li></ol>",
        "<pre><code>scim-bridge a &lt;b&gt;",
        "c</code></pre>",
        '<ol start="3"><li>Third</li></ol>',
        "<ul><li>Last</li></ul>",
    ]


def test_steps_behind_commands_go_on_counting() -> None:
    text = "1. First\n\n    scim-bridge\n\n2. Second\n"
    assert runbooks.render(text, pictures_at=AT).endswith('<ol start="2"><li>Second</li></ol>')


def test_a_picture_is_shown_with_what_it_shows_in_words() -> None:
    text = 'One.\n\n![A "lane" & more](../web/console/pictures/holds.png)\n\nTwo.\n'
    assert runbooks.render(text, pictures_at=AT).splitlines() == [
        "<p>One.</p>",
        '<p><img src="/console/pictures/holds.png" alt="A &quot;lane&quot; &amp; more"></p>',
        "<p>Two.</p>",
    ]


@pytest.mark.parametrize("address", ["https://example.com/a.png", "../../a.png", "../web/console/pictures/../a.png"])
def test_nothing_but_a_picture_of_the_console_is_one(address: str) -> None:
    assert "<img" not in runbooks.render(f"![a]({address})", pictures_at=AT)


def shown(text: str) -> set[str]:
    """Return the names of all pictures that a text of Markdown shows."""
    return {address.rpartition("/")[2] for address in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)}


def test_a_terminal_is_spared_the_pictures() -> None:
    illustrated = {name: runbooks.illustrated(name) or "" for name in runbooks.names()}
    assert [name for name, text in illustrated.items() if shown(text)] == ILLUSTRATED
    for name, text in illustrated.items():
        plain = [line for line in text.splitlines() if line and not line.startswith("![")]
        assert [line for line in (runbooks.page(name) or "").splitlines() if line] == plain


def test_every_picture_that_is_shown_is_there() -> None:
    for path in FOLDER.glob("*.md"):
        for address in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", path.read_text("utf-8")):
            assert (FOLDER / address).resolve().parent == PICTURES
            assert (FOLDER / address).is_file(), address
            assert f'src="{AT}/{Path(address).name}"' in runbooks.render(path.read_text("utf-8"), pictures_at=AT)


def test_every_picture_is_shown_in_a_runbook_or_the_readme() -> None:
    texts = [path.read_text("utf-8") for path in (*FOLDER.glob("*.md"), README)]
    assert {path.name for path in PICTURES.iterdir()} == set().union(*map(shown, texts))


def test_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in PICTURES.iterdir()}
    assert {name: size for name, size in sizes.items() if size > LARGEST_BYTES} == {}


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "`<img src=x onerror=y>`", "- <b>", "![<b>](x)", "    <i>", "# <u>", "1. &lt;"],
)
def test_markup_in_a_page_stays_text(text: str) -> None:
    outline = Outline()
    outline.feed(runbooks.render(text, pictures_at=AT))
    assert set(outline.opened) <= {"h1", "p", "ol", "ul", "li", "code", "pre"}


def test_json_of_all_pages_names_each_with_its_title() -> None:
    told = {name: runbooks.title(name) for name in runbooks.names()}
    assert json.loads(json.dumps(told)) == told
    assert all(title and not title.startswith("#") for title in told.values())
