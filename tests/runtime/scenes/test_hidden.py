"""Hidden lines: nothing stays inside a nearer outline, nothing outside is lost, and the rest is as it was."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge import load
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Caption, Pen, Placed, Scene
from sketch_edge.runtime.scenes.hidden import CRUMB_SHARE, hide
from sketch_edge.runtime.scenes.outline import outline

PEN_MM = 0.01
NEAR = 1e-6
"""Beside an outline, in mm, nothing is promised."""

CRUMB = PEN_MM * CRUMB_SHARE


def scene_of(*objects, pen_mm=PEN_MM):
    """A scene of (depth, lines)."""
    placed = [Placed(tuple(np.array(line, float) for line in lines), depth=depth) for depth, lines in objects]
    return Scene(Page(), (Pen(width_mm=pen_mm),), tuple(placed))


def box(left, top, width, height):
    """A closed line around a rectangle."""
    right, bottom = left + width, top + height
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def lines_of(scene, number=-1):
    """The lines of an object as plain lists."""
    return [line.tolist() for line in scene.objects[number].lines]


def length(lines):
    """The length of all lines together."""
    return sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in lines)


# The judges: slow, and by other means than what they judge.


def turns(point, polygon):
    """How often a polygon goes around a point, by the sum of the angles that its edges are seen under."""
    a = polygon - point
    b = np.roll(a, -1, axis=0)
    return np.arctan2(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(axis=1)).sum() / (2 * np.pi)


def distance(point, starts, ends):
    """From a point to the nearest of some segments."""
    step, away = ends - starts, point - starts
    share = np.clip((away * step).sum(axis=1) / np.maximum((step * step).sum(axis=1), 1e-300), 0, 1)
    return float(np.hypot(*(away - share[:, None] * step).T).min())


def side(point, polygons):
    """Inside (1), outside (-1) or on the outline (0) of some polygons."""
    if not polygons:
        return -1
    if min(distance(point, each, np.roll(each, -1, axis=0)) for each in polygons) <= NEAR:
        return 0
    return 1 if any(round(turns(point, each)) for each in polygons) else -1


def samples(lines, count=5):
    """Points all along lines."""
    for line in lines:
        if len(line) == 1:
            yield line[0]
        for a, b in pairwise(line):
            for share in (np.arange(count) + 0.5) / count:
                yield a + share * (b - a)


def hidden_length(lines, polygons):
    """How much of lines lies in polygons, and how much on them: cut at every crossing, one by one, judge the parts."""
    inside = on = 0.0
    for line in lines:
        for a, b in pairwise(line):
            cuts = [0.0, 1.0]
            for polygon in polygons:
                for c, d in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
                    turn = np.linalg.det([b - a, d - c])
                    if abs(turn) > 1e-12:
                        cuts.append(float(np.linalg.det([c - a, d - c]) / turn))
                    cuts += [float((each - a) @ (b - a) / max((b - a) @ (b - a), 1e-300)) for each in (c, d)]
            cuts = sorted({min(max(cut, 0.0), 1.0) for cut in cuts})
            for first, last in pairwise(cuts):
                part = (last - first) * float(np.hypot(*(b - a)))
                where = side(a + (first + last) / 2 * (b - a), polygons)
                inside, on = inside + part * (where == 1), on + part * (where == 0)
    return inside, on


def nearer_outlines(scene, number, gap_share):
    """The polygons of all that is nearer than an object."""
    nearer = [each for each in scene.objects if each.depth < scene.objects[number].depth]
    return [polygon for each in nearer for polygon in outline(each.lines, gap_share=gap_share)]


def check(scene, gap_share=0.06):
    """Hide, and let the judges look at every object."""
    result = hide(scene, gap_share=gap_share)
    for number, (before, after) in enumerate(zip(scene.objects, result.objects, strict=True)):
        polygons = nearer_outlines(scene, number, gap_share)
        assert all(side(point, polygons) < 1 for point in samples(after.lines))
        starts = [line[:-1] if len(line) > 1 else line for line in after.lines]
        ends = [line[1:] if len(line) > 1 else line for line in after.lines]
        for point in samples(before.lines):
            if side(point, polygons) < 0:
                edges = [(each, np.roll(each, -1, axis=0)) for each in polygons]
                if polygons and min(distance(point, *each) for each in edges) <= CRUMB:
                    continue  # it may be a crumb
                assert starts
                assert distance(point, np.concatenate(starts), np.concatenate(ends)) <= NEAR
    return result


point_on_grid = st.tuples(st.integers(0, 12), st.integers(0, 12))
point_nearby = st.tuples(
    *[st.builds(lambda whole, tiny: whole + tiny * 1e-8, st.integers(0, 9), st.integers(-3, 3))] * 2
)
# shapely warns of numbers that are all but 0; they have a test of their own.
point_anywhere = st.tuples(*[st.floats(0, 12).map(lambda value: round(value, 9))] * 2)
plain_shapes = st.one_of(
    # Sides that lie on each other, corners on sides, and lines that are retraced:
    st.builds(box, st.integers(0, 8), st.integers(0, 8), st.integers(1, 6), st.integers(1, 6)),
    st.lists(point_on_grid, min_size=1, max_size=7),
    st.lists(point_anywhere, min_size=1, max_size=7),
)


def scenes_of(shapes):
    """Two to four objects of one or two lines in up to three depths."""
    objects = st.tuples(st.sampled_from([0.0, 1.0, 2.0]), st.lists(shapes, min_size=1, max_size=2))
    return st.lists(objects, min_size=2, max_size=4).map(lambda objects: scene_of(*objects))


plain_scenes = scenes_of(plain_shapes)
# Lines that run beside an outline by about as much as counts as on it may be judged either way.
scenes = scenes_of(st.one_of(plain_shapes, st.lists(point_nearby, min_size=1, max_size=7)))


@settings(max_examples=120, deadline=None)
@given(scenes, st.sampled_from([0.0, 0.06]))
def test_nothing_inside_stays_and_nothing_outside_is_lost(scene, gap_share):
    """At points all along every line before and after, judged one by one."""
    check(scene, gap_share)


@settings(max_examples=50, deadline=None)
@given(scenes)
def test_kept_and_hidden_add_up(scene):
    """What is left is as long as what there was, less what lies in the nearer outlines; on them is as it may be."""
    result = hide(scene)
    for number, (before, after) in enumerate(zip(scene.objects, result.objects, strict=True)):
        inside, on = hidden_length(before.lines, nearer_outlines(scene, number, 0.06))
        crumbs = CRUMB * (2 + 20 * sum(len(line) for line in before.lines))
        assert length(before.lines) - inside - on - crumbs <= length(after.lines)
        assert length(after.lines) <= length(before.lines) - inside + 1e-3


@settings(max_examples=60, deadline=None)
@given(scenes)
def test_what_is_left_is_what_shapely_leaves(scene):
    """The difference of the lines and the union of the nearer outlines, by a geometry library."""
    shapely = pytest.importorskip("shapely")
    result = hide(scene)
    for number, (before, after) in enumerate(zip(scene.objects, result.objects, strict=True)):
        front = shapely.union_all([shapely.Polygon(each) for each in nearer_outlines(scene, number, 0.06)])
        lines = shapely.MultiLineString([each for each in before.lines if len(each) > 1])
        # Lines along the outline differ: they are left out of the comparison.
        expected = lines.difference(front.buffer(NEAR))
        kept = shapely.MultiLineString([each for each in after.lines if len(each) > 1])
        missing = expected.difference(kept.buffer(CRUMB))
        assert missing.difference(front.buffer(2 * CRUMB)).length == pytest.approx(0, abs=1e-6)
        if not front.is_empty:
            assert kept.intersection(front.buffer(-NEAR)).length == pytest.approx(0, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(plain_scenes)
def test_hiding_twice_changes_nothing_more(scene):
    """Without gaps to close, what is hidden once is all that is hidden: a cut outline never hides more."""
    once = hide(scene, gap_share=0)
    twice = hide(once, gap_share=0)
    for one, other in zip(once.objects, twice.objects, strict=True):
        assert length(one.lines) == pytest.approx(length(other.lines), abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(plain_scenes)
def test_two_layers_may_be_hidden_twice(scene):
    """With one layer in front nothing that hides is ever cut: the second time every line stays, bit for bit."""
    objects = tuple(dataclasses.replace(each, depth=min(each.depth, 1.0)) for each in scene.objects)
    once = hide(dataclasses.replace(scene, objects=objects))
    twice = hide(once)
    for one, other in zip(once.objects, twice.objects, strict=True):
        assert [line.tolist() for line in one.lines] == [line.tolist() for line in other.lines]


def test_a_line_behind_a_box_is_cut_in_two():
    """The pieces keep their order and direction, the corners of the line, and end on the outline."""
    result = check(scene_of((0, [box(2, 2, 4, 4)]), (1, [[(0, 3), (1, 3), (9, 3), (9, 0)], [(9, 9), (8, 9)]])))
    assert lines_of(result) == [[[0, 3], [1, 3], [2, 3]], [[6, 3], [9, 3], [9, 0]], [[9, 9], [8, 9]]]


def test_lines_in_front_beside_and_at_equal_depth_stay():
    """Nearer, equal and elsewhere: the very same objects come back."""
    across = [(0, 3), (9, 3)]
    scene = scene_of((1, [box(2, 2, 4, 4)]), (0, [across]), (1, [across]), (2, [[(7, 0), (7, 9)]]))
    assert all(one is other for one, other in zip(hide(scene).objects, scene.objects, strict=True))


def test_what_is_hidden_hides():
    """A house behind a cloud hides the tree behind it all the same, and all is as if they were hidden one by one."""
    front, middle = (0, [box(0, 0, 6, 6)]), (1, [box(2, 2, 8, 8)])
    back = (2, [[(-2, 5), (14, 5)], [(3, 3), (5, 5)]])
    result = check(scene_of(front, middle, back))
    assert lines_of(result) == [[[-2, 5], [0, 5]], [[10, 5], [14, 5]]]
    assert lines_of(hide(scene_of(front, (1, back[1])))) == [[[-2, 5], [0, 5]], [[6, 5], [14, 5]]]


def test_depths_decide_not_the_order():
    """The first object may be the farthest; objects keep their order."""
    back, front = (5.0, [[(0, 3), (9, 3)]]), (-1.0, [box(2, 2, 4, 4)])
    assert lines_of(hide(scene_of(back, front)), 0) == lines_of(hide(scene_of(front, back)), 1)


def test_all_else_is_kept():
    """Page, pens, captions, labels, seeds and depths; an object of which nothing is left is still there."""
    caption = Caption("behind", 5, 5, 3)
    pens = (Pen("black"), Pen("red", "red"))
    front = Placed((np.array(box(2, 2, 5, 5), float),), "box", 1, 7, 2, 0.5, "someone", depth=0.5)
    back = Placed((np.array([(3.0, 3), (4, 4)]),), "gone", 0, 8, 3, 0.25, "else", depth=3)
    scene = Scene(Page(), pens, (back, front), (caption,))
    result = hide(scene)
    assert (result.page, result.pens, result.captions) == (scene.page, pens, (caption,))
    assert result.objects[1] is front
    assert result.objects[0].lines == ()
    for field in ("label", "pen", "seed", "index", "temperature", "source", "depth"):
        assert getattr(result.objects[0], field) == getattr(back, field)


@pytest.mark.parametrize(
    ("dot", "stays"), [((4, 4), False), ((2, 4), False), ((2, 2), False), ((1.9, 4), True), ((9, 4), True)]
)
def test_dots_inside_and_on_the_outline_go(dot, stays):
    """A dot is hidden like any line; one that the pen draws in place is a dot too."""
    scene = scene_of((0, [box(2, 2, 4, 4)]), (1, [[dot], [dot, dot, dot]]))
    assert lines_of(hide(scene)) == ([[list(dot)], [list(dot)] * 3] if stays else [])


def test_what_lies_along_an_outline_goes():
    """A shared wall is drawn once, by the nearer house; a twin at the same place not at all."""
    near, far = box(0, 0, 4, 4), box(4, 0, 4, 4)
    left = hide(scene_of((0, [near]), (1, [far])))
    assert lines_of(left) == [[[4, 0], [8, 0], [8, 4], [4, 4]]]
    assert lines_of(hide(scene_of((0, [near]), (1, [near])))) == []
    partly = hide(scene_of((0, [near]), (1, [[(-3, 0), (1, 0), (7, 0)]])))
    assert lines_of(partly) == [[[-3, 0], [0, 0]], [[4, 0], [7, 0]]]


@pytest.mark.parametrize(
    "line",
    [
        [(-3, 3), (3, -3)],  # touches a corner from outside, in the line's middle
        [(4, 2), (8, 2)],  # ends on a side
        [(-3, 2), (0, 2), (-3, 3)],  # has a corner on a side
        [(4, 4), (4, 9)],  # goes on where a side ends
        [(0, -1e-5), (4, -1e-5)],  # runs close by
    ],
)
def test_touching_is_not_crossing(line):
    """Lines that only touch stay whole, bit for bit."""
    scene = scene_of((0, [box(0, 0, 4, 4)]), (1, [line]))
    assert hide(scene).objects[1] is scene.objects[1]


@pytest.mark.parametrize(
    "line", [[(0, 0), (4, 4)], [(-1, -1), (5, 5)], [(0, 2), (4, 2)], [(2, 0), (2, 4), (0, 2), (4, 0)]]
)
def test_lines_through_corners_are_cut(line):
    """Corners and sides that are met exactly: nothing inside is left."""
    result = check(scene_of((0, [box(0, 0, 4, 4)]), (1, [line])))
    assert length(result.objects[1].lines) == pytest.approx(2 * np.sqrt(2) if line[0][0] < 0 else 0)


def test_crumbs_go_and_pieces_stay():
    """A tenth of the pen's width is where a piece begins; lines that are not cut may be as short as they like."""
    lines = [[(-0.04, 1), (2, 1)], [(-0.06, 2), (2, 2)], [(-0.3, 3), (-0.29, 3)]]
    result = hide(scene_of((0, [box(0, 0, 4, 4)]), (1, lines), pen_mm=0.5))
    assert lines_of(result) == [[[-0.06, 2], [0, 2]], [[-0.3, 3], [-0.29, 3]]]


