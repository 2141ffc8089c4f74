"""Style sheet and colours of the report."""

from importlib.resources import files

# Okabe and Ito's palette, distinguishable with colour blindness; darkest colours first.
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
SERIES = (BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9", "#e69f00", "#000000")
DASHES = ("", "7 4", "2 3")  # values of stroke-dasharray


def series_style(index: int) -> tuple[str, str]:
    """(colour, dash pattern) of curve ``index``; curves with the same colour have different dashes."""
    return SERIES[index % len(SERIES)], DASHES[index // len(SERIES) % len(DASHES)]


def style_sheet() -> str:
    """The CSS of the page (style.css, package data), for wide windows, phones and print."""
    return files("lib.report").joinpath("style.css").read_text(encoding="utf-8")
