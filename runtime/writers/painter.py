"""Painting ink piece by piece, so that a film need not paint all of the drawing for each of its frames."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.course import Piece
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Scene, color_rgb, parse_color
from sketch_edge.runtime.writers.png import OVERSAMPLING, THINNEST_PX, draw_line, quads, write_captions

LARGEST_PX = 8_000
MOST_PIXELS = 16_000_000
"""Pixels of a film times its inks: each takes eight bytes while it is painted."""

MOST_FRAME_PIXELS = 2_000_000_000
"""Pixels of all frames together: whoever plays the film has to paint them."""

MOST_ENTRIES = 256
"""Of a palette: the background, one more that some formats need, and the steps of ink."""

MOST_COLORS = 84
"""Colours of pens and captions in a film, so that each has three steps."""

BAND_BYTES = 4_000_000
"""Pieces are painted in bands of at most this many oversampled pixels."""

_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)

_FULL = OVERSAMPLING**2
_SLICE = 2_000

Indices = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, the last two exclusive."""


@dataclass(frozen=True)
class Frame:
    """What changes at once, and how long it stays before the next frame."""

    left: int
    top: int
    """Upper left corner in pixels."""

    changes: Indices
    """The changed rectangle, shape (height, width): palette entries, 0 where a pixel stays as it was."""

    shown: Indices
    """The same rectangle as it looks from now on: palette entries, 0 for the background."""

    ms: int
    """How long it is shown; a multiple of 10."""


