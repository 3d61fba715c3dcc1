"""Drawings made by hand, brought into Quick, Draw! units."""

import numpy as np
import pytest

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.together.given import bring


def sketch(*lines: list[tuple[float, float]]) -> Sketch:
    return Sketch(tuple(np.array(line, np.float64) for line in lines), "cat")


def test_the_official_form_stays_as_it_is():
    """Whole numbers in the box: neither moved, nor scaled, nor simplified."""
    start = sketch([(10, 20), (30, 20), (50, 20)], [(60, 70)])
    given = bring(start)
    assert given.sketch is start
    assert given.factor == 1


@pytest.mark.parametrize("spoil", [(0.5, 0), (-11, 0), (250, 0)])
def test_anything_else_is_fitted(spoil):
    """A fraction, a number below 0 or above 255: the larger side becomes 255."""
    given = bring(Sketch((np.array([[10, 20], [60, 45]]) + spoil,)))
    assert given.factor == 5.1
    np.testing.assert_allclose(given.sketch.lines[0], np.array([(0, 0), (255, 127.5)]), atol=1e-9)


def test_a_dense_line_is_simplified():
    """Points that lie within 2 units of the box of the line between their neighbours are left out."""
    x = np.linspace(0, 51, 200)
    given = bring(Sketch((np.stack([x, 0.3 * np.sin(x * 9)], axis=1), np.array([[0, 30], [25, 9], [51, 30]]))))
    assert [len(line) for line in given.sketch.lines] == [2, 3]


def test_a_part_is_fitted_by_the_size_of_the_whole():
    """510 are to be 255: half."""
    given = bring(sketch([(10, 20), (110, 30)]), size=510)
    assert given.factor == 0.5
    np.testing.assert_array_equal(given.sketch.lines[0], [[0, 0], [50, 5]])


def test_a_dot_has_no_size():
    """It is not blown up, and nothing is divided by zero."""
    given = bring(sketch([(7.5, 3.25)]))
    assert given.factor == 1
    np.testing.assert_array_equal(given.rows(29.0), np.array([[0, 0, 0, 1, 0]], np.float32))


def test_rows_are_stroke_5_without_an_end():
    """In model units, the example of docs/FORMAT.md."""
    rows = bring(sketch([(10, 20), (15, 10), (20, 20)], [(30, 20)], [(10, 40), (30, 40)])).rows(5.0)
    assert rows.dtype == np.float32
    assert rows.tolist() == [[1, -2, 1, 0, 0], [1, 2, 0, 1, 0], [2, 0, 0, 1, 0], [-4, 4, 1, 0, 0], [4, 0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("lines", "size", "message"),
    [
        ([], None, "sketch: has no lines"),
        ([[(0, 0), (100, 0)]], 99, r"size 99: is less than the given part has \(100\)"),
        ([[(0, 0), (100, 0)]], float("nan"), "size nan: choose a number over 0"),
        ([[(0, 0), (100, 0)]], "10", "size '10': choose a number over 0"),
        ([[(0, 0), (100, 0)]], True, "size True: choose a number over 0"),
    ],
)
def test_what_cannot_be_is_refused(lines, size, message):
    """With what was got and what was expected."""
    with pytest.raises(InputError, match=message):
        bring(sketch(*lines), size)
