"""Dots behind letters."""

import numpy as np
import pytest

from sketch_edge.runtime.live.canvas import ASCII, BLOCKS, BRAILLE, Canvas


def drawn(*points, columns=4, rows=2, glyphs=BRAILLE):
    canvas = Canvas(columns, rows, glyphs)
    canvas.line(np.array(points, np.float64))
    return str(canvas).split("\n")


def test_each_dot_has_its_place():
    """All eight of a letter, one after the other."""
    letters = [drawn((x, y), columns=1, rows=1)[0] for y in range(4) for x in range(2)]
    assert "".join(letters) == "⠁⠈⠂⠐⠄⠠⡀⢀"


@pytest.mark.parametrize(("glyphs", "text"), [(BRAILLE, ["⠉⠉⠉⠉", ""]), (BLOCKS, ["▀▀▀▀", ""]), (ASCII, ["''''", ""])])
def test_a_line_in_each_kind_of_letters(glyphs, text):
    """Along the upper edge."""
    assert drawn((0, 0), (20, 0), glyphs=glyphs) == text


def test_what_is_outside_is_passed_over():
    """A line from far outside to far outside crosses the canvas."""
    assert drawn((-50, -50), (50, 50), columns=2, rows=1) == ["⠑⢄"]
    assert drawn((-5, 0), (-1, 0), (-1, 90)) == ["", ""]


def test_a_letter_has_the_newest_pen():
    """Runs of equal pens are together, and blanks belong to the run before them."""
    canvas = Canvas(6, 1)
    canvas.line(np.array([[0.0, 0], [3, 0]]), 1)
    canvas.line(np.array([[2.0, 1], [3, 1]]), 2)
    canvas.line(np.array([[8.0, 0]]), 2)
    assert canvas.text() == [[("⠉", 1), ("⠛  ⠁", 2)]]


def test_changed_rows_are_told_once():
    """All at first, then those with new ink."""
    canvas = Canvas(3, 4)
    assert canvas.changed() == [0, 1, 2, 3]
    assert canvas.changed() == []
    canvas.line(np.array([[0.0, 5], [0, 9]]))
    assert canvas.changed() == [1, 2]
