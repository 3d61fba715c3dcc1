"""Contact sheets: many sketches on a page, each with a line of text that tells it from the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import fitted_text, grid_boxes, pen_width_mm, place
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Caption, Pen, Scene
from sketch_edge.runtime.sketch import Sketch

CELL_MM = 30.0
"""Side of a cell where there is no page to fill."""

LETTERS = 0.11
LARGEST_LETTERS_MM = 4.0
"""Size of the letters, as a share of the shorter side of a cell, and at most."""

LINE = 1.7
"""Room for a text, in sizes of its letters."""


def contact_sheet(
    sketches: Sequence[Sketch],
    page: Page | None = None,
    *,
    texts: Sequence[str] | None = None,
    pens: Sequence[Pen] | None = None,
) -> Scene:
    """Put sketches into a grid with a text below each.

    Args:
        sketches: drawn with `pens` in turn.
        page: filled within its margins; where not given, cells are 30 mm wide and the page fits them.
        texts: one for each sketch, shortened where too long; where not given, class and index, such as "cat 3": with
            the seed these two give the sketch again.
        pens: one black pen that suits the size of the sketches where not given.

    Raises:
        InputError: no sketches, not as many texts, or a page that cannot be.
    """
    sketches = list(sketches)
    if not sketches:
        raise InputError("sketches: there are none (expected at least one); draw one first")
    if texts is not None and len(texts) != len(sketches):
        raise InputError(f"texts: there are {len(texts)} for {len(sketches)} sketches; give one for each")
    page = page or contact_page(len(sketches))
    boxes = grid_boxes(len(sketches), page.inside)
    side = float(boxes[0, 2:].min())
    letters = min(LARGEST_LETTERS_MM, LETTERS * side)
    pens = list(pens or [Pen(width_mm=pen_width_mm(side))])
    half = min(max(pen.width_mm for pen in pens), side / 4) / 2
    objects, captions = [], []
    for number, (sketch, box) in enumerate(zip(sketches, boxes, strict=True)):
        left, top, width, height = box.tolist()
        room = np.array([left + half, top + half, width - 2 * half, height - 2 * half - LINE * letters])
        objects.append(place(sketch, room, number % len(pens)))
        text = _text(sketch, width, letters) if texts is None else fitted_text(texts[number], width, letters)
        captions.append(Caption(text, left + width / 2, top + height - (LINE - 1.3) * letters, letters))
    return Scene(page, tuple(pens), tuple(objects), tuple(each for each in captions if each.text))


def contact_page(count: int) -> Page:
    """A page for cells of CELL_MM, about as many across as down."""
    across = max(1, round(count**0.5 * 1.2))
    down = -(-count // across)
    margin = CELL_MM * 0.1
    return Page(across * CELL_MM + 2 * margin, down * CELL_MM * (1 + LETTERS * LINE) + 2 * margin, margin)


def _text(sketch: Sketch, width_mm: float, size_mm: float) -> str:
    """Its class, and which sketch of the seed it is where it has one; the number is left whole where it has room."""
    if sketch.seed is None:
        return fitted_text(sketch.label, width_mm, size_mm)
    number = f" {sketch.index}" if sketch.label else str(sketch.index)
    return fitted_text(sketch.label, width_mm, size_mm, behind=number)
