"""Builds HTML and SVG from Python calls; all text that is not markup already is escaped."""

import html
from collections.abc import Sequence
from typing import Any, TypeAlias

VOID = ("br", "img", "meta")  # HTML elements without an end tag


class Markup(str):
    """A string of HTML or SVG, which is not escaped again."""


Attributes = dict[str, str | float]
# Markup, text, numbers, None, or nested lists of them.
Content: TypeAlias = "str | float | None | Sequence[Content]"


def element(name: str, attributes: dict | None = None, *children: Content) -> Markup:
    """<name attributes>children</name>; children: markup, text, numbers, None, or nested lists of them."""
    items = "".join(f' {key}="{html.escape(_to_text(value))}"' for key, value in (attributes or {}).items())
    if name in VOID:
        return Markup(f"<{name}{items}>")
    return Markup(f"<{name}{items}>{join(children)}</{name}>")


def join(parts: Content) -> Markup:
    """Concatenate nested lists of markup and text; text is escaped, None is omitted."""
    if parts is None:
        return Markup()
    if isinstance(parts, list | tuple):
        return Markup("".join(join(part) for part in parts))
    return parts if isinstance(parts, Markup) else Markup(html.escape(_to_text(parts)))


def _to_text(value: Any) -> str:
    """Floats with one decimal: a tenth of a pixel is precise enough and keeps the page small."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
