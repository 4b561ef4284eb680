"""Which texts can be kept."""


def is_storable(text: str) -> bool:
    """Tell whether a database text can hold this: PostgreSQL takes no NUL, UTF-8 no half of a surrogate pair."""
    if text.isascii():
        return "\x00" not in text
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
