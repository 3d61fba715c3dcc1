"""SVG for screens and plotters: millimetres, one Inkscape layer per pen, one path per line, no transforms."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.scene import Caption, Pen, Placed, Scene, parse_color
from sketch_edge.runtime.writers.text import PROGRAM, clean_text, description_of, title_of

if TYPE_CHECKING:  # a drawing that does not move needs neither
    from sketch_edge.runtime.writers.animation import Animation

DECIMALS = 3
"""Places behind the point of every length in mm: a thousandth of a millimetre is finer than any plotter."""

DOT_MM = 0.01
"""A dot is a line of this length: with round caps it looks like a dot, and plotter programs, some of which drop lines
of no length, put the pen down for it."""

_SPACES = {
    "xmlns": "http://www.w3.org/2000/svg",
    "xmlns:inkscape": "http://www.inkscape.org/namespaces/inkscape",
    "version": "1.1",
}


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
    animation = _animation(scene, animate, {"duration_s": duration_s, "speed": speed, "hold_s": hold_s, "loop": loop})
    width, height = _number(scene.page.width_mm), _number(scene.page.height_mm)
    root = ET.Element("svg", _SPACES | {"width": f"{width}mm", "height": f"{height}mm"})
    root.set("viewBox", f"0 0 {width} {height}")
    _add(root, "title", text=title_of(scene.objects))
    _add(root, "desc", text=f"Drawn by {PROGRAM}.")
    if animation is not None:
        _add(_add(root, "defs"), "style", {"type": "text/css"}, animation.style())
    if background is not None:
        _add(root, "rect", {"width": width, "height": height, "fill": parse_color(background)})
    for number, pen, objects in scene.layers():
        layer = _layer(root, f"layer{number}", f"{number} {clean_text(pen.name)}", _stroke(pen))
        owners = [owner for owner, each in enumerate(scene.objects) if each.pen == number - 1]
        for owner, each in zip(owners, objects, strict=True):
            _add_object(layer, each, owner, animation)
    if scene.captions:
        layer = _layer(root, "captions", "captions", {"font-family": "sans-serif"})
        for caption in scene.captions:
            _add_caption(layer, caption)
    return _to_bytes(root)


def _add(
    parent: ET.Element, tag: str, attributes: Mapping[str, str] | None = None, text: str | None = None
) -> ET.Element:
    element = ET.SubElement(parent, tag, dict(attributes or {}))
    element.text = text
    return element


def _layer(root: ET.Element, name: str, label: str, attributes: Mapping[str, str]) -> ET.Element:
    """A group that Inkscape, vpype, AxiDraw and saxi take for a layer."""
    return _add(root, "g", {"id": name, "inkscape:groupmode": "layer", "inkscape:label": label, **attributes})


def _stroke(pen: Pen) -> dict[str, str]:
    return {
        "fill": "none",
        "stroke": pen.color,
        "stroke-width": _number(pen.width_mm),
        "stroke-linecap": "round",
        "stroke-linejoin": "round",
    }


def _animation(scene: Scene, animate: bool, times: dict[str, Any]) -> Animation | None:
    """How the file draws itself, if it does."""
    given = {name: value for name, value in times.items() if value is not None}
    if animate:
        from sketch_edge.runtime.writers.animation import Animation
        from sketch_edge.runtime.writers.motion import Timing

        return Animation(scene, Timing(**{"loop": 1, **given}))
    if given:
        raise InputError(f"{next(iter(given))}: is for svg files that draw themselves; add animate, or leave it out")
    return None


def _add_object(layer: ET.Element, each: Placed, owner: int, animation: Animation | None) -> None:
    """One object: its name and recipe, and a path for each line."""
    group = _add(layer, "g")
    _add(group, "title", text=clean_text(each.label) or "sketch")
    if recipe := description_of(each):
        _add(group, "desc", text=recipe)
    for number, line in enumerate(each.lines):
        # Scenes hold none, but lines can be forced: this is the last gate before a plotter.
        if not np.isfinite(line).all():
            raise InputError(f"{each.label or 'object'}: a coordinate is not a finite number; draw it again")
        moving = animation.attributes(owner, number) if animation is not None else {}
        _add(group, "path", {"d": path_data(line), **moving})


def _add_caption(layer: ET.Element, caption: Caption) -> None:
    place = {"x": _number(caption.x_mm), "y": _number(caption.y_mm), "font-size": _number(caption.size_mm)}
    look = {"text-anchor": caption.anchor, "fill": caption.color}
    _add(layer, "text", place | look, clean_text(caption.text))


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


def _to_bytes(root: ET.Element) -> bytes:
    ET.indent(root, " ")
    body: bytes = ET.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + body + b"\n"
