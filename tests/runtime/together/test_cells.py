"""Pages of cells: who drew what, and where it stands."""

import numpy as np
import pytest

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen, Scene
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.together.cells import Cell, cells_page


def sketch(*lines: list[tuple[float, float]]) -> Sketch:
    return Sketch(tuple(np.array(line, np.float64) for line in lines), "cat", 7)


TWO = sketch([(0, 0), (10, 0), (10, 10)], [(0, 100), (100, 100)])
FLAT = sketch([(0, 0), (300, 0)], [(0, 30), (300, 30)])
TALL = sketch([(0, 0), (0, 300)])


def inks(scene: Scene) -> list[tuple[int, int]]:
    """Pen and number of lines of each object."""
    return [(each.pen, len(each.lines)) for each in scene.objects]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0, [(1, 2)]),
        (3, [(0, 1), (1, 1)]),
        (5, [(0, 2)]),
        (4, [(0, 2), (1, 1)]),
    ],
)
def test_given_points_have_the_first_pen(given, expected):
    """All, none, whole lines, or a part of a line, with which the model went on."""
    scene = cells_page([Cell(TWO, given)])
    assert inks(scene) == expected
    assert [pen.color for pen in scene.pens] == ["#000000", "#1f5fb4"]
    if given == 4:  # the two parts meet
        np.testing.assert_array_equal(scene.objects[0].lines[1][-1], scene.objects[1].lines[0][0])


def test_only_what_a_model_drew_has_its_recipe():
    """A hand has no seed."""
    hand, own = cells_page([Cell(TWO, 3)]).objects
    assert (hand.seed, own.seed) == (None, 7)


def test_one_pen_draws_all():
    """Where only one is named."""
    assert inks(cells_page([Cell(TWO, 3)], pens=[Pen("red", "red")])) == [(0, 1), (0, 1)]


@pytest.mark.parametrize("row", [False, True])
@pytest.mark.parametrize("page", [None, Page(210, 148), Page(50, 400), Page(400, 50)])
@pytest.mark.parametrize("count", [1, 2, 5, 9])
@pytest.mark.parametrize("one_scale", [False, True])
def test_everything_lies_within_the_page_and_apart(row, page, count, one_scale):
    """Whatever the shapes; no cell over another."""
    cells = [Cell((TWO, FLAT, TALL)[number % 3], 0, f"text {number}") for number in range(count)]
    scene = cells_page(cells, page, row=row, one_scale=one_scale)
    inside = scene.page.inside
    boxes = []
    for each in scene.objects:
        bounds = each.bounds
        assert inside.left <= bounds.left <= bounds.right <= inside.right
        assert inside.top <= bounds.top <= bounds.bottom <= inside.bottom
        boxes.append(bounds)
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            assert one.left > other.right or other.left > one.right or one.top > other.bottom or other.top > one.bottom
    assert all(inside.top <= caption.y_mm <= inside.bottom for caption in scene.captions)
    assert len(scene.captions) == count


def test_a_row_is_a_row():
    """All at one height, from left to right, with or without a page."""
    for page in (None, Page(210, 297)):
        scene = cells_page([Cell(TWO)] * 6, page, row=True)
        assert len({each.bounds.top for each in scene.objects}) == 1
        lefts = [each.bounds.left for each in scene.objects]
        assert lefts == sorted(lefts)


def test_one_scale_for_all():
    """The drawing that needs the most room decides."""
    own, same = (cells_page([Cell(TWO), Cell(FLAT)], one_scale=one_scale).objects for one_scale in (False, True))
    assert own[0].bounds.width == pytest.approx(own[1].bounds.width)
    assert same[1].bounds.width == pytest.approx(3 * same[0].bounds.width)


def test_what_cannot_be_is_refused():
    """No cells, three pens."""
    with pytest.raises(InputError, match="cells: there are none"):
        cells_page([])
    with pytest.raises(InputError, match="pens: there are 3"):
        cells_page([Cell(TWO)], pens=[Pen(name, "red") for name in "abc"])


@pytest.mark.parametrize("side", [1e-5, 1.0, 24.0])
def test_a_given_drawing_of_small_units_is_as_large_as_any(side):
    """An icon is drawn in 24 units, other drawings in one: that is no slip of the pen."""
    small = sketch([(0, 0), (side, 0), (side, side)])
    large = sketch([(0, 0), (255, 0), (255, 255)])
    given, drawn = cells_page([Cell(small, 3), Cell(large)]).objects
    assert given.bounds.width == pytest.approx(drawn.bounds.width)
    whole = cells_page([Cell(small, 1)], one_scale=True).objects
    expected = cells_page([Cell(large, 1)], one_scale=True).objects
    assert [each.bounds.width for each in whole] == pytest.approx([each.bounds.width for each in expected])
