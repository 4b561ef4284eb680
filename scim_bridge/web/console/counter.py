"""What the pages of the console work with, and how they answer."""

from collections.abc import Iterable
from typing import Any

from flask import Response, g, make_response, redirect, render_template, request

from scim_bridge.domain.instants import Clock
from scim_bridge.errors import BridgeError
from scim_bridge.store.tokens import Principal
from scim_bridge.web.api.doors import who_is
from scim_bridge.web.api.operations import Desk, Role
from scim_bridge.web.console.sessions import Sessions, Visitor

PREFIX = "/console"


class Counter:
    """What a page's routes work with: the desk, who asks, and how to answer."""

    def __init__(self, desk: Desk, sessions: Sessions) -> None:
        """Serve at this desk."""
        self.desk = desk
        self._sessions = sessions

    @property
    def clock(self) -> Clock:
        """Return the desk's clock."""
        return self.desk.clock

    @property
    def principal(self) -> Principal:
        """Return who asks."""
        visitor: Visitor = g.visitor
        return visitor.principal

    @property
    def tenant(self) -> str:
        """Return the only tenant that this visitor may see."""
        return self.principal.tenant

    @property
    def targets(self) -> list[str]:
        """Return the names of the targets that the tenant has in the configuration."""
        found = self.desk.settings.tenant(self.tenant)
        return [] if found is None else [target.name for target in found.targets]

    @property
    def who(self) -> str:
        """Return who asks, as the books name them."""
        return who_is(self.principal)

    def need(self, role: Role) -> None:
        """Refuse whoever has a lower role.

        Raises:
            BridgeError: with what they would need.
        """
        if not role.is_in(self.principal.scopes):
            raise NotAllowed(f"This needs a token with the scope {role.value}.")

    def page(self, template: str, **values: Any) -> str:
        """Return a page, or its part where htmx asks for one (the template looks at `is_part`)."""
        return render_template(template, is_part=request.headers.get("HX-Request") == "true", **values)

    def go(self, path: str, *, told: str) -> Response:
        """Go on to another page after something was done, and have it tell so."""
        visitor: Visitor = g.visitor
        signed = self._sessions.tell(told, visitor.session)
        joint = "&" if "?" in path else "?"
        response = make_response(redirect(f"{PREFIX}{path}{joint}told={signed}", 303))
        if request.headers.get("HX-Request") == "true":
            response.status_code = 204
            response.headers["HX-Redirect"] = response.headers.pop("Location")
        return response

    def reload(self) -> Response:
        """Have htmx load the whole page again, because more of it has changed than the part that it asked for."""
        return Response(status=204, headers={"HX-Refresh": "true"})

    def file(self, pieces: Iterable[str], *, name: str) -> Response:
        """Return a CSV file that is written while it is sent; `name` is of plain characters."""
        response = Response(pieces, content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


class NotAllowed(BridgeError):  # noqa: N818 - it says what is so
    """The visitor's role is too low for this."""
