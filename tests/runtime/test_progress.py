"""Progress sheets: one step more in each cell, always at one place and size."""

import itertools
from typing import Any

import numpy as np
import pytest

from sketch_edge.runtime.course import drawn_until
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.progress import progress
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers import render


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a sketch takes them, of plain lists."""
    return each


ZIGZAG = Sketch(lines([[0, 0], [100, 0], [100, 50]], [[0, 50], [50, 50]]), "zigzag", 7, 2, 0.4, "tiny")


def cells_of(sheet: Scene, count: int) -> list[list[np.ndarray]]:
    """The lines of each cell of a sheet of ZIGZAG, each cell moved to begin in (0, 0)."""
    cells: list[list[np.ndarray]] = []
    for each in sheet.objects:
        cells.append([line - each.lines[0][0] for line in each.lines])
    assert len(cells) == count
    return cells


def test_every_cell_has_one_step_more():
    """Cell k of 8 shows k eighths of the ink, cut exactly there; the last shows all of it."""
    cells = cells_of(progress(ZIGZAG, 2, 4), 8)
    scale = (cells[-1][0][1, 0] - cells[-1][0][0, 0]) / 100
    for number, cell in enumerate(cells, 1):
        (expected,) = drawn_until(Scene(Page(200, 200, 0), objects=(Placed(ZIGZAG.lines),)), number / 8).objects
        assert len(cell) == len(expected.lines)
        for line, points in zip(cell, expected.lines, strict=True):
            np.testing.assert_allclose(line, points * scale, atol=1e-9)


def test_every_cell_has_the_same_place_and_size():
    """The drawing begins at the same point of each cell; cells go row after row."""
    sheet = progress(ZIGZAG, 3, 2)
    starts = np.array([each.lines[0][0] for each in sheet.objects]).reshape(3, 2, 2)
    across, down = np.diff(starts, axis=1), np.diff(starts, axis=0)
    np.testing.assert_allclose(across, np.broadcast_to(across[0, 0], across.shape), atol=1e-9)
    np.testing.assert_allclose(down, np.broadcast_to(down[0, 0], down.shape), atol=1e-9)
    assert across[0, 0, 0] > 0 == across[0, 0, 1]
    assert down[0, 0, 1] > 0 == down[0, 0, 0]


@pytest.mark.parametrize("page", [None, Page.parse("a4"), Page.parse("a5-landscape", margin="2cm")])
@pytest.mark.parametrize("captions", [None, "share", "points"])
@pytest.mark.parametrize(
    "sketch",
    [ZIGZAG, Sketch(lines([[0, 0], [255, 0]])), Sketch(lines([[7, 0], [7, 255]])), Sketch(lines([[3, 3]]))],
    ids=["zigzag", "level", "upright", "dot"],
)
def test_cells_lie_within_the_margins_and_apart(page, captions, sketch):
    """Neither ink nor letters leave the margins or run into a neighbour."""
    sheet = progress(sketch, 3, 4, page=page, captions=captions)
    inside, half = sheet.page.inside, sheet.pens[0].width_mm / 2
    whole = [each.bounds for each in sheet.objects]
    for each in whole:
        assert inside.left <= each.left - half
        assert each.right + half <= inside.right
        assert inside.top <= each.top - half
        assert each.bottom + half <= inside.bottom
    for left, right in itertools.pairwise(whole):
        assert left.right + 2 * half < right.left or left.bottom + 2 * half < right.bottom
    assert len(sheet.captions) == (12 if captions else 0)
    for caption in sheet.captions:
        assert inside.top < caption.y_mm - caption.size_mm
        assert caption.y_mm + 0.3 * caption.size_mm <= inside.bottom + 1e-9


def test_a_page_is_kept():
    """Where a page is given, the sheet is that page."""
    page = Page.parse("a4-landscape", margin="1cm")
    assert progress(ZIGZAG, 4, 5, page=page).page == page


def test_captions_say_how_far_it_is():
    """The share of the ink, or the points the pen has come to; a cut is no point."""
    assert [each.text for each in progress(ZIGZAG, 1, 4, captions="share").captions] == [
        "25 %",
        "50 %",
        "75 %",
        "100 %",
    ]
    texts = [each.text for each in progress(ZIGZAG, 1, 5, captions="points").captions]
    assert texts == ["1 point", "1 point", "2 points", "4 points", "5 points"]


def test_a_scene_keeps_its_pens_and_recipes():
    """Each object keeps pen, seed and the rest; pens keep names, colours and their order of widths."""
    pens = (Pen("black", "black", 1.0), Pen("red", "red", 0.5))
    scene = arrange([ZIGZAG, ZIGZAG], "a4", pens=pens)
    sheet = progress(scene, 2, 2)
    assert [(pen.name, pen.color) for pen in sheet.pens] == [("black", "#000000"), ("red", "#d62728")]
    assert 0.1 <= sheet.pens[1].width_mm < sheet.pens[0].width_mm < 1.0
    assert [each.pen for each in sheet.objects] == [0, 0, 0, 1, 0, 1]
    assert {(each.label, each.seed, each.index, each.temperature) for each in sheet.objects} == {("zigzag", 7, 2, 0.4)}


def test_a_drawing_without_lines_gives_empty_cells():
    """A model that ended at once is no error."""
    sheet = progress(Sketch((), "nothing"), 2, 2, captions="share")
    assert (sheet.objects, len(sheet.captions)) == ((), 4)


@pytest.mark.parametrize(("rows", "columns"), [(0, 5), (5, 0), (-1, -1), (20, 11), (10**9, 10**9)])
def test_numbers_of_cells_out_of_range_are_refused(rows, columns):
    """A sheet has 1 to 200 cells."""
    with pytest.raises(InputError, match=r"^progress: .* cells \(expected 1 to 200\)"):
        progress(ZIGZAG, rows, columns)


def test_unknown_captions_are_refused():
    """A typing error is not an empty caption."""
    captions: Any = "percent"
    with pytest.raises(InputError, match=r"^captions: 'percent' is unknown; choose one of share, points"):
        progress(ZIGZAG, 2, 2, captions=captions)


def test_no_sketches_are_refused():
    """There is nothing to show."""
    with pytest.raises(InputError, match=r"^sketches: there are none"):
        progress([], 2, 2)


@pytest.mark.parametrize("name", ["svg", "png", "gif"])
def test_a_sheet_is_a_drawing_like_any_other(name):
    """Every writer takes it."""
    assert render(progress(ZIGZAG, 2, 3, captions="share"), name)


def test_a_sheet_of_millions_of_points_is_refused():
    """Every cell has the drawing once more: a large one in many cells would take gigabytes."""
    line = np.random.default_rng(0).random((20_000, 2))
    with pytest.raises(InputError, match=r"about 2010000 points in 10 x 20 cells \(at most 2000000\)"):
        progress(Sketch((line,)), 10, 20)


def test_a_sheet_of_too_many_sketches_is_refused():
    """However few points they have."""
    dot = Sketch((np.zeros((1, 2)),))
    with pytest.raises(InputError, match="501 sketches in each of 10 x 20 cells"):
        progress([dot] * 501, 10, 20)
