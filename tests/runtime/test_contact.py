"""Contact sheets: a text below each sketch, on any page."""

from typing import Any

import pytest

from sketch_edge.runtime.contact import contact_sheet
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen
from sketch_edge.runtime.sketch import Sketch


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a sketch takes them, of plain lists."""
    return each


def cats(count: int) -> list[Sketch]:
    return [Sketch(lines([[0, 0], [255, 200 + number]]), "cat", seed=7, index=number) for number in range(count)]


@pytest.mark.parametrize("page", [None, Page.parse("a4"), Page.parse("a6-landscape"), Page(300, 20, 2)])
@pytest.mark.parametrize("count", [1, 2, 12, 37])
def test_sketches_and_texts_lie_within_the_margins_and_apart(page, count):
    """Each text stands below its sketch, above the next row, and all of it on the page."""
    sheet = contact_sheet(cats(count), page)
    inside = sheet.page.inside
    half = sheet.pens[0].width_mm / 2
    assert len(sheet.objects) == len(sheet.captions) == count
    for each, caption in zip(sheet.objects, sheet.captions, strict=True):
        bounds = each.bounds
        assert inside.left <= bounds.left - half + 1e-9
        assert bounds.right + half <= inside.right + 1e-9
        assert inside.top <= bounds.top - half + 1e-9
        assert bounds.bottom + half <= caption.y_mm - 0.75 * caption.size_mm
        assert caption.y_mm + 0.25 * caption.size_mm <= inside.bottom
        assert bounds.center[0] == pytest.approx(caption.x_mm)
    tops = sorted({round(each.bounds.top, 6) for each in sheet.objects})
    rows = sorted({round(caption.y_mm, 6) for caption in sheet.captions})
    assert all(
        row + 0.25 * sheet.captions[0].size_mm < top for row, top in zip(rows, tops[1:], strict=False) if top > row
    )


def test_a_text_tells_how_to_have_the_sketch_again():
    """Class and index; with the seed of the command these give the same sketch. Without a seed the class alone."""
    assert [each.text for each in contact_sheet(cats(3)).captions] == ["cat 0", "cat 1", "cat 2"]
    assert [each.text for each in contact_sheet([Sketch(lines([[0, 0], [9, 9]]), "dog")]).captions] == ["dog"]
    assert contact_sheet([Sketch(lines([[0, 0], [9, 9]]))]).captions == ()


def test_texts_can_be_chosen_and_are_shortened():
    """What is too long for its cell ends in an ellipsis."""
    sheet = contact_sheet(cats(2), texts=["first", "x" * 500])
    assert sheet.captions[0].text == "first"
    assert sheet.captions[1].text.endswith("x…")
    assert len(sheet.captions[1].text) < 40


def test_pens_take_turns():
    """As in a grid without texts."""
    sheet = contact_sheet(cats(3), pens=[Pen("black"), Pen("red", "red")])
    assert [each.pen for each in sheet.objects] == [0, 1, 0]


def test_bad_input_is_refused():
    """No sketches, or not as many texts as sketches."""
    with pytest.raises(InputError, match=r"^sketches: there are none"):
        contact_sheet([])
    with pytest.raises(InputError, match=r"^texts: there are 1 for 2 sketches"):
        contact_sheet(cats(2), texts=["one"])


def test_the_number_is_not_cut():
    """By it the sketch is had again; of a long name the beginning says enough."""
    sheet = contact_sheet(
        [Sketch(lines([[0, 0], [9, 9]]), "roller coaster", seed=3, index=index) for index in (7, 1234)]
    )
    assert [caption.text for caption in sheet.captions] == ["roller coaster 7", "roller coa… 1234"]
    tight = contact_sheet([Sketch(lines([[0, 0], [9, 9]]), "cat", seed=3, index=10**19)], Page(10, 10, 0))
    assert tight.captions[0].text.startswith("cat 1")
    assert tight.captions[0].text.endswith("…")
