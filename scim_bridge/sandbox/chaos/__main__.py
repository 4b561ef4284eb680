"""A worker as the product has it, save that it breaks at the point that the environment names."""

import os
import runpy
import sys

from scim_bridge.sandbox.chaos import points


def main() -> None:
    """Install the crash point, then be `python -m workers deliver`."""
    named = os.environ.get(points.VARIABLE, "").split()
    if named:
        points.install(int(named[0]), stops=named[1:] == ["stop"])
    sys.argv = ["workers", "deliver", *sys.argv[1:]]
    # By name: nothing of ours imports the delivering side.
    runpy.run_module("workers", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
