"""Where sketches go on a page: rows, grids, scatters and contact sheets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import LARGEST_MM, Page
from sketch_edge.runtime.scene import Caption, Pen, Placed, Scene
from sketch_edge.runtime.sketch import Bounds, Sketch
from sketch_edge.runtime.strokes import BOX

LAYOUTS = ("grid", "row", "scatter")

SMALLEST_EXTENT = BOX / 8
"""A sketch that is smaller than this, in its own units, is not blown up to fill its cell: a dot stays a dot."""

SMALLEST_SIDE = 1e-6
"""What is smaller than this is a dot, in whatever units."""

GAP = 0.12
"""Free space between two neighbours, as a share of the side of a sketch."""

PEN_WIDTHS_MM = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
"""Fineliner widths; a scene without pens of its own gets the one that suits the size of its sketches."""

PEN_FACTOR = 0.08
"""The pen's width in mm for a sketch of 1 mm; it grows with the square root of the sketch's side, so that small
sketches are not scratched and large ones not painted: 0.3 mm for 20 mm, 0.7 mm for 90 mm."""

SKY_RISE = 0.25
"""A row on a page that is higher than it needs lifts its sky by up to this share of its height."""

_SCATTER_SIZES = (0.55, 1.0)
_SCATTER_TRIES = (8, 150)  # a few at first: mostly one of them is free, and looking costs time
_SCATTER_FILL = 0.8
_SCATTER_SHRINK = 0.94
_SCATTER_ROUNDS = 40
_SCATTER_ATTEMPTS = 200

Boxes = npt.NDArray[np.float64]
"""Rectangles as rows (left, top, width, height) in mm, shape (n, 4)."""


def arrange(
    sketches: Sequence[Sketch],
    page: Page | str | None = None,
    *,
    layout: str = "grid",
    rng: np.random.Generator | None = None,
    pens: Sequence[Pen] | None = None,
) -> Scene:
    """Put sketches on a page; each keeps its proportions and lies, ink included, within the margins.

    "grid": cells of equal size, as large as the page allows, row after row. "row": all on one base line, at one
    size. "scatter": several sizes anywhere, without overlap; `rng` decides (a fixed one where not given).

    The page is a square of 100 mm where not given. `pens` are taken in turn, one a sketch; where not given all are
    drawn with one black pen whose width suits their size.

    Raises:
        InputError: no sketches, an unknown layout, or a page or pen that cannot be.
    """
    sketches = list(sketches)
    if not sketches:
        raise InputError("sketches: there are none (expected at least one); draw one first")
    if layout not in LAYOUTS:
        raise InputError(f"layout {layout!r}: is unknown; choose one of {', '.join(LAYOUTS)}")
    page = Page.parse(page) if isinstance(page, str) else page or Page()
    sizes = np.array([_size(sketch) for sketch in sketches])
    if not pens:
        boxes = row_boxes(sizes, page.inside) if layout == "row" else grid_boxes(len(sketches), page.inside)
        side = median((boxes[:, 2:] / sizes).min(axis=1))  # the larger sides of the sketches in them
        pens = [Pen(width_mm=pen_width_mm(min(side, page.inside.width, page.inside.height)))]
    inside = room_for_points(page, max(pen.width_mm for pen in pens))
    if layout == "scatter":
        boxes = scatter_boxes(sizes, inside, rng or np.random.Generator(np.random.Philox(key=0)))
    else:
        boxes = row_boxes(sizes, inside) if layout == "row" else grid_boxes(len(sketches), inside)
    objects = [
        place(sketch, box, number % len(pens), baseline=layout == "row")
        for number, (sketch, box) in enumerate(zip(sketches, boxes, strict=True))
    ]
    return Scene(page, tuple(pens), tuple(objects))


def place(sketch: Sketch, box: npt.NDArray[np.float64], pen: int = 0, *, baseline: bool = False) -> Placed:
    """Fit the points of a sketch into a box (left, top, width, height) in mm: proportions kept, in the middle.

    With `baseline` it stands on the lower side of the box. A sketch smaller than SMALLEST_EXTENT is enlarged as if it
    had that extent, so a dot or a slip of the pen stays small, and nothing is divided by zero.
    """
    left, top, width, height = box.tolist()
    bounds = sketch.bounds
    if max(bounds.width, bounds.height) <= SMALLEST_EXTENT:
        scale = min(width, height) / SMALLEST_EXTENT
    else:  # a level or an upright line has one extent only
        scale = min(room / extent for room, extent in ((width, bounds.width), (height, bounds.height)) if extent > 0)
    x, y = bounds.center
    to_x, to_y = left + width / 2, top + height / 2
    if baseline:
        y, to_y = bounds.bottom, top + height
    lines = tuple((line - (x, y)) * scale + (to_x, to_y) for line in sketch.lines)
    return Placed(
        lines,
        sketch.label,
        pen,
        seed=sketch.seed,
        index=sketch.index,
        temperature=sketch.temperature,
        source=sketch.source,
        how=sketch.how,
    )


def enlarged(sketches: Sequence[Sketch]) -> list[Sketch]:
    """Drawings of units that nobody knows, made larger by one factor where `place` would take them all for slips.

    Dots stay dots, and drawings of which one is larger than SMALLEST_EXTENT stay as they are.
    """
    side = max((max(bounds.width, bounds.height) for bounds in (each.bounds for each in sketches)), default=0.0)
    if not SMALLEST_SIDE <= side <= SMALLEST_EXTENT:
        return list(sketches)
    corners = [(bounds.left, bounds.top) for bounds in (each.bounds for each in sketches)]
    return [
        replace(each, lines=tuple((line - corner) * (BOX / side) for line in each.lines))
        for each, corner in zip(sketches, corners, strict=True)
    ]


def pen_width_mm(side_mm: float) -> float:
    """The width of PEN_WIDTHS_MM that suits a sketch of `side_mm`."""
    fitting = PEN_FACTOR * math.sqrt(side_mm)
    return max([width for width in PEN_WIDTHS_MM if width <= fitting], default=PEN_WIDTHS_MM[0])


def grid_boxes(count: int, inside: Bounds) -> Boxes:
    """Boxes of `count` equal cells, as large as can be, row after row; a short last row is centred."""
    columns = np.arange(1, count + 1)
    rows = -(-count // columns)
    sides = np.minimum(inside.width / columns, inside.height / rows)
    empty = columns * rows - count
    best = int(np.lexsort((columns, empty, -sides.round(9)))[0])
    across, down = int(columns[best]), int(rows[best])
    extent, cells = np.array([inside.width, inside.height]), np.array([across, down])
    gap = GAP * float((extent / cells).min())
    cell = (extent - gap * (cells - 1)) / cells
    number = np.arange(count)
    in_row = np.where(number // across == down - 1, count - across * (down - 1), across)
    places = np.stack([number % across + (across - in_row) / 2, number // across], axis=1)
    return np.concatenate([places * (cell + gap) + (inside.left, inside.top), np.tile(cell, (count, 1))], axis=1)


def row_boxes(sizes: npt.NDArray[np.float64], inside: Bounds) -> Boxes:
    """Boxes side by side on one base line, in the middle of the page; `sizes` (n, 2) are width and height up to 1."""
    units = sizes[:, 0].sum() + GAP * (len(sizes) - 1)
    side = min(inside.width / units, inside.height / sizes[:, 1].max())
    widths, heights = sizes[:, 0] * side, sizes[:, 1] * side
    starts = np.cumsum(widths + GAP * side) - widths - GAP * side
    left = inside.left + (inside.width - units * side) / 2
    base = inside.top + (inside.height + heights.max()) / 2
    return np.stack([left + starts, base - heights, widths, heights], axis=1)


def scatter_boxes(sizes: npt.NDArray[np.float64], inside: Bounds, rng: np.random.Generator) -> Boxes:
    """Boxes of several sizes anywhere inside, none over another; `sizes` (n, 2) are width and height up to 1.

    Throws boxes at the page, largest first, and shrinks them all a little where one finds no place. Ends after
    40 such rounds in the cells of a grid, so it always ends.
    """
    count = len(sizes)
    # Evenly spread sizes in random order: no draw is all small or all large.
    spread = np.linspace(*_SCATTER_SIZES, count) if count > 1 else np.ones(1)
    factors = rng.permutation(spread)[:, None] * np.maximum(sizes, 0.3)
    padded = factors + GAP / 2
    room = np.array([inside.width, inside.height])
    side = math.sqrt(_SCATTER_FILL * room.prod() / padded.prod(axis=1).sum())
    side = min(side, float((room / padded.max(axis=0)).min()))
    attempts = max(1, _SCATTER_ATTEMPTS // count)  # few boxes are quick to throw: try harder at each size
    for number in range(_SCATTER_ROUNDS * attempts):
        corners = _throw(padded * side, room, rng)
        if corners is not None:
            corners += (room - corners.min(axis=0) - (corners + padded * side).max(axis=0)) / 2  # centre them together
            margin = (padded - factors) * side / 2
            return np.concatenate([corners + margin + (inside.left, inside.top), factors * side], axis=1)
        if number % attempts == attempts - 1:
            side *= _SCATTER_SHRINK
    boxes = grid_boxes(count, inside)
    shrunk = boxes[:, 2:] * rng.permutation(spread)[:, None]
    boxes[:, :2] += rng.random((count, 2)) * (boxes[:, 2:] - shrunk)
    boxes[:, 2:] = shrunk
    return boxes


def picture_row(extents: Boxes, sky: npt.NDArray[np.bool_], gap: float, room: Bounds) -> Boxes | None:
    """A row as children draw it: what stands on the ground on one base line, what hangs in the sky above it.

    Tries columns of their own for the things of the sky, and places over the others; the row is in the middle of the
    page, in the order given.

    Args:
        extents: of each thing about the point that stands on the base line, (n, 4): left, top, right, bottom.
        sky: which of them hang in the sky, (n,).
        gap: free space between neighbours.
        room: where all of it is to be.

    Returns:
        Where these points go, (n, 2), or None where the room is too small.
    """
    variants = (
        (_columns(extents, sky, gap), _overhead(extents, sky, gap)) if sky.any() else (_columns(extents, sky, gap),)
    )
    for points in variants:
        low = (points + extents[:, :2]).min(axis=0)
        high = (points + extents[:, 2:]).max(axis=0)
        if (high - low <= np.array([room.width, room.height]) * (1 + 1e-12)).all():
            if not sky.all():  # a low row leaves room: the sky is higher then
                points[sky, 1] -= max(0.0, min(room.height - (high - low)[1], SKY_RISE * (high - low)[1]))
                low = (points + extents[:, :2]).min(axis=0)
            return np.asarray(points + room.center - (low + high) / 2)
    return None


def _columns(extents: Boxes, sky: npt.NDArray[np.bool_], gap: float) -> Boxes:
    """All things side by side; those of the sky hang as high as the highest is, but over the middle of it."""
    lefts = _side_by_side(extents[:, 2] - extents[:, 0], gap)
    bases = np.zeros(len(extents))
    heights = extents[:, 3] - extents[:, 1]
    if sky.all():
        bases = -heights / 2 - extents[:, 1]
    elif sky.any():
        tallest = -float(extents[~sky, 1].min())
        top = -max(tallest, tallest / 2 + float(heights[sky].max()))
        bases[sky] = top - extents[sky, 1]
    return np.stack([lefts - extents[:, 0], bases], axis=1)


def _overhead(extents: Boxes, sky: npt.NDArray[np.bool_], gap: float) -> Boxes:
    """The things of the ground side by side, those of the sky over them, about where they are in the order."""
    if sky.all() or not sky.any():
        return _columns(extents, sky, gap)
    widths, heights = extents[:, 2] - extents[:, 0], extents[:, 3] - extents[:, 1]
    lefts = np.zeros(len(extents))
    lefts[~sky] = _side_by_side(widths[~sky], gap)
    ends = np.cumsum(~sky)  # of the things of the ground, how many come before
    edges = np.concatenate([lefts[~sky], [lefts[~sky][-1] + widths[~sky][-1] + gap]]) - gap / 2
    # Several that stand together in the order would crowd there: the more they are, the more evenly they are spread.
    count, width = int(sky.sum()), float(edges[-1] - gap / 2)
    even = (np.arange(count) + 0.5) * width / count
    middles = edges[ends[sky]] / count + even * (1 - 1 / count)
    lefts[sky] = _spread(middles - widths[sky] / 2, widths[sky], gap, width)
    bases = np.zeros(len(extents))
    tops = extents[~sky, 1]
    clear = np.zeros(len(extents))
    for thing in np.flatnonzero(sky):
        below = (lefts[~sky] < lefts[thing] + widths[thing] + gap) & (lefts[~sky] + widths[~sky] > lefts[thing] - gap)
        clear[thing] = tops[below].min(initial=0.0) - gap
    top = float((clear - heights)[sky].min())
    bases[sky] = clear[sky] + 0.75 * (top + heights[sky] - clear[sky]) - extents[sky, 3]
    return np.stack([lefts - extents[:, 0], bases], axis=1)


def _side_by_side(widths: npt.NDArray[np.float64], gap: float) -> npt.NDArray[np.float64]:
    """Left sides of things of these widths, the first at 0."""
    return np.asarray(np.cumsum(widths + gap) - widths - gap)


def _spread(
    lefts: npt.NDArray[np.float64], widths: npt.NDArray[np.float64], gap: float, width: float
) -> npt.NDArray[np.float64]:
    """Move things of an order apart where they overlap, and within 0 to `width` if they fit there."""
    spread, edge = lefts.copy(), 0.0
    for number in range(len(lefts)):
        spread[number] = edge = max(lefts[number], edge)
        edge += widths[number] + gap
    edge = max(width, widths.sum() + gap * (len(widths) - 1))
    for number in reversed(range(len(lefts))):
        spread[number] = edge = min(spread[number], edge - widths[number])
        edge -= gap
    return spread


def scatter_sizes(
    extents_at: Callable[[float], npt.NDArray[np.float64]], largest: float, inside: Bounds, rng: np.random.Generator
) -> tuple[float, Boxes]:
    """Boxes anywhere inside, none over another, whose sizes grow with one factor, which is made as large as can be.

    Args:
        extents_at: width and height of each box for a factor, (n, 2).
        largest: the factor to begin with; each failure makes it smaller.
        inside: where they go.
        rng: decides the places.

    Returns:
        The factor, and the boxes. Ends in the cells of a grid, each box in the middle of one, so it always ends.
    """
    room = np.array([inside.width, inside.height])
    factor = largest
    for _ in range(_SCATTER_ROUNDS * 3):
        extents = extents_at(factor)
        gap = GAP / 2 * median(extents.max(axis=1))
        padded = extents + gap
        if (padded <= room).all() and padded.prod(axis=1).sum() <= room.prod():
            for _ in range(max(1, _SCATTER_ATTEMPTS // 10 // len(extents))):
                corners = _throw(padded, room, rng)
                if corners is not None:
                    corners += (room - corners.min(axis=0) - (corners + padded).max(axis=0)) / 2
                    return factor, np.concatenate([corners + gap / 2 + (inside.left, inside.top), extents], axis=1)
        factor *= _SCATTER_SHRINK
    cells = grid_boxes(len(extents), inside)
    while (extents_at(factor) > cells[:, 2:]).any() and factor > largest * 1e-9:
        factor *= _SCATTER_SHRINK
    extents = extents_at(factor)
    return factor, np.concatenate([cells[:, :2] + (cells[:, 2:] - extents) / 2, extents], axis=1)


def sheet(
    rows: Sequence[Sequence[Sketch]],
    labels: Sequence[str] | None = None,
    *,
    cell_mm: float = 30.0,
    columns: int = 1,
) -> Scene:
    """A contact sheet: sketches in cells of `cell_mm`, row by row, with captions.

    With `labels`, one a row, they stand at the left of the rows; without, each sketch's own label stands below it. Rows
    may differ in length; `columns` rows stand beside each other. The page is as large as the sheet.

    Raises:
        InputError: no sketches, not as many labels as rows, fewer than one column, or a sheet of more than 10 m.
    """
    across = max((len(row) for row in rows), default=0)
    if across == 0:
        raise InputError("sheet: there are no sketches (expected at least one)")
    if labels is not None and len(labels) != len(rows):
        raise InputError(f"sheet: has {len(rows)} rows and {len(labels)} labels (expected one label a row)")
    if columns < 1:
        raise InputError(f"sheet: {columns} columns (expected at least one)")
    letters, margin = cell_mm * 0.13, cell_mm * 0.1
    below = letters * 1.4 if labels is None and any(sketch.label for row in rows for sketch in row) else 0.0
    beside = min(_text_width_mm(max(labels, key=len), letters) + margin, 1.5 * cell_mm) if labels else 0.0
    row_mm = beside + across * cell_mm
    columns = min(columns, len(rows))
    width = 2 * margin + columns * row_mm + (columns - 1) * margin
    height = 2 * margin + -(-len(rows) // columns) * (cell_mm + below)
    if not max(width, height) <= LARGEST_MM:
        raise InputError(
            f"sheet: would be {width:g} x {height:g} mm; at most {LARGEST_MM:g} mm: give fewer or smaller cells"
        )
    objects, captions = [], []
    for number, row in enumerate(rows):
        down, right = divmod(number, columns)
        left, top = margin + right * (row_mm + margin), margin + down * (cell_mm + below)
        if labels is not None:
            text = fitted_text(labels[number], beside - margin, letters)
            captions.append(Caption(text, left, top + cell_mm / 2 + letters * 0.35, letters, "start"))
        for place_in_row, sketch in enumerate(row):
            cell_left = left + beside + place_in_row * cell_mm
            gap = cell_mm * GAP / 2
            objects.append(place(sketch, np.array([cell_left + gap, top + gap, cell_mm - 2 * gap, cell_mm - 2 * gap])))
            if below and sketch.label:
                text = fitted_text(sketch.label, cell_mm - gap, letters)
                captions.append(Caption(text, cell_left + cell_mm / 2, top + cell_mm + letters * 0.8, letters))
    pen = Pen(width_mm=pen_width_mm(cell_mm))
    return Scene(Page(width, height, margin), (pen,), tuple(objects), tuple(captions))


def _size(sketch: Sketch) -> tuple[float, float]:
    """Width and height as shares of the larger of them, at least 0.02; a sketch that is not enlarged has a square."""
    bounds = sketch.bounds
    extent = max(bounds.width, bounds.height)
    if extent <= SMALLEST_EXTENT:
        return 1.0, 1.0
    return max(bounds.width / extent, 0.02), max(bounds.height / extent, 0.02)


def room_for_points(page: Page, pen_mm: float) -> Bounds:
    """Where points may lie so that the ink of a pen stays within the margins."""
    inside = page.inside
    if pen_mm > min(inside.width, inside.height) / 2:
        raise InputError(
            f"pen: is {pen_mm:g} mm wide, too wide for {inside.width:g} x {inside.height:g} mm between the margins; "
            "take a finer pen or a larger page"
        )
    half = pen_mm / 2
    return Bounds(inside.left + half, inside.top + half, inside.right - half, inside.bottom - half)


def _throw(
    boxes: npt.NDArray[np.float64], room: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float64] | None:
    """Find a place for every box (width, height), shape (n, 2), largest first; upper left corners, or None."""
    corners = np.zeros_like(boxes)
    placed: list[int] = []
    for box in np.argsort(-boxes.prod(axis=1), kind="stable"):
        others, other_sizes = corners[placed], boxes[placed]
        for count in _SCATTER_TRIES:
            tries = rng.random((count, 2)) * (room - boxes[box])
            apart = (tries[:, None] + boxes[box] <= others) | (others + other_sizes <= tries[:, None])
            free = np.flatnonzero(apart.any(axis=2).all(axis=1))
            if len(free):
                break
        else:
            return None
        corners[box] = tries[free[0]]
        placed.append(int(box))
    return corners


def _text_width_mm(text: str, size_mm: float) -> float:
    """About how wide a text is: letters of a plain sans serif are some 0.55 of their size wide."""
    return len(text) * size_mm * 0.55


def fitted_text(text: str, width_mm: float, size_mm: float, behind: str = "") -> str:
    """Shorten a text to about `width_mm`, with an ellipsis where something was cut.

    `behind` stands after it and is not cut as long as a letter of the text has room before it.
    """
    most = max(1, int(width_mm / (size_mm * 0.55) + 1e-6))  # a width made for n letters has room for n
    if len(behind) + 2 > most:
        text, behind = text + behind, ""
    if len(text) + len(behind) <= most:
        return text + behind
    return text[: max(1, most - len(behind) - 1)].rstrip() + "…" + behind


def median(values: npt.ArrayLike) -> float:
    """The median of one row of numbers, as numpy's; that one imports numpy.ma, which takes as long as a sketch."""
    ordered = np.sort(np.asarray(values, np.float64))
    return float((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2)
