"""The root of errors that a person is told about in one sentence."""


class BridgeError(Exception):
    """Something is wrong that its reader can mend. The message is the sentence they see; it holds no secret."""

    exit_code = 1

    def __init__(self, sentence: str = "", *, aside: str = "") -> None:
        """Say a sentence; only the command line adds the aside, which may name what no tenant is told of another."""
        super().__init__(sentence)
        self.aside = aside


class UsageError(BridgeError):
    """The command or the configuration is wrong; nothing was done."""

    exit_code = 2


class NotThere(BridgeError):  # noqa: N818 - read as a sentence
    """What was named does not exist, or not for this tenant; nothing was done."""


class OutOfDate(BridgeError):  # noqa: N818 - read as a sentence
    """What was asked for rests on a state that is gone meanwhile; nothing was done. Look again."""


class NotAllowed(BridgeError):  # noqa: N818 - read as a sentence
    """Whoever asks may do less than this; nothing was done."""
