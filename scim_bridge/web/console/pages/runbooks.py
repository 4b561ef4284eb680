"""The runbooks: what to do about a code or a notice, beside what they are about."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory
from markupsafe import Markup

from scim_bridge.errors import NotThere
from scim_bridge.operators import runbooks
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/runbooks"
PICTURES_PATH = f"{PREFIX}/pictures"
PICTURES = Path(__file__).parent.parent / "pictures"


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
        text = runbooks.illustrated(name)
        if text is None:
            raise NotThere("There is no runbook of this name.")
        return counter.page("runbook.html", name=name, title=runbooks.title(name), page=_page(text))

    @blueprint.get(f"{PICTURES_PATH}/<name>")
    def picture(name: str) -> Response:
        """Send a picture that a runbook shows."""
        return send_from_directory(PICTURES, name, mimetype="image/png")


def _page(text: str) -> Markup:
    # The pages come with the program, and rendering escapes all but what their little of Markdown says.
    return Markup(runbooks.render(text, pictures_at=PICTURES_PATH))  # noqa: S704
