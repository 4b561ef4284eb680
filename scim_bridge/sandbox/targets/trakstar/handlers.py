"""What each operation of the simulated Trakstar Learn does; a function an operation, named as in the document."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from scim_bridge.domain import instants
from scim_bridge.domain.instants import Millis
from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.seeds import Refusals
from scim_bridge.sandbox.targets.trakstar import adding, answers, contract
from scim_bridge.sandbox.targets.trakstar.answers import RefusedError
from scim_bridge.sandbox.targets.trakstar.options import TrakstarOptions
from scim_bridge.sandbox.targets.trakstar.state import TYPES, Course, Group, TrakstarState, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One call after the contract has let it through."""

    state: TrakstarState
    options: TrakstarOptions
    refusals: Refusals
    query: Mapping[str, str]
    body: Mapping[str, Any]
    at_most: int | None = None

    def user(self, user_id: int) -> User:
        """Return a user; raises RefusedError 404."""
        user = self.state.users.get(user_id)
        if user is None or user.is_hidden:
            raise RefusedError(404, "User not found", code="user_not_found")
        return user

    def group(self, group_id: int) -> Group:
        """Return a group; raises RefusedError 404."""
        group = self.state.groups.get(group_id)
        if group is None:
            raise RefusedError(404, "Group not found", code="group_not_found")
        return group

    def course(self, course_id: int) -> Course:
        """Return a course; raises RefusedError 404."""
        course = self.state.courses.get(course_id)
        if course is None:
            raise RefusedError(404, "Course not found", code="course_not_found")
        return course

    def named_users(self) -> list[User]:
        """Return the users of `userIds`, the first `at_most`; raises RefusedError 404 when one of them is not there."""
        return [self.user(each) for each in self.body.get("userIds", ())][: self.at_most]


def list_users(order: Order) -> Response:
    """GET /user: the whole organisation, filtered."""
    query = order.query
    is_archived = {"Active": False, "Archived": True}.get(query.get("_status", "All"))
    kind = query.get("_type", "All")
    created_ms, modified_ms = _after(query.get("_createdAfter")), _after(query.get("_modifiedAfter"))
    found = [
        answers.user(user, order.state, order.options)
        for user in order.state.visible_users(order.options.read_lag_s)
        if is_archived in {None, user.is_archived}
        and kind in {"All", TYPES[user.permissions]}
        and user.created_ms >= created_ms
        and user.modified_ms >= modified_ms
    ]
    return bodies.write_json(found)


def add_users(order: Order) -> Response:
    """POST /user."""
    tally = adding.add_users(
        order.body, state=order.state, options=order.options, refusals=order.refusals, at_most=order.at_most
    )
    return bodies.write_json(tally.render(order.body.get("batchId"), order.options))


def get_user(order: Order, user_id: int) -> Response:
    """GET /user/{id}."""
    return bodies.write_json(answers.user_detail(order.user(user_id), order.state, order.options))


def edit_user(order: Order, user_id: int) -> Response:
    """POST /user/{id}: a partial edit."""
    user = order.user(user_id)
    changes, custom = adding.changes_of(order.body)
    refusal = order.refusals.of((user.email, user.username, changes.get("email"), changes.get("username")))
    if refusal is not None:
        raise RefusedError(400, "The request was invalid", (refusal,))
    for name in ("email", "username"):
        holder = order.state.holder(**{"email": None, "username": None, name: changes.get(name)})
        if holder is not None and holder is not user:
            raise RefusedError(
                400, "The request was invalid", (f"{name} is taken by another user",), code="user_exists"
            )
    order.state.edit_user(user, changes, custom)
    if order.options.edit_answer == "empty":
        return answers.done()
    return bodies.write_json(answers.user(user, order.state, order.options))


def archive_user(order: Order, user_id: int) -> Response:
    """POST /user/{id}/archive; an archived user stays so."""
    order.state.set_archived(order.user(user_id), is_archived=True)
    return answers.done()


def archive_users(order: Order) -> Response:
    """POST /user/archive {userIds}, on the vendor's pages only."""
    for user in order.named_users():
        order.state.set_archived(user, is_archived=True)
    return answers.done()


def unarchive_user(order: Order, user_id: int) -> Response:
    """POST /user/{id}/unarchive, on the vendor's pages only; needs a seat."""
    user = order.user(user_id)
    if not user.is_archived:
        raise RefusedError(400, "User is not archived", code="user_not_archived")
    if order.options.seats is not None and order.state.active_count() >= order.options.seats:
        raise RefusedError(400, "No seats are left in this account", code="no_seats")
    order.state.set_archived(user, is_archived=False)
    return answers.done()


def authorize_user(order: Order) -> Response:
    """GET /auth by id, username or email: a login link of an active user."""
    query = order.query
    if not {"id", "username", "email"} & set(query):
        raise RefusedError(400, "id, username or email is required")
    visible = order.state.visible_users(order.options.read_lag_s)
    for user in visible:
        names = {"id": str(user.user_id), "username": user.username or "", "email": user.email or ""}
        if (
            all(names[key].casefold() == query[key].casefold() for key in names if key in query)
            and not user.is_archived
        ):
            return bodies.write_json(_session(user))
    raise RefusedError(order.options.auth_absent, "User does not exist", code="user_not_exist")


