"""Shapes and silhouettes: turned rightly, and things fall until they touch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.scenes.placing import Shape, falling_room
from sketch_edge.runtime.sketch import Sketch

FLAG = Sketch((np.array([[0.0, 0], [100, 0], [100, 50]]),))  # down at its right end


def test_a_shape_has_size_one():
    """Its larger side is 1, its middle at 0."""
    shape = Shape.of(FLAG)
    assert (shape.width, shape.height) == (1, 0.5)
    assert shape.lines[0].tolist() == [[-0.5, -0.25], [0.5, -0.25], [0.5, 0.25]]


def test_turning_is_clockwise():
    """A quarter brings the right end down: the line from left to right then runs from top to bottom."""
    shape = Shape.of(FLAG, rotate=90)
    assert shape.lines[0] == pytest.approx(np.array([[0.25, -0.5], [0.25, 0.5], [-0.25, 0.5]]))
    assert (shape.width, shape.height) == pytest.approx((0.5, 1))


def test_a_mirror_swaps_left_and_right_before_turning():
    """Mirrored, the flag hangs down at its left."""
    assert Shape.of(FLAG, flip=True).lines[0] == pytest.approx(np.array([[0.5, -0.25], [-0.5, -0.25], [-0.5, 0.25]]))
    both = Shape.of(FLAG, rotate=90, flip=True).lines[0]
    assert both == pytest.approx(np.array([[0.25, 0.5], [0.25, -0.5], [-0.25, -0.5]]))


def test_a_turned_thing_keeps_its_size():
    """A diagonal line is as long as the level one."""
    (line,) = Shape.of(Sketch((np.array([[0.0, 0], [90, 0]]),)), rotate=45).lines
    assert np.linalg.norm(line[1] - line[0]) == pytest.approx(1)


@pytest.mark.parametrize("lines", [(), ([[7, 7]],), ([[7, 7], [8, 8]],)])
def test_small_things_are_not_blown_up(lines):
    """A dot, a slip of the pen and nothing at all have a box and no size of their own."""
    shape = Shape.of(Sketch(lines), rotate=30)
    assert (shape.width, shape.height) == (1, 1)
    assert all(np.abs(line).max() < 0.1 for line in shape.lines)


def test_falling_on_a_roof():
    """A box over a gable touches it with its corner or its floor, whichever comes first."""
    roof = [np.array([[0.0, 10], [5, 0], [10, 10]])]
    floor = np.array([[4.0, -20], [4, -10], [6, -10], [6, -20]])
    assert falling_room([floor], roof) == pytest.approx(10)  # the tip is under the floor
    assert falling_room([floor + np.array([4, 0])], roof) == pytest.approx(16)  # its left corner over the right slope
    assert falling_room([floor + np.array([20, 0])], roof) is None
    assert falling_room([], roof) is None


def test_falling_on_an_upright_line():
    """It ends where the line begins; a dot falls as well."""
    pole = [np.array([[3.0, 20], [3, 5]])]
    assert falling_room([np.array([[3.0, 1.0]])], pole) == pytest.approx(4)
    assert falling_room([np.array([[0.0, 1.0], [9, 1]])], pole) == pytest.approx(4)


coordinates = st.floats(0, 50).map(lambda value: round(value, 2))
drawings = st.lists(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=6), min_size=1, max_size=3).map(
    lambda lines: [np.array(line) for line in lines]
)


def _at(lines, x, choose):
    """The highest or lowest ink at x, the slow way."""
    found = []
    for line in lines:
        for (x0, y0), (x1, y1) in zip(line, line[1:] if len(line) > 1 else line, strict=False):
            if min(x0, x1) <= x <= max(x0, x1):
                found += [y0, y1] if x0 == x1 else [y0 + (x - x0) / (x1 - x0) * (y1 - y0)]
    return choose(found) if found else None


@settings(max_examples=100, deadline=None)
@given(drawings, drawings)
def test_falling_ends_at_the_first_touch(upper, lower):
    """At no x is there less room between the two, and somewhere just as little."""
    room = falling_room(upper, lower)
    rooms = []
    for x in sorted({*np.linspace(0, 50, 41).tolist(), *(float(p[0]) for line in [*upper, *lower] for p in line)}):
        feet, ground = _at(upper, x, max), _at(lower, x, min)
        if feet is not None and ground is not None:
            rooms.append(ground - feet)
    assert (room is None) == (not rooms)
    assert room is None or min(rooms) == pytest.approx(room, abs=1e-6)
