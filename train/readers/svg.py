"""Drawings as SVG: what a pen would draw of a file, as lines, in the order in which they stand in it.

Read are paths, lines, polylines, polygons, rectangles, circles and ellipses, in groups, symbols and inner drawings,
with their transforms, and `use` of what stands in the same file. Of a filled shape the outline is taken. Passed over is
what is not seen (display none, visibility hidden, opacity 0, neither fill nor stroke), what only serves others (defs,
clipPath, mask, marker, pattern), a rectangle that fills the whole page without a stroke (paper), and text and
pictures, which are counted. Clip paths and masks do not cut. Of style sheets only plain selectors count.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.drawings import COORDINATE_LIMIT
from sketch_edge.runtime.errors import DataError
from sketch_edge.runtime.strokes import BOX
from sketch_edge.train.readers.source import GZIP, find_kind
from sketch_edge.train.readers.svg_shapes import (
    MOST_CURVES,
    Curves,
    Floats,
    ShapeError,
    combine,
    flatten,
    outline,
    pieces_of,
    read_length,
    read_matrix,
    transform,
)
from sketch_edge.train.readers.xml_tree import SAVE_AGAIN, Element, read_tree

LARGEST_SVG = 16 << 20
"""Bytes of a file; most of such a one are pictures in it."""

MOST_PATH_DATA = 1 << 19
"""Characters of path data and transforms in a file; a drawing that can be learnt has a hundredth of this."""

MOST_VISITS = 50_000
"""Elements that are come to, each as often as it is used: a few lines of `use` could stand for a thousand million."""

MOST_NESTING = 200
TOLERANCE = 0.25
"""Units of the 0..255 box by which flattening may miss a curve: an eighth of what is simplified away after it."""

SHAPES = ("path", "line", "polyline", "polygon", "rect", "circle", "ellipse")
WITHOUT_LENGTHS = ("path", "polyline", "polygon")
"""Shapes that are the same whatever per cents are of."""

GROUPS = ("svg", "g", "a", "switch")
UNREAD = {"text": "text", "image": "picture", "foreignObject": "text", "flowRoot": "text"}

_SELECTOR = re.compile(r"[.#]?[A-Za-z_][\w-]*\Z")
_HIDING = ("display", "visibility", "opacity", "fill", "stroke")
"""The properties that decide whether a shape is seen."""


@dataclass(frozen=True)
class SvgDrawing:
    """What one SVG file holds."""

    lines: list[Floats]
    """Each of shape (n, 2), n >= 2, x right, y down, in the file's pixels; together at most 10,000 points."""

    notes: tuple[str, ...]
    """What was passed over that a user may miss, such as "2 texts passed over"."""


def read_svg_lines(path: str | os.PathLike[str]) -> list[npt.NDArray[np.float64]]:
    """Read what a pen would draw of an SVG file (.svg, or .svgz packed with gzip).

    Returns:
        Lines of shape (n, 2), n >= 2, x right, y down, in pixels of the file, curves flattened to a thousandth of the
        larger side of the drawing, in the order of the file. They are neither simplified nor moved.

    Raises:
        DataError: the file cannot be read, is no SVG, is damaged or hostile, or holds no lines.
    """
    path = Path(path)
    find_kind(path)  # says what is wrong with a file that is none
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_SVG + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check it") from error
    lines = read_svg(unpack(content, path), str(path)).lines
    if not lines:
        raise DataError(
            f"{path}: holds no lines (expected paths or shapes); turn text into paths, or name another file"
        )
    return lines


def unpack(content: bytes, path: Path) -> bytes:
    """Give the XML of a file's content, which may be packed with gzip (.svgz).

    Raises:
        DataError: damaged, or larger than any drawing.
    """
    if content.startswith(GZIP):
        try:
            content = zlib.decompressobj(wbits=31).decompress(content, LARGEST_SVG + 1)
        except zlib.error as error:
            raise DataError(f"{path}: is damaged ({error}); copy it again") from error
    if len(content) > LARGEST_SVG:
        raise DataError(f"{path}: has over {LARGEST_SVG >> 20} MiB; take the pictures out of it")
    return content


