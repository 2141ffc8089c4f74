"""Colours of the report, told apart by colour-blind eyes too (Okabe and Ito's set, darkest first)."""

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
SERIES = (BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9", "#e69f00", "#000000")
DASHES = ("", "7 4", "2 3")


def series_style(number: int) -> tuple[str, str]:
    """(colour, dashes) of curve ``number``: dashes tell those apart that share a colour."""
    return SERIES[number % len(SERIES)], DASHES[number // len(SERIES) % len(DASHES)]
