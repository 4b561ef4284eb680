"""How the console writes instants, spans and figures."""

from scim_bridge.domain.instants import Millis, to_iso

NONE = "\u2013"
_STEPS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def age(seconds: float | None) -> str:
    """Return a span as a person says it: 4 d, 3 h, 12 min, 5 s; a dash for none."""
    if seconds is None:
        return NONE
    for size, unit in _STEPS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def moment(instant: Millis | str | None) -> str:
    """Return an instant to the second, in UTC; a dash for none. What is stored beyond all calendars is no time."""
    if instant is None or instant == "":
        return NONE
    try:
        text = instant if isinstance(instant, str) else to_iso(instant)
    except OverflowError:
        return "no time"
    return text[:19].replace("T", " ")


def figure(value: float | None) -> str:
    """Return a number with commas; a dash for none."""
    return NONE if value is None else f"{value:,}"