def test_gaps_are_closed_as_asked():
    """A box that does not quite close hides, but not where gaps are left alone."""
    open_box = [*box(0, 0, 10, 10)[:-1], (0, 0.5)]
    scene = scene_of((0, [open_box]), (1, [[(2, 2), (8, 8)]]))
    assert lines_of(hide(scene)) == []
    assert hide(scene, gap_share=0).objects[1] is scene.objects[1]


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan"), "5%", None])
def test_a_share_out_of_range_is_refused(share):
    """Even where there is nothing to hide."""
    with pytest.raises(InputError, match=r"gap_share .*: choose a number, 0"):
        hide(Scene(), gap_share=share)


@pytest.mark.parametrize(
    "objects",
    [
        [],
        [(0, [])],
        [(0, []), (1, [box(0, 0, 4, 4)])],
        [(0, [[(1, 1)]]), (1, [[(1, 1)]])],
        [(0, [[(1, 1), (1, 1)]]), (1, [box(0, 0, 4, 4)])],
        [(0, [[(0, 0), (9, 9), (0, 0)]]), (1, [box(0, 0, 4, 4)])],
    ],
)
def test_nothing_hides_nothing(objects):
    """Empty scenes and objects, dots and lines that enclose nothing leave all as it is."""
    scene = scene_of(*objects)
    result = hide(scene)
    assert all(one is other for one, other in zip(result.objects, scene.objects, strict=True))


