"""`python -m workers.stopwatch --config FILE --tenant T TARGET...`: how long choosing who is due takes on each lane.

For benches: prints one line of JSON with the milliseconds of every round, a list for each target in its order. Nothing
is sent.
"""

import argparse
import json
import os
import sys
import time

from scim_bridge.errors import BridgeError
from scim_bridge.store import lanes
from workers.__main__ import make_runtime
from workers.delivery import choosing
from workers.delivery.post import Post
from workers.delivery.round import take_post
from workers.runtime import Runtime


class LaneTaken(BridgeError):  # noqa: N818 - it says what happened
    """Somebody works at the lane, or there is none."""


def main(arguments: list[str]) -> int:
    """Choose again and again, in turns, so that whatever else the machine does meets all lanes alike."""
    parser = argparse.ArgumentParser(prog="python -m workers.stopwatch", description=__doc__)
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    parser.add_argument("--config")
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        runtime = make_runtime(options.config, role="worker")
        rounds = [_round(runtime, options.tenant, options.targets) for _ in range(options.rounds + 1)]
    except BridgeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    # The first does not count: connections, compiled statements and pages that were read are kept from then on.
    sys.stdout.write(json.dumps([list(times) for times in zip(*rounds[1:], strict=True)]) + "\n")
    return 0


def _round(runtime: Runtime, tenant: str, targets: list[str]) -> list[float]:
    times_ms = []
    for target in targets:
        post = take_post(runtime, tenant, target)
        if post is None:
            raise LaneTaken(f"no worker may look at {tenant}/{target} now")
        try:
            times_ms.append(_time_ms(post))
        finally:
            with runtime.store.begin(tenant) as tx:
                lanes.release_lease(tx, post.lane_id, epoch=post.epoch, wake_at=None)
    return times_ms


def _time_ms(post: Post) -> float:
    began = time.perf_counter()
    choosing.choose(post)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
