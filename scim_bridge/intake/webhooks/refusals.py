"""Why a webhook is not taken, as its sender is told."""


class WebhookRefused(Exception):  # noqa: N818 - it says what became of the webhook
    """A webhook that is answered with an error. `detail` says what to do and holds nothing of the webhook."""

    def __init__(self, status: int, detail: str) -> None:
        """Refuse it with this status."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
