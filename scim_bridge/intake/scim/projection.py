"""What of a resource an answer shows: `attributes` and `excludedAttributes` (RFC 7644 section 3.9), on plain documents.

The library projects models; to make a model of each resource of a page costs ten times what answering with it does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from inspect import isclass
from typing import Any

from scim2_models import BaseModel, ComplexAttribute, Extension, ResponseParameters, Returned

from scim_bridge.domain.models import SHOWN_MODELS
from scim_bridge.intake.scim.attributes import core_schema


@dataclass(frozen=True, slots=True)
class Projection:
    """Which attributes are kept, by name: whole, or these sub-attributes; those of an extension under its URN."""

    whole: frozenset[str]
    parts: Mapping[str, frozenset[str]]
    extensions: Mapping[str, "Projection"]
    known: frozenset[str] = frozenset()
    """The URNs of all extensions, kept or not."""

    def shows(self, name: str) -> bool:
        """Tell whether anything of a core attribute is kept."""
        return name in self.whole or name in self.parts

    def cut(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is kept of a document; what is empty then is left out (RFC 7643 section 2.5)."""
        kept: dict[str, Any] = {}
        for name, value in document.items():
            if name in self.whole:
                kept[name] = value
            elif name in self.parts:
                cut = _cut(value, self.parts[name])
                if cut:
                    kept[name] = cut
            elif name in self.extensions:
                cut = self.extensions[name].cut(value)
                if cut:
                    kept[name] = cut
        if "schemas" in kept:
            # An answer names the schemas of what it shows.
            kept["schemas"] = [urn for urn in kept["schemas"] if urn not in self.known or urn in kept]
        return kept


def of(kind: str, parameters: ResponseParameters[Any] | None) -> Projection | None:
    """Return what an answer with these parameters shows of a resource type; None: all of it."""
    if parameters is None or not (parameters.attributes or parameters.excluded_attributes):
        return None
    return _projection(
        kind,
        tuple(str(path).lower() for path in parameters.attributes or ()),
        tuple(str(path).lower() for path in parameters.excluded_attributes or ()),
    )


@lru_cache(maxsize=512)
def _projection(kind: str, asked: tuple[str, ...], excluded: tuple[str, ...]) -> Projection:
    model = SHOWN_MODELS[kind]
    known = {str(urn): extension for urn, extension in model.get_extension_models().items()}
    extensions = {
        urn: _of_part(urn, extension, asked, excluded)
        for urn, extension in known.items()
        if urn.lower() not in excluded
    }
    core = _of_part(core_schema(kind), model, asked, excluded)
    return Projection(core.whole | {"schemas"}, core.parts, extensions, frozenset(known))


def _of_part(urn: str, model: type[BaseModel], asked: tuple[str, ...], excluded: tuple[str, ...]) -> Projection:
    whole, parts = set[str](), dict[str, frozenset[str]]()
    for name, returned, subs in _attributes(model):
        path = f"{urn}:{name}".lower()
        if not _is_kept(returned, path, asked, excluded):
            continue
        kept = frozenset(sub for sub, how in subs if _is_kept(how, f"{path}.{sub}".lower(), asked, excluded))
        if len(kept) == len(subs):
            whole.add(name)
        else:
            parts[name] = kept
    return Projection(frozenset(whole), parts, {})


@cache
def _attributes(model: type[BaseModel]) -> tuple[tuple[str, Returned, tuple[tuple[str, Returned], ...]], ...]:
    """Return the attributes of a model by their SCIM names, with when they are returned, and their sub-attributes."""
    return tuple(_described(model))


def _described(model: type[BaseModel]) -> Iterator[tuple[str, Returned, tuple[tuple[str, Returned], ...]]]:
    for field in model.model_fields:
        root = model.get_field_root_type(field)
        if isclass(root) and issubclass(root, Extension):
            continue
        subs: tuple[tuple[str, Returned], ...] = ()
        if isclass(root) and issubclass(root, ComplexAttribute):
            subs = tuple((root._scim_name(sub), root.get_field_annotation(sub, Returned)) for sub in root.model_fields)  # noqa: SLF001 - the library has no public way to ask
        yield model._scim_name(field), model.get_field_annotation(field, Returned), subs  # noqa: SLF001 - as above


def _is_kept(returned: Returned, path: str, asked: tuple[str, ...], excluded: tuple[str, ...]) -> bool:
    """Tell whether an answer keeps an attribute; `path` is its whole name in lower case."""
    short = path.rpartition(":")[2]
    if returned == Returned.always:
        return True
    if returned == Returned.never:
        return False
    if returned == Returned.request:
        return any(_names(each, path, short, with_children=False) for each in asked)
    if asked and not any(_names(each, path, short, with_children=True) for each in asked):
        return False
    return not any(each == (path if ":" in each else short) for each in excluded)


def _names(asked: str, path: str, short: str, *, with_children: bool) -> bool:
    """Tell whether a requested name means an attribute: itself, one of its sub-attributes, or the schema around it.

    With children also: the attribute that it is a part of.
    """
    own = path if ":" in asked else short
    if asked == own or asked.startswith(own + ".") or own.startswith(asked + ":"):
        return True
    return with_children and own.startswith(asked + ".")


def _cut(value: Any, subs: frozenset[str]) -> Any:
    if isinstance(value, list):
        cut = ({sub: item for sub, item in each.items() if sub in subs} for each in value)
        return [each for each in cut if each]
    return {sub: item for sub, item in value.items() if sub in subs}
