"""Files of HR rows: which came, and what became of each row."""

from flask import Blueprint, Response

from scim_bridge.errors import NotThere
from scim_bridge.operators import hr_imports
from scim_bridge.web.console import forms
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/imports"


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the pages of imports."""

    @blueprint.get(PATH)
    def imports() -> str:
        source = forms.word("source")
        found = hr_imports.listed(counter.desk.store, counter.tenant, source=source, after=forms.after())
        return counter.page("imports.html", rows=found["items"], next=found["next"], source=source)

    @blueprint.get(f"{PATH}/<name>")
    def one_import(name: str) -> str:
        store, refused = counter.desk.store, forms.is_ticked("refused")
        summary = hr_imports.show(store, counter.tenant, _checked(name))
        found = hr_imports.rows(store, counter.tenant, name, after=forms.after() or 0, refused=refused)
        return counter.page("import.html", file=summary, rows=found["items"], next=found["next"], refused=refused)

    @blueprint.get(f"{PATH}/<name>/report.csv")
    def import_report(name: str) -> Response:
        pieces = hr_imports.as_csv(counter.desk.store, counter.tenant, _checked(name))
        return counter.file(pieces, name=f"import-{name}.csv")


def _checked(name: str) -> str:
    """Return a name that an import may bear.

    Raises:
        NotThere: none bears this one.
    """
    if not (name.isascii() and name.isalnum()):
        raise NotThere("There is no import of this name.")
    return name
