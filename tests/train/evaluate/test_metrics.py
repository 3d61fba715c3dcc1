"""Distances of which the value is known."""

import numpy as np
import pytest

from sketch_edge.train.evaluate.metrics import frechet_distance, inside, squared_distances


def test_frechet_distance_of_known_normals():
    """|mu|^2 + tr(C1 + C2 - 2 sqrt(C1 C2)) for diagonal covariances."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((4000, 3))
    noise = (noise - noise.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(noise, rowvar=False))).T
    first, second = noise * [1, 2, 3], noise * [2, 2, 1] + [1, 0, 2]
    assert frechet_distance(first, second) == pytest.approx(5 + 1 + 0 + 4, rel=1e-9)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_turns_with_the_space():
    """It does not depend on the axes, and is the same both ways."""
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal((200, 4)) @ rng.standard_normal((4, 4)), rng.standard_normal((150, 4))
    turn, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    expected = frechet_distance(first, second)
    assert frechet_distance(first @ turn, second @ turn) == pytest.approx(expected)
    assert frechet_distance(second, first) == pytest.approx(expected)


def test_inside_takes_balls_up_to_the_third_neighbour():
    """Points on a line, 1 apart: the third neighbour of an inner point is 2 away, that of the end 3."""
    points = np.arange(6.0)[:, None]
    queries = np.array([[-3.0], [-3.01], [2.5], [7.9], [8.01]])
    assert inside(queries, points).tolist() == [True, False, True, True, False]


def test_too_few_points_hold_nothing():
    """Where no point has a third neighbour."""
    assert not inside(np.zeros((2, 1)), np.zeros((3, 1))).any()


def test_blocks_do_not_matter():
    """More rows than one block, as if asked one by one."""
    rng = np.random.default_rng(2)
    points, queries = rng.standard_normal((1500, 2)), rng.standard_normal((1100, 2)) * 3
    found = inside(queries, points)
    assert found[[0, 500, 1050]].tolist() == [bool(inside(queries[[i]], points)[0]) for i in (0, 500, 1050)]
    assert 0.1 < found.mean() < 0.9


def test_squared_distances():
    """As by hand."""
    assert squared_distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])).tolist() == [[25.0]]