@pytest.mark.parametrize(
    "line",
    [
        [(-1e9, 2), (1e9, 2)],
        [(-1, 2), (-1 + 1e-17, 2), (2, 2), (2, 2), (2 + 1e-12, 2), (9, 2)],
        [(1e-320, 2), (2e-320, 2), (-1, 2), (-1, 2 + 1e-200), (9, 2)],
    ],
)
def test_steps_of_any_size_are_cut(line):
    """Lines of a million kilometres, and of next to nothing."""
    result = hide(scene_of((0, [box(0, 0, 4, 4)]), (1, [line])))
    for piece in result.objects[1].lines:
        assert not ((piece > (1e-6, 1)) & (piece < (4 - 1e-6, 3))).all(axis=1).any()
    assert result.objects[1].lines[-1][-1].tolist() == list(line[-1])


def test_input_is_not_changed_and_the_result_is_always_the_same():
    """The same scene gives the same lines, bit for bit."""
    scene = drawn_scene(["cat", "house", "cloud", "sun", "tree"], 3)
    before = [line.tobytes() for each in scene.objects for line in each.lines]
    first, second = hide(scene), hide(scene)
    assert [line.tobytes() for each in scene.objects for line in each.lines] == before
    assert [line.tobytes() for each in first.objects for line in each.lines] == [
        line.tobytes() for each in second.objects for line in each.lines
    ]


