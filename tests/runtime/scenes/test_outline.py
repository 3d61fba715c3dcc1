"""Outlines: which gaps are closed, what counts as enclosed, and what encloses nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge import load
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.scenes.outline import GAP_SHARE, bridges, outline, windings


def area(polygons):
    """The area of polygons that do not overlap; they all have the same direction, so no term cancels another."""
    return sum((p[:, 0] * np.roll(p[:, 1], -1) - p[:, 1] * np.roll(p[:, 0], -1)).sum() / 2 for p in polygons)


def box(left, top, width, height, turn=0):
    """A closed line around a rectangle, begun at corner `turn`."""
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    return np.array([*corners[turn:], *corners[:turn], corners[turn]], float)


def bow(first, last, radius=10.0, center=(0.0, 0.0)):
    """Part of a circle, from one angle to another, in degrees."""
    angles = np.radians(np.linspace(first, last, 60))
    return center + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_a_closed_line_is_its_own_outline():
    """The corners come back as they were given, bit for bit."""
    square = box(0.1, 0.2, 10 / 3, 1 / 7)
    (polygon,) = outline([square])
    assert {tuple(each) for each in polygon} == {tuple(each) for each in square}


@pytest.mark.parametrize("missing", [1, 5, 15, 40])
def test_a_bow_that_is_all_but_closed_is_closed(missing):
    """However it begins, a circle with up to a tenth of it missing hides what is behind it."""
    (polygon,) = outline([bow(20, 380 - missing)])
    assert area([polygon]) == pytest.approx(np.pi * 100, rel=0.02)


@pytest.mark.parametrize("lines", [[bow(0, 180)], [bow(-30, 210)], [np.array([(0, 0), (0, 9), (9, 9), (9, 0)])]])
def test_an_open_bow_stays_open(lines):
    """Half a circle, three sides of a square: nobody meant these to be closed."""
    assert outline(lines) == []


def test_small_open_shapes_are_closed_by_their_own_size():
    """A gap is measured by its line, not by the sketch: an ear with a gap of a tenth of it is closed, a bow is not."""
    ear = bow(0, 330, 1.0, (0, -30))
    assert area(outline([bow(0, 180), ear])) == pytest.approx(np.pi, rel=0.05)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_line_that_crosses_itself_near_its_end_is_closed_there(turn):
    """The ends that stick out are no part of the outline, and no bridge makes them one."""
    x, y = box(0, 0, 10, 10, turn)[:-1].mean(axis=0)
    square = box(0, 0, 10, 10, turn)
    overshot = np.concatenate([[square[0] + (square[0] - square[1]) * 0.04], square[1:], [square[0] * 1.0]])
    overshot[-1] += (square[0] - square[-2]) * 0.04
    assert (x, y) == (5, 5)
    polygons = outline([overshot])
    assert area(polygons) == pytest.approx(100, abs=1e-6)
    assert max(np.abs(p - 5).max() for p in polygons) <= 5 + 1e-6


def test_a_circle_drawn_on_past_its_start_has_no_wedge():
    """An end that lies just outside of its own line, after crossing it, is not joined to it again."""
    radius = np.interp(np.linspace(0, 390, 60), [0, 30, 90, 390], [1.1, 0.9, 1, 1])
    circle = bow(0, 390) * radius[:, None]
    with_gaps, without = outline([circle]), outline([circle], gap_share=0)
    assert area(with_gaps) == pytest.approx(area(without), rel=1e-9) == pytest.approx(np.pi * 100, rel=0.05)


def test_lines_make_a_shape_together():
    """A house: three walls and a roof in two strokes, whose ends nearly meet, overshoot, or end on the other."""
    walls = np.array([(0, 10), (0, 0), (10, 0), (10, 10)], float) * (1, -1)
    roof = np.array([(-0.4, -10), (5, -15), (10.3, -9.8)])
    lid = np.array([(-1, -9.9), (11, -9.9)])
    assert area(outline([walls, roof, lid])) == pytest.approx(125, rel=0.05)
    assert area(outline([walls, lid])) == pytest.approx(99, rel=0.01)
    near = area(outline([walls, roof]))
    assert near == pytest.approx(125, rel=0.05)


def test_wheels_that_cross_the_body_belong_to_it():
    """The union of what is enclosed is one polygon where the parts overlap, two where they do not."""
    body, wheel, far = box(0, 0, 40, 10), bow(0, 360, 4.0, (10, 10)), bow(0, 360, 4.0, (10, 30))
    assert len(outline([body, wheel])) == 1
    assert area(outline([body, wheel])) == pytest.approx(400 + np.pi * 8, rel=0.01)
    assert len(outline([body, far])) == 2


def test_holes_are_enclosed():
    """A donut hides with its hole, a face with its eyes; what lies inside leaves no trace."""
    donut = outline([bow(0, 360), bow(0, 360, 4.0), bow(0, 360, 1.0)])
    assert len(donut) == 1
    assert area(donut) == pytest.approx(np.pi * 100, rel=0.01)


def test_loose_lines_are_no_outline():
    """Whiskers, inside and out, do not change the face."""
    face = box(0, 0, 10, 10)
    whiskers = [np.array([(8.0, y), (14.0, y + 2)]) for y in (3, 5, 7)]
    assert area(outline([face, *whiskers])) == pytest.approx(100, abs=1e-6)


def test_bridges_end_at_the_nearest_place_of_each_line_within_reach():
    """An end near two lines is joined to both, one out of reach to none, one that touches needs none."""
    ground = np.array([(-10.0, 0), (10, 0)])
    post = np.array([(0.0, -0.5), (0, -5)])
    other = np.array([(-0.4, -9.0), (-0.4, -0.2)])
    found = {tuple(np.round(each.ravel(), 6)) for each in bridges([ground, post], 0.6)}
    assert found == {(0, -0.5, 0, 0)}
    assert len(bridges([ground, post, other], 0.6)) == 5
    assert len(bridges([ground, post], 0.4)) == 0
    assert len(bridges([ground, np.array([(0.0, 0), (0, -5)])], 0.6)) == 0


def test_no_gap_is_closed_where_none_is_asked_for():
    """With a share of 0 only lines that really enclose something do."""
    assert outline([bow(0, 359)], gap_share=0) == []
    assert area(outline([box(0, 0, 3, 3)], gap_share=0)) == 9


def test_shapes_that_touch_in_a_point_are_two_polygons():
    """A figure of eight is two loops, each simple."""
    eight = np.array([(0, 0), (2, 2), (2, 0), (0, 2), (0, 0)], float)
    polygons = outline([eight])
    assert sorted(len(each) for each in polygons) == [3, 3]
    assert area(polygons) == 2


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [[(1, 1)]],
        [[(1, 1), (1, 1), (1, 1)]],
        [[(0, 0), (5, 0)], [(2, 0), (9, 0)], [(9, 0), (0, 0)]],
        [[(0, 0), (5, 1), (0, 0), (5, 1), (0, 0)]],
        [[(0, 0), (1e-300, 0), (1e-300, 1e-300), (0, 0)]],
        [[(1e9, 1e9), (1e9, -1e9)]],
        [[(0, 0), (1e-170, 0), (3, 0), (3, 1e-170)]],
    ],
)
def test_what_encloses_nothing_has_no_outline(lines):
    """Dots, still pens, retraced and overlapping straight lines, and nothing at all."""
    assert outline(lines) == []


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_size_and_place_do_not_matter(scale, shift):
    """The same drawing larger or elsewhere has the same outline there."""
    lines = [bow(0, 350), np.array([(-12.0, 0), (12, 1)]), box(3, 3, 12, 4)]
    expected = outline(lines)
    got = outline([line * scale + shift * scale for line in lines])
    assert len(got) == len(expected)
    assert area(got) == pytest.approx(area(expected) * scale**2, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_ends_on_lines_close_shapes_at_any_angle(seed):
    """Where an end lies on a line but for rounding, or its bridge does, the shape is closed; no angle slips through."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    for angle in rng.random(40) * 2 * np.pi:
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        ground, (left, right) = np.array([(-10.0, 0), (10, 0)]), rng.random(2) * (4, -4)
        arch = np.array([(left - 5, 0), (-5, 7), (5, 7), (5 + right, 0)])
        near = np.add(arch, [(0, 0.1), (0, 0), (0, 0), (0, 0.2)])
        expected = (10 + 10 + right - left) / 2 * 7
        assert area(outline([ground @ turn, arch @ turn])) == pytest.approx(expected, rel=1e-6)
        assert area(outline([ground @ turn, arch @ turn], gap_share=0)) == pytest.approx(expected, rel=1e-6)
        assert area(outline([ground @ turn, near @ turn])) == pytest.approx(expected, rel=0.05)


