"""The text of a bridge.toml for a world of our own: one embedded queue, one tenant, its sources and its targets."""

import json
from collections.abc import Iterable, Mapping, Sequence

from scim_bridge.sandbox.targets.limits import ALL, Window

_OPENING = """\
data_dir = "var"
[store]
url = {store_url}
[queue]
url = "embedded:"
[web]
bind = "{bind}"
admin_bind = "{admin_bind}"
{web}[[tenants]]
id = "{tenant}"
"""


def opening(
    *, store_url: str, bind: object, admin_bind: object, tenant: str, sources: Iterable[str] = (), web: str = ""
) -> str:
    """Return everything but the targets; `web` is further lines of its table."""
    text = _OPENING.format(store_url=json.dumps(store_url), bind=bind, admin_bind=admin_bind, tenant=tenant, web=web)
    return text + "".join(f"[[tenants.sources]]\nname = {json.dumps(name)}\n" for name in sources)


def target(
    *,
    name: str,
    kind: str,
    values: Mapping[str, str],
    limits: Sequence[Window] | None = None,
    groups: Iterable[str] = (),
    more: str = "",
) -> str:
    """Return one target's table, to follow `opening` or another target.

    `values` are its addresses and credentials, `limits` None those of its kind; `groups` keep their names; `more` is
    further text: keys first, tables after them.
    """
    lines = ["[[tenants.targets]]", f"name = {json.dumps(name)}", f"kind = {json.dumps(kind)}"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    if limits is not None:
        lines.append(f"limits = [{', '.join(map(_limit, limits))}]")
    lines += more.splitlines()
    lines += [f"[tenants.targets.groups.{json.dumps(each)}]\ngroup = {json.dumps(each)}" for each in groups]
    return "\n".join(lines) + "\n"


def _limit(window: Window) -> str:
    applies_to = "" if window.applies_to == ALL else f", class = {json.dumps(window.applies_to)}"
    return f"{{requests = {window.requests}, per_s = {window.per_s:g}{applies_to}}}"
