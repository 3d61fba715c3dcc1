"""Nearest neighbours."""

import numpy as np
import pytest

from sketch_edge.runtime.plot.near import nearest, nearest_beyond


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


def test_quadrants_without_a_neighbour_get_one():
    """Points in clusters: together with those beyond, all quadrants that hold any have one."""
    rng = np.random.default_rng(3)
    points = np.concatenate([rng.random(2) * 200 + rng.normal(0, 3, (40, 2)) for _ in range(12)])
    skip = np.arange(len(points)) ^ 1
    found, _ = nearest(points, 8, skip)
    who, beyond = nearest_beyond(points, found, skip)
    offset = points[None] - points[:, None]
    quadrant = (offset[..., 0] >= 0) + 2 * (offset[..., 1] >= 0)
    distance = np.hypot(offset[..., 0], offset[..., 1])
    distance[np.arange(len(points)), np.arange(len(points))] = distance[np.arange(len(points)), skip] = np.inf
    known = np.zeros((len(points), 4), bool)
    known[np.arange(len(points))[:, None], np.take_along_axis(quadrant, found, 1)] = True
    assert not known[who, quadrant[who, beyond]].any()
    known[who, quadrant[who, beyond]] = True
    there = np.stack([((quadrant == each) & (distance < np.inf)).any(axis=1) for each in range(4)], axis=1)
    assert (known == there).mean() > 0.995
    best = np.where(quadrant[who] == quadrant[who, beyond][:, None], distance[who], np.inf).min(axis=1)
    assert (distance[who, beyond] <= best + 1e-9).mean() > 0.9