def drawn_scene(names, seed):
    """Things drawn by the shipped bundle, one over another on 60 x 60 mm."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    objects = []
    for depth, sketch in enumerate(load().draw_many(names, seed=seed)):
        bounds = sketch.bounds
        factor = 40 / max(bounds.width, bounds.height)
        lines = tuple((line - (bounds.left, bounds.top)) * factor + rng.random(2) * 20 for line in sketch.lines)
        objects.append(Placed(lines, sketch.label, depth=depth))
    return Scene(Page(60, 60, 0), (Pen(width_mm=PEN_MM),), tuple(objects))


@pytest.mark.parametrize("seed", range(4))
def test_drawn_things_hide_each_other(seed):
    """Real sketches, overlapping: judged point by point, and most lines behind five things are hidden."""
    scene = drawn_scene(["apple", "circle", "face", "cloud", "fish", "house", "tree", "cat"], seed)
    result = check(scene)
    kept = [
        length(each.lines) / length(before.lines) for each, before in zip(result.objects, scene.objects, strict=True)
    ]
    assert kept[0] == 1
    assert np.mean(kept[5:]) < 0.5


@pytest.mark.parametrize("change", ["moved", "turned", "larger", "mirrored"])
def test_place_size_and_direction_do_not_matter(change):
    """The same scene elsewhere, turned, twice as large or mirrored loses the same share of each object."""
    scene = drawn_scene(["cloud", "apple", "face", "cat", "house", "sun"], 11)
    cosine, sine = np.cos(0.7), np.sin(0.7)
    matrix, shift, factor = {
        "moved": (np.eye(2), (17.3, -5.9), 1),
        "turned": (np.array([[cosine, sine], [-sine, cosine]]), (40, 0), 1),
        "larger": (2.5 * np.eye(2), (0, 0), 2.5),
        "mirrored": (np.diag([-1, 1]), (60, 0), 1),
    }[change]
    objects = [
        dataclasses.replace(each, lines=tuple(line @ matrix + shift for line in each.lines)) for each in scene.objects
    ]
    expected = hide(scene)
    result = hide(dataclasses.replace(scene, objects=tuple(objects), pens=(Pen(width_mm=PEN_MM * factor),)))
    for one, other in zip(expected.objects, result.objects, strict=True):
        assert len(one.lines) == len(other.lines)
        assert length(other.lines) == pytest.approx(factor * length(one.lines), abs=1e-5)


def test_a_tangle_in_front_is_refused_by_its_number():
    """Who has many objects has to know which."""
    tangle = np.random.default_rng(0).random((3000, 2)).tolist()
    with pytest.raises(InputError, match=r"object 2 .*tangled.*hidden = false"):
        hide(scene_of((1, [box(0, 0, 1, 1)]), (0, [tangle])))


def test_two_combs_that_cross_in_millions_of_places_are_refused():
    """Each may be cut at the other as often as memory lasts."""
    teeth = np.arange(6000) / 100
    comb = np.stack([teeth, np.arange(6000) % 2 * 59.0 + teeth / 1000], axis=1).tolist()
    closed = [*comb, (60.0, -1.0), (0.0, -1.0), comb[0]]
    with pytest.raises(InputError, match="too tangled"):
        hide(scene_of((0, [closed]), (1, [[(y, x) for x, y in closed]])))
