"""The order in which a pen draws lines."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.plot.order import ORDERS, apply_order, order_lines, ordered, travel_mm

WAYS = [((0.0, 0.0), None), (None, None), ((0.0, 0.0), (50.0, 50.0)), (None, (3.0, 3.0))]
coordinate = st.one_of(st.integers(0, 5).map(float), st.floats(-500, 500, allow_nan=False, width=32))


@st.composite
def drawings(draw, most=14):
    """Lines of 1 to 5 points, many of them equal, closed or dots."""
    lines = draw(st.lists(st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=5), max_size=most))
    closed = draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    return [np.array([*line, line[0]] if close else line, float) for line, close in zip(lines, closed, strict=True)]


def random_lines(count, seed, points=4):
    rng = np.random.default_rng(seed)
    return [rng.random((1, 2)) * 200 + np.cumsum(rng.normal(0, 2, (points, 2)), axis=0) for _ in range(count)]


def circles(count, seed, points=24):
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, points + 1)[:, None] + rng.random(count) * 6
    made = [rng.random(2) * 200 + 3 * np.stack([np.cos(a), np.sin(a)], axis=1) for a in angles.T]
    for circle in made:
        circle[-1] = circle[0]
    return made


def shortest(lines, start, end):
    """The least travel of all orders and directions."""
    return min(
        travel_mm(
            [lines[i][::-1] if back else lines[i] for i, back in zip(places, backs, strict=True)], start=start, end=end
        )
        for places in itertools.permutations(range(len(lines)))
        for backs in itertools.product((False, True), repeat=len(lines))
    )


def test_travel_is_what_the_pen_moves_up():
    """Start to first line, from line to line, and on to the end; drawn ways do not count."""
    lines = [np.array([[3.0, 4.0], [3.0, 10.0]]), np.array([[6.0, 14.0]])]
    assert travel_mm(lines) == pytest.approx(5 + 5)
    assert travel_mm(lines, start=None) == pytest.approx(5)
    assert travel_mm(lines, end=(6.0, 15.0)) == pytest.approx(5 + 5 + 1)
    assert travel_mm([]) == 0
    assert travel_mm([], end=(3.0, 4.0)) == pytest.approx(5)


@pytest.mark.parametrize(("start", "end"), WAYS)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_few_lines_get_the_shortest_of_all_orders(count, start, end):
    """Up to five lines: what trying all orders and directions finds."""
    for seed in range(3):
        lines = random_lines(count, seed, points=1 + seed)
        found = order_lines(lines, start=start, end=end)
        assert found.travel_mm == pytest.approx(shortest(lines, start, end))


@pytest.mark.parametrize("how", ORDERS)
@settings(max_examples=40, deadline=None)
@given(lines=drawings(), way=st.sampled_from(WAYS))
def test_an_order_is_an_order(how, lines, way):
    """Each line once, its points unchanged but for direction and beginning, the travel as said, never longer."""
    start, end = way
    found = order_lines(lines, how, start=start, end=end, effort=0.2)
    assert sorted(found.index.tolist()) == list(range(len(lines)))
    assert found.index.shape == found.reverse.shape == found.shift.shape
    drawn = apply_order(lines, found)
    for i, back, shift, line in zip(found.index, found.reverse, found.shift, drawn, strict=True):
        if shift:
            assert (line[0] == line[-1]).all()
            assert (line[0] == lines[i][shift]).all()
            assert {tuple(point) for point in line} == {tuple(point) for point in lines[i]}
        else:
            assert (line == (lines[i][::-1] if back else lines[i])).all()
    assert found.given_mm == pytest.approx(travel_mm(lines, start=start, end=end))
    assert found.travel_mm == pytest.approx(travel_mm(drawn, start=start, end=end))
    assert found.travel_mm <= found.given_mm
    assert found.changed == any(a is not b for a, b in zip(drawn, lines, strict=True)) or how != "keep"


def test_keep_keeps():
    """The given order, and the very same lines."""
    lines = random_lines(20, 1)
    assert all(a is b for a, b in zip(ordered(lines, "keep"), lines, strict=True))


def test_nearest_goes_on_with_the_nearest_end():
    """Each time the end that is nearest of all that are left."""
    lines = random_lines(300, 2)
    found = order_lines(lines, "nearest")
    place, left = np.zeros(2), set(range(len(lines)))
    for i, back in zip(found.index.tolist(), found.reverse.tolist(), strict=True):
        ends = np.array([[lines[j][0], lines[j][-1]] for j in sorted(left)])
        best = np.hypot(*(ends - place).reshape(-1, 2).T).min()
        line = lines[i][::-1] if back else lines[i]
        assert math.dist(line[0], place) <= best * 1.2 + 1e-9  # near lists may miss one now and then
        left.remove(i)
        place = line[-1]


@pytest.mark.parametrize("count", [12, 60, 400])
def test_best_beats_nearest_clearly(count):
    """At least a tenth less travel than by the nearest end, on random lines of every number."""
    best = sum(order_lines(random_lines(count, seed)).travel_mm for seed in range(3))
    near = sum(order_lines(random_lines(count, seed), "nearest").travel_mm for seed in range(3))
    assert best < 0.9 * near


def test_a_hundred_lines_come_near_to_what_long_work_finds():
    """At most 6 % over a search of twelve times the work; mostly 1 to 3 %."""
    for seed in range(2):
        lines = random_lines(100, seed)
        assert order_lines(lines).travel_mm <= 1.06 * order_lines(lines, effort=12).travel_mm


def test_clusters_are_passed_through_one_after_the_other():
    """Twelve objects of eight lines far from each other: little travel between them, as long work finds it."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        places = np.repeat(rng.random((12, 2)) * 200, 8, axis=0)
        lines = [place + line / 20 for place, line in zip(places, random_lines(96, seed), strict=True)]
        assert order_lines(lines).travel_mm <= 1.06 * order_lines(lines, effort=12).travel_mm