class Painter:
    """Paints ink piece by piece and says which pixels that changed.

    Of every pixel it knows which of its 8 x 8 parts each ink covers: 64 bits. So a film of any number of pieces ends
    in the picture that all of them together make, which the coverage of single pieces would not tell.
    """

    def __init__(self, scene: Scene, format: str, width_px: int, background: str, levels: int, count: int) -> None:
        self._scene = scene
        self._px_per_mm = width_px / scene.page.width_mm
        self.width_px, self.height_px = width_px, picture_height(scene.page, width_px)
        # In the order in which `paint` of the PNG writer lays them over each other.
        pens = sorted({each.pen for each in scene.objects if each.lines})
        shades = [scene.pens[pen].color for pen in pens] + [each.color for each in scene.captions]
        self._shades = list(dict.fromkeys(shades))
        captions = len({each.color for each in scene.captions})
        check_size(format, self.width_px, self.height_px, max(1, len(pens) + captions), count)
        if len(self._shades) > MOST_COLORS:
            raise InputError(
                f"{format}: the pens and captions have {len(self._shades)} colours (at most {MOST_COLORS}); use fewer"
            )
        self._levels = min(levels, (MOST_ENTRIES - 2) // max(1, len(self._shades)))
        self.colors = _palette(self._shades, background, self._levels)
        size = (self.height_px, self.width_px)
        self._masks = {pen: np.zeros((self.height_px, OVERSAMPLING, self.width_px), np.uint8) for pen in pens}
        self._steps = np.rint(np.arange(_FULL + 1) * (self._levels / _FULL)).astype(np.uint8)
        self._captions: dict[str, Indices] = {}
        self.shown = np.zeros(size, np.uint8)
        """What is painted until now: palette entries, shape (height, width)."""
        self._changes = np.zeros(size, np.uint8)
        self._changed: list[Box] = []

    def paint(self, piece: Piece) -> None:
        """Put a piece of a line on the picture."""
        owner = self._scene.objects[piece.owner].pen
        width = max(self._scene.pens[owner].width_mm * self._px_per_mm, THINNEST_PX)
        points = piece.line * self._px_per_mm
        low, high = points.min(axis=0) - width / 2 - 1, points.max(axis=0) + width / 2 + 1
        left, top = (int(max(0.0, value)) for value in low.tolist())
        right, bottom = int(min(self.width_px, high[0] + 1)), int(min(self.height_px, high[1] + 1))
        if left >= right or top >= bottom:
            return  # beside the page
        scale = self._px_per_mm * OVERSAMPLING
        for box in _bands((left, top, right, bottom)):
            _stamp(self._masks[owner], piece, scale, width * OVERSAMPLING, box)
            self._update(box)

    def caption(self) -> None:
        """Write the captions: they belong to the page and stand over all ink."""
        from PIL import Image

        for color in dict.fromkeys(each.color for each in self._scene.captions):
            picture = Image.new("L", (self.width_px, self.height_px))
            white = [replace(each, color="#ffffff") for each in self._scene.captions if each.color == color]
            write_captions(picture, white, self._px_per_mm)
            self._captions[color] = np.rint(np.asarray(picture) * (_FULL / 255)).astype(np.uint8)
        for box in _bands((0, 0, self.width_px, self.height_px)) if self._captions else ():
            self._update(box)

    def take(self, *, whole: bool = False, even: bool = False) -> Frame | None:
        """All changes since the last call as a frame, its time still open; None where there are none.

        `whole`: all of the picture, changed or not. `even`: the corner has even coordinates.
        """
        boxes, self._changed = self._changed, []
        if whole:
            boxes = [(0, 0, self.width_px, self.height_px)]
        if not boxes:
            return None
        left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
        if even:
            left, top = left & ~1, top & ~1
        right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
        area = (slice(top, bottom), slice(left, right))
        changes, shown = self._changes[area].copy(), self.shown[area].copy()
        self._changes[area] = 0
        return Frame(left, top, changes, shown, 0)

    def _update(self, box: Box) -> None:
        """Look again at a rectangle: which of its pixels have another palette entry now."""
        left, top, right, bottom = box
        area = (slice(top, bottom), slice(left, right))
        entries = self._entries(area)
        differs = entries != self.shown[area]
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if len(rows):
            self.shown[area] = entries
            np.copyto(self._changes[area], entries, where=differs)
            self._changed.append(
                (left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1)
            )

    def _entries(self, area: tuple[slice, slice]) -> Indices:
        """The palette entries of a rectangle: a step of the one ink that is there, or what is nearest to a mixture."""
        layers = [
            (self._scene.pens[pen].color, _ONES[mask[area[0], :, area[1]]].sum(axis=1, dtype=np.uint8))
            for pen, mask in self._masks.items()
        ]
        layers += [(color, coverage[area]) for color, coverage in self._captions.items()]
        entries = np.zeros(self.shown[area].shape, np.uint8)
        several = np.zeros(entries.shape, bool)
        for color, coverage in layers:
            steps = self._steps[coverage]
            inked = steps > 0
            several |= inked & (entries > 0)
            entries = np.where(inked, steps + np.uint8(self._shades.index(color) * self._levels), entries)
        if several.any():
            mixtures = _mixtures([(color, coverage[several]) for color, coverage in layers], self.colors[0])
            entries[several] = self._nearest(mixtures)
        return entries

    def _nearest(self, mixtures: npt.NDArray[np.float64]) -> Indices:
        """The palette entries nearest to colours with alpha, shape (n, 4); never the background, as there is ink."""
        palette = np.array(self.colors[1:], np.float64)
        nearest = np.zeros(len(mixtures), np.uint8)
        for start in range(0, len(mixtures), _SLICE):  # a few at a time: each is compared with every entry
            distances = ((mixtures[start : start + _SLICE, None] - palette) ** 2).sum(axis=2)
            nearest[start : start + _SLICE] = distances.argmin(axis=1) + 1
        return nearest


def _palette(shades: Sequence[str], background: str, levels: int) -> tuple[tuple[int, int, int, int], ...]:
    """The background and, for each shade, `levels` steps up to full ink."""
    if background == "transparent":
        # What blends with the empty page must have the pen's own colour: no grey edges.
        first = (*color_rgb(shades[0] if shades else "#000000"), 0)
        return (
            first,
            *((*color_rgb(shade), round(255 * step / levels)) for shade in shades for step in range(1, levels + 1)),
        )
    ground = color_rgb(parse_color(background))
    colors = [(*ground, 255)]
    for ink in map(color_rgb, shades):
        for step in range(1, levels + 1):
            red, green, blue = (round(b + (i - b) * step / levels) for b, i in zip(ground, ink, strict=True))
            colors.append((red, green, blue, 255))
    return tuple(colors)


def _mixtures(layers: Sequence[tuple[str, Indices]], ground: tuple[int, int, int, int]) -> npt.NDArray[np.float64]:
    """The colours with alpha of pixels with several inks, one over the other; coverages of shape (n,), 0 to 64."""
    count = len(layers[0][1])
    colors, alphas = np.tile(np.array(ground[:3], np.float64), (count, 1)), np.full(count, float(ground[3]) / 255)
    for color, coverage in layers:
        share = coverage / _FULL
        total = share + alphas * (1 - share)
        weight = (share / np.where(total > 0, total, 1))[:, None]
        colors, alphas = colors * (1 - weight) + np.array(color_rgb(color)) * weight, total
    return np.concatenate([colors, alphas[:, None] * 255], axis=1)


def _stamp(mask: Indices, piece: Piece, scale: float, width: float, box: Box) -> None:
    """Set the bits that a piece covers within a box; `scale` is parts of pixels a mm, `width` is in parts too.

    Each byte of a mask of shape (height, 8, width) is a row of a pixel's parts. Where a line is cut its end is flat,
    and its sides are drawn as those of the whole line: so pieces make up exactly what the line is, rounding included.
    """
    from PIL import Image, ImageDraw

    left, top, right, bottom = box
    radius = (width - 1) / 2
    # The half parts are those of the PNG writer, which draws the same.
    shift = np.array([left, top]) * OVERSAMPLING + 0.5
    points = piece.line * scale - shift
    before = None if piece.before is None else piece.before * scale - shift
    after = None if piece.after is None else piece.after * scale - shift
    size = ((right - left) * OVERSAMPLING, (bottom - top) * OVERSAMPLING)
    picture = Image.new("1", size)
    if before is not None or after is not None:
        points, cuts = _split(points, before, after)
        parts = np.zeros(size[::-1], bool)
        for start, end, first, last in cuts:
            parts |= _cut_segment(start, end, first, last, radius, size)
        picture = Image.fromarray(parts)
    draw_line(ImageDraw.Draw(picture), points, radius)
    bits = np.frombuffer(picture.tobytes(), np.uint8)  # mode 1 packs eight in a byte: the parts of one pixel
    mask[top:bottom, :, left:right] |= bits.reshape(bottom - top, OVERSAMPLING, right - left)


Cut = tuple[Points, Points, Points | None, Points | None]
"""A straight part of a line from start to end, cut off before and after two points on it, or not."""


def _split(points: Points, before: Points | None, after: Points | None) -> tuple[Points, list[Cut]]:
    """The points of a piece that are points of the whole line too, shape (n, 2), and what is cut at either end."""
    if before is not None and after is not None and len(points) == 2:
        return points[:0], [(before, after, points[0], points[1])]
    cuts: list[Cut] = []
    if before is not None:
        cuts.append((before, points[1], points[0], None))
        points = points[1:]
    if after is not None:
        cuts.append((points[-2], after, None, points[-1]))
        points = points[:-1]
    return points, cuts


def _cut_segment(
    start: Points, end: Points, first: Points | None, last: Points | None, radius: float, size: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """What a straight line from `start` to `end` covers from the point `first` on it to the point `last`."""
    from PIL import Image, ImageDraw

    picture = Image.new("1", size)
    draw = ImageDraw.Draw(picture)
    for corners in quads(np.array([start, end]), radius):
        draw.polygon(np.rint(corners).astype(int).ravel().tolist(), fill=255)
    covered = np.array(picture)
    along = (end - start) / max(float(np.hypot(*(end - start))), 1e-9)
    way = np.arange(size[0]) * along[0] + (np.arange(size[1]) * along[1])[:, None]
    # Neighbours overlap by a hair, so that rounding leaves no gap.
    if first is not None:
        covered &= way >= first @ along - 0.01
    if last is not None:
        covered &= way <= last @ along + 0.01
    return covered


def _bands(box: Box) -> Iterator[Box]:
    """A box, cut across into boxes that are not too large to be painted at once."""
    left, top, right, bottom = box
    rows = max(1, BAND_BYTES // ((right - left) * _FULL))
    for upper in range(top, bottom, rows):
        yield left, upper, right, min(bottom, upper + rows)


def picture_height(page: Page, width_px: int) -> int:
    """The height in pixels of a picture of a page that is so wide."""
    return max(1, round(width_px / page.width_mm * page.height_mm))


def check_size(format: str, width_px: int, height_px: int, inks: int, count: int) -> None:
    """Refuse a film that would take too much memory or time, before anything is made.

    Raises:
        InputError: a side is not within 1 to 8,000 pixels, or there are too many pixels in one or in all frames.
    """
    if not (1 <= width_px <= LARGEST_PX and 1 <= height_px <= LARGEST_PX):
        problem = f"(expected 1 to {LARGEST_PX} a side); choose another width"
    elif width_px * height_px * inks > MOST_PIXELS:
        most = MOST_PIXELS // inks
        widest = max(1, math.isqrt(most * width_px // height_px))
        problem = f"(at most {most / 1e6:.1f} million with {inks} ink{'s' * (inks > 1)}); choose a width up to {widest}"
    elif width_px * height_px * count > MOST_FRAME_PIXELS:
        problem = f"in {count} frames (at most {MOST_FRAME_PIXELS // 10**6} million in all); choose a smaller width, "
        problem += "a shorter duration or fewer frames a second"
    else:
        return
    raise InputError(f"{format}: would be {width_px} x {height_px} pixels {problem}")
