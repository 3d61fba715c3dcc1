"""From descriptions to scenes: relations hold, everything is on the page, seeds give what they gave."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.artist import load
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import SMALLEST_EXTENT, arrange
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen
from sketch_edge.runtime.scenes.compose import compose
from sketch_edge.runtime.scenes.composition import LAYOUTS, Composition, Thing
from sketch_edge.runtime.scenes.hidden import hide
from sketch_edge.runtime.scenes.placing import THINNEST, falling_room
from sketch_edge.runtime.scenes.scene_file import parse_composition
from sketch_edge.runtime.sketch import Sketch
from tests.tiny_bundle import TINY


@pytest.fixture(scope="module")
def artist():
    return ARTIST


ARTIST = load(TINY)
"""One for all: property tests take no fixtures of their own."""

PAGE = Page(200, 100, 5)


def given_strokes(*lines):
    return Sketch(tuple(np.array(line, float) for line in lines))


SQUARE = given_strokes([[0, 0], [100, 0], [100, 100], [0, 100], [0, 0]])
GABLE = given_strokes([[0, 100], [50, 0], [100, 100], [0, 100]])
WIDE = given_strokes([[0, 0], [100, 20]])


def thing(label, sketch=SQUARE, **more):
    return Thing(label, sketch, **more)


def scene_of(*things, page=PAGE, **more):
    return compose(Composition(things, page, seed=1, **more), ARTIST)


def boxes_of(*things, **more):
    return [each.bounds for each in scene_of(*things, **more).objects]


def overlap(one, other):
    return (
        min(one.right, other.right) - max(one.left, other.left) > 1e-6
        and min(one.bottom, other.bottom) - max(one.top, other.top) > 1e-6
    )


def solid(sketch):
    """Not a dot and not a line, which have wider boxes than their ink."""
    sides = sorted([sketch.bounds.width, sketch.bounds.height])
    return sides[1] > SMALLEST_EXTENT and sides[0] > 2 * THINNEST * sides[1]


points = st.tuples(st.integers(0, 255), st.integers(0, 255))
sketches = st.lists(st.lists(points, min_size=2, max_size=6), min_size=1, max_size=3).map(
    lambda lines: given_strokes(*lines)
)
labels = st.sampled_from(["house", "cat", "sun", "ant", "mountain", "my own"])
sizes = st.sampled_from(["natural", "equal"])
many = settings(max_examples=40, deadline=None)


@many
@given(st.lists(st.tuples(labels, sketches), min_size=1, max_size=9), st.sampled_from(LAYOUTS[:3]), sizes)
def test_everything_is_within_the_margins_and_apart(drawn, layout, rule):
    """In each layout that we choose places for, ink keeps off the margins, and nothing lies over another."""
    scene = scene_of(*(thing(label, sketch) for label, sketch in drawn), layout=layout, sizes=rule)
    half, inside = scene.pens[0].width_mm / 2 - 1e-6, PAGE.inside
    boxes = [each.bounds for each in scene.objects]
    for box in boxes:
        assert inside.left + half <= box.left
        assert box.right <= inside.right - half
        assert inside.top + half <= box.top
        assert box.bottom <= inside.bottom - half
    assert not any(overlap(one, other) for one, other in itertools.combinations(boxes, 2))


@many
@given(sketches, sketches, labels, st.sampled_from(["left_of", "right_of", "above", "below"]), sizes, st.integers(1, 3))
def test_beside_is_beside(one, other, label, key, rule, count):
    """Wholly left of, right of, above or below, with some space between; copies beside each other."""
    house, *cats = boxes_of(thing("house", one), thing(label, other, count=count, **{key: "house"}), sizes=rule)
    for cat in cats:
        room = {
            "left_of": house.left - cat.right,
            "right_of": cat.left - house.right,
            "above": house.top - cat.bottom,
            "below": cat.top - house.bottom,
        }[key]
        assert room > 0
    assert not any(overlap(a, b) for a, b in itertools.combinations(cats, 2))


@many
@given(sketches, sketches, sizes, st.integers(1, 3))
def test_on_touches(one, other, rule, count):
    """What is on another could not fall any further; dots, which are in a box of their own, stand on that.

    Where something begins exactly beside a point, rounding decides whether they meet: a hair to one side they do.
    """
    assume(solid(one) and solid(other))
    house, *cats = scene_of(thing("house", one), thing("cat", other, count=count, on="house"), sizes=rule).objects
    for cat in cats:
        rooms = [
            falling_room([line + np.array([hair, 0]) for line in cat.lines], house.lines) for hair in (0, -1e-6, 1e-6)
        ]
        assert any(room == pytest.approx(0, abs=1e-4) or room is None for room in rooms)


@many
@given(sketches, sketches, sizes, st.integers(1, 6))
def test_inside_is_within(one, other, rule, count):
    """However many they are, and however large; a dot or a line has no inside."""
    assume(solid(one))
    house, *cats = boxes_of(thing("house", one), thing("cat", other, count=count, inside="house"), sizes=rule)
    for cat in cats:
        assert house.left - 1e-6 <= cat.left
        assert cat.right <= house.right + 1e-6
        assert house.top - 1e-6 <= cat.top
        assert cat.bottom <= house.bottom + 1e-6
    assert not any(overlap(a, b) for a, b in itertools.combinations(cats, 2))


@pytest.mark.parametrize("key", ["in_front_of", "behind"])
@pytest.mark.parametrize("label", ["cat", "mountain", "sun"])
def test_in_front_and_behind_overlap_and_show(key, label):
    """The two overlap, each shows beside the other, and the depths say who hides whom."""
    house, other = scene_of(thing("house"), thing(label, **{key: "house"})).objects
    assert overlap(house.bounds, other.bounds)
    assert other.depth == {"in_front_of": -1, "behind": 1}[key]
    front, back = (other.bounds, house.bounds) if key == "in_front_of" else (house.bounds, other.bounds)
    assert not (
        front.left <= back.left and front.top <= back.top and front.right >= back.right and front.bottom >= back.bottom
    )


def test_beside_shares_the_base_line():
    """A small thing beside a large one stands where that stands; one of the sky hangs at its top."""
    house, cat, sun = boxes_of(thing("house"), thing("cat", left_of="house"), thing("sun", right_of="house"))
    assert cat.bottom == pytest.approx(house.bottom)
    assert sun.center[1] == pytest.approx(house.top)


def test_above_is_centred():
    """Above and below share the middle."""
    house, cat, dog = boxes_of(thing("house"), thing("cat", above="house"), thing("dog", below="house"))
    assert cat.center[0] == pytest.approx(house.center[0])
    assert dog.center[0] == pytest.approx(house.center[0])


def test_a_bird_sits_on_the_gable():
    """Not above the corner of the box around the house."""
    house, bird = boxes_of(thing("house", GABLE), thing("bird", on="house"))
    assert bird.bottom == pytest.approx(house.top)
    hat = boxes_of(thing("house", GABLE), thing("bird", on="house"), thing("cat", right_of="bird", on="house"))[2]
    assert hat.bottom > house.top + 1


def test_a_gap_in_millimetres():
    """It is what it says, while everything around it grows to fill the page."""
    one, other = boxes_of(thing("a"), thing("b", right_of="a", gap="7mm"))
    assert other.left - one.right == pytest.approx(7)
    assert other.right - one.left > 150


def test_between_two_that_have_no_place():
    """The cat stands between house and tree, all on one line."""
    house, tree, cat = boxes_of(thing("house"), thing("tree"), thing("cat", right_of="house", left_of="tree"))
    assert house.right < cat.left < cat.right < tree.left
    assert house.bottom == pytest.approx(tree.bottom) == pytest.approx(cat.bottom)


def test_natural_sizes():
    """A cat is smaller than a house by the table, or by the size that the page gives it."""
    house, cat = boxes_of(thing("house"), thing("cat"))
    assert cat.height / house.height == pytest.approx((0.5 / 8) ** 0.36)
    house, cat = boxes_of(thing("house"), thing("cat"), sizes={"cat": 8})
    assert cat.height == pytest.approx(house.height)
    house, cat = boxes_of(thing("house"), thing("cat", scale=0.5), sizes="equal")
    assert cat.height / house.height == pytest.approx(0.5)


@pytest.mark.parametrize("layout", LAYOUTS[:3])
def test_scale_counts_in_every_layout(layout):
    """Half as large is half as large."""
    one, half = boxes_of(thing("a"), thing("a", scale=0.5), layout=layout, sizes="equal")
    limit = (0.25, 0.95) if layout == "scatter" else (0.499, 0.501)  # a scatter has several sizes
    assert limit[0] < half.width / one.width < limit[1]


def test_the_sky_is_above():
    """In a natural row things of the sky hang over the base line on which the others stand."""
    house, sun, tree, cloud = boxes_of(thing("house"), thing("sun"), thing("tree"), thing("cloud", WIDE))
    assert house.bottom == pytest.approx(tree.bottom)
    assert sun.bottom < house.bottom - 0.3 * house.height
    assert cloud.bottom < house.bottom - 0.3 * house.height
    assert sun.center[0] < cloud.center[0]


@pytest.mark.parametrize("layout", LAYOUTS[:3])
def test_plain_pages_are_those_of_arrange(layout):
    """Without sizes and relations, a page is what `arrange` makes of the sketches, drawn with the same pen."""
    given_sketches = [SQUARE, WIDE, GABLE]
    pens = [Pen(width_mm=0.5)]
    rng = np.random.Generator(np.random.Philox(key=np.array([1, 2**64 - 1], np.uint64)))
    expected = arrange(given_sketches, PAGE, layout=layout, pens=pens, rng=rng)
    scene = scene_of(*(thing("x", sketch) for sketch in given_sketches), layout=layout, sizes="equal", pens=pens)
    for one, other in zip(scene.objects, expected.objects, strict=True):
        assert one.lines[0] == pytest.approx(other.lines[0], abs=1e-4)


def test_places_and_sizes_that_are_given():
    """Middles in mm or shares of the page, larger sides in mm or shares of the shorter side."""
    one, other = boxes_of(
        thing("a", at=("25%", 40), size=30), thing("b", at=("150mm", "50%"), size="20%"), layout="free"
    )
    assert one.center == pytest.approx((50, 40))
    assert other.center == pytest.approx((150, 50))
    assert (one.width, other.width) == pytest.approx((30, 20))


def test_anchored_things_take_others_along():
    """What is tied to a thing with a place follows it; the rest is laid out."""
    house, cat, tree = boxes_of(thing("a", at=(50, 50), size=20), thing("b", on="a"), thing("c"), sizes="equal")
    assert cat.bottom == pytest.approx(house.top)
    assert cat.center[0] == pytest.approx(50)
    assert tree.center == pytest.approx((100, 50))


def test_everything_shrinks_to_fit_places_near_the_margin():
    """Sizes that nobody gave become smaller, all alike."""
    corner, middle = boxes_of(thing("a", at=(20, 50)), thing("a", at=(150, 50)), layout="free")
    assert corner.left >= 5
    assert corner.width == pytest.approx(middle.width)
    assert middle.width < 30.01


def test_turned_and_mirrored():
    """Lines are turned clockwise about the middle."""
    (each,) = scene_of(thing("a", given_strokes([[0, 0], [100, 0]]), rotate=90)).objects
    (line,) = each.lines
    assert line[0][0] == pytest.approx(line[1][0])
    assert line[0][1] < line[1][1]


def test_pens_by_name():
    """The first pen draws what names none."""
    pens = [Pen("black"), Pen("red", "red")]
    scene = scene_of(thing("a"), thing("b", pen="red"), pens=pens)
    assert [each.pen for each in scene.objects] == [0, 1]
    assert scene.pens == tuple(pens)


def test_recipes(artist):
    """Each object says how to have it again: the page's seed and its number, or its own; given strokes say nothing."""
    things = [
        Thing("cat"),
        Thing("star", seed=5, count=2, temperature=0.7),
        Thing("cat", index=9),
        thing("mine"),
        Thing("Palm_Tree"),
    ]
    scene = compose(Composition(things, PAGE, seed=1, temperature=0.2), artist)
    recipes = [(each.label, each.seed, each.index, each.temperature) for each in scene.objects]
    assert recipes[:4] == [("cat", 1, 0, 0.2), ("star", 5, 0, 0.7), ("star", 5, 1, 0.7), ("cat", 1, 9, 0.2)]
    assert recipes[4:] == [("mine", None, 0, None), ("Palm_Tree", 1, 5, 0.2)]
    for each in scene.objects[:4]:
        again = artist.draw(each.label, seed=each.seed, index=each.index, temperature=each.temperature)
        assert each.source == artist.source
        assert [len(line) for line in each.lines] == [len(line) for line in again.lines]


