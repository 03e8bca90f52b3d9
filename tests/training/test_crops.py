"""Which windows of a crop are learned from."""

import numpy as np
import pytest

from training.crops import SIDE, draw_crop
from training.maps import TrunkMap

WINDOW = 10


def trunk_map(rows: int, columns: int, case: tuple[int, int]) -> TrunkMap:
    labels = np.zeros((rows - WINDOW + 1, columns - WINDOW + 1), np.int8)
    labels[case] = 1
    return TrunkMap(np.ones((rows, columns, 4), np.float16), labels, "set:P1", "set")


@pytest.mark.parametrize(("case", "place"), [((0, 0), (0, 0)), ((36, 0), (7, 0)), ((0, 26), (0, 7))])
def test_windows_at_the_edge_of_the_map_are_learned_from(case: tuple[int, int], place: tuple[int, int]) -> None:
    """A scan scores them too: the chest wall is such an edge."""
    random = np.random.default_rng(1)
    crops = [draw_crop(trunk_map(46, 36, case), WINDOW, random) for _ in range(40)]
    assert sum(bool(labels[place] == 1) for _, labels in crops) > 20


def test_windows_at_the_edge_of_a_crop_are_not() -> None:
    random = np.random.default_rng(1)
    own = trunk_map(200, 200, (90, 90))
    own.labels[90:92, 90:92] = 1  # only every second cell is looked at
    crops = [draw_crop(own, WINDOW, random) for _ in range(20)]
    assert sum(bool((labels == 1).any()) for _, labels in crops) > 10
    for features, labels in crops:
        assert features.shape == (SIDE, SIDE, 4)
        # far from the edge of the map, as the lesion's crops are
        if (labels == 1).any():
            assert (labels[[0, -1]] == -1).all()
            assert (labels[:, [0, -1]] == -1).all()
            assert (labels[1:-1, 1:-1] >= 0).all()


def test_a_map_smaller_than_a_crop_has_every_window() -> None:
    features, labels = draw_crop(trunk_map(14, 16, (0, 0)), WINDOW, np.random.default_rng(1))
    assert labels.shape == (8, 8)
    assert (labels[:3, :4] >= 0).all()
    assert (labels[3:] == -1).all()
    assert (labels[:, 4:] == -1).all()
    assert features[14:].max() == features[:, 16:].max() == 0
