"""Layouts: everything inside the margins, nothing distorted, nothing over something else."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import (
    LAYOUTS,
    arrange,
    median,
    pen_width_mm,
    picture_row,
    scatter_boxes,
    scatter_sizes,
    sheet,
)
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen
from sketch_edge.runtime.sketch import Bounds, Sketch


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a sketch takes them, of plain lists."""
    return each


SQUARE = Sketch(lines([[0, 0], [255, 0], [255, 255], [0, 255], [0, 0]]), "square", seed=7, index=3, temperature=0.4)
TALL = Sketch(lines([[0, 0], [51, 0], [51, 255], [0, 255], [0, 0]]), "tall")
LEVEL = Sketch(lines([[0, 40], [255, 40]]), "line")
UPRIGHT = Sketch(lines([[40, 0], [40, 255]]), "line")
DOT = Sketch(lines([[12, 34]]), "dot")
SLIP = Sketch(lines([[0, 0], [2, 1]]), "slip")
NOTHING = Sketch((), "nothing")

any_layout = pytest.mark.parametrize("layout", LAYOUTS)
points = st.lists(st.tuples(st.floats(-400, 400), st.floats(-400, 400)), min_size=1, max_size=5)
drawn = st.lists(points, max_size=3).map(lambda each: Sketch(lines(*each)))
pages = st.builds(
    Page, st.floats(30, 500), st.floats(30, 500), st.sampled_from([0.0, 1.0, 10.0])
)  # always with room between the margins


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def overlap(one: Bounds, other: Bounds) -> bool:
    apart = one.right <= other.left or other.right <= one.left or one.bottom <= other.top or other.bottom <= one.top
    return not apart


@settings(max_examples=60, deadline=None)
@given(st.lists(drawn, min_size=1, max_size=12), pages, st.sampled_from(LAYOUTS))
def test_ink_stays_within_the_margins(sketches, page, layout):
    """Every point keeps half a pen's width from the margins, whatever was drawn."""
    scene = arrange(sketches, page, layout=layout)
    half, inside = scene.pens[0].width_mm / 2, page.inside
    for each in scene.objects:
        for line in each.lines:
            assert line[:, 0].min() >= inside.left + half - 1e-6
            assert line[:, 1].min() >= inside.top + half - 1e-6
            assert line[:, 0].max() <= inside.right - half + 1e-6
            assert line[:, 1].max() <= inside.bottom - half + 1e-6


@settings(max_examples=60, deadline=None)
@given(st.lists(drawn, min_size=1, max_size=6), pages, st.sampled_from(LAYOUTS))
def test_proportions_are_kept(sketches, page, layout):
    """All offsets of a sketch grow by one factor, the same along x and y, and over 0."""
    scene = arrange(sketches, page, layout=layout)
    for before, after in zip(sketches, scene.objects, strict=True):
        if before.point_count < 2:
            continue
        old, new = np.concatenate(before.lines), np.concatenate(after.lines)
        steps, new_steps = np.diff(old, axis=0), np.diff(new, axis=0)
        largest = np.abs(steps).max()
        if largest > 1e-3:
            where = np.unravel_index(np.abs(steps).argmax(), steps.shape)
            factor = new_steps[where] / steps[where]
            assert factor > 0
            np.testing.assert_allclose(new_steps, steps * factor, atol=1e-6)


@any_layout
def test_what_was_drawn_is_kept(layout):
    """Objects stand in the order given, each with what it takes to have it again."""
    first, second = arrange([SQUARE, TALL], layout=layout).objects
    assert (first.label, first.seed, first.index, first.temperature) == ("square", 7, 3, 0.4)
    assert second.label == "tall"


def test_one_sketch_fills_its_page():
    """The default page is 100 x 100 mm with 5 mm margins; a square takes all of it but the pen's width."""
    scene = arrange([SQUARE])
    assert scene.page == Page(100, 100, 5)
    half = scene.pens[0].width_mm / 2
    bounds = scene.objects[0].bounds
    assert (bounds.left, bounds.top) == pytest.approx((5 + half, 5 + half))
    assert (bounds.right, bounds.bottom) == pytest.approx((95 - half, 95 - half))


@any_layout
@pytest.mark.parametrize("lone", [DOT, SLIP, NOTHING])
def test_small_things_stay_small(layout, lone):
    """A dot or a slip of the pen is not blown up to fill a page."""
    bounds = arrange([lone], layout=layout).objects[0].bounds
    assert max(bounds.width, bounds.height) < 100 / 10


@any_layout
def test_a_dot_lies_on_the_page(layout):
    """A dot alone is on the middle line of the page."""
    (x, y), *more = arrange([DOT], layout=layout).objects[0].lines[0].tolist()
    assert not more
    assert x == pytest.approx(50)
    assert 5 < y < 95


