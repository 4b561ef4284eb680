"""Tokens: making, showing, replacing and ending them. A token itself is in no answer but the one that makes it."""

from typing import Any

from scim_bridge.operators import tokens
from scim_bridge.web.api import shapes
from scim_bridge.web.api.operations import Asked, Desk, Operation, Parameter, Role, Schema

LONGEST_NETWORK = 43
"""Of an address of IPv6 with the length of its prefix."""

_TOKEN = Parameter(name="token", tells="The token's id, its public part.")

_GOOD_FOR: Schema = {"type": "integer", "minimum": 60, "maximum": tokens.LONGEST_GOOD_FOR_MS // 1000}
_OVERLAP: Schema = {"type": "integer", "minimum": 0, "maximum": tokens.LONGEST_OVERLAP_MS // 1000}

_SHOWN = shapes.record(
    id=shapes.TEXT,
    tenant=shapes.TEXT,
    scopes=shapes.TEXTS,
    source=shapes.TEXT,
    name=shapes.TEXT,
    created_at=shapes.INSTANT,
    expires_at=shapes.INSTANT_OR_NONE,
    revoked_at=shapes.INSTANT_OR_NONE,
    last_used_at=shapes.INSTANT_OR_NONE,
    networks=shapes.TEXTS,
    state=shapes.TEXT,
)
_ONCE = shapes.record(id=shapes.TEXT, token=shapes.TEXT)


def _list(desk: Desk, asked: Asked) -> dict[str, Any]:
    return {"tokens": tokens.list_tokens(desk.store, tenant=asked.tenant)}


def _create(desk: Desk, asked: Asked) -> dict[str, Any]:
    body = asked.body
    return tokens.create(
        desk.store,
        desk.settings,
        tenant=asked.tenant,
        who=asked.who,
        scopes=body["scopes"],
        source=body.get("source"),
        name=body.get("name", ""),
        good_for_ms=_ms(body.get("good_for_s")),
        networks=tokens.parse_networks(body.get("networks", ()), named="networks:"),
    )


def _rotate(desk: Desk, asked: Asked) -> dict[str, Any]:
    return tokens.rotate(
        desk.store,
        tenant=asked.tenant,
        who=asked.who,
        token_id=asked.path["token"],
        overlap_ms=_ms(asked.body.get("overlap_s")) or 0,
        good_for_ms=_ms(asked.body.get("good_for_s")),
    )


def _revoke(desk: Desk, asked: Asked) -> dict[str, Any]:
    return tokens.revoke(desk.store, tenant=asked.tenant, who=asked.who, token_id=asked.path["token"])


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000


OPERATIONS = (
    Operation(
        method="GET",
        path="/tokens",
        name="token_list",
        role=Role.ADMIN,
        tells="The tokens, oldest first, without the tokens themselves.",
        handler=_list,
        command="token list",
        answer=shapes.record(tokens=shapes.list_of(_SHOWN)),
    ),
    Operation(
        method="POST",
        path="/tokens",
        name="token_create",
        role=Role.ADMIN,
        tells="Make a token. It is in this answer, is kept nowhere and cannot be shown again.",
        handler=_create,
        command="token create",
        body=shapes.body(
            optional={
                "source": {"type": "string", "minLength": 1, "maxLength": 1000},
                "name": {"type": "string", "maxLength": tokens.LONGEST_NAME},
                "good_for_s": _GOOD_FOR,
                "networks": {
                    "type": "array",
                    "items": {"type": "string", "maxLength": LONGEST_NETWORK},
                    "maxItems": tokens.MOST_NETWORKS,
                },
            },
            scopes={
                "type": "array",
                "items": shapes.one_of(*sorted(tokens.SCOPES)),
                "minItems": 1,
                "uniqueItems": True,
            },
        ),
        answer=_ONCE,
        status=201,
    ),
    Operation(
        method="POST",
        path="/tokens/{token}/rotate",
        name="token_rotate",
        role=Role.ADMIN,
        tells="Replace a token by a new one of the same kind, which is in this answer only.",
        handler=_rotate,
        command="token rotate",
        parameters=(_TOKEN,),
        body=shapes.body(optional={"overlap_s": _OVERLAP, "good_for_s": _GOOD_FOR}),
        answer=_ONCE,
        status=201,
    ),
    Operation(
        method="POST",
        path="/tokens/{token}/revoke",
        name="token_revoke",
        role=Role.ADMIN,
        tells="Make a token worthless at once; to do so again changes nothing.",
        handler=_revoke,
        command="token revoke",
        parameters=(_TOKEN,),
        answer=shapes.record(id=shapes.TEXT, state=shapes.TEXT, already_revoked=shapes.TRUTH),
    ),
)
