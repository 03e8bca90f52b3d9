"""Fonts of the PDF report: embedded as far as they are used, so that a name is drawn on a machine without any."""

import html
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

LATIN = "DejaVuSans"
BOLD = "DejaVuSans-Bold"
"""For single words of ours: names are drawn in the others."""
CHINESE = "STSong-Light"
"""Adobe's name: no package has an embeddable font, so the reader's own is used for what no other font has."""
FIRST_EAST_ASIAN = 0x2E80
_BOLD_FILE = ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans-Bold.ttf")
_FILES = {  # the first that has a character draws it
    LATIN: ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"),
    "IPAexGothic": ("matplotlib_fontja", "fonts/ipaexg.ttf"),
    "NanumGothic": ("koreanize_matplotlib", "fonts/NanumGothic.ttf"),
}


def marked_up(words: str) -> str:
    """Words as reportlab's markup, each run of characters in a font that has them.

    Raises FileNotFoundError: a font's package is not installed.
    """
    parts = [(font, html.escape("".join(run))) for font, run in groupby(words, _font_of)]
    return "".join(part if font == LATIN else f'<font name="{font}">{part}</font>' for font, part in parts)


def register_latin() -> None:
    """Make LATIN and BOLD known to reportlab."""
    _embedded(LATIN)
    _embedded(BOLD)


def _font_of(character: str) -> str:
    code = ord(character)
    for name in _FILES:
        if code in _embedded(name).face.charToGlyph:
            return name
    if code < FIRST_EAST_ASIAN:
        return LATIN
    _readers_own(CHINESE)
    return CHINESE


@cache
def _embedded(name: str) -> TTFont:
    package, file = _BOLD_FILE if name == BOLD else _FILES[name]
    font = TTFont(name, _folder(package) / file)
    pdfmetrics.registerFont(font)
    return font


@cache
def _readers_own(name: str) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(name))


def _folder(package: str) -> Path:
    """Without importing it: these packages change Matplotlib's settings when they are."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the fonts of {package} are missing: install mammonode again")
    return Path(spec.submodule_search_locations[0])