def test_more_at_the_end_changes_nothing_before(artist):
    """The first objects are the same drawings, whatever follows."""
    few, more = (
        compose(Composition(names, PAGE, seed=3), artist) for names in (["cat", "star"], ["cat", "star", "cat"])
    )
    for one, other in zip(few.objects, more.objects, strict=False):
        scale = one.bounds.height / other.bounds.height
        for a, b in zip(one.lines, other.lines, strict=True):
            np.testing.assert_allclose(np.diff(a, axis=0), np.diff(b, axis=0) * scale, atol=1e-6)


def test_without_a_seed_a_random_one_is_recorded(artist):
    """It stands in the object, and gives the same again."""
    (first,) = compose(Composition(["cat"]), artist).objects
    assert first.seed is not None
    (again,) = compose(Composition(["cat"], seed=first.seed), artist).objects
    assert all(np.array_equal(a, b) for a, b in zip(first.lines, again.lines, strict=True))


GOLDEN = """
format = 1
seed = 7
[page]
size = "a5-landscape"
[[object]]
class = "palm tree"
[[object]]
class = "cat"
left-of = "palm tree"
[[object]]
class = "star"
behind = "palm tree"
[[object]]
class = "cat"
on = "cat"
"""


def test_a_golden_scene(artist):
    """The same file and bundle give the same boxes and depths, to a hundredth of a millimetre."""
    scene = compose(parse_composition(GOLDEN.encode()), artist)
    found = [
        (each.label, each.depth, *(round(v, 2) for v in (b.left, b.top, b.right, b.bottom)))
        for each in scene.objects
        for b in [each.bounds]
    ]
    assert found == [
        ("palm tree", 0.0, 90.26, 21.51, 167.03, 140.75),
        ("cat", 0.0, 51.36, 114.32, 58.2, 115.13),
        ("star", 1.0, 114.44, 7.25, 181.24, 49.65),
        ("cat", 0.0, 40.19, 62.79, 69.38, 114.84),
    ]