def test_twice_a_drawing_encloses_the_same():
    """Retracing every line, forward or back, changes nothing."""
    lines = [bow(0, 350), np.array([(-12.0, 0), (12, 1)])]
    once = area(outline(lines))
    assert area(outline([*lines, *lines])) == pytest.approx(once, rel=1e-9)
    assert area(outline([*lines, *(line[::-1] for line in lines)])) == pytest.approx(once, rel=1e-9)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan"), float("inf"), "0.1", None])
def test_a_share_out_of_range_is_refused(share):
    """Only shares of the drawing's size are taken."""
    with pytest.raises(InputError, match=r"gap_share .*: choose a number, 0"):
        outline([box(0, 0, 1, 1)], gap_share=share)


@pytest.mark.parametrize("line", [[], [[1, 2, 3]], [[float("nan"), 1], [2, 3]], "abc"])
def test_lines_that_are_none_are_refused(line):
    """As everywhere else lines are checked."""
    with pytest.raises(InputError, match="outline: line 0"):
        outline([line])


def test_windings_count_the_polygons_around_a_point():
    """Two overlapping squares: none, one, two."""
    squares = [box(0, 0, 4, 4)[:-1], box(2, 2, 4, 4)[:-1]]
    starts, ends = np.concatenate(squares), np.concatenate([np.roll(each, -1, axis=0) for each in squares])
    points = np.array([(1, 1), (3, 3), (5, 5), (5, 1), (-1, 3), (9, 3), (3, -1)], float)
    assert windings(points, starts, ends).tolist() == [1, 2, 1, 0, 0, 0, 0]


