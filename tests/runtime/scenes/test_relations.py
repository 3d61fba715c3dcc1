"""Relations: who is meant, who is in front, who finds a place after whom."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.scenes.composition import Composition, Thing
from sketch_edge.runtime.scenes.relations import find_clusters, find_depths, references


def depths(*things, **more):
    composition = Composition(list(things), **more)
    return find_depths(composition, references(composition))


def clusters(*things):
    composition = Composition(list(things))
    return find_clusters(composition, references(composition))


def test_names_of_members():
    """A class names its first thing, then "cat 2"; a thing with copies names all, and each by a number."""
    composition = Composition(["cat", "cat", Thing("dog", count=2), Thing("cat", name="tom"), Thing("cat")])
    assert dict(composition.names) == {
        "tom": (4,),
        "cat": (0,),
        "cat 2": (1,),
        "cat 3": (5,),
        "dog": (2, 3),
        "dog 1": (2,),
        "dog 2": (3,),
    }


def test_given_names_go_first():
    """A name that somebody chose is never taken by a number that we count."""
    composition = Composition(["cat", "cat", Thing("dog", name="cat 2")])
    assert composition.names["cat 2"] == (2,)
    assert composition.names["cat 3"] == (1,)


def test_depths_without_relations():
    """Nobody hides anybody; given depths stay."""
    assert depths("cat", Thing("dog", depth=3), "sun") == [0, 3, 0]


def test_in_front_and_behind():
    """Before what is at 0 is negative, behind it positive."""
    cat = Thing("cat", in_front_of="house")
    assert depths("house", cat, Thing("tree", behind="house"), Thing("dog", in_front_of="cat")) == [0, -1, 1, -2]


def test_between():
    """In front of one and behind the other, neither of which has a depth."""
    house, cat, tree = depths("house", Thing("cat", in_front_of="house", behind="tree"), "tree")
    assert tree < cat < house


@pytest.mark.parametrize(("near", "far"), [(0, 1), (-5, 5), (2, 2.5)])
def test_between_given_depths(near, far):
    """Several fit between two that were given."""
    things = [
        Thing("tree", depth=near),
        Thing("cat", behind="tree"),
        Thing("dog", behind="cat", in_front_of="house"),
        Thing("house", depth=far),
    ]
    found = depths(*things)
    assert found[0] == near
    assert found[3] == far
    assert found == sorted(found)
    assert len(set(found)) == 4


def test_what_is_on_or_inside_has_the_same_depth():
    """A bird on a house behind a tree is behind the tree, too."""
    things = [
        "tree",
        Thing("house", behind="tree"),
        Thing("bird", on="house"),
        Thing("hat", on="bird"),
        Thing("cat", inside="house", in_front_of="house"),
        Thing("key", inside="house", depth=7),
    ]
    assert depths(*things) == [0, 1, 1, 1, 0, 7]


@pytest.mark.parametrize(
    ("things", "message"),
    [
        ([Thing("cat", in_front_of="dog"), Thing("dog", in_front_of="cat")], "object 1 cat: is before and behind"),
        ([Thing("cat", in_front_of="dog", behind="dog"), "dog"], "object 1 cat: is before and behind"),
        ([Thing("cat", in_front_of="dog", depth=2), Thing("dog", depth=1)], "object 2 dog:depth: is 1, but"),
        (
            [Thing("a", depth=1), Thing("b", behind="a", in_front_of="c"), Thing("c", depth=1)],
            "object 3 c:depth: is 1, but it is behind one of|object 2 b: is behind one of depth 1",
        ),
        (["a", Thing("b", on="a"), Thing("c", on="a", in_front_of="b"), Thing("d", behind="c", on="c")], None),
        (
            ["a", Thing("b", on="a"), Thing("c", on="b"), Thing("d", in_front_of="b", behind="a")],
            "object 4 d",
        ),
    ],
)
def test_contradicting_depths_are_refused(things, message):
    """The error names one of the objects; what is no contradiction passes."""
    if message is None:
        depths(*things)
    else:
        with pytest.raises(InputError, match=f"^({message})"):
            depths(*things)


numbers = st.integers(0, 7)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(numbers, numbers, st.booleans()), max_size=14), st.dictionaries(numbers, numbers, max_size=2))
def test_depths_hold_every_relation(pairs, given_depths):
    """Whatever is before whatever: either all relations hold and given depths stay, or it is refused."""
    front: dict[int, list[str]] = {}
    behind: dict[int, list[str]] = {}
    for low, high, turned in pairs:
        if low < high:  # the lower number is nearer: no circles
            (behind.setdefault(high, []) if turned else front.setdefault(low, [])).append(str(low if turned else high))
    things = [
        Thing("x", name=str(n), in_front_of=front.get(n, ()), behind=behind.get(n, ()), depth=given_depths.get(n))
        for n in range(8)
    ]
    try:
        found = depths(*things)
    except InputError:
        assert len(given_depths) == 2  # one depth alone contradicts nothing
        return
    for low, high, _ in pairs:
        assert low >= high or found[low] < found[high]
    assert all(found[n] == depth for n, depth in given_depths.items())


def test_clusters():
    """What relations tie together is one cluster; what has a place of its own is its anchor."""
    first, second, third = clusters(
        "house", Thing("cat", left_of="house"), "sun", Thing("tree", at=(50, 50)), Thing("bird", on="tree")
    )
    assert (first.first, first.anchored, first.members) == ((0,), False, (0, 1))
    assert (second.first, second.anchored, second.steps) == ((2,), False, ())
    assert (third.first, third.anchored, third.members) == ((3,), True, (3, 4))


def test_depth_relations_give_a_place_only_without_another():
    """A cat left of the house and in front of the tree is not tied to the tree."""
    first, second = clusters("house", "tree", Thing("cat", left_of="house", in_front_of="tree"))
    assert (first.members, second.members) == ((0, 2), (1,))


def test_likes_are_placed_together():
    """Copies, and others with the same relations, find their places in one step; things of the sky apart."""
    (cluster,) = clusters(
        "house", Thing("cat", on="house", count=2), Thing("dog", on="house"), Thing("bird", on="house")
    )
    assert [step.members for step in cluster.steps] == [(1, 2, 3), (4,)]


def test_the_order_of_the_file_does_not_matter():
    """Each is placed after what it refers to."""
    for things in itertools.permutations(
        [Thing("a"), Thing("b", on="a"), Thing("c", on="b"), Thing("d", left_of=("a", "c"))]
    ):
        (cluster,) = clusters(*things)
        order = [things[member].label for member in cluster.members]
        assert order.index("a") < order.index("b") < order.index("c") < order.index("d")


def test_two_without_a_place_are_tied_by_a_third():
    """Right of the house and left of the tree: the tree is placed by the cat."""
    (cluster,) = clusters("house", "tree", Thing("cat", right_of="house", left_of="tree"))
    assert [(step.members, dict(step.by)) for step in cluster.steps] == [
        ((2,), {"right_of": (0,)}),
        ((1,), {"right_of": (2,)}),
    ]


@pytest.mark.parametrize(
    ("things", "message"),
    [
        (
            [Thing("cat", left_of="dgo"), "dog"],
            "object 1 cat:left-of: there is no object called 'dgo'; the nearest is 'dog'",
        ),
        ([Thing("cat", left_of="cat")], "object 1 cat:left-of: names the object itself"),
        ([Thing("cat", left_of="cat 2", count=2)], r"object 1 cat \(copy 1\):left-of: names the object itself"),
        (["x", Thing("c", on="b"), Thing("b", on="a"), Thing("a", on="b")], "object 3 b:on: is placed by itself"),
        ([Thing("a", left_of="b"), Thing("b", left_of="a")], "object 1 a:left-of: is placed by itself"),
        (
            [Thing("a", on="b"), Thing("b", inside="c"), Thing("c", above="a"), "d"],
            "object 1 a:on: is placed by itself",
        ),
        (["a", "b", Thing("c", on="a", inside="b")], "object 2 b: nothing says where it is beside a"),
        ([Thing("a", count=400), Thing("b", count=400, on="a")], r"object 2 b \(copy 1\):on: over 100000 objects"),
    ],
)
def test_bad_relations_are_refused(things, message):
    """The error says which object and which relation."""
    with pytest.raises(InputError, match=f"^{message}"):
        clusters(*things)
