"""Drawings and charts as inline SVG: no file, font, script or network behind them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from sketch_edge.runtime.strokes import BOX
from sketch_edge.train.evaluate.bootstrap import Estimate
from sketch_edge.train.evaluate.drawing import Drawing

MARGIN = 10


def drawing_path(drawing: Drawing) -> str:
    """The d of an SVG path: the drawing fitted to the 255 box and centred, whole numbers; real and generated alike."""
    simplified = drawing.simplified()
    right, down = (int((BOX - max(max(axis[side]) for axis in simplified)) // 2) for side in (0, 1))
    parts = []
    for xs, ys in simplified:
        points = [f"{x + right} {y + down}" for x, y in zip(xs, ys, strict=True)]
        parts.append("M" + "L".join(points) + ("l0 0" if len(points) == 1 else ""))  # a dot shows by its round cap
    return "".join(parts)


def drawing_svg(drawing: Drawing, title: str = "", kind: str = "") -> str:
    """A drawing as an <svg> element of the CSS classes `sketch` and `kind`; `title` shows under the mouse."""
    told = f"<title>{escape(title)}</title>" if title else ""
    low, side = -MARGIN, int(BOX) + 2 * MARGIN
    return (
        f'<svg class="sketch {kind}" viewBox="{low} {low} {side} {side}">{told}'
        f'<path d="{drawing_path(drawing)}"/></svg>'
    )


def share_bar(model: float, real: float | None, title: str) -> str:
    """A bar of the share of recognised drawings, with a tick where real ones are."""
    tick = "" if real is None else f'<rect class="tick" x="{200 * real - 1:.1f}" y="0" width="2" height="14"/>'
    return (
        f'<svg class="bar" viewBox="0 0 200 14"><title>{escape(title)}</title><rect class="ground" width="200" '
        f'height="14"/><rect class="full" y="3" width="{200 * model:.1f}" height="8"/>{tick}</svg>'
    )


def interval_svg(found: Estimate, bar: float, high: float) -> str:
    """An interval on a scale from 0 to `high`, with a line at the bar that has to be reached."""
    scale = 200 / high
    low, top, value = (float(np.clip(each * scale, 0, 200)) for each in (found.low, found.high, found.value))
    return (
        f'<svg class="bar" viewBox="0 0 200 14"><rect class="ground" width="200" height="14"/>'
        f'<rect class="span" x="{low:.1f}" y="5" width="{max(top - low, 1):.1f}" height="4"/>'
        f'<circle class="full" cx="{value:.1f}" cy="7" r="4"/>'
        f'<rect class="tick" x="{bar * scale - 1:.1f}" y="0" width="2" height="14"/></svg>'
    )


def strip(drawings: Sequence[str]) -> str:
    """Drawings in a row."""
    return f'<div class="strip">{"".join(drawings)}</div>'