FLOATS = st.floats(-100, 100).map(lambda value: round(value, 9))  # shapely warns of numbers that are all but 0
grid_lines = st.lists(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=9), min_size=1, max_size=5
)
free_lines = st.lists(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=9), min_size=1, max_size=5)


@settings(max_examples=80, deadline=None)
@given(st.one_of(grid_lines, free_lines), st.sampled_from([0.0, GAP_SHARE]))
def test_the_outline_is_that_of_the_union_of_faces(lines, gap_share):
    """shapely's polygons of the same lines and bridges, united and with their holes filled, cover the same."""
    shapely = pytest.importorskip("shapely")
    got = outline([np.array(line, float) for line in lines], gap_share=gap_share)
    polygons = [shapely.Polygon(each) for each in got]
    assert all(each.is_valid and each.exterior.is_ccw for each in polygons)
    expected = enclosed(shapely, lines, gap_share)
    union = shapely.union_all(polygons)
    assert sum(each.area for each in polygons) == pytest.approx(union.area, abs=1e-4)
    assert union.symmetric_difference(expected).area == pytest.approx(0, abs=1e-3)


def enclosed(shapely, lines, gap_share):
    """What lines and their bridges enclose, as shapely finds it."""
    arrays = [np.array(line, float) for line in lines]
    arrays = [line[np.append(True, (line[1:] != line[:-1]).any(axis=1))] for line in arrays]
    arrays = [line for line in arrays if len(line) > 1]
    if not arrays:
        return shapely.Polygon()
    points = np.concatenate(arrays)
    gap = gap_share * float(np.ptp(points, axis=0).max())
    gaps = list(bridges(arrays, gap)) if gap else []
    noded = shapely.unary_union([shapely.LineString(each) for each in [*arrays, *gaps]], grid_size=1e-7)
    faces = shapely.union_all(shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))))
    return shapely.union_all([shapely.Polygon(each.exterior) for each in shapely.get_parts(faces)])


@pytest.mark.parametrize(
    "name",
    ["apple", "circle", "cookie", "clock", "donut", "face", "pear", "square", "cloud", "lollipop", "fish"],
)
def test_things_drawn_by_the_model_have_an_outline(name):
    """Of things that are round or closed, at least four sketches in five cover half of their convex hull."""
    found = sum(area(outline(each.lines)) >= hull_area(each.lines) / 2 for each in drawn(name, 20))
    least = {"fish": 15, "lollipop": 15}.get(name, 16)
    assert found >= least