@any_layout
def test_level_and_upright_lines_have_full_length(layout):
    """A line without height is as long as a square beside it is wide, and one without width as long as it is high."""
    square, level, upright = (each.bounds for each in arrange([SQUARE, LEVEL, UPRIGHT], layout=layout).objects)
    smallest = 0.5 if layout == "scatter" else 0.99  # a scatter has several sizes
    assert (level.height, upright.width) == (0, 0)
    assert level.width >= smallest * square.width
    assert upright.height >= smallest * square.height


@pytest.mark.parametrize(
    ("count", "page", "columns"),
    [(4, "100x100mm", 2), (8, "a4", 2), (8, "a4-landscape", 4), (3, "100x20mm", 3), (3, "20x100mm", 1), (9, "a5", 3)],
)
def test_grid_cells_suit_the_page(count, page, columns):
    """A grid has as many columns as make its cells largest."""
    tops = [each.bounds.top for each in arrange([SQUARE] * count, page, layout="grid").objects]
    assert sum(top == pytest.approx(tops[0]) for top in tops) == columns


def test_a_short_last_row_is_centred():
    """Three squares on a square page are two above one in the middle."""
    centers = [each.bounds.center for each in arrange([SQUARE] * 3, layout="grid").objects]
    assert centers[0][1] == pytest.approx(centers[1][1])
    assert centers[2][0] == pytest.approx(50)


@any_layout
def test_sketches_do_not_overlap(layout):
    """No sketch lies over another, also where shapes differ."""
    scene = arrange([SQUARE, TALL, LEVEL, SQUARE, UPRIGHT, DOT, TALL], "a5", layout=layout)
    for one, other in itertools.combinations(scene.objects, 2):
        assert not overlap(one.bounds, other.bounds)


def test_a_row_has_one_base_line_and_one_scale():
    """In a row all stand on one line, side by side in order, at one size, in the middle of the page."""
    scene = arrange([SQUARE, TALL, LEVEL, SQUARE], "200x100mm", layout="row")
    bounds = [each.bounds for each in scene.objects]
    assert [each.bottom for each in bounds] == pytest.approx([bounds[0].bottom] * 4)
    assert [each.left for each in bounds] == sorted(each.left for each in bounds)
    assert bounds[0].width == pytest.approx(bounds[3].width)
    assert bounds[1].height == pytest.approx(bounds[0].height)
    assert bounds[0].top + bounds[0].bottom == pytest.approx(100)
    assert bounds[0].left + bounds[3].right == pytest.approx(200)


def test_a_scatter_follows_its_generator():
    """The same generator state gives the same places, another one others; without one there is a fixed one."""

    def places(rng: np.random.Generator | None) -> list[Bounds]:
        return [each.bounds for each in arrange([SQUARE] * 5, layout="scatter", rng=rng).objects]

    assert places(generator(1)) == places(generator(1))
    assert places(generator(1)) != places(generator(2))
    assert places(None) == places(None)


def test_a_scatter_has_several_sizes_and_fills_the_page():
    """Twenty squares differ in size, and together cover a good part of the page."""
    bounds = [each.bounds for each in arrange([SQUARE] * 20, layout="scatter", rng=generator(5)).objects]
    assert len({round(each.width, 3) for each in bounds}) == 20
    assert sum(each.width * each.height for each in bounds) > 0.25 * 90 * 90


@pytest.mark.parametrize("count", [1, 2, 60])
def test_a_scatter_ends_where_nothing_fits_well(count):
    """On a strip of paper squares still get places without overlap."""
    boxes = scatter_boxes(np.ones((count, 2)), Bounds(0, 0, 1000, 1), generator(3))
    ordered = boxes[np.argsort(boxes[:, 0])]
    assert (ordered[1:, 0] >= (ordered[:, 0] + ordered[:, 2])[:-1] - 1e-9).all()
    assert (boxes[:, 2:] > 0).all()
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= (1000 + 1e-9, 1 + 1e-9)).all()


def test_a_scatter_ends_in_a_grid_if_it_must(monkeypatch):
    """When no throw ever succeeds, each box lies in a cell of its own, at its own size."""
    monkeypatch.setattr("sketch_edge.runtime.layout._throw", lambda boxes, room, rng: None)
    boxes = [
        Bounds(x, y, x + w, y + h) for x, y, w, h in scatter_boxes(np.ones((9, 2)), Bounds(0, 0, 90, 90), generator(1))
    ]
    assert not any(overlap(one, other) for one, other in itertools.combinations(boxes, 2))
    assert len({round(box.width, 6) for box in boxes}) == 9


