"""What is done to lines before they are ordered."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.plot.tidy import drawn_mm, drop_short, merge_lines, remove_duplicates, simplify_lines

coordinate = st.one_of(st.integers(0, 6).map(float), st.floats(0, 20, allow_nan=False, width=32))
drawings = st.lists(
    st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=5).map(lambda line: np.array(line, float)),
    max_size=10,
)
tolerances = st.sampled_from([0.0, 0.05, 0.5])
ALL = [
    lambda lines: merge_lines(lines, 0.1),
    lambda lines: remove_duplicates(lines, 0.1),
    lambda lines: simplify_lines(lines, 0.1),
    lambda lines: drop_short(lines, 0.1)[0],
]


def line(*points):
    return np.array(points, float)


def as_lists(lines):
    return [each.tolist() for each in lines]


def away(points, lines):
    """How far each of `points` is from all that the lines draw."""
    found = np.full(len(points), np.inf)
    for each in lines:
        ends = each[1:] if len(each) > 1 else each
        for a, b in zip(each, ends, strict=False):
            square = ((b - a) ** 2).sum()
            share = np.clip((points - a) @ (b - a) / square, 0, 1) if square else np.zeros(len(points))
            found = np.minimum(found, np.hypot(*(points - a - share[:, None] * (b - a)).T))
    return found


def segments(lines):
    """Every segment as two points, the smaller one first."""
    return sorted(sorted(map(tuple, pair)) for each in lines for pair in itertools.pairwise(each.tolist()))


def on_the_way(lines):
    """Points on the lines, their corners and some between."""
    shares = np.linspace(0, 1, 5)[:, None]
    parts = [a + shares * (b - a) for each in lines for a, b in itertools.pairwise(each)]
    return np.concatenate([*parts, *lines])


@pytest.mark.parametrize("function", ALL)
def test_nothing_and_a_dot_pass_through(function):
    """No lines at all, one dot, one line: given back as they are."""
    assert function([]) == ()
    for only in (line((3, 4)), line((3, 4), (9, 9))):
        (given_back,) = function([only])
        assert given_back is only


@pytest.mark.parametrize("function", ALL)
def test_many_equal_lines_and_a_very_long_one_take_seconds_at_most(function):
    """5,000 times the same line, 5,000 dots in one place, and 100,000 points in one line."""
    walk = np.cumsum(np.random.default_rng(0).normal(0, 0.3, (100_000, 2)), axis=0)
    for lines in ([line((1, 1), (5, 5), (9, 2))] * 5000, [line((1, 1))] * 5000, [walk]):
        before = time.process_time()
        assert function(lines)
        assert time.process_time() - before < 20


@pytest.mark.parametrize("function", ALL)
def test_lines_of_equal_points_are_taken(function):
    """A line that never moves is no trouble."""
    assert len(function([np.ones((4, 2)), line((5, 5), (5, 5))])) == 2


# merge_lines


def test_lines_that_meet_become_one():
    """Three parts in any direction: one line, in the place and direction of the first."""
    merged = merge_lines([line((5, 0), (10, 0)), line((5, 0), (0, 0)), line((20, 0), (10, 0))], 0.0)
    assert as_lists(merged) == [[[0, 0], [5, 0], [10, 0], [20, 0]]]


def test_ends_within_the_tolerance_are_joined_by_a_line():
    """Both points stay where they are."""
    lines = [line((0, 0), (5, 0)), line((5.2, 0), (9, 0))]
    assert as_lists(merge_lines(lines, 0.3)) == [[[0, 0], [5, 0], [5.2, 0], [9, 0]]]
    assert as_lists(merge_lines(lines, 0.1)) == as_lists(lines)


def test_at_a_junction_the_straight_ways_are_joined():
    """A cross of four lines becomes two strokes; of three, the straight one."""
    arms = [line((0, 0), (9, 0)), line((0, 0), (0, 9)), line((0, 0), (-9, 0)), line((0, -9), (0, 0))]
    assert as_lists(merge_lines(arms, 0.0)) == [[[-9, 0], [0, 0], [9, 0]], [[0, -9], [0, 0], [0, 9]]]
    assert as_lists(merge_lines(arms[:3], 0.1)) == [[[-9, 0], [0, 0], [9, 0]], [[0, 0], [0, 9]]]


def test_parts_of_a_ring_become_one_closed_line():
    """The last meeting is the beginning."""
    corners = line((0, 0), (5, 0), (5, 5), (0, 5), (0, 0))
    (ring,) = merge_lines([corners[i : i + 2] for i in range(4)], 0.0)
    assert ring.shape == (5, 2)
    assert (ring[0] == ring[-1]).all()


@settings(max_examples=80, deadline=None)
@given(lines=drawings, tolerance=tolerances)
def test_merging_keeps_every_line(lines, tolerance):
    """All points are there as often as before, less those that were equal; what is added is no longer than allowed."""
    merged = merge_lines(lines, tolerance)
    joins = len(lines) - len(merged)
    assert 0 <= joins <= max(0, sum(len(each) > 1 for each in lines) - 1)
    before, after = drawn_mm(lines).sum(), drawn_mm(merged).sum()
    assert before - 1e-9 <= after <= before + joins * tolerance + 1e-9
    assert {tuple(p) for each in merged for p in each} == {tuple(p) for each in lines for p in each}
    left = segments(merged)
    for each in segments(lines):
        assert each in left
        left.remove(each)
    assert len(left) <= joins
    assert as_lists(merge_lines(lines, tolerance)) == as_lists(merged)


# remove_duplicates


def test_a_line_is_drawn_once():
    """The same again, backwards, and within the tolerance: all left out."""
    first = line((0, 0), (10, 0), (10, 10))
    lines = [first, first.copy(), first[::-1], first + 0.05]
    assert as_lists(remove_duplicates(lines, 0.1)) == [first.tolist()]
    assert len(remove_duplicates(lines, 0.01)) == 2


def test_a_part_that_was_drawn_is_left_out():
    """A line over an older one and beyond; a shorter one on a longer one; there and back again."""
    assert as_lists(remove_duplicates([line((0, 0), (10, 0)), line((0, 0), (10, 0), (10, 9))], 0.1)) == [
        [[0, 0], [10, 0]],
        [[10, 0], [10, 9]],
    ]
    assert len(remove_duplicates([line((0, 0), (10, 0)), line((7, 0), (3, 0))], 0.1)) == 1
    assert as_lists(remove_duplicates([line((0, 0), (10, 0), (0, 0))], 0.1)) == [[[0, 0], [10, 0]]]


def test_a_part_in_the_middle_makes_two_lines_if_it_is_worth_it():
    """10 mm drawn already are a gap; 1 mm are drawn again."""
    old = [line((10, 0), (20, 0)), line((40, 0), (41, 0))]
    over = line((0, 0), (10, 0), (20, 0), (40, 0), (41, 0), (50, 0))
    assert as_lists(remove_duplicates([*old, over], 0.1)[2:]) == [
        [[0, 0], [10, 0]],
        [[20, 0], [40, 0], [41, 0], [50, 0]],
    ]


def test_a_finely_drawn_line_is_no_duplicate_of_itself():
    """Points far closer than the tolerance: still one whole line."""
    fine = np.stack([np.linspace(0, 20, 2001), np.sin(np.linspace(0, 20, 2001))], axis=1)
    (kept,) = remove_duplicates([fine], 0.1)
    assert kept is fine


def test_crossing_lines_stay_whole():
    """Short pieces near a crossing are no reason to lift the pen."""
    along = np.linspace(0, 20, 401)
    lines = [np.stack([along, along], axis=1), np.stack([along, 0.9 * along + 1], axis=1)]
    assert as_lists(remove_duplicates(lines, 0.05)) == as_lists(lines)


def test_dots_on_lines_and_on_dots_are_left_out():
    """A dot where ink is adds none."""
    lines = [line((0, 0), (10, 0)), line((5, 0.05)), line((5, 3)), line((5, 3))]
    assert as_lists(remove_duplicates(lines, 0.1)) == [[[0, 0], [10, 0]], [[5, 3]]]


@settings(max_examples=80, deadline=None)
@given(lines=drawings, tolerance=tolerances)
def test_nothing_but_duplicates_is_lost(lines, tolerance):
    """Every place of the given lines is within the tolerance of what is left; what is left are parts of them."""
    assume(lines)
    left = remove_duplicates(lines, tolerance)
    assert away(on_the_way(lines), left).max() <= tolerance + 1e-9
    assert away(on_the_way(left), lines).max() <= 1e-9
    assert drawn_mm(left).sum() <= drawn_mm(lines).sum() + 1e-9


@settings(max_examples=30, deadline=None)
@given(lines=drawings)
def test_drawing_all_twice_changes_nothing(lines):
    """The second time all is there already, but for parts that are not worth a lift."""
    once = remove_duplicates(lines, 0.1)
    assert as_lists(remove_duplicates([*once, *once], 0.1))[: len(once)] == as_lists(remove_duplicates(once, 0.1))
    assert drawn_mm(remove_duplicates([*lines, *lines], 0.1)).sum() == pytest.approx(drawn_mm(once).sum())


# simplify_lines


@settings(max_examples=60, deadline=None)
@given(lines=drawings, tolerance=tolerances)
def test_simplified_lines_stay_within_the_tolerance(lines, tolerance):
    """No point is further away, both ends stay, and no point is new."""
    for before, after in zip(lines, simplify_lines(lines, tolerance), strict=True):
        assert away(before, [after]).max() <= tolerance + 1e-9
        assert (after[[0, -1]] == before[[0, -1]]).all()
        assert {tuple(p) for p in after} <= {tuple(p) for p in before}


def test_points_on_a_straight_way_are_left_out():
    """A hundred points in a row are two."""
    (kept,) = simplify_lines([np.stack([np.arange(100.0), np.zeros(100)], axis=1)], 0.01)
    assert kept.tolist() == [[0, 0], [99, 0]]


# drop_short


def test_short_lines_are_left_out_and_given_back():
    """Shorter than the length goes, as long stays."""
    lines = [line((0, 0), (3, 0)), line((0, 0), (1, 0), (1, 0.5)), line((0, 0), (2, 0))]
    kept, dropped = drop_short(lines, 2.0)
    assert [id(each) for each in kept] == [id(lines[0]), id(lines[2])]
    assert [id(each) for each in dropped] == [id(lines[1])]


def test_dots_stay_unless_asked():
    """One point, or the same point several times, is a dot."""
    dots = [line((1, 1)), line((2, 2), (2, 2))]
    assert len(drop_short(dots, 5.0)[0]) == 2
    assert len(drop_short(dots, 5.0, dots=True)[1]) == 2
    assert len(drop_short(dots, 0.0, dots=True)[0]) == 2


@settings(max_examples=60, deadline=None)
@given(lines=drawings, shortest=st.floats(0, 20, allow_nan=False), dots=st.booleans())
def test_every_line_is_kept_or_given_back(lines, shortest, dots):
    """Each line is in one of both, in order, as its length says."""
    kept, dropped = drop_short(lines, shortest, dots=dots)
    assert sorted(map(id, kept + dropped)) == sorted(map(id, lines))
    lengths = {id(each): np.hypot(*np.diff(each, axis=0).T).sum() for each in lines}
    assert all(lengths[id(each)] < shortest + 1e-9 for each in dropped)
    assert all(lengths[id(each)] >= shortest - 1e-9 or (lengths[id(each)] == 0 and not dots) for each in kept)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_what_is_no_length_is_refused(wrong):
    """Below 0 or not finite, in every function."""
    for function in (merge_lines, remove_duplicates, simplify_lines, drop_short):
        with pytest.raises(InputError, match="expected a finite number of 0 or more"):
            function([line((0, 0), (1, 1))], wrong)
