"""Left and right in the names of keypoints, as annotation tools and their users spell them."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

# Words for left and right; near and off are the horse's sides as its rider sees them. Longer words come first,
# so that "izquierda" is not taken for "izq".
WORDS = (
    ("left", "right"), ("near", "off"), ("port", "starboard"),
    ("linker", "rechter"), ("linkes", "rechtes"), ("linke", "rechte"), ("links", "rechts"),
    ("gauche", "droite"), ("gauche", "droit"), ("izquierdo", "derecho"), ("izquierda", "derecha"), ("izq", "der"), ("izda", "dcha"), ("izdo", "dcho"),
    ("sinistro", "destro"), ("sinistra", "destra"), ("sx", "dx"), ("sinister", "dexter"),
    ("esquerdo", "direito"), ("esquerda", "direita"), ("esq", "dir"),
    ("vänster", "höger"), ("venstre", "højre"), ("venstre", "høyre"), ("vasen", "oikea"),
    ("lewy", "prawy"), ("lewa", "prawa"), ("lewe", "prawe"), ("levý", "pravý"), ("levá", "pravá"), ("levé", "pravé"),
    ("левый", "правый"), ("левая", "правая"), ("левое", "правое"), ("лев", "прав"), ("лів", "прав"),
    ("αριστερ", "δεξι"), ("sol", "sağ"), ("bal", "jobb"), ("trái", "phải"),
    ("αριστερό", "δεξί"), ("stânga", "dreapta"), ("stanga", "dreapta"), ("stâng", "drept"),
    ("lijev", "desn"), ("levo", "desno"), ("leva", "desna"), ("vinstri", "hægri"), ("ліва", "права"),
    ("kiri", "kanan"), ("ซ้าย", "ขวา"), ("hidari", "migi"), ("ひだり", "みぎ"), ("שמאלית", "ימנית"),
    ("左", "右"), ("왼", "오른"), ("बायां", "दायां"), ("बाएं", "दाएं"), ("يسرى", "يمنى"), ("أيسر", "أيمن"), ("שמאל", "ימין"),
)  # fmt: skip

# Abbreviations that stand by themselves between other signs: hand_li, eye.lft.
SHORT = (("li", "re"), ("lft", "rgt"), ("lft", "rght"), ("izq", "dch"), ("vä", "hö"), ("л", "п"))

# A letter that stands by itself: L_Eye, eye.R, r1; in mixed case: lEye, eyeL, forelegL4.
LETTERS = (
    re.compile(r"(?<![^\W\d_])[LlRr](?![^\W\d_])"),
    re.compile(r"(?<![^\W\d_])[lr](?=[A-Z])|(?<=[a-z0-9])[LR](?![a-z])|(?<![^\W\d_])[LR](?=[A-Z][a-z])"),
)
# ... or at an end of a word: lear, handl. Only if a counterpart is there, and the rest is a part of a body.
GLUED = re.compile(r"(?<![^\W\d_])[LlRr](?=[^\W\d_])|(?<=[^\W\d_])[LlRr](?![^\W\d_])")
WORD = re.compile(r"[^\W\d_]+")
PARTS = (
    "ank", "ant", "arm", "back", "brow", "calf", "carp", "chee", "claw", "coxa", "ear", "elb", "eye", "femur", "fin",
    "flip", "foot", "fore", "fron", "gill", "hand", "heel", "hind", "hip", "hoof", "horn", "jaw", "knee", "kne",
    "leg", "mid", "mouth", "nost", "palm", "paw", "pupil", "rear", "scap", "shank", "shin", "shld", "sho", "stif",
    "tars", "thigh", "thumb", "tibia", "toe", "tusk", "whis", "wing", "wri",
)  # fmt: skip
ENGLISH = re.compile("[Ll]eft|[Rr]ight|LEFT|RIGHT|(?<![A-Za-z])[LlRr](?![a-z])")


def find_pairs(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The (left, right) pairs among ``names``: two that differ in one word or letter for a side.

    The surest spelling decides: a word for a side, then a letter that stands by itself, then a letter that is
    part of a word (``lear`` and ``rear``). Letter case and composed accents make no difference.
    """
    pairs: list[tuple[str, str]] = []
    for spelled in (_swapped_words, _swapped_short, *map(_swapped_letters, LETTERS)):
        pairs += _pairs(names, pairs, spelled)
    glued = _pairs(names, pairs, _swapped_letters(GLUED))
    unknown = [pair for pair in glued if not _is_part(*pair)]
    # "lump" and "rump" are two words, but several pairs of that kind are no accident.
    return tuple([*pairs, *(pair for pair in glued if pair not in unknown or len(unknown) > 1)])


def _pairs(
    names: Sequence[str], known: Sequence[tuple[str, str]], spelled: Callable[[str], Iterator[str]]
) -> list[tuple[str, str]]:
    """Pairs besides the ``known`` ones of a name and what ``spelled`` makes of it."""
    taken = {name for pair in known for name in pair}
    by_plain_name = {_plain(name): name for name in names}
    pairs: list[tuple[str, str]] = []
    for name in names:
        for other in spelled(name) if name not in taken else ():
            partner = by_plain_name.get(_plain(other), name)
            if partner != name and partner not in taken:
                pairs.append((name, partner))
                taken |= {name, partner}
                break
    return pairs


def _is_part(left: str, right: str) -> bool:
    """Whether the word with the letter that differs is, without it, part of a body or one or two letters."""
    at = next(k for k, (a, b) in enumerate(zip(_plain(left), _plain(right))) if a != b)
    word = next(found for found in WORD.finditer(_plain(left)) if found.start() <= at < found.end())
    rest = word[0][: at - word.start()] + word[0][at - word.start() + 1 :]
    return len(rest) <= 2 or rest.startswith(PARTS)


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


def _swapped_short(name: str) -> Iterator[str]:
    """As ``_swapped_words``, for SHORT."""
    plain = _plain(name)
    for left, right in SHORT:
        for found in re.finditer(rf"(?<![^\W\d_]){left}(?![^\W\d_])", plain):
            yield plain[: found.start()] + right + plain[found.end() :]


def _swapped_letters(pattern: re.Pattern) -> Callable[[str], Iterator[str]]:
    """A function that gives a left name with each L that ``pattern`` finds replaced by R."""

    def swapped(name: str) -> Iterator[str]:
        for letter in pattern.finditer(name):
            if letter[0] in "lL":
                yield name[: letter.start()] + "r" + name[letter.end() :]

    return swapped
