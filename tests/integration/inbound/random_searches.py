"""Random directories and random searches of them, made of the values that make comparisons go wrong."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import cache, reduce
from operator import or_
from typing import Any

from hypothesis import strategies as st
from scim2_models import SearchRequest
from scim2_server.utils import parametrize

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import CORE_GROUP, CORE_USER, ENTERPRISE_USER, GROUP, USER
from scim_bridge.intake.scim.shown import document_to_store, load, model_of
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.store import directory
from scim_bridge.store.engine import Store
from scim_bridge.store.search import pages

# Case, composition, what folds to more characters than it has, order beyond the basic plane, wildcards, JSON's own.
TEXTS = [
    "",
    "a",
    "A",
    "b",
    "aB",
    "ab",
    "ä",
    "Ä",
    "a\u0308",
    "ß",
    "SS",
    "ﬀ",
    "İ",
    "i̇",
    "Σ",
    "ς",
    "\u03c3",
    "😀",
    "\uffee",
]
TEXTS += ["%", "_", "a%", "\\", '"', "'", "a b", " a", "null", "true", "0", "10", "9", "a\nb", "é", "E\u0301"]
TYPES = ["work", "home", "Work", "other", "pager", ""]
CERTIFICATES = ["aGVsbG8=", "aGVsbG9v", "AAAA"]
MOMENT = 1_700_000_000_000

HEADS: dict[str, dict[str, list[Any]]] = {
    "emails": {"value": TEXTS, "type": TYPES, "primary": [True, False], "display": TEXTS},
    "roles": {"value": TEXTS, "type": TYPES, "primary": [True, False]},
    "addresses": {"locality": TEXTS, "country": TEXTS, "type": TYPES},
    "phoneNumbers": {"value": TEXTS, "type": TYPES},
    "photos": {"value": TEXTS},
}
TEXT_PATHS = ["displayName", "externalId", "id", "EXTERNALID", "schemas", "meta.resourceType", "meta.version"]
TEXT_PATHS += ["meta.location"]
USER_PATHS = ["userName", "title", "nickName", "profileUrl", "userType", "TITLE", "name.familyName", "NAME.givenname"]
USER_PATHS += [f"{CORE_USER}:title", "emails", "groups", "groups.display", "groups.type", "groups.$ref"]
USER_PATHS += [f"{ENTERPRISE_USER}:{name}" for name in ("department", "employeeNumber", "manager.value", "costCenter")]
USER_PATHS += [f"{head}.{sub}" for head, subs in HEADS.items() for sub in subs if sub != "primary"]
GROUP_PATHS = ["members", "members.value", "members.$ref", "members.type", "members.display"]
COMPLEX_PATHS = {
    USER: ["name", "emails", "addresses", f"{ENTERPRISE_USER}:manager", "groups", "emails.primary", "active"],
    GROUP: ["members"],
}
INDEXED_PATHS = {
    USER: ["id", "groups.value", "userName", "externalId", "emails.value", "displayName"],
    GROUP: ["id", "members", "externalId", "displayName"],
}
SORT_PATHS = ["userName", "title", "externalId", "displayName", "name.familyName", "active", "meta.created", "id"]
SORT_PATHS += ["meta.lastModified", "emails", "emails.type", "roles.value", "groups.display", "addresses.locality"]
SORT_PATHS += [f"{ENTERPRISE_USER}:department", f"{ENTERPRISE_USER}:manager.value", "members.value", "meta.version"]


def fill(store: Store, tenant: str, *, seed: int, users: int = 25, groups: int = 6) -> None:
    """Put a random directory into a tenant, users and groups by turns."""
    chance = random.Random(seed)
    ids: list[str] = []
    kinds = [USER] * users + [GROUP] * groups
    chance.shuffle(kinds)
    for number, kind in enumerate([USER, *kinds]):
        with store.begin(tenant) as tx:
            recorder = Recorder(tx, scopes={}, origin=Origin(source="idp", correlation_id="c"))
            if kind == GROUP:
                document = {"schemas": [CORE_GROUP], "displayName": f"{chance.choice(TEXTS)}g", **_some_id(chance)}
                members = chance.sample(ids, chance.randrange(min(len(ids), 5)))
                recorder.create(GROUP, _as_stored(GROUP, document), member_ids=members)
                continue
            ids.append(recorder.create(USER, _as_stored(USER, _user(chance, number))).scim_id)
    for scim_id in chance.sample(ids, users // 4):
        with store.begin(tenant) as tx:
            recorder = Recorder(tx, scopes={}, origin=Origin(source="idp", correlation_id="c"))
            stored = directory.fetch(tx, USER, scim_id)
            assert stored is not None
            recorder.update(stored, {**stored.document, "userType": chance.choice(TEXTS)})


def everybody(store: Store, tenant: str) -> list[Any]:
    """Return all resources of a tenant as the library's models, in the order of creation."""
    kinds = [(kind, MODELS[kind]) for kind in (USER, GROUP)]
    with store.begin(tenant, write=False) as tx:
        page = pages.find(tx, kinds, search_request(USER, GROUP))
        return [model_of(each) for each in load(tx, page.resources)]


