"""HTML and SVG from Python calls: whatever is not markup already is escaped."""

import html

VOID = ("br", "img", "meta")  # HTML elements without an end


class Markup(str):
    """Text that is HTML or SVG; all other text becomes so by being escaped."""


def element(name: str, attributes: dict | None = None, *children) -> Markup:
    """<name attributes>children</name>; children are markup, texts or lists of them, None is left out."""
    given = "".join(f' {key}="{html.escape(_plain(value))}"' for key, value in (attributes or {}).items())
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(children)}</{name}>")


def join(parts) -> Markup:
    """Markup of nested lists of markup and texts."""
    if parts is None:
        return Markup()
    if isinstance(parts, list | tuple):
        return Markup("".join(join(part) for part in parts))
    return parts if isinstance(parts, Markup) else Markup(html.escape(_plain(parts)))


def _plain(value) -> str:
    """Numbers with a tenth of a pixel: more would only make the page larger."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
