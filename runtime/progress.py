"""Progress sheets: how a drawing comes about, step by step, in cells beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from sketch_edge.runtime.course import Course, Piece, objects_of
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Caption, Pen, Placed, Scene
from sketch_edge.runtime.sketch import Bounds, Sketch, bounds_of

MOST_CELLS = 200
MOST_SKETCHES = 100_000
"""Sketches times cells: each is there again in every cell from the one in which it is begun."""

MOST_POINTS = 2_000_000
"""Points of a sheet, of which a picture takes some hundred bytes each while it is made."""

CELL_MM = 30.0
"""Longer side of a cell where there is no page to fill."""

FLATTEST = 2.5
"""Cells have the proportions of the drawing, but are at most this many times as wide as high, or as high as wide."""

SPACE = 0.2
"""Between neighbours, as a share of the side of a square as large as a cell."""

LETTERS = 0.09
LARGEST_LETTERS_MM = 4.0
"""Size of the captions' letters, as a share of the shorter side of a cell, and at most."""

LINE = 1.6
"""Room for a caption, in sizes of its letters."""

THINNEST_MM = 0.1

CAPTIONS = ("share", "points")


def progress(
    drawing: Scene | Sketch | Sequence[Sketch],
    rows: int,
    columns: int,
    *,
    page: Page | None = None,
    captions: Literal["share", "points"] | None = None,
) -> Scene:
    """Show how a drawing comes about in rows x columns cells: row after row, each cell has one step more of its ink.

    Of n cells, number k shows the first k/n of the ink, the line that is being drawn cut exactly there; the last shows
    all. The drawing has the same size and place in every cell. Its pens stay, but finer: by the square root of its
    scale, so that lines of a small drawing neither clot nor vanish.

    Args:
        drawing: what is drawn, in pen order; sketches are first arranged in a grid.
        rows: from 1.
        columns: from 1; at most 200 cells.
        page: filled with cells within its margins; where not given, cells have 30 mm and the page fits them.
        captions: what stands below each cell: "share", such as "25 %", or "points", such as "37 points".

    Raises:
        InputError: no drawing, numbers out of range, or a drawing of too many sketches or points for so many cells.
    """
    if captions is not None and captions not in CAPTIONS:
        raise InputError(f"captions: {captions!r} is unknown; choose one of {', '.join(CAPTIONS)}")
    scene = drawing if isinstance(drawing, Scene) else arrange([drawing] if isinstance(drawing, Sketch) else drawing)
    check_cells(rows, columns, len(scene.objects))
    bounds = bounds_of([line for each in scene.objects for line in each.lines])
    points = sum(len(line) for each in scene.objects for line in each.lines) * (rows * columns + 1) // 2
    if points > MOST_POINTS:
        raise InputError(
            f"progress: about {points} points in {rows} x {columns} cells (at most {MOST_POINTS}); choose fewer cells, "
            "or fewer sketches"
        )
    page = page or _page(bounds, rows, columns, captions is not None)
    cells, letters = _cells(page, rows, columns, captions is not None)
    ratios = [room / extent for room, extent in _extents(cells[0], bounds) if extent > 0]
    scale = min(ratios, default=1.0)
    course = Course(scene)
    objects: list[Placed] = []
    texts: list[Caption] = []
    for number, cell in enumerate(cells, 1):
        pieces = course.between(0.0, course.length * (number / len(cells)))
        objects += _moved(objects_of(scene, pieces), bounds, cell, scale)
        if captions is not None:
            text = _points(pieces) if captions == "points" else f"{100 * number / len(cells):.0f} %"
            below = cell.center[1] + bounds.height * scale / 2
            texts.append(Caption(text, cell.center[0], below + (LINE - 0.3) * letters, letters))
    return Scene(page, tuple(_finer(pen, scale) for pen in scene.pens), tuple(objects), tuple(texts))


def check_cells(rows: int, columns: int, sketches: int = 1) -> None:
    """Check, before anything is drawn, that a sheet of so many sketches can be made.

    Raises:
        InputError: too many or too few cells, or too many sketches for them.
    """
    if not (rows >= 1 and columns >= 1 and rows * columns <= MOST_CELLS):
        raise InputError(f"progress: {rows} x {columns} cells (expected 1 to {MOST_CELLS}); choose other numbers")
    if rows * columns * sketches > MOST_SKETCHES:
        raise InputError(
            f"progress: {sketches} sketches in each of {rows} x {columns} cells (at most {MOST_SKETCHES} in all); "
            "choose fewer cells, or fewer sketches"
        )


def _page(bounds: Bounds, rows: int, columns: int, captions: bool) -> Page:
    """A page as large as its cells, which have the proportions of the drawing."""
    proportion = bounds.width / bounds.height if bounds.width and bounds.height else 1.0
    proportion = min(FLATTEST, max(1 / FLATTEST, proportion))
    width, height = CELL_MM * min(1.0, proportion), CELL_MM * min(1.0, 1 / proportion)
    gap, below = SPACE * math.sqrt(width * height), LINE * LETTERS * min(width, height) if captions else 0.0
    margin = CELL_MM * 0.1
    return Page(columns * (width + gap) + 2 * margin, rows * (height + gap + below) + 2 * margin, margin)


def _cells(page: Page, rows: int, columns: int, captions: bool) -> tuple[list[Bounds], float]:
    """The cells of a page, row after row, each less the gaps and its caption; and the size of the letters."""
    inside = page.inside
    width, height = inside.width / columns, inside.height / rows
    gap, letters = SPACE * math.sqrt(width * height), min(LARGEST_LETTERS_MM, LETTERS * min(width, height))
    gap = min(gap, width / 2, height / 2)
    below = LINE * letters if captions else 0.0
    cells = []
    for number in range(rows * columns):
        left, top = inside.left + number % columns * width, inside.top + number // columns * height
        cells.append(Bounds(left + gap / 2, top + gap / 2, left + width - gap / 2, top + height - gap / 2 - below))
    return cells, letters


def _extents(cell: Bounds, bounds: Bounds) -> tuple[tuple[float, float], tuple[float, float]]:
    return (cell.width, bounds.width), (cell.height, bounds.height)


def _moved(objects: Sequence[Placed], bounds: Bounds, cell: Bounds, scale: float) -> list[Placed]:
    """The objects of a drawing with those bounds, in the middle of a cell."""
    start, end = np.array(bounds.center), np.array(cell.center)
    return [replace(each, lines=tuple((line - start) * scale + end for line in each.lines)) for each in objects]


def _points(pieces: Sequence[Piece]) -> str:
    """How many points of the drawing the pen has come to; where a line is cut is none of them."""
    count = sum(len(piece.line) - (not piece.end) for piece in pieces)
    return f"{count} point{'s' * (count != 1)}"


def _finer(pen: Pen, scale: float) -> Pen:
    return replace(pen, width_mm=max(THINNEST_MM, round(pen.width_mm * math.sqrt(scale), 2)))
