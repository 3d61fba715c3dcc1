"""The stroke formats: a literal example of each, and the ways between them."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime import strokes

# A roof (two moves), then a dot right of it, then a level line below.
LINES = [np.array([[10, 20], [15, 10], [20, 20]]), np.array([[30, 20]]), np.array([[10, 40], [30, 40]])]
STROKE3 = np.array([[5, -10, 0], [5, 10, 1], [10, 0, 1], [-20, 20, 0], [20, 0, 1]])
STROKE5 = np.array(
    [
        [5, -10, 1, 0, 0],
        [5, 10, 0, 1, 0],
        [10, 0, 0, 1, 0],
        [-20, 20, 1, 0, 0],
        [20, 0, 0, 1, 0],
        [0, 0, 0, 0, 1],
    ],
    np.float32,
)

quick = settings(max_examples=100, deadline=None)
whole = st.integers(-1000, 1000)
points = st.lists(st.tuples(whole, whole), min_size=1, max_size=12).map(np.array)
drawings = st.lists(points, max_size=6)
decimal = st.floats(-1000, 1000, allow_subnormal=False, width=32)
curves = st.lists(st.tuples(decimal, decimal), min_size=1, max_size=40).map(lambda each: np.array(each, np.float64))


def without_repeats(line: Any) -> Any:
    """The tests' own, plain way to drop a point that equals the one before."""
    kept = [line[0]]
    for point in line[1:]:
        if tuple(point) != tuple(kept[-1]):
            kept.append(point)
    return np.array(kept)


def assert_equal_lines(got: Any, expected: Any) -> None:
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_stroke3_of_lines_is_as_documented():
    """Lines become rows (dx, dy, lift) from the first point of the first line on."""
    np.testing.assert_array_equal(strokes.lines_to_stroke3(LINES), STROKE3)


def test_lines_of_stroke3_are_as_documented():
    """Rows become the lines again, given where the pen started."""
    assert_equal_lines(strokes.stroke3_to_lines(STROKE3, origin=(10, 20)), LINES)


def test_stroke5_of_stroke3_is_as_documented():
    """Every row gets its pen state one-hot, and the end is a row of its own."""
    np.testing.assert_array_equal(strokes.stroke3_to_stroke5(STROKE3), STROKE5)


def test_simplified_form_is_as_documented():
    """Lines become lists of x and of y, moved to (0, 0), the larger side 255 long."""
    lines = [np.array([[10, 20], [20, 40]]), np.array([[30, 22]])]
    assert strokes.lines_to_simplified(lines) == [[[0, 128], [0, 255]], [[255], [26]]]


def test_simplified_is_read_with_or_without_times():
    """Further lists of a stroke, such as the times of the raw form, are ignored."""
    lines = strokes.simplified_to_lines([[[1, 2], [3, 4], [0, 16]], [[5], [6]]])
    assert_equal_lines(lines, [np.array([[1.0, 3.0], [2.0, 4.0]]), np.array([[5.0, 6.0]])])


@pytest.mark.parametrize("drawing", [[[[1, 2], [3]]], [[[1.0, float("nan")], [1.0, 2.0]]], [[[1.0], [float("inf")]]]])
def test_simplified_with_bad_coordinates_is_refused(drawing):
    """x and y of different lengths, and what is not finite, are a ValueError."""
    with pytest.raises(ValueError):
        strokes.simplified_to_lines(drawing)


def test_a_dot_alone_has_a_row_of_its_own():
    """A first line that is a dot is (0, 0, 1): nothing else says that the pen lifts there."""
    np.testing.assert_array_equal(strokes.lines_to_stroke3([np.array([[7, 7]])]), [[0, 0, 1]])


def test_a_line_of_equal_points_is_a_dot():
    """Repeats of a point are one point."""
    np.testing.assert_array_equal(strokes.lines_to_stroke3([np.array([[7, 7], [7, 7], [7, 7]])]), [[0, 0, 1]])


def test_no_lines_give_no_rows():
    """Nothing drawn, and lines without points, are an empty stroke-3 array."""
    assert strokes.lines_to_stroke3([]).shape == (0, 3)
    assert strokes.lines_to_stroke3([np.zeros((0, 2))]).shape == (0, 3)
    assert strokes.stroke3_to_lines(np.zeros((0, 3))) == []


def test_a_pen_that_never_lifts_still_ends_its_line():
    """Rows cut off in the middle of a line keep what was drawn."""
    assert_equal_lines(strokes.stroke3_to_lines(np.array([[1, 0, 0], [1, 0, 0]])), [np.array([[0, 0], [1, 0], [2, 0]])])


@quick
@given(drawings)
def test_lines_survive_stroke3(lines):
    """Lines to stroke-3 and back are the same lines, less repeated points; also where lines are dots."""
    origin = tuple(lines[0][0]) if lines else (0, 0)
    back = strokes.stroke3_to_lines(strokes.lines_to_stroke3(lines), origin)
    assert_equal_lines(back, [without_repeats(line) for line in lines])


@quick
@given(drawings)
def test_stroke3_survives_lines(lines):
    """Stroke-3 to lines and back are the same rows."""
    stroke3 = strokes.lines_to_stroke3(lines)
    np.testing.assert_array_equal(strokes.lines_to_stroke3(strokes.stroke3_to_lines(stroke3)), stroke3)


