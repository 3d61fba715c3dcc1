"""PNG pictures: smooth lines with round ends, drawn larger with Pillow and averaged down."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.scene import Caption, Placed, Scene, color_rgb, parse_color
from sketch_edge.runtime.writers.text import PROGRAM, clean_text, description_of, title_of

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

WIDTH_PX = 800
LARGEST_PX = 20_000
MOST_PIXELS = 100_000_000
"""A picture of more pixels is refused: it would take gigabytes."""

OVERSAMPLING = 8
"""Lines are drawn this many times larger each way: 65 levels of grey at an edge, and a thin line has its true width
within a few hundredths at any angle (4 times: within a tenth, for little less time)."""

THINNEST_PX = 1.5
"""Thinner lines are drawn this wide: else they fade away or break up."""

BAND_BYTES = 32_000_000
"""The picture is drawn in bands of at most this many oversampled pixels, which bounds the memory it takes."""


def render(scene: Scene, *, width_px: int = WIDTH_PX, background: str = "white") -> bytes:
    """Draw a scene as a PNG `width_px` wide, as high as the page's proportions say; equal scenes give equal bytes.

    `background` is a colour (#rrggbb or a name) or "transparent". The file says its size in mm and how to have the
    sketches again.

    Raises:
        InputError: an unknown colour, or a size that is out of range.
    """
    picture = paint(scene, width_px=width_px, background=background)
    return _to_bytes(picture, scene)


def paint(scene: Scene, *, width_px: int = WIDTH_PX, background: str = "white") -> Image.Image:
    """Draw a scene as a Pillow image, mode RGB, or RGBA on a transparent background; see `render`."""
    from PIL import Image

    size = picture_size(scene, width_px)
    px_per_mm = width_px / scene.page.width_mm
    transparent = background == "transparent"
    if transparent:
        # Start from the first pen's colour: what blends with the empty page must not turn grey.
        picture = Image.new("RGBA", size, (*color_rgb(scene.pens[0].color), 0))
    else:
        picture = Image.new("RGB", size, color_rgb(parse_color(background)))
    for _, pen, objects in scene.layers():
        mask = coverage(objects, size, px_per_mm, pen.width_mm)
        if transparent:
            ink = Image.new("RGBA", size, color_rgb(pen.color))
            ink.putalpha(mask)
            picture.alpha_composite(ink)
        else:
            picture.paste(color_rgb(pen.color), mask=mask)
    if scene.captions:
        write_captions(picture, scene.captions, px_per_mm)
    return picture


def picture_size(scene: Scene, width_px: int) -> tuple[int, int]:
    """Width and height in pixels of the picture of a scene.

    Raises:
        InputError: a side is not within 1 to 20,000 pixels, or they make more than 100 million.
    """
    height_px = max(1, round(width_px * scene.page.height_mm / scene.page.width_mm))
    if not (1 <= width_px <= LARGEST_PX and height_px <= LARGEST_PX and width_px * height_px <= MOST_PIXELS):
        raise InputError(
            f"png: would be {width_px} x {height_px} pixels (expected 1 to {LARGEST_PX} a side, and at most "
            f"{MOST_PIXELS // 1_000_000} million); choose another width"
        )
    return width_px, height_px


def coverage(objects: Sequence[Placed], size: tuple[int, int], px_per_mm: float, width_mm: float) -> Image.Image:
    """How much of each pixel the lines cover, 0 to 255: a Pillow image of mode L."""
    from PIL import Image

    scale = px_per_mm * OVERSAMPLING
    width = max(width_mm * px_per_mm, THINNEST_PX) * OVERSAMPLING
    lines = [line * scale for each in objects for line in each.lines]
    mask = Image.new("L", size)
    band_rows = max(1, BAND_BYTES // (size[0] * OVERSAMPLING**2))
    for top in range(0, size[1], band_rows):
        rows = min(band_rows, size[1] - top)
        mask.paste(_band(lines, width, size[0], top, rows), (0, top))
    return mask


def _band(lines: Sequence[npt.NDArray[np.float64]], width: float, columns: int, top: int, rows: int) -> Image.Image:
    """Draw the rows from `top` on: `lines` and `width` in oversampled pixels, `columns`, `top`, `rows` in real ones."""
    from PIL import Image, ImageDraw

    large = Image.new("L", (columns * OVERSAMPLING, rows * OVERSAMPLING))
    draw = ImageDraw.Draw(large)
    # Pillow counts pixels, from their middle, and fills those on the outline too: hence half a pixel off each side.
    # It also cuts off what is behind the point, towards zero: hence whole numbers, so that bands fit together.
    shift = np.array([0.5, top * OVERSAMPLING + 0.5])
    radius = (width - 1) / 2
    for line in lines:
        points = line - shift
        if points[:, 1].max() + width < 0 or points[:, 1].min() - width > rows * OVERSAMPLING:
            continue
        draw_line(draw, points, radius)
    return large.reduce(OVERSAMPLING)


def draw_line(draw: ImageDraw.ImageDraw, points: npt.NDArray[np.float64], radius: float) -> None:
    """Draw a line of shape (n, 2) on a picture of mode L or 1, `radius` pixels to each side, with round ends and bends.

    Pillow counts from the middle of a pixel: (0, 0) is the middle of the first.
    """
    for corners in quads(points, radius):
        draw.polygon(np.rint(corners).astype(int).ravel().tolist(), fill=255)
    for circle in np.rint(np.concatenate([points - radius, points + radius], axis=1)).astype(int).tolist():
        draw.ellipse(circle, fill=255)


def quads(points: npt.NDArray[np.float64], radius: float) -> npt.NDArray[np.float64]:
    """The corners of each segment of a line (n, 2), `radius` wide to each side: shape (segments, 4, 2)."""
    steps = np.diff(points, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    starts, ends, steps = points[:-1][lengths > 0], points[1:][lengths > 0], steps[lengths > 0]
    sides = np.stack([-steps[:, 1], steps[:, 0]], axis=1) * (radius / lengths[lengths > 0])[:, None]
    return np.stack([starts + sides, ends + sides, ends - sides, starts - sides], axis=1)


def write_captions(picture: Image.Image, captions: Sequence[Caption], px_per_mm: float) -> None:
    """Write captions on a picture of mode RGB, RGBA or L, each in its colour."""
    from PIL import ImageDraw, ImageFont

    draw = ImageDraw.Draw(picture)
    anchors = {"start": "ls", "middle": "ms", "end": "rs"}
    for caption in captions:
        font = ImageFont.load_default(size=max(6.0, caption.size_mm * px_per_mm))
        place = (caption.x_mm * px_per_mm, caption.y_mm * px_per_mm)
        draw.text(place, clean_text(caption.text), fill=caption.color, font=font, anchor=anchors[caption.anchor])


def _to_bytes(picture: Image.Image, scene: Scene) -> bytes:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_itxt("Title", title_of(scene.objects), zip=False)
    info.add_itxt("Description", "\n".join(dict.fromkeys(filter(None, map(description_of, scene.objects)))), zip=True)
    info.add_text("Software", PROGRAM)
    dpi = picture.width / scene.page.width_mm * 25.4
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info, dpi=(dpi, dpi))
    return buffer.getvalue()
