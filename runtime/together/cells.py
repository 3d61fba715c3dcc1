"""Pages that show what was given beside what the model made of it: cells, each pen for one of the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import (
    GAP,
    SMALLEST_EXTENT,
    Boxes,
    enlarged,
    fitted_text,
    grid_boxes,
    pen_width_mm,
    place,
)
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Caption, Pen, Placed, Scene
from sketch_edge.runtime.sketch import Sketch

CELL_MM = 30.0
"""Side of a cell where there is no page to fill, and at least: a row of few cells is PAGE_MM wide."""

PAGE_MM = 100.0

LOWEST_CELL, HIGHEST_CELL = 0.4, 1.25
"""Height of a cell, as a share of its width."""

LETTERS = 0.09
LARGEST_LETTERS_MM = 4.0
"""Size of the letters, as a share of the shorter side of a cell, and at most."""

LINE = 1.7
"""Room for a text, in sizes of its letters."""

PEN_COLORS = ("black", "blue")
"""Of what was given, and of what the model drew."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A drawing on the page."""

    sketch: Sketch
    """In any units."""

    given: int = 0
    """Points at its beginning, through all lines, that were given and not drawn by the model."""

    text: str = ""
    """Stands below it."""


def cells_page(
    cells: Sequence[Cell],
    page: Page | None = None,
    *,
    row: bool = False,
    one_scale: bool = False,
    pens: Sequence[Pen] = (),
) -> Scene:
    """Put drawings into cells of equal size, each in the pens of who drew it.

    Args:
        cells: at least one.
        page: filled within its margins; where not given, it is as large as the cells need.
        row: all side by side, instead of as large as the page allows.
        one_scale: all drawings at the scale of the largest, so that what was given has one size everywhere.
        pens: one for all, or that of what was given and that of the model; black and blue where not given.

    Raises:
        InputError: no cells, more than two pens, or a page that is too small.
    """
    cells = _enlarged(cells, one_scale)
    if not cells:
        raise InputError("cells: there are none (expected at least one); draw something first")
    if len(pens) > 2:
        raise InputError(f"pens: there are {len(pens)} (expected one for what was given and one for the model)")
    texts = any(cell.text for cell in cells)
    if page is None:
        page, across = _page(cells, row, texts)
        boxes = _boxes(len(cells), across, page)
    elif row:
        boxes = _boxes(len(cells), len(cells), page)
    else:
        boxes = grid_boxes(len(cells), page.inside)
    side = float(boxes[0, 2:].min())
    letters = min(LARGEST_LETTERS_MM, LETTERS * side) if texts else 0.0
    pens = list(pens or (Pen(color, color, pen_width_mm(side)) for color in PEN_COLORS))
    half = min(max(pen.width_mm for pen in pens), side / 4) / 2
    rooms = boxes + np.array([half, half, -2 * half, -2 * half - LINE * letters])
    if one_scale:
        rooms = _one_scale([cell.sketch for cell in cells], rooms)
    objects, captions = [], []
    for cell, box, room in zip(cells, boxes.tolist(), rooms, strict=True):
        objects += _in_pens(place(cell.sketch, room), cell.given, len(pens) - 1)
        if cell.text:
            left, top, width, height = box
            text = fitted_text(cell.text, width, letters)
            captions.append(Caption(text, left + width / 2, top + height - (LINE - 1.3) * letters, letters))
    return Scene(page, tuple(pens), tuple(objects), tuple(captions))


def _enlarged(cells: Sequence[Cell], one_scale: bool) -> list[Cell]:
    """Cells in which drawings of small units are seen: all by one factor, or each that was given by its own."""
    if one_scale:
        sketches = enlarged([cell.sketch for cell in cells])
    else:
        given = [cell.given >= cell.sketch.point_count for cell in cells]
        sketches = [enlarged([cell.sketch])[0] if own else cell.sketch for cell, own in zip(cells, given, strict=True)]
    return [replace(cell, sketch=sketch) for cell, sketch in zip(cells, sketches, strict=True)]


def _page(cells: Sequence[Cell], row: bool, texts: bool) -> tuple[Page, int]:
    """A page for these cells, as high as the highest drawing asks for, and how many stand side by side."""
    count = len(cells)
    across = count if row or count < 4 else max(2, round(count**0.5 * 1.2))
    width = max(CELL_MM, PAGE_MM / across)
    shares = [each.sketch.bounds.height / max(each.sketch.bounds.width, SMALLEST_EXTENT) for each in cells]
    height = width * min(1.0, max(LOWEST_CELL, *shares))
    letters = min(LARGEST_LETTERS_MM, LETTERS * height) if texts else 0.0
    margin, down = CELL_MM * 0.1, -(-count // across)
    page = Page(
        across * width + (across - 1) * GAP * width + 2 * margin,
        down * (height + LINE * letters) + (down - 1) * GAP * width + 2 * margin,
        margin,
    )
    return page, across


def _boxes(count: int, across: int, page: Page) -> Boxes:
    """Boxes (left, top, width, height), `across` of them side by side; a short last row is centred; (count, 4)."""
    inside, down = page.inside, -(-count // across)
    width = inside.width / (across + GAP * (across - 1))
    height = min((inside.height - (down - 1) * GAP * width) / down, width * HIGHEST_CELL)
    top = inside.top + (inside.height - down * height - (down - 1) * GAP * width) / 2
    boxes = []
    for number in range(count):
        line, place_in_line = divmod(number, across)
        missing = across - min(across, count - line * across)
        left = inside.left + (place_in_line + missing / 2) * width * (1 + GAP)
        boxes.append([left, top + line * (height + GAP * width), width, height])
    return np.array(boxes)


def _one_scale(sketches: Sequence[Sketch], rooms: Boxes) -> Boxes:
    """Smaller rooms, so that each drawing gets the scale of the one that has to be made smallest."""
    scales = []
    for sketch, (_, _, width, height) in zip(sketches, rooms.tolist(), strict=True):
        bounds = sketch.bounds
        least = max(bounds.width, bounds.height) <= SMALLEST_EXTENT
        extents = (SMALLEST_EXTENT, SMALLEST_EXTENT) if least else (bounds.width, bounds.height)
        scales.append(min(room / extent for room, extent in zip((width, height), extents, strict=True) if extent > 0))
    shares = min(scales) / np.array(scales)[:, None]
    sizes = rooms[:, 2:] * shares
    return np.concatenate([rooms[:, :2] + (rooms[:, 2:] - sizes) / 2, sizes], axis=1)


def _in_pens(placed: Placed, given: int, last_pen: int) -> list[Placed]:
    """Split a drawing into what was given, in the first pen, and what was not, in the last."""
    hand: list[npt.NDArray[np.float64]] = []
    own: list[npt.NDArray[np.float64]] = []
    left = given
    for line in placed.lines:
        if left >= len(line):
            hand.append(line)
        elif left <= 0:
            own.append(line)
        else:  # the model went on with it: the two parts meet in the last given point
            hand.append(line[:left])
            own.append(line[left - 1 :])
        left -= len(line)
    parts = []
    if hand:
        parts.append(Placed(tuple(hand), placed.label, 0))
    if own:
        parts.append(replace(placed, lines=tuple(own), pen=last_pen))
    return parts