def drawn(name, count):
    """Sketches of a class as the shipped bundle draws them."""
    return load().draw_many([name] * count, seed=77)


def hull_area(lines):
    """The area of the convex hull, by Andrew's monotone chain."""
    points = sorted(map(tuple, np.concatenate(lines).tolist()))
    hull: list[tuple[float, float]] = []
    for each in (points, points[::-1]):
        chain: list[tuple[float, float]] = []
        for x, y in each:
            while len(chain) > 1 and (chain[-1][0] - chain[-2][0]) * (y - chain[-2][1]) <= (
                chain[-1][1] - chain[-2][1]
            ) * (x - chain[-2][0]):
                chain.pop()
            chain.append((x, y))
        hull += chain[:-1]
    return area([np.array(hull)]) if len(hull) > 2 else 0.0


@pytest.mark.parametrize("name", ["line", "mountain", "zigzag"])
def test_open_things_drawn_by_the_model_have_hardly_any(name):
    """A line, a row of peaks, a zigzag: next to nothing is made of them."""
    shares = [area(outline(each.lines)) / max(hull_area(each.lines), 1e-9) for each in drawn(name, 20)]
    assert np.median(shares) < 0.1


def tangles():
    """Drawings within all other limits whose lines meet, or all but meet, in millions of places."""
    rng = np.random.default_rng(0)
    teeth = np.arange(6000)
    return {
        "scribble": [rng.random((3000, 2))],
        "strokes": list(rng.random((9000, 2, 2))),
        "crumbs": list(rng.random((6000, 1, 2)) + rng.random((6000, 2, 2)) / 100),
        "combs": [np.stack([teeth, teeth % 2 * 6000], axis=1), np.stack([teeth % 2 * 6000, teeth], axis=1)],
    }


@pytest.mark.parametrize("name", tangles())
def test_lines_that_meet_in_millions_of_places_are_refused(name):
    """To cut them there would take gigabytes, and hours."""
    with pytest.raises(InputError, match="too tangled"):
        outline(tangles()[name])


def test_a_long_scribble_has_an_outline():
    """Many points are no tangle."""
    rng = np.random.default_rng(0)
    assert outline([np.cumsum(rng.normal(size=(15_000, 2)), axis=0)])


def hatching(count, angle, jitter=0.001):
    """Parallel strokes across the unit square, a little unsteady."""
    rng = np.random.default_rng(0)
    across, along = np.array([-np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
    for place in np.linspace(-0.7, 0.7, count):
        way = np.linspace(-0.75, 0.75, 1000)[:, None] * along + place * across
        inside = way[(np.abs(way) <= 0.5).all(axis=1)]
        if len(inside) > 1:
            yield inside[[0, -1]] + rng.normal(0, jitter, (2, 2)) + 0.5


def crowds():
    """Drawings of many strokes that are close together."""
    rng = np.random.default_rng(0)
    crumbs = rng.random((3000, 1, 2)) + 0.02 * rng.normal(size=(3000, 2, 2))
    return {
        "hatched": [box(0, 0, 1, 1), *hatching(1000, 0.7)],
        "hatched across": [box(0, 0, 1, 1), *hatching(400, 0.7), *hatching(400, -0.7)],
        "hatched in short strokes": [box(0, 0, 1, 1), *crumbs.clip(0, 1)],
        "a weave": [np.array([[x, 0], [x, 1]]) for x in np.linspace(0, 1, 400)]
        + [np.array([[0, y], [1, y]]) for y in np.linspace(0, 1, 400)],
    }


@pytest.mark.parametrize("name", crowds())
def test_what_is_hatched_has_an_outline(name):
    """The ends of hatching are all near to each other, and the outline is that of what is hatched."""
    assert area(outline(crowds()[name])) == pytest.approx(1, abs=0.02)


def test_an_open_wall_is_closed_though_there_is_hatching():
    """An end keeps the bridge to its own line, however many others are nearer."""
    wall = np.array([[0.1, 0], [0, 0], [0, 1], [1, 1], [1, 0], [0.25, 0.0]])
    found = bridges([wall, *(0.02 + 0.96 * line for line in hatching(500, 0.7))], 0.05)
    assert len(found) > 1000
    assert (np.abs(found - [[0.25, 0], [0.1, 0]]).max(axis=(1, 2)) < 1e-9).any()