@pytest.mark.parametrize(
    ("things", "more", "message"),
    [
        ([Thing("horse")], {}, "object 1 horse:class: 'horse': is not among the 3 classes of tiny"),
        ([thing("a", at=(5, 5), size=20)], {}, "object 1 a:at: ends 10."),
        ([thing("a", size=500)], {}, "object 1 a:size: ends "),
        ([thing("a", at=("1%", "50%"))], {"layout": "free"}, "object 1 a:at: ends "),
        ([thing("a"), thing("b")], {"layout": "free"}, "object 2 b: has no place in a free layout"),
        (
            [thing("a"), thing("b", left_of="a", right_of="a")],
            {},
            "object 2 b:right-of: right-of and left-of",
        ),
        ([thing("a"), thing("b", above="a", below="a")], {}, "object 2 b:below: below and above leave too little"),
        (
            [thing("a", at=(50, 50)), thing("b", at=(150, 50), left_of="a")],
            {},
            "object 2 b:left-of: it is not",
        ),
        ([thing("a"), thing("b", on="a", left_of="a", gap=5)], {}, "object 2 b:on: it would stand beside that"),
        ([thing("a"), thing("b", inside="a", left_of="a")], {}, "object 2 b:inside: it is not inside a"),
        ([thing("a", size=10), thing("b", inside="a", gap=6)], {}, "object 2 b:inside: there is no room inside"),
        ([Thing("cat", index=2**64 - 1, count=2)], {}, "object 1 cat (copy 2):index: "),
        ([thing("a")], {"pens": [Pen(width_mm=90)]}, "pen: is 90 mm wide"),
    ],
)
def test_what_cannot_be_is_refused(things, more, message):
    """The error says which object and key."""
    with pytest.raises(InputError) as caught:
        scene_of(*things, **more)
    assert str(caught.value).startswith(message)


