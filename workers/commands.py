"""The commands that need a target's credential: done in place, printed, and kept as errands for all to see."""

import json
import sys

from scim_bridge.store import errands as kept
from workers import errands, probes, visits
from workers import reconcile as drifts
from workers.runtime import Runtime


def reconcile(
    runtime: Runtime,
    *,
    tenant: str | None,
    target: str | None,
    repair: bool,
    as_json: bool,
    max_calls: int | None = None,
    who: str = "",
) -> int:
    """Run `scim-bridge reconcile` and print its report; returns 0 when equal or repaired, 1 on drift, 2 for usage."""
    if tenant is None or target is None or runtime.target_settings(tenant, target) is None:
        sys.stderr.write("reconcile needs --tenant and --target as the configuration names them\n")
        return 2
    began_at = runtime.clock()
    try:
        report = drifts.reconcile(runtime, tenant, target, repair=repair, max_calls=max_calls)
    except visits.CannotReconcile as error:
        sys.stderr.write(f"{error}\n")
        ended, code = errands.Ended(status=kept.FAILED, reason=str(error)), 1
    else:
        sys.stdout.write(json.dumps(report.to_json()) + "\n" if as_json else report.told(repair=repair))
        sys.stdout.flush()
        ended, code = errands.reconciled(report), 0 if repair or not report.differences else 1
    errands.note(
        runtime,
        tenant,
        target,
        kind=kept.RECONCILE,
        command="reconcile",
        who=who or runtime.owner,
        asked={"repair": repair, "max_calls": max_calls},
        began_at=began_at,
        ended=ended,
    )
    return code


def probe(runtime: Runtime, *, tenant: str | None, target: str | None, as_json: bool, who: str = "") -> int:
    """Run `scim-bridge target probe` and print what it found.

    Returns 0 when the target is reached and does what our record says, 1 when not, 2 for usage.
    """
    if tenant is None or target is None or runtime.target_settings(tenant, target) is None:
        sys.stderr.write("target probe needs --tenant and --target as the configuration names them\n")
        return 2
    began_at = runtime.clock()
    try:
        findings = probes.probe(runtime, tenant, target)
    except visits.CannotReconcile as error:
        sys.stderr.write(f"{error}\n")
        ended, code = errands.Ended(status=kept.FAILED, reason=str(error)), 1
    else:
        shown = {"tenant": tenant, "target": target, **findings.to_json()}
        sys.stdout.write(json.dumps(shown) + "\n" if as_json else findings.told())
        sys.stdout.flush()
        ended, code = errands.probed(findings), 0 if findings.reached and not findings.differences else 1
    errands.note(
        runtime,
        tenant,
        target,
        kind=kept.PROBE,
        command="target probe",
        who=who or runtime.owner,
        asked={},
        began_at=began_at,
        ended=ended,
    )
    return code
