"""SVG for screens and plotters: millimetres, one Inkscape layer per pen, one path per line, no transforms."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.scene import Caption, Pen, Placed, Scene, parse_color
from sketch_edge.runtime.writers.animation import Animation
from sketch_edge.runtime.writers.motion import Timing
from sketch_edge.runtime.writers.text import PROGRAM, clean_text, description_of, title_of

DECIMALS = 3
"""Places behind the point of every length in mm: a thousandth of a millimetre is finer than any plotter."""

DOT_MM = 0.01
"""A dot is a line of this length: with round caps it looks like a dot, and plotter programs, some of which drop lines
of no length, put the pen down for it."""


def render(
    scene: Scene,
    *,
    background: str | None = None,
    animate: bool = False,
    duration_s: float | None = None,
    speed: float | None = None,
    hold_s: float | None = None,
    loop: int | None = None,
) -> bytes:
    """Write a scene as SVG 1.1, UTF-8 with line feeds; equal scenes give equal bytes.

    Args:
        scene: what is drawn.
        background: a colour (#rrggbb or a name), drawn as a rectangle, of which a plotter would draw the outline; the
            page is transparent where not given.
        animate: the file draws itself in browsers, line after line; elsewhere it is the whole drawing.
        duration_s: how long drawing an animated file takes; where not given, 1 to 10 seconds.
        speed: instead of `duration_s`: 2 is twice as fast as usual.
        hold_s: how long the finished drawing stays before it is drawn again; 2 where not given.
        loop: how often it is drawn, 0 for ever; once where not given.

    Raises:
        InputError: an unknown colour, a number out of range, or a time for a file that is not animated.
    """
    import svgwrite
    from svgwrite.extensions import Inkscape

    animation = _animation(scene, animate, {"duration_s": duration_s, "speed": speed, "hold_s": hold_s, "loop": loop})

    page = scene.page
    width, height = _number(page.width_mm), _number(page.height_mm)
    # debug=False: the validator of svgwrite takes four times as long as everything else, and passes nan anyway.
    drawing = svgwrite.Drawing(
        size=(f"{width}mm", f"{height}mm"), viewBox=f"0 0 {width} {height}", debug=False, profile="full"
    )
    inkscape = Inkscape(drawing)
    drawing.set_desc(title=title_of(scene.objects), desc=f"Drawn by {PROGRAM}.")
    if animation is not None:
        drawing.defs.add(drawing.style(animation.style()))
    if background is not None:
        drawing.add(drawing.rect(size=(width, height), fill=parse_color(background)))
    for number, pen, objects in scene.layers():
        layer = drawing.add(
            inkscape.layer(label=f"{number} {clean_text(pen.name)}", id=f"layer{number}", **_stroke(pen))
        )
        owners = [owner for owner, each in enumerate(scene.objects) if each.pen == number - 1]
        for owner, each in zip(owners, objects, strict=True):
            layer.add(_group(drawing, each, owner, animation))
    if scene.captions:
        layer = drawing.add(inkscape.layer(label="captions", id="captions", font_family="sans-serif"))
        for caption in scene.captions:
            layer.add(_text(drawing, caption))
    return _to_bytes(drawing)


def _stroke(pen: Pen) -> dict[str, str]:
    return {
        "fill": "none",
        "stroke": pen.color,
        "stroke_width": _number(pen.width_mm),
        "stroke_linecap": "round",
        "stroke_linejoin": "round",
    }


def _animation(scene: Scene, animate: bool, times: dict[str, Any]) -> Animation | None:
    """How the file draws itself, if it does."""
    given = {name: value for name, value in times.items() if value is not None}
    if animate:
        return Animation(scene, Timing(**{"loop": 1, **given}))
    if given:
        raise InputError(f"{next(iter(given))}: is for svg files that draw themselves; add animate, or leave it out")
    return None


def _group(drawing: Any, each: Placed, owner: int, animation: Animation | None) -> Any:
    """One object: its name and recipe, and a path for each line."""
    group = drawing.g()
    group.set_desc(title=clean_text(each.label) or "sketch", desc=description_of(each) or None)
    for number, line in enumerate(each.lines):
        # Scenes hold none, but lines can be forced: the last gate before a plotter, as svgwrite lets nan pass.
        if not np.isfinite(line).all():
            raise InputError(f"{each.label or 'object'}: a coordinate is not a finite number; draw it again")
        moving = animation.attributes(owner, number) if animation is not None else {}
        group.add(drawing.path(d=path_data(line), **moving))
    return group


def _text(drawing: Any, caption: Caption) -> Any:
    return drawing.text(
        clean_text(caption.text),
        insert=(_number(caption.x_mm), _number(caption.y_mm)),
        font_size=_number(caption.size_mm),
        text_anchor=caption.anchor,
        fill=caption.color,
    )


def path_data(line: npt.NDArray[np.float64]) -> str:
    """The `d` of a line of shape (n, 2) in mm: "M1,2 L3,4 5,6"; a dot becomes a line of DOT_MM."""
    points = [f"{_number(x)},{_number(y)}" for x, y in line.tolist()]
    kept = [point for point, before in zip(points, [None, *points], strict=False) if point != before]
    if len(kept) == 1:
        x, y = line[0].tolist()
        kept.append(f"{_number(x + DOT_MM)},{_number(y)}")
    return f"M{kept[0]} L{' '.join(kept[1:])}"


def _number(value: float) -> str:
    """A length in mm with at most DECIMALS places; no exponent, no superfluous zeros, no negative zero."""
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _to_bytes(drawing: Any) -> bytes:
    tree = drawing.get_xml()
    for unused in ("xmlns:ev", "xmlns:xlink", "xmlns:sodipodi", "baseProfile"):  # and the DTD lacks the first
        tree.attrib.pop(unused, None)
    ET.indent(tree, " ")
    body: bytes = ET.tostring(tree, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + body + b"\n"
