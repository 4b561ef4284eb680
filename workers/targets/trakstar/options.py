"""The options of a Trakstar target, read once. config/targets/trakstar.toml explains each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scim_bridge.settings.models import TargetSettings
from workers.targets.options import OptionReader


@dataclass(frozen=True, slots=True, kw_only=True)
class TrakstarOptions:
    """What may be one way or the other, because the document and the vendor's pages disagree."""

    base_url: str
    api_key: str = field(repr=False)
    create_semantics: str = "add_only"
    edit_answer: str = "user"
    custom_field_style: str = "lower"
    invite_path: str = "document"
    bulk_archive: bool = False
    bulk_groups: bool = False
    unarchive: bool = False
    permissions: Mapping[str, int] = field(default_factory=dict)
    """Permission codes by the name of the user type."""
    connect_timeout_s: float = 5.0
    timeout_s: float = 10.0
    timeout_bulk_s: float = 60.0


def read_options(settings: TargetSettings) -> TrakstarOptions:
    """Return a target's options, checked.

    Raises:
        OptionsRefused: naming everything that is wrong.
    """
    reader = OptionReader(settings)
    options = TrakstarOptions(
        base_url=reader.url("base_url"),
        api_key=reader.secret("api_key"),
        create_semantics=reader.choice("create_semantics", ("add_only", "upsert")),
        edit_answer=reader.choice("edit_answer", ("user", "empty")),
        custom_field_style=reader.choice("custom_field_style", ("lower", "camel")),
        invite_path=reader.choice("invite_path", ("document", "vendor")),
        bulk_archive=reader.switch("bulk_archive"),
        bulk_groups=reader.switch("bulk_groups"),
        unarchive=reader.switch("unarchive"),
        permissions=_permissions(reader),
        connect_timeout_s=reader.number("connect_timeout_s", 5.0, least=0.1),
        timeout_s=reader.number("timeout_s", 10.0, least=0.1),
        timeout_bulk_s=reader.number("timeout_bulk_s", 60.0, least=0.1),
    )
    reader.need("base_url", options.base_url)
    reader.need("api_key", options.api_key)
    for place in settings.groups.values():
        for course in (*place.courses, *place.required_courses):
            if not course.isdecimal():
                reader.problems.append(f"[groups] names the course {course!r}, but Trakstar's courses are numbers")
    reader.finish()
    return options


def _permissions(reader: OptionReader) -> dict[str, int]:
    codes = reader.table("permissions")
    wrong = [name for name, code in codes.items() if not isinstance(code, int) or isinstance(code, bool)]
    reader.problems += [f"permissions.{name} must be a number" for name in wrong]
    return {name: code for name, code in codes.items() if name not in wrong}
