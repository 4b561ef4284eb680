"""The overview: where every lane stands."""

from flask import Blueprint

from scim_bridge.operators import alive, status
from scim_bridge.web.console.counter import PREFIX, Counter


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the overview."""

    @blueprint.get(f"{PREFIX}/")
    def overview() -> str:
        desk = counter.desk
        report = status.report(desk.store, desk.settings, tenant=counter.tenant)
        processes = alive.report(desk.queue_url, now=counter.clock())
        return counter.page("overview.html", lanes=report["lanes"], warnings=alive.warnings(processes))