def search_request(*kinds: str, **values: Any) -> Any:
    """Return a search of these resource types, as the front door reads it from a request."""
    return _search_requests(kinds)(**values)


@cache
def _search_requests(kinds: tuple[str, ...]) -> Any:
    return parametrize(SearchRequest, reduce(or_, [MODELS[kind] for kind in kinds]))


def _user(chance: random.Random, number: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schemas": [CORE_USER, ENTERPRISE_USER],
        "userName": f"{chance.choice(TEXTS)}{number}",
        **_some_id(chance),
        **{
            name: chance.choice(TEXTS)
            for name in ("title", "displayName", "nickName", "profileUrl")
            if chance.random() < 0.7
        },
    }
    if chance.random() < 0.7:
        document["name"] = {name: chance.choice(TEXTS) for name in ("givenName", "familyName") if chance.random() < 0.7}
    if chance.random() < 0.5:
        document["active"] = chance.random() < 0.5
    for head, subs in HEADS.items():
        if chance.random() < 0.6:
            document[head] = [_element(chance, subs) for _ in range(chance.randrange(4))]
    if chance.random() < 0.5:
        document["x509Certificates"] = [{"value": chance.choice(CERTIFICATES)}]
    if chance.random() < 0.6:
        document[ENTERPRISE_USER] = {
            **{name: chance.choice(TEXTS) for name in ("department", "employeeNumber") if chance.random() < 0.7},
            **({"manager": {"value": chance.choice(TEXTS)}} if chance.random() < 0.6 else {}),
        }
    return document


def _some_id(chance: random.Random) -> dict[str, str]:
    return {"externalId": chance.choice(TEXTS)} if chance.random() < 0.7 else {}


def _element(chance: random.Random, subs: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: chance.choice(values) for name, values in subs.items() if chance.random() < 0.7}


def _as_stored(kind: str, document: dict[str, Any]) -> dict[str, Any]:
    return document_to_store(MODELS[kind].model_validate(document))


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_anything: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(TEXTS), st.sampled_from(TEXTS), st.text(max_size=3, alphabet="aAbB0\u00e4\u00c4😀 "), st.none()
)
_operators = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])
_booleans = st.sampled_from([True, False, "True", "false", 1, 0, None])


def _comparison(paths: list[str], operators: Any, values: Any) -> st.SearchStrategy[str]:
    return st.builds(lambda path, op, value: f"{path} {op} {_quoted(value)}", st.sampled_from(paths), operators, values)


def other_value() -> st.SearchStrategy[str]:
    """Return texts that can stand in a filter instead of any other text that is not empty."""
    return st.one_of(st.sampled_from([each for each in TEXTS if each]).map(_quoted), _moments().map(_quoted))