def test_hundreds_are_scattered_without_overlap():
    """Three hundred sketches find places."""
    boxes = scatter_boxes(np.random.default_rng(0).uniform(0.1, 1, (300, 2)), Bounds(0, 0, 280, 400), generator(2))
    left, top = boxes[:, 0], boxes[:, 1]
    right, bottom = left + boxes[:, 2], top + boxes[:, 3]
    apart = (right[:, None] <= left) | (right <= left[:, None]) | (bottom[:, None] <= top) | (bottom <= top[:, None])
    np.fill_diagonal(apart, True)
    assert apart.all()


def test_pens_are_taken_in_turn():
    """The second sketch is drawn with the second pen, the third with the first again."""
    pens = (Pen("black"), Pen("red", "red"))
    scene = arrange([SQUARE] * 3, pens=pens)
    assert scene.pens == pens
    assert [each.pen for each in scene.objects] == [0, 1, 0]


@pytest.mark.parametrize(("side", "width"), [(0.1, 0.1), (5, 0.1), (20, 0.3), (90, 0.7), (200, 1.0), (9000, 1.0)])
def test_the_pen_suits_the_sketch(side, width):
    """Small sketches get a fine pen, large ones a broad one, all as sold."""
    assert pen_width_mm(side) == width


def test_a_pen_too_wide_for_the_page_is_refused():
    """Ink could not stay within the margins."""
    with pytest.raises(InputError, match=r"^pen: is 60 mm wide, too wide for 90 x 90 mm"):
        arrange([SQUARE], pens=[Pen(width_mm=60)])


def test_an_unknown_layout_is_refused():
    """The error names those there are."""
    with pytest.raises(InputError, match="'heap': is unknown; choose one of grid, row, scatter"):
        arrange([SQUARE], layout="heap")


def test_nothing_to_arrange_is_refused():
    """A page needs a sketch."""
    with pytest.raises(InputError, match="there are none"):
        arrange([])


def test_a_sheet_captions_each_sketch():
    """Without row labels each sketch has its label below, in the middle of its cell; cells without one have none."""
    scene = sheet([[SQUARE, TALL], [Sketch(DOT.lines)]], cell_mm=30)
    assert [caption.text for caption in scene.captions] == ["square", "tall"]
    for caption, each in zip(scene.captions, scene.objects, strict=False):
        assert caption.x_mm == pytest.approx(each.bounds.center[0])
        assert each.bounds.bottom < caption.y_mm - 0.5 * caption.size_mm
    assert scene.objects[2].bounds.top > scene.captions[0].y_mm
    assert max(each.bounds.bottom for each in scene.objects) < scene.page.height_mm


def test_a_sheet_labels_its_rows():
    """With one label a row, labels stand left of the sketches, at their middle."""
    scene = sheet([[SQUARE] * 3, [TALL]], ["square", "tall"], cell_mm=30)
    assert [caption.text for caption in scene.captions] == ["square", "tall"]
    assert all(caption.anchor == "start" for caption in scene.captions)
    assert min(each.bounds.left for each in scene.objects) > scene.captions[0].x_mm + 3 * scene.captions[0].size_mm
    assert scene.captions[1].y_mm == pytest.approx(scene.objects[3].bounds.center[1], abs=2)


def test_rows_of_a_sheet_stand_beside_each_other():
    """With two columns three rows make two lines, each column as wide as the other, names at their left."""
    scene = sheet([[SQUARE] * 2, [TALL], [DOT]], ["one", "two", "three"], cell_mm=30, columns=2)
    one = sheet([[SQUARE] * 2, [TALL], [DOT]], ["one", "two", "three"], cell_mm=30)
    assert scene.page.height_mm == pytest.approx(one.page.height_mm - 30)
    assert scene.page.width_mm == pytest.approx(2 * one.page.width_mm - 3)  # one margin less
    first, second, third = scene.captions
    assert (first.y_mm, first.x_mm) == (second.y_mm, third.x_mm)
    assert second.x_mm > scene.page.width_mm / 2
    assert third.y_mm == pytest.approx(first.y_mm + 30)
    tall = scene.objects[2].lines[0]
    assert tall[:, 0].min() > second.x_mm


@pytest.mark.parametrize("cell_mm", [16.0, 22.0, 30.0])
@pytest.mark.parametrize("label", ["sun", "star", "palm tree", "snowman"])
def test_the_longest_label_fits_the_room_made_for_it(label, cell_mm):
    """Labels decide how wide their column is, so none is cut by a rounding error."""
    assert [caption.text for caption in sheet([[SQUARE]], [label], cell_mm=cell_mm).captions] == [label]


