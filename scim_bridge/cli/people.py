"""Commands that tell one story: all that happened to a person, and what became of everybody in one call."""

import json
from collections.abc import Mapping
from typing import Any

import click

from scim_bridge.cli import rows
from scim_bridge.cli.options import check_tenant, config_option, json_option, opened, print_json
from scim_bridge.operators import batches, timeline
from scim_bridge.store.dead_letters import MOST_ID

_IN_BATCH = {name: name for name in ("position", "operation", "user", "outcome", "code", "state")}


@click.group()
def user() -> None:
    """Ask about one person."""


@user.command("show")
@config_option
@click.argument("who")
@click.option("--tenant", metavar="T", help="Only this customer's people.")
@json_option
@click.pass_context
def show_user(ctx: click.Context, config: str | None, who: str, tenant: str | None, *, as_json: bool) -> None:
    """Show all that happened to WHO: a userName, e-mail, externalId, SCIM id, or account id in a target."""
    with opened(config) as (settings, store):
        if tenant is not None:
            check_tenant(settings, tenant)
        owns = {each.id: {source.name: source.owns for source in each.sources} for each in settings.tenants}
        found = timeline.show(store, who, tenant, owns=owns, settings=settings)
    if as_json:
        print_json(found)
    elif found["people"]:
        for person in found["people"]:
            _print_person(person)
    if not found["people"]:
        click.echo("nobody is known by that name, address or id", err=True)
        ctx.exit(1)


@click.group()
def batch() -> None:
    """Ask about one call to a target."""


@batch.command("show")
@config_option
@click.argument("number", metavar="ID", type=click.IntRange(1, MOST_ID))
@json_option
def show_batch(config: str | None, number: int, *, as_json: bool) -> None:
    """Show the call ID: its request and answer, redacted, and what became of each person in it."""
    with opened(config) as (_, store):
        found = batches.show(store, None, number)
    if as_json:
        print_json(found)
        return
    status = "" if found["http_status"] is None else f", HTTP {found['http_status']}"
    _say(f"batch {found['batch']} (number {found['number']} of {found['tenant']} {found['target']}): {found['step']}")
    _say(f"  {found['method']} {found['path']}: {found['status']}{status}")
    _say(f"  opened {found['opened_at']}, settled {found['settled_at'] or 'not yet'}")
    _say(f"  sent: {_compact(found['request'])}")
    _say(f"  answered: {_compact(found['answer'])}")
    if found["people"]:
        rows.print_rows(_IN_BATCH, found["people"], below={"reason": "detail"})


def _print_person(person: Mapping[str, Any]) -> None:
    gone = f"deleted {person['deleted_at']}" if person["deleted_at"] else "active" if person["active"] else "inactive"
    _say(f"{person['user']}  {gone}  tenant {person['tenant']}  id {person['id']}")
    if person["held_inactive_by"]:
        _say(f"  held inactive by {', '.join(person['held_inactive_by'])}")
    for hold in person["holds"]:
        by = f" by {hold['decided_by']}" if hold["decided_by"] else ""
        _say(f"  in {hold['target']}: deactivation held since {hold['since']}, {hold['status']}{by}: {hold['reason']}")
    for said in person["sources"]:
        says = {True: "active", False: "not active", None: "nothing of active"}[said["active"]]
        _say(f"  {said['source']} says {says}" + (", and has deleted them" if said["deleted_at"] else ""))
    for link in person["links"]:
        known = {True: "active", False: "inactive", None: "not known"}[link["active"]]
        doubt = f", to be read back ({link['doubt']})" if link["doubt"] else ""
        _say(f"  in {link['target']}: account {link['account'] or 'not known yet'}, {known}{doubt}")
    for mapped in person["mapped"]:
        _print_mapped(mapped)
    calls = {each["batch"]: each for each in person["batches"]}
    for change in person["changes"]:
        token = f", token {change['token_name'] or change['token_id']}" if change["token_id"] else ""
        _say(f"  #{change['number']} {change['received_at']} {change['kind']} by {change['source']}{token}")
        _say(f"    said: {_compact(change['request'])}")
        for operation in change["operations"]:
            _print_operation(operation, calls)
    click.echo("")


def _print_mapped(mapped: Mapping[str, Any]) -> None:
    refused = mapped["refused"]
    if refused is not None:
        _say(f"  for {mapped['target']}: refused by the mapping, {refused['code']}: {refused['detail']}")
        return
    told = {name: mapped[name] for name in ("attributes", "groups", "courses", "required_courses") if mapped[name]}
    scope = "" if mapped["in_scope"] else ", out of scope"
    _say(f"  for {mapped['target']}: {'active' if mapped['active'] else 'inactive'}{scope}, {_compact(told)}")


def _print_operation(operation: Mapping[str, Any], calls: Mapping[int, Mapping[str, Any]]) -> None:
    carried = (
        f", carried by operation {operation['carried_by']}: {operation['fate']}" if operation["carried_by"] else ""
    )
    code = f" ({operation['code']})" if operation["code"] else ""
    due = f", due {operation['due_at']}" if operation["due_at"] else ""
    _say(f"    -> {operation['target']}: {operation['state']}{code}{due}{carried}")
    for entry in operation["entries"]:
        batch = f" in batch {entry['batch']}" if entry["batch"] else ""
        who = f" by {entry['who']}" if entry["who"] != "bridge" else ""
        detail = f": {entry['detail']}" if entry["detail"] else ""
        _say(f"       {entry['at']} {entry['outcome']} {entry['code']}{batch}{who}{detail}")
        if entry["outcome"] == "sending" and entry["batch"] in calls:
            _print_call(calls[entry["batch"]])
    for note in operation["notes"]:
        _say(f"       {note['at']} note by {note['who']}: {note['text']}")
    if operation["state"] in {"dead", "held"}:
        _say(f"       {operation['advice']}")


def _print_call(call: Mapping[str, Any]) -> None:
    """Print what was sent, at which place the person was in it, and what came back."""
    place = f", {call['position']} of {call['people']}" if call["position"] is not None else ""
    status = "" if call["http_status"] is None else f" HTTP {call['http_status']}"
    _say(f"         {call['method']} {call['path']}{place}: {_compact(call['request'])}")
    _say(f"         {call['status']}{status}: {_compact(call['answer'])}")


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if value else "nothing is kept"


def _say(line: str) -> None:
    click.echo(rows.one_line(line))


COMMANDS = (user, batch)
