"""Intervals that hold what they say."""

import numpy as np
import pytest

from sketch_edge.train.evaluate.bootstrap import centred, class_means, mean_over_classes, ratio_of_means, resampled


@pytest.mark.parametrize(
    ("sizes", "least"), [((40, 40, 40), 0.90), ((150, 10, 10, 10, 10, 10), 0.88), ((3,) * 30, 0.90)]
)
def test_intervals_cover_the_truth_95_times_of_100(sizes, least):
    """Of means over classes, large and small ones mixed."""
    rng = np.random.default_rng(1)
    truth = np.linspace(0.6, 0.9, len(sizes))
    found = 0
    for _ in range(300):
        values = [(rng.random(n) < p).astype(float) for n, p in zip(sizes, truth, strict=True)]
        interval = mean_over_classes(values, 300, rng)
        found += interval.low <= truth.mean() <= interval.high
    assert least <= found / 300 <= 0.99


def test_single_drawings_do_not_make_a_figure_certain():
    """Thirty classes of one drawing each: the interval is as wide as that of thirty drawings."""
    rng = np.random.default_rng(2)
    values = [np.array([float(i % 3 > 0)]) for i in range(30)]
    interval = mean_over_classes(values, 2000, rng)
    assert 0.25 < interval.high - interval.low < 0.45


def test_nothing_seen_is_not_nothing():
    """Of 0 among 100 up to 3.6 can be in a hundred (Clopper & Pearson); of 1 likewise."""
    rng = np.random.default_rng(6)
    none = mean_over_classes([np.zeros(50), np.zeros(50)], 20, rng)
    assert (none.value, none.low, round(none.high, 4)) == (0, 0, 0.0362)
    every = mean_over_classes([np.ones(2), np.ones(1000)], 20, rng)
    assert (every.value, every.high) == (1, 1)
    assert 0.3 < every.low < 0.7


def test_a_ratio_covers_the_truth():
    """Of two means that are measured on different drawings."""
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(200):
        above, below = ([(rng.random(30) < p).astype(float) for _ in range(5)] for p in (0.7, 0.8))
        interval = ratio_of_means(above, below, 300, rng)
        assert interval is not None
        found += interval.low <= 0.7 / 0.8 <= interval.high
    assert found / 200 >= 0.9


def test_a_ratio_over_nothing_is_none():
    """Rather than infinite."""
    assert ratio_of_means([np.ones(3)], [np.zeros(3)], 20, np.random.default_rng(0)) is None


def test_columns_are_drawn_together():
    """Where one column is twice the other, their ratio does not vary."""
    rng = np.random.default_rng(4)
    values = [np.stack([x, 2 * x], axis=1) for x in (rng.random(10), rng.random(5))]
    samples = resampled(values, 50, rng)
    assert samples.shape == (50, 2)
    np.testing.assert_allclose(samples[:, 1], 2 * samples[:, 0])
    assert samples[:, 0].std() > 0


def test_classes_count_alike():
    """However many drawings they have."""
    assert class_means([np.ones(100), np.zeros(1)]).mean() == 0.5


def test_a_shifted_figure_keeps_its_value_inside():
    """Samples that all lie above the figure are moved down to it."""
    rng = np.random.default_rng(5)
    interval = centred(10.0, 200, lambda: 14 + rng.normal())
    assert 7.5 < interval.low < 10 < interval.high < 12.5