def test_a_long_label_is_shortened():
    """A label takes no more than its cell."""
    (caption,) = sheet([[Sketch(SQUARE.lines, "x" * 10_000)]], cell_mm=30).captions
    assert caption.text.endswith("…")
    assert len(caption.text) * caption.size_mm * 0.5 < 30


@pytest.mark.parametrize(
    ("rows", "labels", "cell_mm", "reason"),
    [
        ([], None, 30, "there are no sketches"),
        ([[], []], None, 30, "there are no sketches"),
        ([[SQUARE]], ["a", "b"], 30, "has 1 rows and 2 labels"),
        ([[SQUARE]] * 2, None, 9000, "at most 10000 mm"),
        ([[SQUARE]], None, 0, "page: the width is 0 mm"),
        ([[SQUARE]], None, float("nan"), "would be nan"),
    ],
)
def test_sheets_that_cannot_be_are_refused(rows, labels, cell_mm, reason):
    """A sheet needs sketches, fitting labels and a size."""
    with pytest.raises(InputError, match=reason):
        sheet(rows, labels, cell_mm=cell_mm)


def test_median_is_that_of_numpy():
    """Bit for bit, for odd and even numbers of values."""
    rng = np.random.default_rng(3)
    for count in range(1, 60):
        values = rng.standard_normal(count)
        assert median(values) == float(np.median(values))


boxes_about_a_point = st.lists(
    st.tuples(st.floats(1, 50), st.floats(1, 50), st.floats(0, 20), st.booleans()), min_size=1, max_size=9
)


@settings(max_examples=80, deadline=None)
@given(boxes_about_a_point, st.floats(10, 400), st.floats(10, 400), st.floats(0, 10))
def test_a_picture_row_keeps_apart_and_within(things, width, height, gap):
    """Where there is room for a row, all of it is inside, apart, and the ground stands on one line; else none."""
    extents = np.array([[-wide / 2, -high, wide / 2, deep] for wide, high, deep, _ in things])
    sky = np.array([hangs for *_, hangs in things])
    room = Bounds(5, 7, 5 + width, 7 + height)
    points = picture_row(extents, sky, gap, room)
    if points is None:
        assert (extents[:, 2] - extents[:, 0]).sum() + gap * (len(things) - 1) > width or (
            sky.any() or (-extents[:, 1]).max() + extents[:, 3].max() > height
        )
        return
    boxes = [
        Bounds(x + left, y + top, x + right, y + bottom)
        for (x, y), (left, top, right, bottom) in zip(points.tolist(), extents.tolist(), strict=True)
    ]
    for box in boxes:
        assert box.left >= room.left - 1e-6
        assert box.right <= room.right + 1e-6
        assert box.top >= room.top - 1e-6
        assert box.bottom <= room.bottom + 1e-6
    assert np.ptp(points[~sky, 1]) < 1e-9 if (~sky).any() else True
    shrunk = [Bounds(box.left + 1e-6, box.top + 1e-6, box.right - 1e-6, box.bottom - 1e-6) for box in boxes]
    assert not any(overlap(one, other) for one, other in itertools.combinations(shrunk, 2))


@pytest.mark.parametrize("count", [1, 7, 60])
def test_scattered_sizes_keep_their_proportions(count):
    """Boxes grow with one factor; what never grows stays as it is."""
    sizes = generator(4).uniform(0.2, 1, (count, 2))

    def extents(factor):
        return np.concatenate([sizes * factor, [[3.0, 3.0]]])

    factor, boxes = scatter_sizes(extents, 100.0, Bounds(10, 10, 110, 90), generator(2))
    np.testing.assert_allclose(boxes[:, 2:], extents(factor))
    found = [Bounds(x, y, x + w, y + h) for x, y, w, h in boxes.tolist()]
    assert not any(overlap(one, other) for one, other in itertools.combinations(found, 2))
    assert all(box.left >= 10 and box.right <= 110 and box.top >= 10 and box.bottom <= 90 for box in found)
    assert sum(box.width * box.height for box in found) > 0.1 * 100 * 80


def test_scattered_sizes_end_in_a_grid_if_they_must(monkeypatch):
    """When no throw ever succeeds, each box lies in the middle of a cell."""
    monkeypatch.setattr("sketch_edge.runtime.layout._throw", lambda boxes, room, rng: None)
    _, boxes = scatter_sizes(lambda factor: np.ones((9, 2)) * factor, 90.0, Bounds(0, 0, 90, 90), generator(1))
    found = [Bounds(x, y, x + w, y + h) for x, y, w, h in boxes.tolist()]
    assert not any(overlap(one, other) for one, other in itertools.combinations(found, 2))
    assert found[4].center == pytest.approx((45, 45))
