"""Arrangements: exact cuts on the grid, and the boundary of what is enclosed."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.scenes.planar import _passed, _Reach, _swept, arrange, box_pairs, outer_loops

HUGE = 2**30


def segments(most, count):
    """Segments with whole-number ends, as (starts, ends)."""
    point = st.tuples(st.integers(0, most), st.integers(0, most))
    pairs = st.lists(st.tuples(point, point), min_size=1, max_size=count)
    return pairs.map(lambda each: np.array(each, np.int64)).map(lambda each: (each[:, 0], each[:, 1]))


def turn(a, b, c):
    """Which side of a-b the point c lies on, exactly: plain Python integers do not overflow."""
    value = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (value > 0) - (value < 0)


def between(a, b, c):
    """Whether c lies on the segment a-b, its ends included."""
    return turn(a, b, c) == 0 and all(min(a[k], b[k]) <= c[k] <= max(a[k], b[k]) for k in (0, 1))


def share_more_than_an_end(one, other):
    """Whether two segments cross or touch anywhere but in an end of both."""
    (a, b), (c, d) = one, other
    if turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0:
        return True
    inner = [between(a, b, each) and each not in (a, b) for each in (c, d)]
    return any(inner) or any(between(c, d, each) and each not in (c, d) for each in (a, b))


@settings(max_examples=80, deadline=None)
@given(st.one_of(segments(6, 14), segments(60, 20), segments(HUGE, 12)))
def test_edges_meet_in_vertices_only(given_segments):
    """Whatever crosses, touches or overlaps, cut edges share ends and nothing else; every given end is a vertex."""
    starts, ends = given_segments
    vertices, edges = arrange(starts, ends)
    places = [tuple(each) for each in vertices.tolist()]
    cut = [(places[a], places[b]) for a, b in edges.tolist()]
    assert len(set(cut)) == len(cut)
    for number, one in enumerate(cut):
        assert one[0] < one[1]
        assert not any(share_more_than_an_end(one, other) for other in cut[:number])
    moved = (starts != ends).any(axis=1)
    assert {tuple(each) for each in np.concatenate([starts[moved], ends[moved]]).tolist()} <= set(places)


@settings(max_examples=60, deadline=None)
@given(segments(40, 16))
def test_no_edge_strays_from_its_segment(given_segments):
    """Edges move by less than three cells of the grid when their crossings are rounded."""
    starts, ends = given_segments
    vertices, edges = arrange(starts, ends)
    for point in vertices[edges].mean(axis=1):
        away = [distance(point, a, b) for a, b in zip(starts, ends, strict=True)]
        assert min(away) < 3


def distance(point, a, b):
    """From a point to a segment."""
    step = b - a
    share = np.clip((point - a) @ step / max(step @ step, 1), 0, 1)
    return np.hypot(*(point - a - share * step))


def test_crossing_squares_have_one_boundary():
    """Two overlapping squares: one polygon around both, in one direction, without the edges inside."""
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]])
    corners = np.concatenate([square, square + 2])
    starts, ends = corners, np.concatenate([np.roll(square, -1, axis=0), np.roll(square, -1, axis=0) + 2])
    vertices, edges = arrange(starts, ends)
    (loop,) = outer_loops(vertices, edges)
    expected = {(0, 0), (4, 0), (4, 2), (6, 2), (6, 6), (2, 6), (2, 4), (0, 4)}
    assert {tuple(each) for each in vertices[loop].tolist()} == expected
    x, y = vertices[loop].T
    assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() == 2 * 28


def test_loose_ends_and_bridges_are_no_boundary():
    """A tree encloses nothing; two triangles joined by a bridge, one with a tail, are two triangles."""
    tree = np.array([[0, 0], [5, 5], [5, 5]]), np.array([[5, 5], [9, 5], [5, 9]])
    assert outer_loops(*arrange(*tree)) == []
    starts = np.array([[0, 0], [4, 0], [0, 4], [4, 0], [9, 0], [14, 0], [9, 5], [14, 0]])
    ends = np.array([[4, 0], [0, 4], [0, 0], [9, 0], [14, 0], [9, 5], [9, 0], [20, 3]])
    loops = outer_loops(*arrange(starts, ends))
    assert sorted(len(loop) for loop in loops) == [3, 3]


@pytest.mark.parametrize(("count", "others"), [(40, 50), (700, 400)])
def test_pairs_of_boxes_are_those_that_meet(count, others):
    """Few boxes and many are compared in different ways; both find what looking at every pair finds."""
    rng = np.random.Generator(np.random.Philox(key=count))
    low, other_low = rng.integers(0, 60, (count, 2)), rng.integers(0, 60, (others, 2))
    high, other_high = low + rng.integers(0, 5, (count, 2)), other_low + rng.integers(0, 9, (others, 2))
    one, other = (np.concatenate(each) for each in zip(*box_pairs(low, high, other_low, other_high), strict=True))
    expected = {
        (i, j)
        for i in range(count)
        for j in range(others)
        if low[i, 0] <= other_high[j, 0]
        and high[i, 0] >= other_low[j, 0]
        and low[i, 1] <= other_high[j, 1]
        and high[i, 1] >= other_low[j, 1]
    }
    assert len(one) == len(expected) > 0
    assert set(zip(one.tolist(), other.tolist(), strict=True)) == expected


@pytest.mark.parametrize("bands", [1, 2, 30, 512])
@pytest.mark.parametrize("seed", range(4))
def test_bands_change_nothing_in_what_pairs_are_found(seed, bands):
    """However the page is cut into bands, every pair is found, and once."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    low = rng.random((300, 2)) * [1, seed > 0]  # once, all on one height
    high = low + rng.random((300, 2)) * rng.choice([0.0, 0.01, 0.5], (300, 2)) * [1, seed > 0]
    boxes = low[:100], high[:100], low[100:], high[100:]
    pairs = [pair for one, other in _swept(*boxes, _Reach.of(*boxes, bands)) for pair in zip(one, other, strict=True)]
    meet = ((low[:100, None] <= high[100:]) & (high[:100, None] >= low[100:])).all(axis=-1)
    assert sorted(pairs) == sorted(zip(*np.nonzero(meet), strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_points_beside_long_segments_are_found_in_bands(seed):
    """Of the points in the box of a segment those are passed over that are far from it, and none that is near."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    size = 2 ** (seed * 8 + 6)
    starts, ends = rng.integers(0, size, (2, 400, 2))
    ends[::7, seed % 2] = starts[::7, seed % 2]
    on = np.rint(starts + (ends - starts) * rng.random((400, 1))).astype(np.int64) + rng.integers(-1, 2, (400, 2))
    hot = np.concatenate([on.clip(0), starts])
    low, high = np.minimum(starts, ends) - 1, np.maximum(starts, ends) + 1
    step, away = (ends - starts)[:, None], hot - starts[:, None]
    apart = np.abs(step[..., 0] * away[..., 1] - step[..., 1] * away[..., 0])
    near = 2 * apart < 3 * np.abs(step).sum(axis=-1)
    near &= ((hot >= low[:, None]) & (hot <= high[:, None])).all(axis=-1)
    found = {
        pair for one, other in _passed(starts, ends, 1, hot) for pair in zip(one.tolist(), other.tolist(), strict=True)
    }
    assert found >= set(zip(*(each.tolist() for each in np.nonzero(near)), strict=True))
    assert len(found) < 0.3 * 400 * 800 or size < 2**22


def test_thousands_of_tall_segments_are_cut_where_others_touch_them():
    """Side by side across the page, each touched once: with all bands it would take a gigabyte."""
    count = 40_000
    left = np.arange(count) * 20_000
    nothing, whole, half = np.zeros_like(left), np.full_like(left, 1 << 30), left + 5000
    starts = np.concatenate([np.stack([left, nothing], axis=1), np.stack([left, half], axis=1)])
    ends = np.concatenate([np.stack([left, whole], axis=1), np.stack([left + 9, half], axis=1)])
    tracemalloc.start()
    vertices, edges = arrange(starts, ends)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(vertices), len(edges)) == (4 * count, 3 * count)
    assert most < 300e6


def test_no_boxes_make_no_pairs():
    """Nothing meets nothing."""
    none, some = np.zeros((0, 2)), np.ones((3, 2))
    assert [*box_pairs(none, none, some, some), *box_pairs(some, some, none, none)] == []
