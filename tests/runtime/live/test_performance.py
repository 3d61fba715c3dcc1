"""What there is to watch: moves of the pen."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from sketch_edge.runtime.artist import Point, Stream, load
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.live.performance import watch_scene, watch_stream
from sketch_edge.runtime.scene import Pen
from sketch_edge.runtime.sketch import Sketch

TINY = Path(__file__).parents[2] / "data" / "tiny.sketch.zip"


def lines_of(moves):
    """The lines that the ink of moves makes, stroke by stroke."""
    strokes: dict[tuple[str, int], list[np.ndarray]] = {}
    for move in moves:
        if move.drawn:
            strokes.setdefault((move.label, move.stroke), []).append(move.line)
    lines = []
    for pieces in strokes.values():
        for before, after in itertools.pairwise(pieces):
            assert (before[-1] == after[0]).all()
        lines.append(np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])]))
    return lines


@pytest.mark.parametrize("name", ["star", "cat"])
def test_the_ink_of_a_stream_is_the_drawing(name):
    """Line by line and point by point, dots too."""
    artist = load(TINY)
    for seed in range(20):
        sketch = artist.draw(name, seed=seed, temperature=1)
        lines = lines_of(watch_stream(artist.stream(name, seed=seed, temperature=1)).moves)
        assert len(lines) == len(sketch.lines)
        for line, expected in zip(lines, sketch.lines, strict=True):
            np.testing.assert_array_equal(line, expected)


def test_a_dot_is_one_point():
    """Wherever it comes, the end of the stream too; repeated points do not make a line."""
    points = [Point(0, 0, False, False), Point(0, 0, True, True), Point(5, 5, False, False), Point(9, 5, True, True)]
    points += [Point(1, 1, False, False), Point(1, 1, True, False)]
    moves = [move for move in watch_stream(Stream(iter(points), "eye", 1, 0)).moves if move.drawn]
    assert [move.line.tolist() for move in moves] == [[[0, 0]], [[5, 5], [9, 5]], [[1, 1]]]
    assert [move.stroke for move in moves] == [1, 2, 3]


def test_a_point_is_asked_for_when_it_is_due():
    """The model draws while the pen moves: nothing is drawn in advance."""
    asked = []

    def points():
        yield Point(0, 0, False, False)
        for number in range(1, 5):
            asked.append(number)
            yield Point(10 * number, 0, True, number == 4)

    moves = watch_stream(Stream(points(), "line", 1, 0)).moves
    for number in range(1, 4):
        while not next(moves).drawn:
            pass
        assert asked == list(range(1, number + 1))


def test_the_ink_of_a_scene_is_its_lines_in_order():
    """Each object with its pen and its number; between the lines the pen is in the air."""
    lines = [np.array(line, np.float64) for line in ([[0, 0], [100, 0]], [[50, 50]], [[0, 0], [0, 100]])]
    sketches = [Sketch(tuple(lines[:2]), "a"), Sketch(tuple(lines[2:]), "b")]
    scene = arrange(sketches, pens=[Pen("red", "red"), Pen("blue", "blue")])
    performance = watch_scene(scene)
    moves = list(performance.moves)
    expected = [line for each in scene.objects for line in each.lines]
    ink = [move for move in moves if move.drawn]
    assert all((move.line == line).all() for move, line in zip(ink, expected, strict=True))
    assert [(move.label, move.pen) for move in ink] == [("a (1 of 2)", 0), ("a (1 of 2)", 0), ("b (2 of 2)", 1)]
    assert [move.drawn for move in moves] == [True, False, True, False, True]
    for before, after in itertools.pairwise(moves):
        assert (before.line[-1] == after.line[0]).all()
    assert performance.paper is not None
    assert performance.paper.width == scene.page.width_mm


def test_a_pen_keeps_its_colour():
    """On a sketch its width suits the sketch."""
    (pen,) = watch_stream(Stream(iter(()), "x", 1, 0), Pen("fine", "#204080", 0.1)).pens
    assert pen.color == "#204080"
    assert 1 < pen.width_mm < 5
