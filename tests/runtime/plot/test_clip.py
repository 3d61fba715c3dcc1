"""Lines cut at the border of a rectangle."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.plot.clip import clip_lines
from sketch_edge.runtime.sketch import Bounds

AREA = Bounds(0.0, 0.0, 10.0, 8.0)


def clip(*points):
    """The pieces of one line, as plain lists."""
    return [piece.tolist() for piece in clip_lines([np.array(points, float)], AREA)]


@pytest.mark.parametrize(
    ("points", "pieces"),
    [
        ([(1, 1), (9, 7)], [[[1, 1], [9, 7]]]),
        ([(0, 0), (10, 8)], [[[0, 0], [10, 8]]]),
        ([(5, 5), (15, 5)], [[[5, 5], [10, 5]]]),
        ([(-5, 4), (15, 4)], [[[0, 4], [10, 4]]]),
        ([(5, 7), (5, 9), (6, 9), (6, 7)], [[[5, 7], [5, 8]], [[6, 8], [6, 7]]]),
        ([(5, 7), (5, 8), (6, 8), (6, 7), (6, 20)], [[[5, 7], [5, 8], [6, 8], [6, 7], [6, 8]]]),
        ([(-1, 5), (-1, 9), (3, 9)], []),
        ([(-1, 1), (1, -1)], []),  # touches a corner
        ([(5, 9), (5, 8), (6, 9)], []),  # touches a side
        ([(5, 9), (5, 8), (6, 8), (6, 9)], [[[5, 8], [6, 8]]]),
        ([(-5, 0), (15, 0)], [[[0, 0], [10, 0]]]),
        ([(3, 3)], [[[3, 3]]]),
        ([(3, 9)], []),
    ],
)
def test_pieces(points, pieces):
    """Cut exactly at the border, which belongs to the area; a line that leaves and comes back is two."""
    assert clip(*points) == pieces


def test_a_line_inside_is_the_same_line():
    """Nothing is copied or rounded."""
    line = np.array([[1.1, 2.2], [3.3, 4.4]])
    assert clip_lines([line], AREA)[0] is line


coordinate = st.one_of(st.integers(-6, 16).map(float), st.floats(-30, 30, allow_nan=False))


def along(line, count=40):
    """Many points along a line, shape (k, 2)."""
    t = np.linspace(0, 1, count)[:, None]
    return np.concatenate([a + t * (b - a) for a, b in pairwise(line)])


def distance(points, lines):
    """How far each point (k, 2) is from the nearest of the lines, shape (k,)."""
    best = np.full(len(points), np.inf)
    for line in lines:
        for a, b in pairwise(line):
            step = b - a
            t = np.clip(((points - a) @ step) / max(float(step @ step), 1e-300), 0, 1)
            best = np.minimum(best, np.hypot(*(points - a - t[:, None] * step).T))
    return best


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=7))
def test_what_is_left_is_what_was_inside(points):
    """Every piece lies in the area and on the line, and no part of the line that is well inside is missing."""
    line = np.array(points)
    pieces = clip_lines([line], AREA)
    for piece in pieces:
        assert (piece >= (AREA.left, AREA.top)).all()
        assert (piece <= (AREA.right, AREA.bottom)).all()
        assert (distance(along(piece), [line]) < 1e-9).all()
    samples = along(line)
    inside = ((samples > (1e-6, 1e-6)) & (samples < (10 - 1e-6, 8 - 1e-6))).all(axis=1)
    assert (distance(samples[inside], [piece for piece in pieces if len(piece) > 1]) < 1e-6).all() or (
        np.unique(line, axis=0).shape[0] == 1
    )
