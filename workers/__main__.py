"""`python -m workers deliver | relay | reconcile`: one process of the delivering side."""

import argparse
import os
import sys

from scim_bridge import dispatch, logs, secrets
from scim_bridge.errors import SettingsRefused
from scim_bridge.settings import loading
from scim_bridge.store.engine import Store
from scim_bridge.wiring import queue_url
from workers import queue, reconcile, runtime
from workers.relay import loop


def main(arguments: list[str]) -> int:
    """Run one process; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("process", choices=("deliver", "relay", "reconcile"))
    parser.add_argument("--config")
    parser.add_argument("--tenant")
    parser.add_argument("--target")
    parser.add_argument("--repair", action="store_true")
    parser.add_argument("--extra", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        installed = make_runtime(options.config, role="relay" if options.process == "relay" else "worker")
    except SettingsRefused as refused:
        sys.stderr.write(f"{refused}\n")
        return 2
    logs.configure(installed.settings.log_level, process=options.process)
    runtime.install(installed)
    if options.process == "deliver":
        queue.serve(queue_url(installed.settings))
    elif options.process == "relay":
        loop.serve(installed)
    else:
        return reconcile.command(
            installed, tenant=options.tenant, target=options.target, repair=options.repair, as_json=options.json
        )
    return 0


def make_runtime(config: str | None, *, role: str) -> runtime.Runtime:
    """Read the settings and open what a process needs.

    Raises:
        SettingsRefused: with every problem of the configuration.
    """
    settings = loading.load(config, role=role, environ=os.environ)
    return runtime.Runtime(
        settings=settings,
        store=Store.open(settings.store.url, clock=runtime.system_clock, pool_size=settings.store.pool_size),
        dispatcher=dispatch.RqDispatcher(queue_url(settings)),
        fingerprint_key=secrets.installation_key(settings.data_dir),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