def read_svg(content: bytes, where: str) -> SvgDrawing:
    """Read what a pen would draw of the content of an SVG file; `where` names it in an error. There may be no lines.

    Raises:
        DataError: it is no SVG, damaged or hostile.
    """
    walker = _Walker(read_tree(content, where), where)
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused by name
            return SvgDrawing(_flatten_all(walker.gather(), where), walker.notes)
    except ShapeError as error:
        raise DataError(f"{where}: {error}; correct it, or {SAVE_AGAIN}") from error


def _flatten_all(lines: list[Curves], where: str) -> list[Floats]:
    """Turn the curves of all lines into points, as finely as the whole drawing asks for."""
    lines = [line for line in lines if len(line)]
    if not lines:
        return []
    corners = np.concatenate([line.reshape(-1, 2) for line in lines])
    if not (np.abs(corners) <= COORDINATE_LIMIT).all():  # false for nan too
        raise DataError(f"{where}: a coordinate is beyond +-{COORDINATE_LIMIT:.0f}; make the drawing smaller")
    side = float((corners.max(axis=0) - corners.min(axis=0)).max())
    tolerance = max(side, 1e-6) * TOLERANCE / BOX
    count = sum(int(pieces_of(line, tolerance).sum()) + 1 for line in lines)
    if count > MOST_CURVES:
        raise DataError(f"{where}: has {count} points (at most {MOST_CURVES}); simplify it in the editor")
    return [flatten(line, tolerance) for line in lines]


@dataclass(frozen=True)
class _Place:
    """Where and how an element is drawn: what it has from those around it."""

    matrix: Floats
    size: tuple[float, float]
    """Of the page or inner drawing, which per cents are of."""

    style: Mapping[str, str] = field(default_factory=dict)
    using: tuple[str, ...] = ()
    """Names of the elements that are being used."""

    depth: int = 0


