"""The runbooks: what to do about a code or a notice, beside what they are about."""

from flask import Blueprint
from markupsafe import Markup

from scim_bridge.errors import NotThere
from scim_bridge.operators import runbooks
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/runbooks"


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the runbooks, and the test `with_runbook` by which templates link to them."""
    blueprint.app_template_test("with_runbook")(lambda name: name in runbooks.names())

    @blueprint.get(PATH)
    def runbooks_list() -> str:
        """Show which runbooks there are."""
        titles = {name: runbooks.title(name) for name in runbooks.names()}
        return counter.page("runbooks.html", titles=titles, notice=runbooks.NOTICE)

    @blueprint.get(f"{PATH}/<name>")
    def runbook(name: str) -> str:
        """Show one runbook."""
        text = runbooks.page(name)
        if text is None:
            raise NotThere("There is no runbook of this name.")
        return counter.page("runbook.html", name=name, title=runbooks.title(name), page=_page(text))


def _page(text: str) -> Markup:
    # The pages come with the program, and rendering escapes all but what their little of Markdown says.
    return Markup(runbooks.render(text))  # noqa: S704
