"""Requests as they came to the front door, for the day on which an admin says that it does not work."""

from flask import Blueprint

from scim_bridge.operators import inbound
from scim_bridge.web.console import forms
from scim_bridge.web.console.counter import PREFIX, Counter


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the page of requests."""

    @blueprint.get(f"{PREFIX}/requests")
    def requests() -> str:
        refused = forms.is_ticked("refused")
        found = inbound.listed(counter.desk.store, counter.tenant, after=forms.after(), refused=refused)
        return counter.page("requests.html", rows=found["items"], next=found["next"], refused=refused)