class _Walker:
    """Goes through the tree once, in the order of drawing."""

    def __init__(self, root: Element, where: str) -> None:
        self._root, self._where = root, where
        self._rules: dict[str, dict[str, str]] = {}
        self._named: dict[str, Element] = {}
        self._data = 0
        self._outlines: dict[tuple[int, tuple[float, float] | None], list[Curves]] = {}
        self._styles: dict[int, dict[str, str]] = {}
        self._matrices: dict[str, Floats] = {}
        self._visits = 0
        self._pieces = 0
        self._unpainted = 0
        self._unread: dict[str, int] = {}
        self._page: tuple[float, float] | None = None
        for element in _all_of(root):
            self._index(element)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(f"{count} {kind}{'s' * (count > 1)} passed over" for kind, count in sorted(self._unread.items()))

    def gather(self) -> list[Curves]:
        """The curves of every line that is seen."""
        box = _viewbox(self._root)
        width, height = (read_length(self._root.attributes.get(name), 0.0) for name in ("width", "height"))
        width, height = (width or (box[2] if box else 0.0)), (height or (box[3] if box else 0.0))
        self._page = (width, height) if width > 0 and height > 0 else None
        matrix = _view(self._root, box, width, height) if self._page else np.eye(2, 3)
        size = (box[2], box[3]) if box else (width, height)
        root = replace(_Place(matrix, size), style=self._style(self._root, {}))
        lines = [line for child in self._root.children for line in self._draw(child, root)]
        if not lines and self._unpainted:  # perhaps painted by a style sheet of more than plain selectors
            self._unread["unpainted shape"] = self._unpainted
        return lines

    def _index(self, element: Element) -> None:
        name = element.attributes.get("id")
        if name:
            self._named.setdefault(name, element)
        self._data += sum(len(element.attributes.get(key, "")) for key in ("d", "points", "transform"))
        if self._data > MOST_PATH_DATA:
            self._refuse(f"has over {MOST_PATH_DATA} characters of paths and transforms; simplify it in the editor")
        if element.tag == "style":
            for selectors, body in _rules_of(element.text):
                declarations = _declarations(body)
                for selector in map(str.strip, selectors.split(",")):
                    if _SELECTOR.match(selector):
                        self._rules.setdefault(selector, {}).update(declarations)

    def _refuse(self, problem: str) -> NoReturn:
        raise DataError(f"{self._where}: {problem}")

    def _style(self, element: Element, around: Mapping[str, str]) -> dict[str, str]:
        """The properties in `_HIDING` of an element; display and opacity are not handed on."""
        if id(element) not in self._styles:  # read once, however often it is used
            self._styles[id(element)] = self._own_style(element)
        found = {name: value for name, value in around.items() if name not in ("display", "opacity")}
        return found | self._styles[id(element)]

    def _own_style(self, element: Element) -> dict[str, str]:
        """The properties in `_HIDING` that an element has of its own."""
        attributes = element.attributes
        found = {name: attributes[name].strip() for name in _HIDING if name in attributes}
        if self._rules:
            classes = (f".{name}" for name in attributes.get("class", "")[:1000].split())
            for selector in (element.tag, *classes, f"#{attributes.get('id', '')}"):
                found |= self._rules.get(selector, {})
        return found | _declarations(attributes.get("style", ""))

    def _draw(self, element: Element, around: _Place) -> Iterator[Curves]:
        """The lines of an element and of what is in it."""
        self._visits += 1
        if self._visits > MOST_VISITS:
            self._refuse(
                f"draws over {MOST_VISITS} elements, with those that are used again; simplify it in the editor"
            )
        if around.depth > MOST_NESTING:
            self._refuse(f"nests groups and uses over {MOST_NESTING} deep; simplify it in the editor")
        tag = element.tag
        if tag not in SHAPES and tag not in GROUPS and tag != "use" and tag not in UNREAD:
            return
        style = self._style(element, around.style)
        if style.get("display") == "none" or _is_zero(style.get("opacity")):
            return
        if tag in UNREAD:
            if style.get("visibility") not in ("hidden", "collapse"):
                self._unread[UNREAD[tag]] = self._unread.get(UNREAD[tag], 0) + 1
            return
        text = element.attributes.get("transform", "")
        if text not in self._matrices:
            self._matrices[text] = read_matrix(text)
        matrix = combine(around.matrix, self._matrices[text])
        here = replace(around, matrix=matrix, style=style, depth=around.depth + 1)
        if tag in SHAPES:
            yield from self._draw_shape(element, here)
        elif tag == "use":
            yield from self._draw_used(element, here)
        else:
            inner = self._inside(element, here) if tag == "svg" else here
            for child in element.children:
                yield from self._draw(child, inner)

    def _draw_shape(self, element: Element, place: _Place) -> Iterator[Curves]:
        style = place.style
        if style.get("visibility") in ("hidden", "collapse"):
            return
        no_stroke, no_fill = (style.get(name, initial) in ("none", "transparent") for name, initial in _PAINTS)
        if no_stroke and no_fill:
            self._unpainted += 1
            return
        key = id(element), None if element.tag in WITHOUT_LENGTHS else place.size
        if key not in self._outlines:
            self._outlines[key] = outline(element.tag, element.attributes, place.size)
        lines = [transform(line, place.matrix) for line in self._outlines[key]]
        self._pieces += sum(map(len, lines))
        if self._pieces > MOST_CURVES:
            self._refuse(f"has over {MOST_CURVES} curves; simplify it in the editor")
        if not (element.tag == "rect" and no_stroke and self._is_paper(lines)):
            yield from lines

    def _is_paper(self, lines: list[Curves]) -> bool:
        """Whether an outline goes around the whole page."""
        if self._page is None or not lines:
            return False
        corners = np.concatenate([line.reshape(-1, 2) for line in lines])
        slack = 0.005 * max(self._page)
        low, high = corners.min(axis=0), corners.max(axis=0)
        return bool((low <= slack).all() and (high >= np.array(self._page) - slack).all())

    def _draw_used(self, element: Element, place: _Place) -> Iterator[Curves]:
        """What a `use` names, moved to its x and y."""
        href = element.attributes.get("href", "").strip()
        name = href[1:]
        target = self._named.get(name) if href.startswith("#") else None
        if target is None:
            return  # another file, or nothing: browsers draw nothing either
        if name in place.using:
            self._refuse(f"uses {name[:40]!r} within itself; {SAVE_AGAIN}")
        x, y = (read_length(element.attributes.get(key), whole) for key, whole in zip("xy", place.size, strict=True))
        moved = combine(place.matrix, np.array([[1, 0, x], [0, 1, y]], np.float64))
        here = replace(place, matrix=moved, using=(*place.using, name))
        if target.tag not in ("symbol", "svg"):
            yield from self._draw(target, here)
            return
        sizes = {key: element.attributes[key] for key in ("width", "height") if key in element.attributes}
        inner = Element(target.tag, target.attributes | sizes)
        place = self._inside(inner, replace(here, style=self._style(target, here.style)))
        for child in target.children:
            yield from self._draw(child, place)

    def _inside(self, element: Element, place: _Place) -> _Place:
        """The place within an inner drawing or symbol: moved and scaled by its own x, y, size and viewBox."""
        attributes, (width, height) = element.attributes, place.size
        x, y = read_length(attributes.get("x"), width), read_length(attributes.get("y"), height)
        width = read_length(attributes.get("width"), width, width)
        height = read_length(attributes.get("height"), height, height)
        matrix = combine(place.matrix, np.array([[1, 0, x], [0, 1, y]], np.float64))
        box = _viewbox(element)
        if box is None:
            return replace(place, matrix=matrix, size=(width, height))
        return replace(place, matrix=combine(matrix, _view(element, box, width, height)), size=(box[2], box[3]))


