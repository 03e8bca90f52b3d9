"""Where the labels of lesions go in a picture: wholly inside it, and never over each other."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from PIL import ImageFont

from inference.results import Finding
from scp.objects import codes

Box = tuple[float, float, float, float]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LARGEST, _SMALLEST = 18, 9
_PER_PICTURE = 36
"""A large picture is shown smaller than it is: its labels are as high as this part of it."""
_MARGIN = 5
"""Around the words of a label: their halo lies in it."""
_STEP = 4


@dataclass(frozen=True)
class Label:
    """Words beside a lesion, in lines of `size` from `left`, `top` downward."""

    finding: Finding
    lines: tuple[str, ...]
    size: int
    left: float
    top: float


def text_font(size: int) -> Font:
    """Pillow's own font, so that the picture is the same on every machine."""
    return ImageFont.load_default(size)


def line_height(size: int) -> int:
    """From line to line of a font of `size`."""
    return size * 4 // 3


def wrapped(words: str, size: int, width: float) -> list[str]:
    """Words in lines of at most `width` pixels; a single word may be wider."""
    font, lines = text_font(size), [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]


def labels(findings: Sequence[Finding], scale: float, width: int, height: int) -> list[Label]:
    """The labels in a picture of `width` x `height`, as large as all of them have room in it.

    Where there is no room even for the smallest, they say no probability, and then the last ones are left out: their
    outlines still show.
    """
    whole = [codes.label_lines(finding) for finding in findings]
    short = [lines[:1] for lines in whole]
    sizes = range(max(_LARGEST, height // _PER_PICTURE), _SMALLEST - 1, -1)
    made: list[Label] = []
    for size, words in (*((size, whole) for size in sizes), (_SMALLEST, short)):
        made = list(_placed(findings, words, scale, (width, height), size))
        if len(made) == len(findings):
            break
    return made


def _placed(
    findings: Sequence[Finding], words: Sequence[list[str]], scale: float, picture: tuple[int, int], size: int
) -> Iterator[Label]:
    marks = [_scaled(finding.box, scale) for finding in findings]
    taken: list[Box] = []
    for finding, mark, said in zip(findings, marks, words, strict=True):
        lines = [part for line in said for part in wrapped(line, size, picture[0] - 2 * _MARGIN)]
        wide = max(text_font(size).getlength(line) for line in lines) + 2 * _MARGIN
        high = len(lines) * line_height(size) + 2 * _MARGIN
        places = list(_places(mark, wide, high, picture))
        box = next(_free(places, [*taken, *marks]), None) or next(_free(places, taken), None)
        if box is not None:
            taken.append(box)
            yield Label(finding, tuple(lines), size, box[0] + _MARGIN, box[1] + _MARGIN)


def _places(mark: Box, wide: float, high: float, picture: tuple[int, int]) -> Iterator[Box]:
    """All places inside the picture, the nearest to that above the lesion first."""
    width, height = picture
    if wide > width or high > height:
        return
    beside, above = min(max(mark[0], 0), width - wide), min(max(mark[1] - high, 0), height - high)
    tops = (above, *range(0, int(height - high) + 1, _STEP))
    corners = [(left, top) for top in tops for left in (beside, 0.0, width - wide)]
    for left, top in sorted(corners, key=lambda corner: abs(corner[0] - beside) + abs(corner[1] - above)):
        yield left, top, left + wide, top + high


def _free(places: Iterable[Box], taken: Sequence[Box]) -> Iterator[Box]:
    return (place for place in places if not any(_overlap(place, other) for other in taken))


def _overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share more than an edge."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = (edge * scale for edge in box)
    return left, top, right, bottom