def list_groups(order: Order) -> Response:
    """GET /group."""
    return bodies.write_json([answers.group(group) for group in order.state.groups.values()])


def add_group(order: Order) -> Response:
    """POST /group: a group of any name, taken or not."""
    group = order.state.add_group(order.body["groupName"])
    wanted = order.query.get("responseFormat", order.options.group_answer)
    return bodies.write_json(answers.group_array(group) if wanted == "array" else answers.group(group))


def get_group(order: Order, group_id: int) -> Response:
    """GET /group/{g}: its users; group 0 is everybody who is in none."""
    if group_id == 0:
        members = [user for user in order.state.visible_users() if not user.groups]
        head: dict[str, Any] = {"id": 0, "name": answers.UNGROUPED, "userCount": len(members)}
    else:
        group = order.group(group_id)
        members = [order.state.users[each] for each in sorted(group.members)]
        head = answers.group(group)
    users = [answers.user(user, order.state, order.options) for user in members if not user.is_hidden]
    return bodies.write_json(users if order.options.group_detail == "list" else {**head, "users": users})


def add_user_to_group(order: Order, group_id: int, user_id: int) -> Response:
    """POST /group/{g}/user/{u}; once more changes nothing."""
    order.state.join(order.group(group_id).group_id, order.user(user_id).user_id)
    return answers.done()


def remove_user_from_group(order: Order, group_id: int, user_id: int) -> Response:
    """DELETE /group/{g}/user/{u}; of a user who is not in it, nothing changes."""
    order.state.leave(order.group(group_id).group_id, order.user(user_id).user_id)
    return answers.done()


def add_users_to_group(order: Order, group_id: int) -> Response:
    """POST /group/{g}/user {userIds}, on the vendor's pages only."""
    group = order.group(group_id)
    for user in order.named_users():
        order.state.join(group.group_id, user.user_id)
    return answers.done()


def remove_users_from_group(order: Order, group_id: int) -> Response:
    """POST /group/{g}/user/action/delete {userIds}, on the vendor's pages only."""
    group = order.group(group_id)
    for user in order.named_users():
        order.state.leave(group.group_id, user.user_id)
    return answers.done()


def list_courses(order: Order) -> Response:
    """GET /course."""
    wanted = {"Active": False, "Archive": True}.get(order.query.get("status", "All"))
    courses = order.state.courses.values()
    return bodies.write_json([_course(each) for each in courses if wanted in {None, each.is_archived}])


def get_course(order: Order, course_id: int) -> Response:
    """GET /course/{c}."""
    course = order.course(course_id)
    wanted = {"Active": False, "Archive": True}.get(order.query.get("status", "All"))
    if wanted not in {None, course.is_archived}:
        raise RefusedError(404, "Course not found", code="course_not_found")
    return bodies.write_json({**_course(course), "modules": []})


def invite_user_to_course(order: Order, course_id: int, user_id: int) -> Response:
    """POST /course/{c}/user/{u}."""
    user, course = order.user(user_id), order.course(course_id)
    order.state.enrol(course.course_id, user.user_id, is_required=order.body.get("required", False))
    return answers.done()


def invite_users_to_course(order: Order, course_id: int) -> Response:
    """POST /course/{c}/user: many users in one call."""
    course = order.course(course_id)
    for user in order.named_users():
        order.state.enrol(course.course_id, user.user_id, is_required=order.body.get("required", False))
    return answers.done()


DOCUMENTED: Mapping[str, Callable[..., Response]] = {
    "listUsers": list_users,
    "addUsers": add_users,
    "getUser": get_user,
    "editUser": edit_user,
    "archiveUser": archive_user,
    "listGroups": list_groups,
    "addGroup": add_group,
    "getGroup": get_group,
    "addUserToGroup": add_user_to_group,
    "removeUserFromGroup": remove_user_from_group,
    "listCourses": list_courses,
    "getCourse": get_course,
    "inviteUserToCourse": invite_user_to_course,
    "inviteUsersToCourse": invite_users_to_course,
    "authorizeUser": authorize_user,
}
"""By operationId of the document."""

UNDOCUMENTED: Mapping[str, Callable[..., Response]] = {
    "archiveUsers": archive_users,
    "unarchiveUser": unarchive_user,
    "addUsersToGroup": add_users_to_group,
    "removeUsersFromGroup": remove_users_from_group,
}
"""What only the vendor's pages have."""


def _after(text: str | None) -> Millis:
    return instants.of_datetime(contract.read_instant(text)) if text else -1


def _session(user: User) -> dict[str, Any]:
    return {
        "userId": user.user_id,
        "userDisplayName": f"{user.first_name} {user.last_name}",
        **({"userEmail": user.email} if user.email else {}),
        "dashboardUrl": f"http://learn.example.com/CreateCookie.aspx?sessionID2=simulated{user.user_id}",
    }


def _course(course: Course) -> dict[str, Any]:
    return {
        "id": course.course_id,
        "name": course.name,
        "description": None,
        "status": "Archive" if course.is_archived else "Active",
    }
