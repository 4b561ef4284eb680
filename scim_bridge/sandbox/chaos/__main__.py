"""The bridge's processes as the product has them, save that they break at the point that they are ordered to.

`python -m scim_bridge.sandbox.chaos up | deliver ...` is `scim-bridge up ...` or `python -m workers deliver ...`.
"""

import importlib
import runpy
import sys

from scim_bridge.sandbox.chaos import points

READ_LAG_MS = 1_500
"""The simulated targets show at once what was written; waiting the product's ten seconds here would prove nothing."""


def main(arguments: list[str]) -> None:
    """Put the crash points in place, then be the process that is asked for."""
    match arguments:
        case ["up", *rest]:
            _lead_through_our_door()
            sys.argv = ["scim-bridge", "up", *rest]
            runpy.run_module("scim_bridge", run_name="__main__", alter_sys=True)
        case ["deliver", *rest]:
            points.install()
            sys.argv = ["workers", "deliver", *rest]
            # By name: nothing of ours imports the delivering side.
            vars(importlib.import_module("workers.delivery.readback"))["READ_LAG_MS"] = READ_LAG_MS
            runpy.run_module("workers", run_name="__main__", alter_sys=True)
        case _:
            sys.exit(__doc__)


def _lead_through_our_door() -> None:
    from scim_bridge.supervisor import commands  # noqa: PLC0415 - a worker does without it

    plain = commands.web()
    setattr(commands, "web", lambda: [*plain[:-1], "scim_bridge.sandbox.chaos.door:make_app()"])  # noqa: B010 - replaced on purpose


if __name__ == "__main__":
    main(sys.argv[1:])
