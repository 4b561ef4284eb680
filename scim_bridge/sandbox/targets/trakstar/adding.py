"""POST /user: up to 200 users in one call, each judged alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scim_bridge.sandbox.targets.seeds import Refusals
from scim_bridge.sandbox.targets.trakstar import contract
from scim_bridge.sandbox.targets.trakstar.answers import RefusedError
from scim_bridge.sandbox.targets.trakstar.options import TrakstarOptions
from scim_bridge.sandbox.targets.trakstar.state import TRAINEE, TrakstarState, User

_FIELDS = {
    "firstName": "first_name",
    "lastName": "last_name",
    "email": "email",
    "username": "username",
    "permissions": "permissions",
}


@dataclass(slots=True)
class Tally:
    """What became of the users of one call."""

    added: list[User] = field(default_factory=list)
    updated: list[User] = field(default_factory=list)
    errors: list[tuple[Mapping[str, Any], str]] = field(default_factory=list)
    """The user as sent, and why it was refused."""

    def render(self, batch_id: int | None, options: TrakstarOptions) -> dict[str, Any]:
        """Return the answer in the form that the options ask for."""
        echo = {} if batch_id is None else {"batchId": batch_id}
        if options.create_answer == "batch_only":
            return echo
        errors = [_render_error(sent, text, options) for sent, text in self.errors]
        if options.create_answer == "document":
            return {**echo, "usersAdded": len(self.added) + len(self.updated), "errors": errors}
        return {
            **echo,
            "added": [{"id": user.user_id, "email": user.email} for user in self.added],
            "updated": [{"id": user.user_id, "email": user.email} for user in self.updated],
            "errors": errors,
        }


def add_users(
    body: Mapping[str, Any],
    *,
    state: TrakstarState,
    options: TrakstarOptions,
    refusals: Refusals,
    at_most: int | None,
) -> Tally:
    """Add users; the first `at_most` of them when given. Raises RefusedError when the call fails as a whole."""
    broken = [_breaches(user, options) for user in body["users"]]
    if options.invalid_user == "call" and any(broken):
        raise RefusedError(400, "The request was invalid", tuple(text for texts in broken for text in texts))
    with state.lock:
        _require_known(body, state)
        if options.create_semantics == "upsert" and body.get("mode", "import") != "import":
            _require_new(body["users"], state)
        tally = Tally()
        for user, breaches in list(zip(body["users"], broken, strict=True))[:at_most]:
            text = breaches[0] if breaches else _refusal(user, state, options, refusals)
            if text is not None:
                tally.errors.append((user, text))
            else:
                _apply(user, body, tally, state)
        return tally


def changes_of(user: Mapping[str, Any]) -> tuple[dict[str, Any], dict[int, str]]:
    """Return attributes (names of `User`'s fields) and custom fields by number, from a user as sent."""
    custom = {int(name[-1]): value for name, value in user.items() if name[:-1].lower() == "customfield"}
    return {mine: user[theirs] for theirs, mine in _FIELDS.items() if theirs in user}, custom


def custom_field_name(options: TrakstarOptions) -> str:
    """Return how custom fields are spelled, without their number."""
    return "customfield" if options.custom_field_style == "lower" else "customField"


def _breaches(user: Any, options: TrakstarOptions) -> list[str]:
    return contract.breaches_of_user(
        user, is_strict=options.unknown_fields == "refuse", custom_fields=custom_field_name(options)
    )


def _require_known(body: Mapping[str, Any], state: TrakstarState) -> None:
    unknown_groups = [each for each in body.get("groupIds", ()) if each not in state.groups]
    courses = (*body.get("courseIds", ()), *body.get("requiredCourseIds", ()))
    unknown_courses = [each for each in courses if each not in state.courses]
    if unknown_groups or unknown_courses:
        texts = [f"group {each} does not exist" for each in unknown_groups]
        texts += [f"course {each} does not exist" for each in unknown_courses]
        raise RefusedError(400, "The request was invalid", tuple(texts))


def _require_new(users: list[Mapping[str, Any]], state: TrakstarState) -> None:
    if any(state.holder(email=user.get("email"), username=user.get("username")) for user in users):
        raise RefusedError(400, "A user already exists", code="user_exists")


def _refusal(user: Mapping[str, Any], state: TrakstarState, options: TrakstarOptions, refusals: Refusals) -> str | None:
    email, username = user.get("email"), user.get("username")
    text = refusals.of((email, username))
    if text is not None:
        return text
    holder = state.holder(email=email, username=username)
    if holder is not None:
        can_update = options.create_semantics == "upsert" and not holder.is_hidden
        return None if can_update else "A user with this email or username already exists"
    if options.seats is not None and state.active_count() >= options.seats:
        return "No seats are left in this account"
    return None


def _apply(user: Mapping[str, Any], body: Mapping[str, Any], tally: Tally, state: TrakstarState) -> None:
    changes, custom = changes_of(user)
    holder = state.holder(email=user.get("email"), username=user.get("username"))
    if holder is None:
        record = state.add_user(
            first_name=changes["first_name"],
            last_name=changes["last_name"],
            email=changes.get("email"),
            username=changes.get("username"),
            permissions=changes.get("permissions", TRAINEE),
            custom=custom,
        )
        tally.added.append(record)
    else:
        record = holder
        state.edit_user(record, changes, custom)
        tally.updated.append(record)
    for group_id in body.get("groupIds", ()):
        state.join(group_id, record.user_id)
    for course_id in body.get("courseIds", ()):
        state.enrol(course_id, record.user_id, is_required=False)
    for course_id in body.get("requiredCourseIds", ()):
        state.enrol(course_id, record.user_id, is_required=True)


def _render_error(sent: Mapping[str, Any], text: str, options: TrakstarOptions) -> dict[str, str]:
    email = sent.get("email")
    if not isinstance(email, str):
        username = str(sent.get("username", ""))
        stand_in = {"empty": {"email": ""}, "username": {"email": username}, "omit": {}}[options.error_email]
        return {**stand_in, "error": text}
    return {"email": email, "error": text}
