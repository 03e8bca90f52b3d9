"""Labels of lesions in pictures: whole words, inside the picture, none over another."""

import itertools

import numpy as np
import pytest

from inference.results import Module
from phantoms.results import image_result, lesion
from scp.objects.labels import labels, line_height, text_font, wrapped
from scp.objects.overlay import with_lesions

CORNERS = ((20.0, 20.0), (140.0, 20.0), (20.0, 180.0), (140.0, 180.0), (80.0, 100.0), (84.0, 104.0))


def marks(centers, radius=15):
    modules = itertools.cycle(Module)
    return [
        lesion(f"RCC-{n}", center, radius, module=next(modules), probability=0.191)
        for n, center in enumerate(centers)
    ]


def boxes(made):
    """Left, top, right, bottom of the words and their halo."""
    for label in made:
        width = max(text_font(label.size).getlength(line) for line in label.lines)
        bottom = label.top + len(label.lines) * line_height(label.size)
        halo = max(2, label.size // 8)
        yield label.left - halo, label.top - halo, label.left + width + halo, bottom


@pytest.mark.parametrize("height", [300, 700, 1100, 1400])
@pytest.mark.parametrize("count", [1, 2, 6])
def test_labels_lie_inside_and_apart(count, height):
    scale, width = height / 200, round(160 * height / 200)
    made = labels(marks(CORNERS[:count]), scale, width, height)
    assert len(made) == count
    found = list(boxes(made))
    for left, top, right, bottom in found:
        assert min(left, top) >= 0
        assert right <= width
        assert bottom <= height
    for one, other in itertools.combinations(found, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_label_says_all_its_words_and_stands_above_its_lesion():
    (label,) = labels(marks([(80.0, 100.0)]), 4.5, 720, 900)
    assert label.lines == ("AI nodule score 91 (grade 5)", "calibrated probability 19.1 %")
    assert label.size == 25
    assert label.top + 2 * line_height(25) + 5 == pytest.approx(85 * 4.5)


def test_narrow_picture_breaks_lines_between_words():
    (label,) = labels(marks([(20.0, 100.0)]), 1.5, 130, 300)
    assert " ".join(label.lines) == "AI nodule score 91 (grade 5) calibrated probability 19.1 %"
    assert len(label.lines) > 2
    assert wrapped("one two", 14, 10_000) == ["one two"]
    assert wrapped("one two", 14, 1) == ["one", "two"]
    assert wrapped("", 14, 1) == []


def test_without_room_no_label_is_cropped_or_covers_another():
    assert labels(marks([(5.0, 5.0)]), 0.1, 16, 20) == []
    crowd = labels(marks(CORNERS * 5), 1.0, 160, 200)
    assert 1 < len(crowd) < 30
    said = {" ".join(label.lines) for label in crowd}
    assert said == {"AI nodule score 91 (grade 5)", "AI microcalcification score 91 (grade 5)"}


def test_words_are_drawn_where_the_labels_say(views):
    image = image_result(views[0], marks([(150.0, 30.0)], 8))
    picture = np.asarray(with_lesions(np.zeros((200, 160), np.uint8), image, 900))
    (box,) = boxes(labels(image.findings, 4.5, 720, 900))
    left, top, right, bottom = (round(edge) for edge in box)
    words = picture.copy()
    words[round(22 * 4.5) - 3 : round(38 * 4.5) + 3, round(142 * 4.5) - 3 :] = 0
    rows, columns = np.nonzero(words.max(axis=2))
    assert top <= rows.min() < rows.max() < bottom
    assert left <= columns.min() < columns.max() < right
