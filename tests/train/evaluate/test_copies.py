"""Copies of drawings are found, and drawings that are merely plain are not called so."""

import numpy as np
import pytest

pytest.importorskip("PIL")

from sketch_edge.train.evaluate.copies import Nearest, Originals, is_copy, is_near, thresholds
from sketch_edge.train.evaluate.drawing import Drawing
from tests.train.evaluate.toys import toy_drawings


@pytest.fixture(scope="module")
def ladders():
    return toy_drawings("ladder", 60, seed=5)


def test_the_original_is_found_whatever_was_done_to_it(ladders):
    """Moved, scaled, widened, mirrored, lines drawn in another order and direction."""
    originals = Originals(ladders)
    changed = [
        Drawing.from_lines([line[::-1] * [-1.6, 1.2] + [70, 30] for line in reversed(each.lines)]) for each in ladders
    ]
    found = originals.nearest_to(changed)
    assert found.index.tolist() == list(range(60))
    assert np.median(found.distance) < 0.2 * np.median(found.second)
    (threshold,) = thresholds([originals.nearest_among(60)])
    assert is_copy(found, threshold).mean() > 0.9


def test_among_originals_none_is_its_own_neighbour(ladders):
    """And only the first ones are looked at."""
    found = Originals(ladders).nearest_among(20)
    assert len(found.index) == 20
    assert (found.index != np.arange(20)).all()
    assert found.index.max() < 20
    assert (found.distance > 0).all()


def test_thresholds_are_medians_times_one_quantile():
    """Two classes that differ by a factor have thresholds that do, and a hundredth of all is below."""
    rng = np.random.default_rng(0)
    distances = [rng.uniform(0.5, 1.5, 1000), 0.2 * rng.uniform(0.5, 1.5, 1000)]
    real = [Nearest(each, each + 1, np.zeros(1000, np.int64)) for each in distances]
    large, small = thresholds(real)
    assert small == pytest.approx(0.2 * large, rel=0.1)
    assert np.mean([is_near(each, limit).mean() for each, limit in zip(real, (large, small), strict=True)]) == (
        pytest.approx(0.01, abs=0.003)
    )


def test_a_class_of_one_takes_the_threshold_of_the_others():
    """It has no distance of its own."""
    others = Nearest(np.linspace(0.5, 1.5, 100), np.full(100, 2.0), np.zeros(100, np.int64))
    alone = Nearest(np.array([np.inf]), np.array([np.inf]), np.zeros(1, np.int64))
    first, second = thresholds([others, alone])
    assert first == second > 0
    assert thresholds([alone]) == [0.0]


def test_near_to_many_is_no_copy():
    """A plain drawing has many neighbours, a copy one; the same drawing is a copy however often the data hold it."""
    distance, second = np.array([0.5, 0.5, 0.1, 2.0]), np.array([0.55, 1.0, 0.1, 9.0])
    found = Nearest(distance, second, np.zeros(4, np.int64))
    assert is_near(found, 1.0).tolist() == [True, True, True, False]
    assert is_copy(found, 1.0).tolist() == [False, True, True, False]


def test_one_original_has_no_second():
    """Everything near to it is singled out."""
    drawings = toy_drawings("square", 3, seed=1)
    found = Originals(drawings[:1]).nearest_to(drawings)
    assert np.isinf(found.second).all()
    assert found.distance[0] == pytest.approx(0, abs=1e-6)
    assert np.isinf(Originals(drawings[:1]).nearest_among(1).distance).all()
