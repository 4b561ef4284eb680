"""How the attributes of our models become keys of the folded document."""

from collections.abc import Iterator
from inspect import isclass

from scim2_models import AttributeBinding, BaseModel, CaseExact, ComplexAttribute, Extension

from scim_bridge.domain.models import MODELS
from scim_bridge.store.search.folding import Fold, Shape, Shapes, fold_text, keep_case

_NOT_FOLDED = frozenset({"id", "externalId", "meta", "userName", "displayName", "active", "password", "groups"})
_GROUP_MEMBERS = "members"


def key_of(binding: AttributeBinding) -> str:
    """Return the folded document's key of the head attribute that a path designates."""
    name = binding.model._scim_name(binding.field_name)  # noqa: SLF001 - the library has no public way to ask
    if isclass(binding.model) and issubclass(binding.model, Extension):
        return f"{binding.model.__schema__}:{name}"
    return name


def of(kind: str) -> Shapes:
    """Return the shapes of a resource type: for the resource itself (None), then for each extension by its URN."""
    model = MODELS[kind]
    parts: list[tuple[str | None, type[BaseModel]]] = [(None, model)]
    parts += [(str(urn), extension) for urn, extension in model.get_extension_models().items()]
    return tuple((urn, tuple(_shapes_of(part, prefix=f"{urn}:" if urn else ""))) for urn, part in parts)


def _shapes_of(model: type[BaseModel], *, prefix: str) -> Iterator[Shape]:
    for field_name in model.model_fields:
        name = model._scim_name(field_name)  # noqa: SLF001 - as above
        root = model.get_field_root_type(field_name)
        is_extension = isclass(root) and issubclass(root, Extension)
        if is_extension or (not prefix and (name in _NOT_FOLDED or name == _GROUP_MEMBERS)):
            continue
        if prefix and name == "schemas":
            continue
        subs = None
        if isclass(root) and issubclass(root, ComplexAttribute):
            subs = {root._scim_name(sub): _fold_of(root, sub) for sub in root.model_fields}  # noqa: SLF001 - as above
        yield Shape(name, prefix + name, model.get_field_multiplicity(field_name), _fold_of(model, field_name), subs)


def _fold_of(model: type[BaseModel], field_name: str) -> Fold:
    return keep_case if model.get_field_annotation(field_name, CaseExact) == CaseExact.true else fold_text