def _line_counts(scene):
    return [len(each.lines) for each in scene.objects]


def test_the_artist_composes_and_removes_what_is_hidden():
    """Artist.compose is compose and hide, unless nothing is to be hidden; the scene saves itself."""
    card = Sketch((np.array([[0, 0], [200, 0], [200, 100], [0, 100], [0, 0]]),), "card")
    things = [Thing("star"), Thing(sketch=card, in_front_of="star", at=("50%", "50%"), size="40%")]
    artist = load(TINY)
    page = Composition(things, "a5", seed=3)
    scene = artist.compose(page)
    assert [len(each.lines) for each in scene.objects] == [
        len(each.lines) for each in hide(compose(page, artist)).objects
    ]
    whole = artist.compose(Composition(things, "a5", seed=3, hidden=False))
    same = compose(page, artist)
    for one, other in zip(whole.objects, same.objects, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.lines, other.lines, strict=True))
    assert scene._repr_svg_().startswith("<?xml")


@pytest.mark.parametrize("side", [1e-5, 1.0, 24.0, 255.0, 1e6])
def test_given_strokes_may_be_of_any_unit(side):
    """Their size on the page is what the object says, whatever their numbers; only what has none is a dot."""
    square = Sketch((np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]) * side,))
    things = [Thing("card", square, at=("50%", "50%"), size="40mm"), Thing("dot", Sketch((np.full((1, 2), side),)))]
    card, dot = compose(Composition(things, "a6", seed=1), ARTIST).objects
    assert (card.bounds.width, card.bounds.height) == pytest.approx((40, 40))
    assert (dot.bounds.width, dot.bounds.height) == (0, 0)


def test_a_hair_beyond_the_margin_is_not_said_to_be_nothing():
    """0.0 mm would leave nothing to mend."""
    with pytest.raises(InputError, match=r"ends 0\.03 mm beyond the upper margin"):
        scene_of(thing("card", at=("50mm", "39.975mm"), size="70mm"), page=Page(100, 100, 5), pens=[Pen(width_mm=0.01)])
