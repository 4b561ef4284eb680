"""The runbooks: what each code and each notice asks of whom."""

from typing import Any

from scim_bridge.errors import NotThere
from scim_bridge.operators import runbooks
from scim_bridge.web.api import shapes
from scim_bridge.web.api.operations import Asked, Desk, Operation, Parameter, Role

_CODE = Parameter(name="code", tells="A code of an outcome, or notice-<kind>.")


def _list(_desk: Desk, _asked: Asked) -> dict[str, Any]:
    return {"runbooks": [{"code": name, "title": runbooks.title(name)} for name in runbooks.names()]}


def _show(_desk: Desk, asked: Asked) -> dict[str, Any]:
    code = asked.path["code"]
    page = runbooks.page(code)
    if page is None:
        raise NotThere("There is no such page; GET /runbooks lists all.")
    return {"code": code, "title": runbooks.title(code), "text": page}


OPERATIONS = (
    Operation(
        method="GET",
        path="/runbooks",
        name="runbook_list",
        role=Role.VIEWER,
        tells="The names of all pages: the codes first, then the notices.",
        handler=_list,
        command="runbook",
        answer=shapes.record(runbooks=shapes.list_of(shapes.record(code=shapes.TEXT, title=shapes.TEXT))),
    ),
    Operation(
        method="GET",
        path="/runbooks/{code}",
        name="runbook_show",
        role=Role.VIEWER,
        tells="One page, in a little of Markdown.",
        handler=_show,
        command="runbook",
        parameters=(_CODE,),
        answer=shapes.record(code=shapes.TEXT, title=shapes.TEXT, text=shapes.TEXT),
    ),
)
