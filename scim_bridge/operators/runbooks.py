"""The runbooks: a page for each code that asks for somebody, and for each kind of notice.

They are written in a little of Markdown: headings, paragraphs, lists, `code`, and indented blocks of commands. A
picture of the console stands in a line of its own; it is for who reads the page in a browser, here or where files are.
"""

import html
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources

from scim_bridge.domain.catalogue import CATALOGUE
from scim_bridge.domain.notices import Kind

NOTICE = "notice-"
"""What the names of pages about notices begin with; the kind follows."""

DECIDED_BY_PEOPLE = frozenset({"guard_held", "deactivation_rejected", "takeover_rejected"})
"""Codes without a class of trouble which somebody must decide about, or has."""

_CODE = re.compile(r"`([^`]+)`")
_PICTURE = re.compile(r"!\[([^\]]+)\]\(\.\./web/console/pictures/([a-z_]+\.png)\)")
_STEP = re.compile(r"\d+\. ")
_BLOCK = "    "


@cache
def names() -> tuple[str, ...]:
    """Return the names of all pages: the codes first, then the notices."""
    codes = [name for name, code in CATALOGUE.items() if code.trouble is not None or name in DECIDED_BY_PEOPLE]
    return (*sorted(codes), *sorted(f"{NOTICE}{kind.value}" for kind in Kind))


def page(name: str) -> str | None:
    """Return the text of a page without its pictures, None when there is none of this name."""
    text = illustrated(name)
    if text is None:
        return None
    return "\n\n".join(part for part in text.split("\n\n") if _PICTURE.fullmatch(part.strip()) is None)


def illustrated(name: str) -> str | None:
    """Return the text of a page with its pictures, None when there is none of this name."""
    if name not in names():
        return None
    return (resources.files("scim_bridge") / "runbooks" / f"{name}.md").read_text("utf-8")


def title(name: str) -> str:
    """Return what a page is about, in a few words."""
    text = page(name)
    heading = "" if text is None else text.splitlines()[0].removeprefix("# ")
    return heading.partition(": ")[2] or heading


def render(text: str, *, pictures_at: str) -> str:
    """Return a page as HTML: nothing of it is taken for markup that is not said above.

    `pictures_at` is the address that the names of pictures are put behind.
    """
    return "\n".join(_rendered(text.splitlines(), pictures_at))


def _rendered(lines: list[str], pictures_at: str) -> Iterator[str]:
    for kind, part in _parts(lines):
        if kind == "block":
            yield f"<pre><code>{html.escape(chr(10).join(each.removeprefix(_BLOCK) for each in part))}</code></pre>"
        elif kind == "heading":
            level = len(part[0]) - len(part[0].lstrip("#"))
            yield f"<h{level}>{_inline(part[0].lstrip('#').strip())}</h{level}>"
        elif kind in {"ol", "ul"}:
            entries = "".join(f"<li>{_inline(each)}</li>" for each in _entries(part))
            yield f"<{kind}{_start(part[0]) if kind == 'ol' else ''}>{entries}</{kind}>"
        elif (found := _PICTURE.fullmatch(part[0])) is not None:
            yield f'<p><img src="{pictures_at}/{found[2]}" alt="{html.escape(found[1])}"></p>'
        else:
            yield f"<p>{_inline(' '.join(each.strip() for each in part))}</p>"


def _start(line: str) -> str:
    """Return where a list begins to count: a block of commands parts it in two, and the second goes on."""
    first = line.partition(".")[0]
    return "" if first == "1" else f' start="{first}"'


def _parts(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the page's parts with their lines. What is indented less than a block goes on with what is before it."""
    kind, part = "", list[str]()
    for line in [*lines, ""]:
        found = _kind_of(line, before=kind)
        if found != kind or found == "heading":
            if part:
                yield kind, part
            part = []
        kind = found
        if line.strip():
            part.append(line)


def _kind_of(line: str, *, before: str) -> str:
    if not line.strip():
        return ""
    if line.startswith(_BLOCK):
        return "block"
    if line.startswith("#"):
        return "heading"
    if _STEP.match(line):
        return "ol"
    if line.startswith("- "):
        return "ul"
    return before if line.startswith(" ") and before in {"ol", "ul"} else "text"


def _entries(part: list[str]) -> list[str]:
    """Return the entries of a list, each on one line."""
    entries: list[str] = []
    for line in part:
        if line.startswith(" ") and entries:
            entries[-1] += f" {line.strip()}"
        else:
            entries.append(_STEP.sub("", line, count=1) if _STEP.match(line) else line.removeprefix("- "))
    return entries


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(text))
