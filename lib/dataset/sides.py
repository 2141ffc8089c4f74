"""Left and right in the names of keypoints, as annotation tools and their users spell them."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

# Words for left and right; near and off are the horse's sides as its rider sees them. Longer words come first,
# so that "izquierda" is not taken for "izq".
WORDS = (
    ("left", "right"), ("near", "off"), ("port", "starboard"),
    ("linker", "rechter"), ("linkes", "rechtes"), ("linke", "rechte"), ("links", "rechts"),
    ("gauche", "droite"), ("gauche", "droit"), ("izquierdo", "derecho"), ("izquierda", "derecha"), ("izq", "der"),
    ("sinistro", "destro"), ("sinistra", "destra"), ("sx", "dx"), ("sinister", "dexter"),
    ("esquerdo", "direito"), ("esquerda", "direita"), ("esq", "dir"),
    ("vänster", "höger"), ("venstre", "højre"), ("venstre", "høyre"), ("vasen", "oikea"),
    ("lewy", "prawy"), ("lewa", "prawa"), ("lewe", "prawe"), ("levý", "pravý"), ("levá", "pravá"), ("levé", "pravé"),
    ("левый", "правый"), ("левая", "правая"), ("левое", "правое"), ("лев", "прав"), ("лів", "прав"),
    ("αριστερ", "δεξι"), ("sol", "sağ"), ("bal", "jobb"), ("trái", "phải"),
    ("左", "右"), ("왼", "오른"), ("बायां", "दायां"), ("बाएं", "दाएं"), ("يسرى", "يمنى"), ("أيسر", "أيمن"), ("שמאל", "ימין"),
)  # fmt: skip

# A letter that stands by itself: L_Eye, eye.R, r1; in mixed case: lEye, eyeL, forelegL4; or at an end: lear, handl.
# Only a counterpart among the names makes the last a side.
LETTERS = (
    re.compile(r"(?<![^\W\d_])[LlRr](?![^\W\d_])"),
    re.compile(r"(?<![^\W\d_])[lr](?=[A-Z])|(?<=[a-z0-9])[LR](?![a-z])|(?<![^\W\d_])[LR](?=[A-Z][a-z])"),
    re.compile(r"(?<![^\W\d_])[LlRr](?=[^\W\d_])|(?<=[^\W\d_])[LlRr](?![^\W\d_])"),
)
ENGLISH = re.compile("[Ll]eft|[Rr]ight|LEFT|RIGHT|(?<![A-Za-z])[LlRr](?![a-z])")


def find_pairs(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The (left, right) pairs among ``names``: two that differ in one word or letter for a side.

    The surest spelling decides: a word for a side, then a letter that stands by itself, then a letter that is
    part of a word (``lear`` and ``rear``). Letter case and composed accents make no difference.
    """
    by_plain_name = {_plain(name): name for name in names}
    pairs: list[tuple[str, str]] = []
    for spelled in (_swapped_words, *map(_swapped_letters, LETTERS)):
        for name in names:
            if any(name in pair for pair in pairs):
                continue
            for other in spelled(name):
                partner = by_plain_name.get(_plain(other), name)
                if partner != name and not any(partner in pair for pair in pairs):
                    pairs.append((name, partner))
                    break
    return tuple(pairs)


def side_of(name: str) -> str:
    """Return "left" or "right" if ``name`` has that word, or L or R by itself, else "middle"."""
    side = ENGLISH.search(name)
    if side is None:
        return "middle"
    return "left" if side[0][0] in "lL" else "right"


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _swapped_words(name: str) -> Iterator[str]:
    """``name``, if it is a left one, with each of its words for left replaced by that for right."""
    plain = _plain(name)
    for left, right in WORDS:
        for found in re.finditer(re.escape(_plain(left)), plain):
            yield plain[: found.start()] + right + plain[found.end() :]


def _swapped_letters(pattern: re.Pattern) -> Callable[[str], Iterator[str]]:
    """A function that gives a left name with each L that ``pattern`` finds replaced by R."""

    def swapped(name: str) -> Iterator[str]:
        for letter in pattern.finditer(name):
            if letter[0] in "lL":
                yield name[: letter.start()] + "r" + name[letter.end() :]

    return swapped
