"""Which texts can be kept."""


def is_storable(text: str) -> bool:
    """Tell whether a database text can hold this: PostgreSQL takes no NUL, UTF-8 no half of a surrogate pair."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
