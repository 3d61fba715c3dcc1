"""The way of the pen: pieces join, ink is cut exactly, dots belong somewhere."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.course import Course, drawn_until
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Caption, Pen, Placed, Scene


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a scene takes them, of plain lists."""
    return each


def scene_of(*objects: Any, width_mm: float = 1.0) -> Scene:
    return Scene(
        Page(100, 100, 0), (Pen(width_mm=width_mm),), tuple(Placed(each, str(n)) for n, each in enumerate(objects))
    )


def ink(scene: Scene) -> float:
    """The length of all lines in mm."""
    steps = [np.diff(line, axis=0) for each in scene.objects for line in each.lines]
    return float(sum(np.hypot(step[:, 0], step[:, 1]).sum() for step in steps))


ELL = scene_of(lines([[0, 0], [30, 0], [30, 10]], [[50, 50], [50, 90]]), lines([[90, 90], [70, 90]]))


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0, []),
        (0.1, [[[0, 0], [10, 0]]]),
        (0.3, [[[0, 0], [30, 0]]]),
        (0.35, [[[0, 0], [30, 0], [30, 5]]]),
        (0.4, [[[0, 0], [30, 0], [30, 10]]]),
        (0.6, [[[0, 0], [30, 0], [30, 10]], [[50, 50], [50, 70]]]),
        (0.9, [[[0, 0], [30, 0], [30, 10]], [[50, 50], [50, 90]], [[90, 90], [80, 90]]]),
    ],
)
def test_ink_is_cut_where_the_pen_is(share, expected):
    """Of 100 mm of ink, the first so many are drawn, in pen order, along the lines."""
    got = [line for each in drawn_until(ELL, share).objects for line in each.lines]
    assert len(got) == len(expected)
    for line, points in zip(got, expected, strict=True):
        np.testing.assert_allclose(line, points, atol=1e-9)


def test_all_of_the_ink_is_the_scene_itself():
    """Nothing is rounded at the end."""
    assert drawn_until(ELL, 1) is ELL


def test_all_but_the_lines_stays():
    """Page, pens, captions, and what is known of each object begun."""
    caption = Caption("x", 1, 1, 1)
    objects = (Placed(lines([[0, 0], [9, 0]]), "cat", 0, 7, 3, 0.4, "b", 2.0), Placed(lines([[5, 5], [9, 9]]), "dog"))
    scene = Scene(Page(20, 20, 0), (Pen("red", "red"),), objects, (caption,))
    part = drawn_until(scene, 0.3)
    assert (part.page, part.pens, part.captions) == (scene.page, scene.pens, (caption,))
    (cat,) = part.objects
    assert (cat.label, cat.seed, cat.index, cat.temperature, cat.source, cat.depth) == ("cat", 7, 3, 0.4, "b", 2.0)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf")])
def test_shares_out_of_range_are_refused(share):
    """A share is a part of the whole."""
    with pytest.raises(InputError, match=r"^share: is "):
        drawn_until(ELL, share)


@pytest.mark.parametrize("dot", [[[40, 40]], [[40, 40], [40, 40], [40, 40]]], ids=["point", "points"])
def test_a_dot_appears_whole_and_once(dot):
    """It counts as much ink as the pen is wide, and stands there as soon as the pen comes to it."""
    course = Course(scene_of(lines([[0, 0], [8, 0]], dot, [[50, 50], [51, 50]]), width_mm=2.0))
    assert course.length == 12  # the last line, too, is shorter than the pen is wide
    assert [len(course.between(0, 8)), len(course.between(0, 8.1))] == [1, 2]
    stretches = [course.between(12 * k / 30, 12 * (k + 1) / 30) for k in range(30)]
    assert sum(np.array_equal(piece.line, dot) for pieces in stretches for piece in pieces) == 1


def test_ways_through_the_air_count_their_share():
    """From the end of a line to the start of the next the pen takes that part of the time it would need to draw it."""
    course = Course(ELL, lift_share=0.5)
    lifts = 0.5 * np.array([np.hypot(20, 40), 40])
    assert course.length == pytest.approx(100 + lifts.sum())
    np.testing.assert_allclose(course.starts, [0, 40 + lifts[0], 80 + lifts.sum()])
    assert course.between(41, 41 + lifts[0] / 2) == []


def test_without_lines_there_is_no_way():
    """Empty scenes and objects have no length and no pieces."""
    for scene in (Scene(), scene_of((), ())):
        course = Course(scene)
        assert (course.length, course.between(0, 1)) == (0, [])
        assert drawn_until(scene, 0.5).objects == ()


points = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(points, min_size=1, max_size=5), st.integers(1, 40), st.sampled_from([0.0, 0.2]))
def test_stretches_join_to_the_whole_drawing(drawn, count, lift_share):
    """However the way is cut, each piece begins where the one before it ended, and together they are every line."""
    scene = scene_of(*[lines(np.array(each, float)) for each in drawn])
    course = Course(scene, lift_share)
    joined: list[list[np.ndarray]] = [[]]
    for number in range(count):
        for piece in course.between(course.length * (number / count), course.length * ((number + 1) / count)):
            joined[-1].append(piece.line)
            if piece.end:
                joined.append([])
    assert joined.pop() == []
    assert len(joined) == len(drawn)
    for pieces, line in zip(joined, drawn, strict=True):
        assert (pieces[0][0] == line[0]).all()
        assert (pieces[-1][-1] == line[-1]).all()
        for before, after in itertools.pairwise(pieces):
            np.testing.assert_allclose(before[-1], after[0], atol=1e-9)
        whole = [step for piece in pieces for step in np.hypot(*np.diff(piece, axis=0).T)]
        expected = np.hypot(*np.diff(np.array(line, float), axis=0).T).sum() if len(line) > 1 else 0
        assert sum(whole) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(points.filter(lambda line: len(set(line)) > 1), min_size=1, max_size=4), st.floats(0, 1))
def test_a_share_of_the_ink_is_that_share(drawn, share):
    """Where every line is longer than the pen is wide, the lengths are those asked for."""
    scene = scene_of(*[lines(np.array(each, float)) for each in drawn], width_mm=0.1)
    assert ink(drawn_until(scene, share)) == pytest.approx(share * ink(scene), abs=1e-6)