def test_more_effort_never_costs():
    """Work is what was found before, and more."""
    lines = random_lines(150, 5)
    travels = [order_lines(lines, effort=effort).travel_mm for effort in (0, 0.2, 1, 5)]
    assert travels == sorted(travels, reverse=True)


def test_equal_lines_give_an_equal_order():
    """Nothing but the lines decides."""
    first, second = (order_lines(random_lines(500, 3)) for _ in range(2))
    assert (first.index == second.index).all()
    assert (first.reverse == second.reverse).all()
    assert first.travel_mm == second.travel_mm


@pytest.mark.parametrize("count", [2, 10, 150])
def test_closed_lines_are_begun_where_it_is_shorter(count):
    """Circles may be begun anywhere: less travel than from their own first points, and the same drawing."""
    lines = circles(count, 4)
    turned, fixed = order_lines(lines), order_lines(lines, rotate=False)
    assert turned.travel_mm < fixed.travel_mm
    assert not fixed.shift.any()
    for i, line in zip(turned.index, apply_order(lines, turned), strict=True):
        assert sorted(map(tuple, line[1:])) == sorted(map(tuple, lines[i][1:]))
        assert np.hypot(*np.diff(line, axis=0).T).sum() == pytest.approx(np.hypot(*np.diff(lines[i], axis=0).T).sum())


def test_a_circle_is_begun_at_its_point_nearest_to_the_pen():
    """One circle, and the pen in the corner."""
    circle = circles(1, 7)[0]
    found = order_lines([circle])
    assert found.travel_mm == pytest.approx(np.hypot(*circle.T).min())


def test_a_line_closed_but_for_rounding_is_drawn_whole():
    """Where the last point is a hundredth beside the first, the way between them is drawn when begun elsewhere."""
    line = np.array([[50.0, 50.0], [60.0, 50.0], [60.0, 60.0], [10.0, 10.0], [50.005, 50.0]])
    (drawn,) = ordered([line])
    assert drawn.tolist() == [[10, 10], [50.005, 50], [50, 50], [60, 50], [60, 60], [10, 10]]


def test_ends_that_are_further_apart_do_not_close_a_line():
    """A gap that can be seen stays one."""
    line = np.array([[50.0, 50.0], [60.0, 50.0], [10.0, 10.0], [50.5, 50.0]])
    assert order_lines([line]).shift.tolist() == [0]


@pytest.mark.parametrize("how", ["nearest", "best"])
def test_lines_that_are_all_equal_take_no_travel_twice(how):
    """A thousand times the same dot: one way to it."""
    found = order_lines([np.array([[3.0, 4.0]])] * 1000, how)
    assert found.travel_mm == pytest.approx(5)


def test_a_lattice_is_drawn_with_hardly_a_gap():
    """The edges of 30 x 30 squares: every node has equal neighbours, and nothing goes round in circles."""
    across = [np.array([[x, y], [x + 1, y]], float) for x in range(30) for y in range(31)]
    down = [np.array([[x, y], [x, y + 1]], float) for x in range(31) for y in range(30)]
    assert order_lines(across + down, start=None).travel_mm <= 120


def test_far_outliers_do_no_harm():
    """Most lines on a page and some a kilometre away: found, and in reasonable time."""
    lines = random_lines(200, 8)
    far = [line * 5 + 1e6 for line in lines[:5]]
    found = order_lines(lines[5:] + far)
    assert found.travel_mm < order_lines(lines[5:]).travel_mm + 1.5e6


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([np.zeros((0, 2))], "shape"),
        ([np.zeros((2, 2)), np.zeros((2, 3))], "line 1"),
        ([np.zeros(2)], "shape"),
        ([np.array([[0.0, 0.0], [np.nan, 0.0]])], "finite"),
    ],
)
def test_what_is_no_line_is_refused(lines, words):
    """Empty, of another shape, or not finite: said with the number of the line."""
    with pytest.raises(InputError, match=words):
        order_lines(lines)


def test_unknown_orders_and_efforts_are_refused():
    """With what could have been chosen."""
    with pytest.raises(InputError, match="keep, nearest, best"):
        order_lines([], "fast")
    with pytest.raises(InputError, match="effort"):
        order_lines([], effort=math.nan)
