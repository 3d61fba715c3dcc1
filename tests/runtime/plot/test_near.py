"""Nearest neighbours."""

import numpy as np
import pytest

from sketch_edge.runtime.plot.near import nearest


def by_all_pairs(points, count, skip):
    distances = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    distances[np.arange(len(points)), np.arange(len(points))] = np.inf
    if skip is not None:
        distances[np.arange(len(points)), skip] = np.inf
    return np.sort(distances, axis=1)[:, :count]


@pytest.mark.parametrize("kind", ["even", "clusters", "line", "lattice"])
def test_nearly_all_neighbours_are_the_nearest(kind):
    """At least 97 of 100 distances are those that comparing all pairs gives, the nearest one in 99; none is less."""
    rng = np.random.default_rng(1)
    points = {
        "even": rng.random((900, 2)),
        "clusters": np.concatenate([rng.random((300, 2)), rng.normal(0, 1e-4, (600, 2))]),
        "line": np.stack([rng.random(900), np.zeros(900)], axis=1),
        "lattice": np.stack(np.meshgrid(np.arange(30.0), np.arange(30.0)), axis=-1).reshape(-1, 2),
    }[kind]
    skip = np.arange(900) ^ 1
    index, away = nearest(points, 6, skip)
    expected = by_all_pairs(points, 6, skip)
    assert (away <= expected + 1e-12).mean() > 0.97
    assert (away[:, 0] <= expected[:, 0] + 1e-12).mean() > 0.99
    assert (away >= expected - 1e-12).all()
    assert (index != skip[:, None]).all()
    assert np.hypot(*(points[index] - points[:, None]).transpose(2, 0, 1)) == pytest.approx(away)


def test_too_few_points_leave_places_empty():
    """No point, one, or two for three neighbours."""
    assert nearest(np.zeros((0, 2)), 3)[0].shape == (0, 3)
    assert nearest(np.zeros((1, 2)), 3)[0].tolist() == [[-1, -1, -1]]
    index, away = nearest(np.array([[0.0, 0.0], [3.0, 4.0]]), 3)
    assert index.tolist() == [[1, -1, -1], [0, -1, -1]]
    assert away[:, 0].tolist() == [5, 5]


def test_equal_points_find_each_other():
    """Ten thousand points in one place have neighbours at no distance."""
    _, away = nearest(np.ones((10_000, 2)), 4)
    assert (away == 0).all()
