"""`python -m workers deliver | relay | reconcile | probe`: one process of the delivering side."""

import argparse
import gc
import os
import sys

from scim_bridge import reading

with reading.undisturbed():
    from scim_bridge import logs, secrets, wiring
    from scim_bridge.errors import BridgeError
    from scim_bridge.recording import configurations, versions
    from scim_bridge.store import readiness
    from scim_bridge.store.engine import StoreUnavailable
    from workers import runtime

LAST_ERRAND_S = 2.0
"""So long a stop waits for what operators want of targets; what is cut off another worker takes up."""


def main(arguments: list[str]) -> int:
    """Run one process; returns its exit code: 0 after an orderly stop, 1 without a store, 2 when misconfigured."""
    gc.freeze()
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("process", choices=("deliver", "relay", "reconcile", "probe"))
    parser.add_argument("--config")
    parser.add_argument("--tenant")
    parser.add_argument("--target")
    parser.add_argument("--repair", action="store_true")
    parser.add_argument("--max-calls", type=int)
    parser.add_argument("--who", default="")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        return _run(options)
    except BridgeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except StoreUnavailable as error:
        sys.stderr.write(f"{readiness.sentence(error)}\n")
        return 1


def _run(options: argparse.Namespace) -> int:
    installed = make_runtime(options.config, role="relay" if options.process == "relay" else "worker")
    logs.configure(installed.settings.log_level, process=options.process)
    runtime.install(installed)
    if options.process in ("reconcile", "probe"):
        return _command(installed, options)
    wiring.note_loaded(installed.store, installed.settings, who="relay" if options.process == "relay" else "worker")
    if options.process == "deliver":
        _deliver(installed)
    else:
        _relay(installed)
    return 0


def _deliver(installed: runtime.Runtime) -> None:
    with reading.undisturbed():
        from workers import errands, queue  # noqa: PLC0415 - the relay does without
    gc.freeze()
    queue.serve(installed, wiring.queue_url(installed.settings))
    errands.finish(installed, patience_s=LAST_ERRAND_S)


def _relay(installed: runtime.Runtime) -> None:
    with reading.undisturbed():
        from workers.relay import loop  # noqa: PLC0415 - delivering does without its duties
    gc.freeze()
    loop.serve(installed)


def _command(installed: runtime.Runtime, options: argparse.Namespace) -> int:
    from workers import commands  # noqa: PLC0415 - delivering and relaying do without it

    readiness.check_exists(installed.settings.store.url)
    configurations.note(installed.store, installed.settings, who=options.process)
    versions.note(installed.store, installed.settings, who=options.process)
    asked = {"tenant": options.tenant, "target": options.target, "as_json": options.json, "who": options.who}
    if options.process == "probe":
        return commands.probe(installed, **asked)
    return commands.reconcile(installed, **asked, repair=options.repair, max_calls=options.max_calls)


def make_runtime(config: str | None, *, role: str) -> runtime.Runtime:
    """Read the settings and open what a process needs.

    Raises:
        BridgeError: the configuration is wrong; everything that is wrong is named.
    """
    settings = wiring.load_settings(role, config)
    made = runtime.Runtime(
        settings=settings,
        store=wiring.open_store(settings),
        dispatcher=wiring.open_dispatcher(settings),
        fingerprint_key=secrets.installation_key(settings.data_dir),
    )
    if role == "worker":
        made.build_targets()
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
