"""Scenes: pens, colours, layers, and what is refused."""

from typing import Any

import pytest

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Caption, Pen, Placed, Scene, color_rgb, parse_color


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a sketch takes them, of plain lists."""
    return each


@pytest.mark.parametrize(
    ("text", "color"), [("#A0B1c2", "#a0b1c2"), ("#fa0", "#ffaa00"), ("Black", "#000000"), (" red ", "#d62728")]
)
def test_colors_are_read(text, color):
    """Names and both hex forms become #rrggbb."""
    assert parse_color(text) == color
    assert Pen(color=text).color == color


@pytest.mark.parametrize("text", ["", "#12", "#12345g", "mauve", "rgb(1,2,3)", 'red" onload="x'])
def test_other_colors_are_refused(text):
    """What is no colour never reaches a file."""
    with pytest.raises(InputError, match="is unknown; write #rrggbb or one of black"):
        Pen(color=text)


def test_colors_have_three_bytes():
    """A colour is taken apart for pictures."""
    assert color_rgb("#a0b1c2") == (160, 177, 194)


@pytest.mark.parametrize("width", [0, -1, 101, float("nan"), float("inf")])
def test_pens_of_no_width_are_refused(width):
    """A pen is 0.01 to 100 mm wide."""
    with pytest.raises(InputError, match="the width is"):
        Pen(width_mm=width)


def test_layers_hold_the_objects_of_a_pen_in_order():
    """Pens count from 1; one that draws nothing has no layer."""
    pens = (Pen("black"), Pen("red", "red"), Pen("blue", "blue"))
    a, b, c = (Placed((), label, pen) for label, pen in (("a", 2), ("b", 0), ("c", 2)))
    layers = list(Scene(Page(), pens, (a, b, c)).layers())
    assert layers == [(1, pens[0], (b,)), (3, pens[2], (a, c))]


@pytest.mark.parametrize("pens", [(), (Pen("black"), Pen("black", "red"))])
def test_pens_have_names_of_their_own(pens):
    """A scene needs a pen, and a person must know which is which."""
    with pytest.raises(InputError, match="expected at least one, each with a name of its own"):
        Scene(Page(), pens)


@pytest.mark.parametrize("pen", [-1, 1])
def test_an_object_needs_a_pen_that_is_there(pen):
    """The error names the object and the pens there are."""
    with pytest.raises(InputError, match=r"object 0 \('cat'\) has pen -?1; there are pens 0 to 0"):
        Scene(objects=(Placed((), "cat", pen),))


def test_a_place_outside_numbers_is_refused():
    """nan cannot be placed."""
    with pytest.raises(InputError, match=r"^cat: line 0 holds the coordinate"):
        Placed(
            lines(
                [[0, float("nan")]],
            ),
            "cat",
        )


def test_an_object_gives_its_sketch_back():
    """What it takes to have it again is kept, the lines are in mm."""
    sketch = Placed(lines([[1, 2]]), "cat", 0, 7, 3, 0.4, "quickdraw").sketch()
    assert (sketch.label, sketch.seed, sketch.index, sketch.temperature, sketch.source) == (
        "cat",
        7,
        3,
        0.4,
        "quickdraw",
    )
    assert sketch.lines[0].tolist() == [[1, 2]]


def test_captions_that_cannot_be_written_are_refused():
    """A caption has a finite place, a size, and an anchor that files know."""
    assert Caption("cat", 1, 2, 3, "end", "red").color == "#d62728"
    for fields in ((float("nan"), 2, 3), (1, float("inf"), 3), (1, 2, 0), (1, 2, float("nan")), (1, 2, 3, "left")):
        with pytest.raises(InputError, match=r"^caption: "):
            Caption("cat", *fields)


def test_a_depth_is_a_finite_number():
    """What lies how far behind cannot be nan or infinite: sorting by it would mean nothing."""
    with pytest.raises(InputError, match="depth is nan"):
        Placed(lines([[1, 2]]), "cat", depth=float("nan"))
