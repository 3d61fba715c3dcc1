"""The description of a page, as Python makes it."""

from typing import Any

import numpy as np
import pytest

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen
from sketch_edge.runtime.scenes.composition import Composition, Thing
from sketch_edge.runtime.scenes.thing import MOST_OBJECTS, length_mm
from sketch_edge.runtime.sketch import Sketch

LINES = Sketch((np.array([[0, 0], [1, 1]]),), "pet")

BAD: list[Any] = [[3], 3, ["row"], {3: 1}, [[1]], {"a": 1}]
"""Values of other types than the hints say."""


def test_class_names_are_enough():
    """A list of names is a composition, in a row on the usual page, at natural sizes."""
    composition = Composition(["house", "tree"])
    assert [each.thing for each in composition.members] == [Thing("house"), Thing("tree")]
    assert (composition.layout, composition.natural, composition.paper) == ("row", True, Page())


def test_a_page_may_be_text():
    """As users write it elsewhere."""
    assert Composition(["cat"], "a5-landscape").paper == Page(210, 148, 7)


def test_a_relation_may_be_one_name():
    """One name and a list of one are the same."""
    assert Thing("cat", left_of="house") == Thing("cat", left_of=["house"])
    assert dict(Thing("cat", left_of="house", on=("a", "b")).relations()) == {"left_of": ("house",), "on": ("a", "b")}


def test_what_a_thing_is_called():
    """By its name, else by its class, else by what its strokes show."""
    assert Thing("cat", name="tom").title == "tom"
    assert Thing("cat", LINES).title == "cat"
    assert Thing(sketch=LINES).title == "pet"
    assert Thing(sketch=Sketch(LINES.lines)).title == "drawing"


def test_a_seed_is_chosen_once():
    """`seeded` keeps a seed, and makes one where there is none."""
    assert Composition(["cat"], seed=7).seeded().seed == 7
    chosen = Composition(["cat"]).seeded()
    assert chosen.seed is not None
    assert chosen.seeded() == chosen


def test_members_count_copies():
    """Each copy is an object."""
    members = Composition([Thing("cat", count=2), "dog"]).members
    assert [(each.number, each.copy) for each in members] == [(1, 0), (1, 1), (2, 0)]


@pytest.mark.parametrize(
    ("value", "expected"), [(5, 5.0), ("5mm", 5.0), ("1cm", 10.0), ("30%", 60.0), (" 7.5% ", 15.0), (0, 0.0)]
)
def test_lengths(value, expected):
    """Millimetres, units, or a share of a side."""
    assert length_mm(value, 200.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    "value", [-1, "-1mm", "-5%", "x%", "%", "5", "", True, None, float("nan"), 1e9, 10**400, "1e9%"]
)
def test_what_is_no_length_is_refused(value):
    """Whatever it is, the error is ours and short."""
    with pytest.raises(InputError) as caught:
        length_mm(value, 200.0)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Composition([]), "object: there are none"),
        (lambda: Composition("cat"), "object: is str"),
        (lambda: Composition(BAD[0]), "object 1: is int"),
        (lambda: Composition(["cat"], page=BAD[1]), "page: is int"),
        (lambda: Composition(["cat"], layout=BAD[2]), "layout: is a list"),
        (lambda: Composition([Thing("cat", count=MOST_OBJECTS), "dog"]), "object: there are 10001"),
        (lambda: Composition([Thing("cat", pen="red")], pens=[Pen("blue")]), "object 1 cat:pen: 'red' is no pen"),
        (lambda: Composition(["cat"], sizes=BAD[3]), "sizes.3: is no class name"),
        (lambda: Composition(["cat"], sizes={"cat": 1, "Cat": 2}), "sizes.'Cat': is given twice"),
        (lambda: Thing(), "object drawing:class: is missing"),
        (lambda: Thing("cat", BAD[4]), "object:sketch: is list"),
        (lambda: Thing("cat", left_of=BAD[5]), "object cat:left-of: is an object"),
    ],
)
def test_bad_values_are_refused(make, message):
    """Python gets the errors that a scene file gets."""
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value).startswith(message)