_PAINTS = (("stroke", "none"), ("fill", "black"))
"""What a shape is painted with, and how where nobody says."""


def _all_of(root: Element) -> Iterator[Element]:
    """Every element of a tree."""
    todo = [root]
    while todo:
        element = todo.pop()
        yield element
        todo += element.children


def _rules_of(text: str) -> Iterator[tuple[str, str]]:
    """Selectors and declarations of the rules of a style sheet, within others or not; in one pass over it."""
    first, *rest = text.split("/*")
    plain = first + "".join(part.partition("*/")[2] for part in rest)
    for block in plain.split("}")[:-1]:
        before, _, body = block.rpartition("{")
        yield before.rpartition("{")[2], body


def _declarations(text: str) -> dict[str, str]:
    """The declarations of a style that count here."""
    if not text:
        return {}
    pairs = (part.partition(":") for part in text.split(";"))
    found = {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs}
    return {name: value for name, value in found.items() if name in _HIDING}


def _is_zero(text: str | None) -> bool:
    return text is not None and read_length(text, 1.0, 1.0) == 0.0


def _viewbox(element: Element) -> tuple[float, float, float, float] | None:
    """Left, top, width and height of a viewBox; None where there is none that can be used."""
    parts = element.attributes.get("viewBox", "")[:200].replace(",", " ").split()
    try:
        left, top, width, height = map(float, parts)
    except ValueError:
        return None
    return (left, top, width, height) if width > 0 and height > 0 else None


def _view(element: Element, box: tuple[float, float, float, float] | None, width: float, height: float) -> Floats:
    """The transform from the inside of a viewBox to the place it is shown in (SVG 2, section 8.2)."""
    if box is None or not (width > 0 and height > 0):
        return np.eye(2, 3)
    left, top, inner_width, inner_height = box
    across, down = width / inner_width, height / inner_height
    fit = element.attributes.get("preserveAspectRatio", "xMidYMid meet")
    if "none" not in fit:
        across = down = max(across, down) if "slice" in fit else min(across, down)
    share_x = 0.0 if "xMin" in fit or "none" in fit else 1.0 if "xMax" in fit else 0.5
    share_y = 0.0 if "YMin" in fit or "none" in fit else 1.0 if "YMax" in fit else 0.5
    x, y = share_x * (width - inner_width * across), share_y * (height - inner_height * down)
    return np.array([[across, 0, x - left * across], [0, down, y - top * down]], np.float64)
