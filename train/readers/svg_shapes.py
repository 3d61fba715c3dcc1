"""Shapes of SVG as cubic curves, and curves as lines. Paths and transforms are parsed by svgelements.

Every piece of every outline is a cubic Bezier curve, shape (4, 2): a straight line is one, a quadratic curve is one
exactly, an elliptic arc is several to far less than a pixel. So there is one way to transform and one to flatten.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Curves = Floats
"""The pieces of one line in the order of drawing, shape (k, 4, 2); k = 0 is not drawn."""

ARC_PIECES = 2
"""Cubic curves that stand for a quarter of an ellipse; two are off by less than 1e-5 of the radius."""

MOST_CURVES = 10_000
"""Of a file; a drawing may have as many points."""

UNITS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0, "em": 16.0, "ex": 8}
"""Pixels of CSS in one of each unit; letters are taken as 16 pixels high."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_LENGTH = re.compile(rf"\s*({_NUMBER})\s*([a-z]*|%)\s*\Z")
_POINTS = re.compile(_NUMBER)
_COMMAND = re.compile(r"[A-DF-Za-df-z]")
_CLOSE = re.compile(r"[Zz](?=\s*[^Mm\s])")


class ShapeError(ValueError):
    """An attribute of a shape cannot be read; the text says which and how."""


def read_length(text: str | None, whole: float, default: float = 0.0) -> float:
    """A length in pixels; per cents are of `whole`. What cannot be read counts as not given, as in browsers."""
    found = _LENGTH.match(text) if text is not None and len(text) < 100 else None
    if found is None:
        return default
    number, unit = float(found[1]), found[2]
    if unit == "%":
        return number / 100 * whole
    return number * UNITS[unit] if unit in UNITS else default


def read_matrix(text: str | None) -> Floats:
    """The transform of an element, shape (2, 3): (x, y) goes to M[:, :2] @ (x, y) + M[:, 2].

    Raises:
        ShapeError: it cannot be read, or is not finite.
    """
    if not text:
        return np.eye(2, 3)
    from svgelements import Matrix

    try:
        matrix = Matrix(text)
        numbers = np.array([[matrix.a, matrix.c, matrix.e], [matrix.b, matrix.d, matrix.f]], np.float64)
    except Exception as error:  # svgelements raises whatever its arithmetic does
        raise ShapeError(f"the transform {text[:40]!r} cannot be read") from error
    if not np.isfinite(numbers).all():
        raise ShapeError(f"the transform {text[:40]!r} is not finite")
    return numbers


def combine(outer: Floats, inner: Floats) -> Floats:
    """The transform that does `inner` first and `outer` after it."""
    return np.concatenate([outer[:, :2] @ inner[:, :2], (outer[:, :2] @ inner[:, 2] + outer[:, 2])[:, None]], axis=1)


def transform(curves: Curves, matrix: Floats) -> Curves:
    """Transform curves."""
    return np.asarray(curves @ matrix[:, :2].T + matrix[:, 2])


def outline(tag: str, attributes: Mapping[str, str], size: tuple[float, float]) -> list[Curves]:
    """The lines of a shape; none where it is empty or not drawn at all.

    Args:
        tag: path, line, polyline, polygon, rect, circle or ellipse.
        attributes: of the element.
        size: width and height that per cents are of.

    Raises:
        ShapeError: an attribute cannot be read.
    """
    if tag == "path":
        return _path(attributes.get("d", ""))
    if tag in ("polyline", "polygon"):
        return _polyline(attributes.get("points", ""), closed=tag == "polygon")
    width, height = size
    diagonal = math.hypot(width, height) / math.sqrt(2)

    def length(name: str, whole: float, default: float = 0.0) -> float:
        return read_length(attributes.get(name), whole, default)

    if tag == "line":
        ends = [[length("x1", width), length("y1", height)], [length("x2", width), length("y2", height)]]
        return _straight(np.array(ends))
    if tag == "rect":
        corner = length("rx", width, -1.0), length("ry", height, -1.0)
        return _rect(length("x", width), length("y", height), length("width", width), length("height", height), corner)
    rx = length("r", diagonal) if tag == "circle" else length("rx", width)
    ry = rx if tag == "circle" else length("ry", height)
    return _ellipse(length("cx", width), length("cy", height), rx, ry)


def flatten(curves: Curves, tolerance: float) -> Floats:
    """Turn the curves of one line into points, shape (n, 2), none further than `tolerance` from what they stand for.

    Wang's bound: a cubic cut into n equal parts is off by at most 6 / 8 * max |second difference| / n**2.
    """
    counts = pieces_of(curves, tolerance)
    source = np.repeat(np.arange(len(curves)), counts)
    step = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    t = (step / counts[source])[:, None]
    s = 1 - t
    p = curves[source]
    points = s**3 * p[:, 0] + 3 * s * s * t * p[:, 1] + 3 * s * t * t * p[:, 2] + t**3 * p[:, 3]
    return np.concatenate([curves[:1, 0], points])


