"""Bends what real senders send into what RFC 7643 means, before validation. Each tolerance names who needs it.

`ScimPolicy` bends the rest: unknown attributes and schemas are dropped, a filter without a match creates its element,
a remove may carry values. Nothing here knows a sender; whatever is sent is read by the same rules.

Three of them are choices, where senders or documents contradict each other:

- A whole group that does not name its `members`, or names them as null, leaves them alone; `[]` empties it. Senders
  that speak of members by PATCH alone (Okta, Entra, authentik) leave them out of everything else, and one that writes
  null for what it does not know must not take a course away from everybody. RFC 7644 section 3.5.1 allows both. The
  price: the libre.sh plugin of Keycloak leaves `members` out when the last one goes, so that one stays until the next
  PUT that names somebody; with its setting `group-patchOp` it says `remove`, which is obeyed.
- Saying nothing of `active`, or null, or an empty text, changes nothing: no omission revives or shuts out anybody.
- A Replace on a value filter without a match creates the element (Entra sends Replace when it believes that there is a
  value) where the filter says what the element is, by `eq` and `and`. Any other filter is 400 `noTarget`, as RFC 7644
  section 3.5.2.3 has it, because nothing can be meant.

How a PATCH is answered, 200 for a user and 204 for a group, is written down in `handler`.
"""

from collections.abc import Mapping
from typing import Any

from scim2_models import ScimPolicy

from scim_bridge.domain.resources import ENTERPRISE_USER, GROUP, USER
from scim_bridge.intake.scim import bounds
from scim_bridge.intake.scim.attributes import CORE_SCHEMAS, Attribute, attributes_of, core_schema, schemas_of

POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)

_SERVER_OWNED = {
    # Okta, authentik and Keycloak send these back as they read them. A password is nothing that we keep.
    USER: frozenset({"id", "meta", "groups", "password"}),
    GROUP: frozenset({"id", "meta", "password"}),
}


def is_server_owned(kind: str, name: str) -> bool:
    """Tell whether an attribute is not the sender's to set, and is passed over in a resource."""
    return name.lower() in _SERVER_OWNED[kind]


def tolerate_resource(kind: str, payload: Any) -> Any:
    """Return a resource as the models read it. What is no object is left for them to refuse."""
    if not isinstance(payload, dict):
        return payload
    kept: dict[str, Any] = {}
    extension: dict[str, Any] = {}
    for key, value in payload.items():
        _keep(kind, key, value, kept, extension)
    if extension:
        kept[ENTERPRISE_USER] = extension
    return kept


def _keep(kind: str, key: str, value: Any, kept: dict[str, Any], extension: dict[str, Any]) -> None:
    """Put one member of the payload where it belongs."""
    folded = key.lower()
    if is_server_owned(kind, folded):
        return
    if folded == "schemas":
        kept["schemas"] = tolerate_schemas(kind, value)
    elif folded in schemas_of(kind):
        # A schema's URN as a key: the extension's object, or the core attributes spelled the long way round.
        for inner, item in (value if isinstance(value, dict) else {}).items():
            _keep(kind, f"{folded}:{inner}", item, kept, extension)
    else:
        attribute = named(kind, key)
        if attribute is None or (attribute.name == "members" and value is None):
            return
        target = kept if attribute.urn == core_schema(kind) else extension
        if attribute.name not in target or folded.startswith("urn:"):
            target[attribute.name] = tolerate_value(attribute, value)


def named(kind: str, key: str) -> Attribute | None:
    """Return the attribute that a key names: plain (Entra also leaves the enterprise URN out) or URN-qualified."""
    folded = key.lower()
    if not folded.startswith("urn:"):
        return attributes_of(kind).get(folded)
    urn, _, name = folded.rpartition(":")
    attribute = attributes_of(kind).get(name)
    return attribute if attribute is not None and attribute.urn.lower() == urn else None


def tolerate_schemas(kind: str, value: Any) -> Any:
    """Return the schemas that we know (OneLogin and Entra name others), the resource's own always among them.

    A list that names another resource type's schema and not this one's is left as it is, to be refused.
    """
    if isinstance(value, str):
        value = [value]
    if value is None:
        return [core_schema(kind)]
    if not isinstance(value, list) or not all(isinstance(urn, str) for urn in value):
        return value
    folded = {urn.lower() for urn in value}
    if folded & CORE_SCHEMAS and core_schema(kind).lower() not in folded:
        return value
    known = [urn for key, urn in schemas_of(kind).items() if key in folded]
    return list(dict.fromkeys([core_schema(kind), *known]))


def tolerate_value(attribute: Attribute, value: Any) -> Any:
    """Return the value of a whole attribute in the shape that its schema asks for."""
    if attribute.name == "manager":
        return manager_of(value)
    if attribute.is_multivalued:
        return _without_blanks(attribute, elements_of(attribute, value))
    if not attribute.is_complex:
        value = scalar_of(value)
    if not attribute.is_text and is_blank(value):
        # OneLogin's templates write an empty text for what a user does not have, whatever the attribute holds.
        return None
    return value


def elements_of(attribute: Attribute, value: Any) -> Any:
    """Return the elements of a multi-valued attribute: one alone becomes a list, a bare text an element's value."""
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    bounds.check_values(attribute.name, items)
    if not attribute.is_complex:
        return items
    if attribute.name == "members":
        # A list of nothing but nulls would come out empty, and empty the group: a null is refused as a member.
        return [{"value": item} if isinstance(item, str) or item is None else item for item in items]
    return [{"value": item} if isinstance(item, str) else item for item in items if item is not None]


def _without_blanks(attribute: Attribute, elements: Any) -> Any:
    """Return the elements that say something: OneLogin's templates send those of the numbers that a user lacks, too.

    A member of a group is never passed over: a list that came out empty would empty the group.
    """
    if not isinstance(elements, list) or not attribute.is_complex or attribute.name == "members":
        return elements
    kept = [_without_blank_primary(item) if isinstance(item, dict) else item for item in elements]
    return [item for item in kept if not isinstance(item, dict) or _says_something(item)]


def _without_blank_primary(element: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in element.items() if key.lower() != "primary" or not is_blank(value)}


def _says_something(element: dict[str, Any]) -> bool:
    return any(key.lower() not in ("type", "primary") and not is_blank(value) for key, value in element.items())


def is_blank(value: Any) -> bool:
    """Tell whether a value says nothing: null, an empty text, list or object."""
    return value is None or (isinstance(value, (str, list, dict)) and not value)


def scalar_of(value: Any) -> Any:
    """Return a plain value; older Entra jobs wrap it as `[{"$ref": null, "value": ...}]`."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Mapping) and "value" in value:
        return value["value"]
    return value


def manager_of(value: Any) -> dict[str, Any] | None:
    """Return a manager in RFC 7643's form, None for no manager. What cannot be read never fails the user (Entra).

    Entra sends the object, a bare id, a list with one of them, and "" or null to remove it.
    """
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        members = {str(key).lower(): item for key, item in value.items()}
        reference = members.get("$ref")
        found = manager_of(members.get("value")) if not isinstance(members.get("value"), dict) else None
        if found is not None and isinstance(reference, str) and reference:
            found["$ref"] = reference
        return found
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return {"value": value} if isinstance(value, str) and value.strip() else None
