"""Drawings as text."""

import numpy as np
import pytest

from sketch_edge.runtime.together.braille import braille


def lines(*each: list[tuple[float, float]]) -> list[np.ndarray]:
    return [np.array(points, np.float64) for points in each]


def test_a_level_line():
    """Upper dots only, from end to end."""
    assert braille(lines([(0, 0), (100, 0)]), columns=4, rows=2) == ["⠉⠉⠉⠉"]


def test_a_square_is_square():
    """Its four sides, four letters wide and two high: a letter has two dots by four."""
    square = lines([(5, 5), (12, 5), (12, 12), (5, 12), (5, 5)])
    assert braille(square, columns=4, rows=2) == ["⡏⠉⠉⢹", "⣇⣀⣀⣸"]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_it_fits(scale):
    """Whatever the units are."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        drawn = braille([rng.normal(size=(5, 2)) * scale * rng.random(2) for _ in range(3)], columns=30, rows=7)
        assert 1 <= len(drawn) <= 7
        assert max(map(len, drawn)) <= 30


def test_a_dot_and_nothing():
    """One dot is one letter, no lines are no text."""
    assert braille(lines([(7, 7)])) == ["⠁"]
    assert braille([]) == []


def test_numbers_stand_where_lines_begin():
    """From 1, over the first point."""
    drawn = braille(lines([(0, 0), (100, 0)], [(100, 40), (0, 40)]), columns=10, rows=5, numbers=True)
    assert drawn[0][0] == "1"
    assert drawn[-1][-1] == "2"
