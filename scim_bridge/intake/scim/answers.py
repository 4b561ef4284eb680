"""Answers whose body is JSON text already: most of it comes from the store and is handed on unread."""

from http import HTTPStatus

from scim2_server.responses import ScimResponse

from scim_bridge.store.engine import compact_json


class TextResponse(ScimResponse):
    """The library's response, with a body that need not be serialised."""

    def __init__(self, status: HTTPStatus, text: str, headers: dict[str, str] | None = None) -> None:
        """Answer with a JSON text."""
        super().__init__(status, None, headers or {})
        self.text = text


def text_of(response: ScimResponse) -> str | None:
    """Return the body of a response as JSON text, None where it has none."""
    if isinstance(response, TextResponse):
        return response.text
    return None if response.body is None else compact_json(response.body)