def pieces_of(curves: Curves, tolerance: float) -> npt.NDArray[np.int64]:
    """Into how many pieces `flatten` cuts each curve, (k,)."""
    second = np.diff(curves, n=2, axis=1)  # (k, 2, 2)
    bend = np.hypot(second[..., 0], second[..., 1]).max(axis=1, initial=0.0)
    return np.asarray(np.maximum(1, np.ceil(np.sqrt(0.75 * bend / tolerance))), np.int64)


def _straight(points: Floats) -> list[Curves]:
    """Straight lines through points (n, 2)."""
    if len(points) < 2:
        return []
    start, end = points[:-1], points[1:]
    return [np.stack([start, start + (end - start) / 3, end - (end - start) / 3, end], axis=1)]


def _polyline(text: str, closed: bool) -> list[Curves]:
    numbers = [float(number) for number in _POINTS.findall(text)]
    points = np.array(numbers[: len(numbers) // 2 * 2], np.float64).reshape(-1, 2)
    return _straight(np.concatenate([points, points[:1]]) if closed and len(points) > 1 else points)


def _rect(x: float, y: float, width: float, height: float, corner: tuple[float, float]) -> list[Curves]:
    """A rectangle, its corners rounded where rx or ry say so; one that is not given is as the other."""
    if not (width > 0 and height > 0):
        return []
    rx, ry = corner if min(corner) >= 0 else (max(corner), max(corner))
    rx, ry = min(max(rx, 0.0), width / 2), min(max(ry, 0.0), height / 2)
    if rx == 0 or ry == 0:
        return _straight(np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]]))
    right, low = x + width, y + height
    arc = f"A{rx!r} {ry!r} 0 0 1 "
    return _path(
        f"M{x + rx!r} {y!r}H{right - rx!r}{arc}{right!r} {y + ry!r}V{low - ry!r}{arc}{right - rx!r} {low!r}"
        f"H{x + rx!r}{arc}{x!r} {low - ry!r}V{y + ry!r}{arc}{x + rx!r} {y!r}Z"
    )


def _ellipse(x: float, y: float, rx: float, ry: float) -> list[Curves]:
    if not (rx > 0 and ry > 0):
        return []
    arc = f"A{rx!r} {ry!r} 0 0 1 "
    quarters = ((x, y + ry), (x - rx, y), (x, y - ry), (x + rx, y))
    return _path(f"M{x + rx!r} {y!r}" + "".join(f"{arc}{px!r} {py!r}" for px, py in quarters))


def _path(text: str) -> list[Curves]:
    """The lines of path data."""
    from svgelements import Path

    if (commands := sum(1 for _ in _COMMAND.finditer(text))) > MOST_CURVES:
        raise ShapeError(f"a path has {commands} segments or more (at most {MOST_CURVES})")
    try:
        # svgelements looks for the last move at every close, as far back as it is: there is always one nearby.
        segments = list(Path(_CLOSE.sub("zm0 0", text)))
        if len(segments) > 2 * MOST_CURVES:
            raise ShapeError(f"a path has {len(segments)} segments (at most {2 * MOST_CURVES})")
        return [np.array(line, np.float64) for line in _lines(segments)]
    except ShapeError:
        raise
    except Exception as error:  # svgelements raises whatever its arithmetic does
        raise ShapeError(f"the path {text[:40]!r} cannot be read ({type(error).__name__})") from error


def _lines(segments: Sequence[Any]) -> list[list[Floats]]:
    """Cut the segments of a path into lines at its moves."""
    lines: list[list[Floats]] = []
    going = False
    for segment in segments:
        kind = type(segment).__name__
        if kind == "Move":
            going = False
            continue
        curves = _curves(segment, kind)
        if not curves:
            continue
        if not going:
            lines.append([])
        lines[-1] += curves
        going = kind != "Close"  # what follows without a move starts a line of its own, where this one began
    return lines


def _curves(segment: Any, kind: str) -> list[Floats]:
    """A segment of a path as cubic curves."""
    if segment.start is None or segment.end is None:
        return []
    start, end = _point(segment.start), _point(segment.end)
    if kind == "CubicBezier":
        return [np.stack([start, _point(segment.control1), _point(segment.control2), end])]
    if kind == "QuadraticBezier":
        control = _point(segment.control)
        return [np.stack([start, start + 2 / 3 * (control - start), end + 2 / 3 * (control - end), end])]
    if kind == "Arc" and segment.rx > 0 and segment.ry > 0:
        pieces = max(1, math.ceil(abs(segment.sweep) / (math.pi / 2) * ARC_PIECES))
        found = segment.as_cubic_curves(pieces)
        return [np.stack([_point(p) for p in (c.start, c.control1, c.control2, c.end)]) for c in found]
    if kind == "Close" and (start == end).all():
        return []
    return [np.stack([start, start + (end - start) / 3, end - (end - start) / 3, end])]


def _point(point: Any) -> Floats:
    return np.array([point.x, point.y], np.float64)
