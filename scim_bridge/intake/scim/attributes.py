"""What the tolerances need to know of the schemas: which names there are, and what each takes."""

from dataclasses import dataclass
from functools import cache
from inspect import isclass

from scim2_models import BaseModel, ComplexAttribute, Extension

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import CORE_GROUP, CORE_USER, ENTERPRISE_USER, USER


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute by its SCIM name: the schema that it belongs to, and what it takes."""

    name: str
    urn: str
    is_multivalued: bool
    is_complex: bool
    is_text: bool


@cache
def attributes_of(kind: str) -> dict[str, Attribute]:
    """Return the attributes of a resource type and its extensions by lower-case name; the core ones win."""
    model = MODELS[kind]
    found: dict[str, Attribute] = {}
    parts: list[tuple[str, type[BaseModel]]] = [(core_schema(kind), model)]
    parts += [(str(urn), extension) for urn, extension in model.get_extension_models().items()]
    for urn, part in parts:
        for field in part.model_fields:
            root = part.get_field_root_type(field)
            if isclass(root) and issubclass(root, Extension):
                continue
            name = part._scim_name(field)  # noqa: SLF001 - the library has no public way to ask
            is_complex = isclass(root) and issubclass(root, ComplexAttribute)
            found.setdefault(
                name.lower(),
                Attribute(
                    name=name,
                    urn=urn,
                    is_multivalued=part.get_field_multiplicity(field),
                    is_complex=is_complex,
                    is_text=isclass(root) and issubclass(root, str),
                ),
            )
    return found


@cache
def schemas_of(kind: str) -> dict[str, str]:
    """Return the schemas of a resource type by their lower-case URN, its own first."""
    urns = [core_schema(kind), *map(str, MODELS[kind].get_extension_models())]
    return {urn.lower(): urn for urn in urns}


def core_schema(kind: str) -> str:
    """Return the URN of a resource type's own schema."""
    return CORE_USER if kind == USER else CORE_GROUP


CORE_SCHEMAS = frozenset({CORE_USER.lower(), CORE_GROUP.lower()})
MANAGER = f"{ENTERPRISE_USER}:manager"
