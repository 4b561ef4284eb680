"""config/README.md and config/example.env tell exactly the settings that there are."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from scim_bridge.settings import kinds, loading, models, notices, sources

CONFIG = Path(__file__).resolve().parents[3] / "config"
ROW = re.compile(r"^\| `([\w.]+)` \| (.+?) \|", re.MULTILINE)
KINDS = sorted(file.stem for file in (CONFIG / "targets").glob("*.toml"))

SECTIONS: dict[str, type[BaseModel]] = {
    "": models.Settings,
    "store": models.StoreSettings,
    "queue": models.QueueSettings,
    "web": models.WebSettings,
    "worker": models.WorkerSettings,
    "tenants": models.TenantSettings,
    "sources": sources.SourceSettings,
    "fetch": sources.FetchSettings,
    "targets": models.TargetSettings,
    "guard": models.GuardSettings,
    "limits": models.LimitSettings,
    "fields": models.FieldSettings,
    "groups": models.GroupSettings,
    "notices": notices.NoticeSettings,
}
TABLES_OF_THEIR_OWN = {"store", "queue", "web", "worker", "tenants", "notices"}
MADE_BY_LOADING = {"targets.options", "targets.secrets"}


def told() -> dict[str, str]:
    """Return the README's keys with their defaults."""
    rows = ROW.findall((CONFIG / "README.md").read_text("utf-8"))
    assert len({key for key, _ in rows}) == len(rows), "a key is told twice"
    return dict(rows)


def model_keys() -> dict[str, Any]:
    """Return every key of the models with its default."""
    found = {}
    for section, model in SECTIONS.items():
        for name, field in model.model_fields.items():
            if section or name not in TABLES_OF_THEIR_OWN:
                key = f"{section}.{field.alias or name}".lstrip(".")
                found[key] = field.get_default(call_default_factory=True)
    return {key: default for key, default in found.items() if key not in MADE_BY_LOADING}


def kind_keys() -> dict[str, Any]:
    """Return the own options of every kind with their defaults."""
    found = {}
    for name in KINDS:
        content = tomllib.loads((CONFIG / "targets" / f"{name}.toml").read_text("utf-8"))
        own = (content.keys() | set(content["secrets"])) - kinds.OURS - kinds.ABOUT_THE_FILE
        found |= {f"{name}.{option}": content.get(option, PydanticUndefined) for option in own}
    return found


def test_every_setting_is_told() -> None:
    assert told().keys() == model_keys().keys() | kind_keys().keys()


@pytest.mark.parametrize("key", sorted(model_keys().keys() | kind_keys().keys()))
def test_the_told_default_is_the_default(key: str) -> None:
    default = (model_keys() | kind_keys())[key]
    text = told()[key]
    if default is PydanticUndefined:
        assert text.startswith("required") or text == "secret"
    elif default is None:
        assert text == "none"
    elif isinstance(default, (BaseModel, dict)) or key.startswith("tenants."):
        assert text  # told in words
    else:
        assert tomllib.loads(f"value = {text.strip('`')}")["value"] == default


def test_the_variables_of_the_examples_are_in_the_example_environment() -> None:
    named = re.findall(r"env:(\w+)", (CONFIG / "bridge.toml").read_text("utf-8"))
    given = set(re.findall(r"^(\w+)=", (CONFIG / "example.env").read_text("utf-8"), re.MULTILINE))
    assert set(named) == given


def test_the_examples_in_the_file_can_be_used_as_they_stand(tmp_path: Path) -> None:
    """Whoever takes the comment signs away and gives the secrets has two lanes."""
    lines = (CONFIG / "bridge.toml").read_text("utf-8").splitlines()
    shown = [line.removeprefix("# ") if re.match(r"# (\[\[|\w+ = )", line) else line for line in lines]
    (tmp_path / "bridge.toml").write_text("\n".join(shown), "utf-8")
    environ = dict.fromkeys(re.findall(r"env:(\w+)", "\n".join(shown)), "s3cret")
    settings = loading.load(tmp_path / "bridge.toml", role="all", environ=environ)
    assert [target.name for target in settings.tenants[0].targets] == ["trakstar", "mindtickle"]
