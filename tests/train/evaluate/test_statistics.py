"""Measures of drawings that can be counted by hand."""

import numpy as np

from sketch_edge.train.evaluate.drawing import Drawing
from sketch_edge.train.evaluate.statistics import MEASURES, effect, measure


def _measured(*lines, complete=True):
    (row,) = measure([Drawing.from_lines([np.array(line, float) for line in lines], complete)])
    return dict(zip(MEASURES, row, strict=True))


def test_a_square_and_a_dash():
    """Points, lines, ink, travel and proportions."""
    found = _measured([[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], [[3, 4], [3, 8]])
    assert found == {
        "points": 7,
        "lines": 2,
        "ink": 20 / 8,
        "travel": 5 / 8,
        "flatness": 0.5,
        "closed": 1,
        "ended": 1,
    }


def test_closed_lines():
    """Ends that nearly meet close a line; a dot and a small hook do not."""
    assert _measured([[0, 0], [10, 0], [10, 10], [0.5, 0.5]])["closed"] == 1
    assert _measured([[0, 0], [10, 0], [10, 10]])["closed"] == 0
    assert _measured([[0, 0], [10, 0]], [[5, 5]], [[1, 1], [1.4, 1.4], [1, 1]])["closed"] == 0


def test_a_dot_and_a_cut_drawing():
    """No extent, no trouble; and what was cut is told."""
    found = _measured([[2, 2]], complete=False)
    assert (found["points"], found["ink"], found["flatness"], found["ended"]) == (1, 0, 0, 0)


def test_effects_are_in_standard_deviations():
    """Of the real drawings; unknown where these are all alike."""
    real = np.array([[1.0, 5.0], [3.0, 5.0]])
    found = effect(real, np.array([[4.0, 6.0]]))
    assert found[0] == 2 / np.sqrt(2)
    assert np.isnan(found[1])
    assert np.isnan(effect(real[:1], real)).all()
