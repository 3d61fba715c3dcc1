"""One module per output format; the suffix of the file name picks the writer.

Every writer module has ``render(drawing, **options) -> bytes``. Its `drawing` is a `Scene` (everything in mm on a
page), or, for formats that hold plain strokes, the sketches themselves. This module turns what the caller has into
what the writer takes, and puts the bytes where they belong.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.files import check_writable, write_atomic
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen, Scene
from sketch_edge.runtime.sketch import Sketch

STANDARD_OUTPUT = "-"
"""The path that means standard output."""


@dataclass(frozen=True)
class Format:
    """An output format: its name, the suffixes that pick it, and the module that writes it."""

    name: str
    """As given to --format, such as "svg"."""

    suffixes: tuple[str, ...]
    """Lower-case, with the dot; the first is the usual one."""

    module: str
    """Imported when first used: drawing libraries are slow to import."""

    takes: type[Scene] | type[Sketch]
    """Scene: `render` gets one Scene. Sketch: `render` gets a sequence of Sketches."""


FORMATS = {
    each.name: each
    for each in (
        Format("svg", (".svg",), "sketch_edge.runtime.writers.svg", Scene),
        Format("png", (".png",), "sketch_edge.runtime.writers.png", Scene),
        Format("json", (".json", ".ndjson"), "sketch_edge.runtime.writers.json", Sketch),
        Format("gif", (".gif",), "sketch_edge.runtime.writers.gif", Scene),
        Format("apng", (".apng",), "sketch_edge.runtime.writers.apng", Scene),
        Format("webp", (".webp",), "sketch_edge.runtime.writers.webp", Scene),
        Format("gcode", (".gcode", ".nc", ".ngc", ".g"), "sketch_edge.runtime.writers.gcode", Scene),
    )
}
"""Every format by name. A new one needs a line here and a module with `render`."""

Drawing: TypeAlias = Sketch | Sequence[Sketch] | Scene


def save(
    drawing: Drawing,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    page: Page | str | None = None,
    layout: str | None = None,
    rng: np.random.Generator | None = None,
    pens: Sequence[Pen] | None = None,
    **options: Any,
) -> None:
    """Write a drawing to `path`, atomically; `-` is standard output.

    The suffix picks the format unless `format` names it (standard output needs the name; without one it is SVG).
    See `render` for the other arguments.

    Raises:
        InputError: unknown format or option, a path that cannot be written, or a drawing that cannot be drawn.
        UnfinishedError: the system refused the write.
    """
    chosen = format_of(path, format)
    if os.fspath(path) != STANDARD_OUTPUT:
        check_writable(Path(path))  # before the work, not after it
    content = render(drawing, chosen, page=page, layout=layout, rng=rng, pens=pens, **options)
    if os.fspath(path) == STANDARD_OUTPUT:
        write_standard_output(content)
    else:
        write_atomic(path, content)


def render(
    drawing: Drawing,
    format: str,
    *,
    page: Page | str | None = None,
    layout: str | None = None,
    rng: np.random.Generator | None = None,
    pens: Sequence[Pen] | None = None,
    **options: Any,
) -> bytes:
    """Turn a drawing into the bytes of a file in the format of that name (a key of FORMATS).

    Sketches are first laid out on `page` (a Page or its text, such as "a5-landscape") by `layout` ("grid", "row" or
    "scatter", which `rng` decides) and drawn with `pens` in turn: see `arrange`. A Scene already has all that: with
    one, none of these may be given. Formats of bare strokes (json) have no page and leave these out. `options` go to
    the writer's own `render`.

    Raises:
        InputError: unknown format or option, or a drawing that cannot be drawn.
    """
    takes = _format_named(format).takes
    module = _module_for(format, options)
    if isinstance(drawing, Scene):
        if page is not None or layout is not None or pens is not None:
            raise InputError("scene: has its own page, places and pens; leave out page, layout and pens")
        return bytes(module.render(drawing if takes is Scene else drawing.sketches(), **options))
    sketches = _sketches(drawing)
    if takes is Scene:
        scene = arrange(sketches, page, layout=layout or "grid", rng=rng, pens=pens)
        return bytes(module.render(scene, **options))
    return bytes(module.render(sketches, **options))


def format_of(path: str | os.PathLike[str], name: str | None = None) -> str:
    """The name of the format to write to `path`: `name` if given, else by the suffix; "svg" for standard output.

    Raises:
        InputError: the name or the suffix is unknown.
    """
    if name is not None:
        return _format_named(name).name
    if os.fspath(path) == STANDARD_OUTPUT:
        return "svg"
    suffix = Path(path).suffix.lower()
    for each in FORMATS.values():
        if suffix in each.suffixes:
            return each.name
    suffixes = ", ".join(suffix for each in FORMATS.values() for suffix in each.suffixes)
    got = f"the suffix {suffix!r} is unknown" if suffix else "there is no suffix to tell the format"
    raise InputError(f"{os.fspath(path)}: {got}; end the name in one of {suffixes}")


def options_of(name: str) -> tuple[str, ...]:
    """The names of the options that the writer of a format has.

    Raises:
        InputError: the format is unknown.
    """
    module = importlib.import_module(_format_named(name).module)
    parameters = inspect.signature(module.render).parameters.values()
    return tuple(each.name for each in parameters if each.kind is each.KEYWORD_ONLY)


def _format_named(name: str) -> Format:
    if name not in FORMATS:
        raise InputError(f"format {name!r}: is unknown; choose one of {', '.join(FORMATS)}")
    return FORMATS[name]


def _module_for(name: str, options: Mapping[str, object]) -> ModuleType:
    """Import the writer of a format, and refuse options that its `render` does not have."""
    known = options_of(name)
    for option in options:
        if option not in known:
            raise InputError(f"{name}: has no option {option!r}; it takes {', '.join(known) or 'none'}")
    return importlib.import_module(FORMATS[name].module)


def _sketches(drawing: Sketch | Sequence[Sketch]) -> list[Sketch]:
    sketches = [drawing] if isinstance(drawing, Sketch) else list(drawing)
    if not sketches:
        raise InputError("sketches: there are none (expected at least one); draw one first")
    for each in sketches:
        if not isinstance(each, Sketch):
            raise InputError(f"sketches: one is a {type(each).__name__} (expected Sketch)")
    return sketches


def write_standard_output(content: bytes) -> None:
    """Write bytes to standard output, past the text layer, which would change line ends and encoding."""
    if sys.stdout is None:
        raise UnfinishedError("standard output: is closed; name a file instead")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader went away (`| head`): not an error. Close the rest so that Python does not complain at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise UnfinishedError(f"standard output: could not be written ({error.strerror or error})") from error