def _presence(paths: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(paths).map(lambda path: f"{path} pr")


def _moments() -> st.SearchStrategy[Any]:
    seconds = st.integers(MOMENT // 1000 - 1, MOMENT // 1000 + 2)

    def text(second: int, fraction: str, zone: str) -> str:
        moment = datetime.fromtimestamp(second, UTC)
        if zone not in ("Z", ""):
            moment = moment.astimezone(timezone(timedelta(hours=int(zone[:3]))))
        return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + zone

    fractions = st.one_of(st.just(""), st.integers(0, 120).map(lambda ms: f".{ms:03d}"), st.just(".0005"))
    return st.one_of(
        st.builds(text, seconds, fractions, st.sampled_from(["Z", "+02:00", "-11:00", ""])),
        st.sampled_from(["2023-11-14", None, MOMENT // 1000]),
    )


def _inner(subs: dict[str, list[Any]]) -> st.SearchStrategy[str]:
    texts = [name for name in subs if name != "primary"]
    leaves = [_comparison(texts, _operators, _anything), _presence([*subs, "nosuch"])]
    if "primary" in subs:
        leaves.append(_comparison(["primary"], st.sampled_from(["eq", "ne"]), _booleans))
    return _combined(st.one_of(leaves), most=3)


def _value_path(kind: str) -> st.SearchStrategy[str]:
    scalar = _comparison(["value"], _operators, st.sampled_from([CORE_USER, ENTERPRISE_USER, "urn", None]))
    ends = _inner({"value": [], "type": [], "display": []})
    if kind == GROUP:
        return ends.map(lambda inner: f"members[{inner}]")
    return st.one_of(
        *(_inner(subs).map(lambda inner, head=head: f"{head}[{inner}]") for head, subs in HEADS.items()),
        _combined(scalar, most=2).map(lambda inner: f"schemas[{inner}]"),
        ends.map(lambda inner: f"groups[{inner}]"),
    )


def _combined(leaves: st.SearchStrategy[str], *, most: int) -> st.SearchStrategy[str]:
    def widened(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        joined: list[Callable[[str, str], str]] = [
            lambda left, right: f"{left} and {right}",
            lambda left, right: f"{left} or {right}",
            lambda left, right: f"({left} or {right}) and not ({right})",
        ]
        return st.one_of(
            st.builds(lambda join, left, right: join(left, right), st.sampled_from(joined), inner, inner),
            inner.map(lambda each: f"not ({each})"),
            inner.map(lambda each: f"({each})"),
        )

    return st.recursive(leaves, widened, max_leaves=most)


@cache
def filters(kinds: tuple[str, ...], hits: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Return filters of the whole grammar over these resource types; `hits` are filters that find somebody."""
    return _combined(st.one_of(st.sampled_from(hits), *(_leaf(kind) for kind in kinds)), most=4)


def hits_of(everyone: list[Any], kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Return look-ups that each find somebody: a filter that finds nobody proves little of what it is joined with."""
    found = []
    for each in everyone:
        if each.meta.resource_type in kinds:
            found += [f"id eq {_quoted(each.id)}", f"displayName eq {_quoted(each.display_name or 'x')}"]
            found += [f"externalId eq {_quoted(each.external_id)}"] if each.external_id else []
            found += [f"members[value eq {_quoted(end.value)}]" for end in getattr(each, "members", None) or []]
            found += _hits_of_user(each) if each.meta.resource_type == USER else []
    return tuple(found)


def _hits_of_user(user: Any) -> list[str]:
    found = [f"userName eq {_quoted(user.user_name)}"]
    found += [f"groups.value eq {_quoted(end.value)}" for end in user.groups or []]
    for email in user.emails or []:
        if email.value is not None:
            value = _quoted(email.value)
            other = f"type eq {_quoted(email.type)}" if email.type else "display pr"
            found += [
                f"emails eq {value}",
                f"emails[value eq {value} and {other}]",
                f"emails[value eq {value} or {other}]",
            ]
    return found


def _leaf(kind: str) -> st.SearchStrategy[str]:
    paths = [*TEXT_PATHS, *(USER_PATHS if kind == USER else GROUP_PATHS)]
    leaves = [
        _comparison(paths, _operators, _anything),
        _comparison(INDEXED_PATHS[kind], st.sampled_from(["eq", "ne", "co"]), _anything),
        _comparison(["meta.created", "meta.lastModified"], _operators, _moments()),
        _presence([*paths, *COMPLEX_PATHS[kind], "meta", "meta.created", "schemas"]),
        _value_path(kind),
    ]
    if kind == USER:
        exact = st.sampled_from(["eq", "ne"])
        leaves.append(_comparison(["active", "emails.primary", "roles.primary"], exact, _booleans))
        leaves.append(_comparison(["x509Certificates", "password"], exact, st.sampled_from(CERTIFICATES)))
    return st.one_of(leaves)
