"""The console's door: sign-in, the session, and what every page has in common."""

import hmac
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from scim2_models import SCIMException
from werkzeug.exceptions import HTTPException, NotFound

from scim_bridge.errors import BridgeError
from scim_bridge.store.engine import StatementTimedOut, StoreUnavailable
from scim_bridge.web import errors
from scim_bridge.web.api.doors import status_of
from scim_bridge.web.api.operations import Desk, Role
from scim_bridge.web.auth import Doorkeeper, WaitFirst
from scim_bridge.web.console import forms, origins, shown
from scim_bridge.web.console.catalogue import INSTALLS, PAGES
from scim_bridge.web.console.counter import PREFIX, Counter, NotAllowed
from scim_bridge.web.console.sessions import COOKIE, LASTS_S, Sessions, Visitor

SCOPES = frozenset(role.value for role in Role)

POLICY = "; ".join(
    (
        "default-src 'none'",
        *("script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"),
        *("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"),
    )
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    # With no-referrer, browsers would not say of our own forms where they are from.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_OPEN = frozenset({"console.sign_in", "console.enter", "console.static"})
"""What one may ask for without a session."""

ENCRYPTED_FOR = "max-age=31536000"
"""For a year a browser that has come by https comes by nothing else (RFC 6797)."""

MOST_FORM_BYTES = 262_144


def console_endpoints(desk: Desk, doorkeeper: Doorkeeper, *, secret: bytes) -> Blueprint:
    """Return the console. Its pages are about the tenant of the token that signed in."""
    blueprint = Blueprint(
        "console", __name__, template_folder="templates", static_folder="static", static_url_path=f"{PREFIX}/static"
    )
    sessions = Sessions(secret)
    public_url = desk.settings.web.public_url

    _install_admission(blueprint, doorkeeper, sessions, public_url=public_url)

    @blueprint.context_processor
    def common() -> dict[str, Any]:
        visitor: Visitor | None = g.get("visitor")
        return {
            "visitor": visitor,
            "pages": PAGES,
            "told": None if visitor is None else sessions.told(request.args.get("told"), visitor.session),
            "may": lambda role: visitor is not None and Role(role).is_in(visitor.principal.scopes),
            "now": desk.clock(),
            "here": forms.here,
        }

    _install_sign_in(blueprint, doorkeeper, sessions, public_url=public_url)
    counter = Counter(desk, sessions)
    for install in INSTALLS:
        install(blueprint, counter)
    _install_errors(blueprint)
    blueprint.app_template_filter("age")(shown.age)
    blueprint.app_template_filter("moment")(shown.moment)
    blueprint.app_template_filter("figure")(shown.figure)
    return blueprint


def _install_admission(
    blueprint: Blueprint, doorkeeper: Doorkeeper, sessions: Sessions, *, public_url: str | None
) -> None:
    @blueprint.before_request
    def admit() -> Response | None:
        request.max_content_length = MOST_FORM_BYTES
        if request.method == "POST" and origins.is_of_another_site(public_url):
            raise NotAllowed("This form is from another site. Open the console itself, and try again there.")
        if request.endpoint in _OPEN:
            return None
        session = sessions.read(request.cookies.get(COOKIE))
        principal = None if session is None else doorkeeper.recognise_again(session.token_id, request.remote_addr)
        if session is None or principal is None or not principal.scopes & SCOPES:
            return _to_sign_in()
        g.visitor = Visitor(principal=principal, session=session, csrf=sessions.csrf_of(session))
        if request.method not in {"GET", "HEAD"}:
            _check_origin(g.visitor)
        _check_path()
        return None

    @blueprint.after_request
    def protect(response: Response) -> Response:
        response.headers.update(_HEADERS)
        if origins.is_encrypted(public_url):
            response.headers["Strict-Transport-Security"] = ENCRYPTED_FOR
        if request.endpoint != "console.static":
            response.headers["Cache-Control"] = "no-store"
        return response


def _install_sign_in(
    blueprint: Blueprint, doorkeeper: Doorkeeper, sessions: Sessions, *, public_url: str | None
) -> None:
    @blueprint.get(f"{PREFIX}/sign-in")
    def sign_in() -> str:
        return render_template("sign_in.html", fault=None)

    @blueprint.post(f"{PREFIX}/sign-in")
    def enter() -> Response:
        token = request.form.get("token", "").strip()
        try:
            principal = doorkeeper.admit(f"Bearer {token}", address=request.remote_addr, scopes=SCOPES)
        except SCIMException as refused:
            page = render_template("sign_in.html", fault=refused.detail)
            return _with_wait(make_response(page, refused.status or HTTPStatus.UNAUTHORIZED), refused)
        response = make_response(redirect(f"{PREFIX}/", 303))
        response.set_cookie(
            COOKIE,
            sessions.begin(principal.token_id),
            max_age=LASTS_S,
            path=PREFIX,
            secure=origins.is_encrypted(public_url),
            httponly=True,
            samesite="Strict",
        )
        return response

    @blueprint.post(f"{PREFIX}/sign-out")
    def leave() -> Response:
        response = _to_sign_in()
        response.delete_cookie(COOKIE, path=PREFIX, secure=origins.is_encrypted(public_url), samesite="Strict")
        return response


def _check_path() -> None:
    """Refuse an address in which a name cannot be printed: nothing has such a name, and PostgreSQL takes no NUL.

    Raises:
        NotFound: there is no such page.
    """
    if not all(str(part).isprintable() for part in (request.view_args or {}).values()):
        raise NotFound("There is no such page.")


def _with_wait(response: Response, refused: SCIMException) -> Response:
    """Have the answer to what came too often say when it may come again."""
    if isinstance(refused, WaitFirst):
        response.headers["Retry-After"] = str(refused.retry_after_s)
    return response


def _to_sign_in() -> Response:
    response = make_response(redirect(f"{PREFIX}/sign-in", 303))
    if request.headers.get("HX-Request") == "true":
        response = make_response("", 204)
        response.headers["HX-Redirect"] = f"{PREFIX}/sign-in"
    return response


def _check_origin(visitor: Visitor) -> None:
    """Refuse a form that is not from a page of this session.

    Raises:
        NotAllowed: what only such a page knows is missing.
    """
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    if not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
        raise NotAllowed("This form is too old, or not from here. Load the page again.")


def _install_errors(blueprint: Blueprint) -> None:
    def answer(status: int, detail: str) -> tuple[str, int]:
        return render_template("problem.html", status=status, title=HTTPStatus(status).phrase, detail=detail), status

    @blueprint.errorhandler(BridgeError)
    def refuse(error: BridgeError) -> tuple[str, int]:
        return answer(403 if isinstance(error, NotAllowed) else status_of(error), str(error))

    @blueprint.errorhandler(HTTPException)
    def refuse_request(error: HTTPException) -> tuple[str, int]:
        return answer(error.code or 500, error.description or "")

    @blueprint.errorhandler(SCIMException)
    def refuse_token(error: SCIMException) -> Response:
        return _with_wait(make_response(answer(error.status or 500, error.detail or "")), error)

    @blueprint.errorhandler(StoreUnavailable)
    @blueprint.errorhandler(StatementTimedOut)
    def unavailable(error: Exception) -> tuple[str, int]:
        errors.unavailable(error)
        return answer(503, "The directory is busy or cannot be reached. Nothing was done; try again.")

    @blueprint.errorhandler(Exception)
    def bug(error: Exception) -> tuple[str, int]:
        errors.bug(error)
        return answer(500, f"The bridge failed. Report it with the id {g.get('correlation_id')}.")
