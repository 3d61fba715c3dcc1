"""The table of sizes: complete, plausible, and compressed for the page."""

import pytest

from sketch_edge.runtime.bundle import open_bundle
from sketch_edge.runtime.manifest import fold_name
from sketch_edge.runtime.scenes.sizes import METRES, NEUTRAL_M, SKY, is_sky, metres_of, page_size
from sketch_edge.train.classes import OFFICIAL_CLASSES


def test_every_official_class_has_a_size():
    """All 345, and nothing that Quick, Draw! does not know."""
    assert set(METRES) == {fold_name(name) for name in OFFICIAL_CLASSES}
    assert set(METRES) >= SKY


def test_the_shipped_classes_have_sizes():
    """Whatever the shipped bundle draws is in the table."""
    assert {fold_name(name) for name in open_bundle(None).manifest.classes} <= set(METRES)


@pytest.mark.parametrize(
    ("small", "large"),
    [("ant", "apple"), ("apple", "cat"), ("cat", "house"), ("sheep", "house"), ("bird", "cat"), ("house", "mountain")],
)
def test_order_of_sizes(small, large):
    """What is smaller in life is clearly smaller on the page."""
    assert page_size(metres_of(small)) < 0.8 * page_size(metres_of(large))


def test_sizes_are_compressed():
    """A house is 1; beside it a cat is over a third, and even an ant is a twentieth."""
    assert page_size(metres_of("house")) == 1
    assert 0.33 < page_size(metres_of("cat")) < 0.45
    assert page_size(metres_of("ant")) > 0.05


def test_names_are_folded_and_own_sizes_go_first():
    """Case, "_" and "-" do not matter; an own size replaces that of the table; unknown things are neutral."""
    assert metres_of("Palm_Tree") == metres_of("palm tree")
    assert metres_of("Palm-Tree", {"palm tree": 2.0}) == 2.0
    assert metres_of("my own thing") == NEUTRAL_M


def test_what_hangs_in_the_sky():
    """The sun does, a house does not, and nobody knows of other things."""
    assert is_sky("Sun")
    assert is_sky("hot_air_balloon")
    assert not is_sky("house")
    assert not is_sky("my own thing")