@quick
@given(drawings, st.integers(1, 5))
def test_stroke3_survives_stroke5(lines, padding):
    """Stroke-3 to stroke-5 of any length and back are the same rows."""
    stroke3 = strokes.lines_to_stroke3(lines)
    stroke5 = strokes.stroke3_to_stroke5(stroke3, len(stroke3) + padding)
    assert stroke5.shape == (len(stroke3) + padding, 5)
    np.testing.assert_array_equal(stroke5[:, 2:].sum(axis=1), 1)
    np.testing.assert_array_equal(strokes.stroke5_to_stroke3(stroke5), stroke3)


def test_stroke5_ends_at_its_first_end_row():
    """What follows the first end row is not part of the drawing."""
    longer = np.concatenate([STROKE5, STROKE5])
    np.testing.assert_array_equal(strokes.stroke5_to_stroke3(longer), STROKE3)


def test_stroke5_without_end_row_is_read_whole():
    """A drawing that was cut off before its end keeps all rows."""
    np.testing.assert_array_equal(strokes.stroke5_to_stroke3(STROKE5[:-1]), STROKE3)


def test_stroke5_needs_room_for_the_end():
    """A length that leaves no end row is a ValueError."""
    with pytest.raises(ValueError, match="over the number of points"):
        strokes.stroke3_to_stroke5(STROKE3, len(STROKE3))


def test_the_start_token_puts_the_pen_down():
    """The row before the first has no offset and the pen on the paper."""
    assert strokes.START_TOKEN == (0.0, 0.0, 1.0, 0.0, 0.0)


@quick
@given(st.lists(curves, min_size=1, max_size=5), st.floats(1, 1000))
def test_fitting_keeps_shape_and_fills_the_box(lines, side):
    """The box is filled along its larger side, and all distances grow by one factor."""
    fitted = strokes.fit_to_box(lines, side)
    low, high = strokes.bounds(lines)
    extent = (high - low).max()
    new_low, new_high = strokes.bounds(fitted)
    np.testing.assert_array_equal(new_low, 0)
    if extent > 0:
        assert (new_high - new_low).max() == pytest.approx(side)
        for line, moved in zip(lines, fitted, strict=True):
            np.testing.assert_allclose(moved, (line - low) * (side / extent), atol=side * 1e-9)
    else:
        assert new_high.max() == 0


def test_fitting_does_not_change_its_input():
    """The lines given are left as they were."""
    line = np.array([[10.0, 20.0], [30.0, 40.0]])
    strokes.fit_to_box([line])
    np.testing.assert_array_equal(line, [[10, 20], [30, 40]])


def test_rounding_merges_points_that_became_equal():
    """Points that round to the same whole numbers are one."""
    assert_equal_lines(
        strokes.round_lines([np.array([[0.2, 0.1], [0.4, -0.3], [2.6, 1.0]])]), [np.array([[0, 0], [3, 1]])]
    )


def test_a_corner_is_kept_and_a_straight_run_is_not():
    """Points on the way are dropped, the corner stays."""
    line = np.array([[0, 0], [5, 0.5], [10, 0], [10, 5], [10, 10]])
    np.testing.assert_array_equal(strokes.simplify_line(line, 1.0), [[0, 0], [10, 0], [10, 10]])


def test_a_tip_beyond_the_end_is_kept():
    """A stroke that overshoots and comes back keeps its tip: distance is taken to the chord, not to its line."""
    line = np.array([[0, 0], [0, 50], [0, 200], [0, 100]])
    np.testing.assert_array_equal(strokes.simplify_line(line, 2.0), [[0, 0], [0, 200], [0, 100]])


def test_a_closed_line_is_not_simplified_to_nothing():
    """Where the end points are equal, distance is taken from them: a square keeps its corners."""
    square = np.array([[0, 0], [50, 0], [100, 0], [100, 100], [0, 100], [0, 0]])
    np.testing.assert_array_equal(strokes.simplify_line(square, 2.0), [[0, 0], [100, 0], [100, 100], [0, 100], [0, 0]])


@quick
@given(curves, st.floats(0, 300))
def test_simplifying_keeps_ends_order_and_tolerance(line, epsilon):
    """The result is a subsequence with both end points, and no point left out is over epsilon off its chord."""
    # A third column, which distances do not look at, numbers the points, so that those kept are known.
    numbered = np.concatenate([line, np.arange(len(line))[:, None]], axis=1)
    kept = strokes.simplify_line(numbered, epsilon)[:, 2].astype(int)
    assert kept[0] == 0
    assert kept[-1] == len(line) - 1
    assert (np.diff(kept) > 0).all()
    for first, last in itertools.pairwise(kept):
        for between in line[first + 1 : last]:
            assert distance_to_line(between, line[first], line[last]) <= epsilon + 1e-6


def distance_to_line(point: Any, start: Any, end: Any) -> Any:
    """Distance to the infinite line through two points, written out plainly."""
    (px, py), (ax, ay), (bx, by) = point, start, end
    length = np.hypot(bx - ax, by - ay)
    if length == 0:
        return np.hypot(px - ax, py - ay)
    return abs((bx - ax) * (ay - py) - (ax - px) * (by - ay)) / length
