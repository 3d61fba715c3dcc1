"""sketch-draw --reconstruct, --between, --finish, --vary: from drawings that are given to drawings made of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sketch_edge.cli.draw_options import Paper, Sampling, Subject, Together
from sketch_edge.cli.draw_output import Output, Result
from sketch_edge.cli.draw_paths import check_paths
from sketch_edge.runtime.errors import InputError

if TYPE_CHECKING:  # numpy is not needed to print the help
    from sketch_edge.runtime.artist import Artist
    from sketch_edge.runtime.scene import Scene
    from sketch_edge.runtime.sketch import Sketch
    from sketch_edge.runtime.together.cells import Cell

COUNTS = {"reconstruct": 1, "between": 7, "finish": 6, "vary": 6}
"""Drawings where --count is not given."""

AMOUNT = 0.3
MOST_DRAWN = 1000
"""Drawings of one command; they are all kept until the page is full."""

GIVEN = "sketch: "
"""How the library begins what it says of a drawing that it was given."""

_RECORD = re.compile(r"(.+):([0-9]{1,9})", re.DOTALL)
_SVG = (".svg", ".svgz")


@dataclass(frozen=True)
class GivenFile:
    """A drawing that was read."""

    path: Path
    sketch: Sketch
    """In the units of the file."""

    name: str
    """What it is said to be."""


def check_together(context: click.Context, together: Together, subject: Subject, paper: Paper) -> Subject:
    """Check the options that drawing together takes; returns the subject with the number of drawings filled in.

    Raises:
        InputError: options that are missing or do not go together.
    """
    ways = together.ways
    if len(ways) != 1:
        if ways:
            raise InputError(f"--{ways[1]}: goes instead of --{ways[0]}; leave one of them out")
        raise InputError("--reconstruct, --between, --finish, --vary: missing; choose what to do with which drawing")
    way = ways[0]
    refused = [(name, getattr(together, name)) for name in ("latent", "whole_size", "joined") if way != "finish"]
    refused += [("amount", together.amount)] if way != "vary" else []
    for name, value in refused:
        if value is not None and value is not False:
            home = "vary" if name == "amount" else "finish"
            raise InputError(f"--{name.replace('_', '-')}: is for --{home} (got --{way}); leave it out")
    for name, value in (
        ("scene", subject.scene),
        ("best-of", subject.best_of),
        *((name, getattr(paper, name)) for name in ("sizes", "labels", "steps")),
    ):
        if value:
            raise InputError(f"--{name}: does not go with --{way}; leave one of them out")
    if paper.layout == "scatter":
        raise InputError(f"--layout: scatter does not go with --{way}; choose grid or row")
    if len(subject.names) > (2 if way == "between" else 1):
        raise InputError(f"--class: is given {len(subject.names)} times (expected once for each file); leave some out")
    if len(paper.pens) > 2:
        raise InputError("--pen: is given more than twice; name that of the given drawing and that of the model's")
    given = context.get_parameter_source("count") is ParameterSource.COMMANDLINE
    count = subject.count if given else COUNTS[way]
    if not (2 if way == "between" else 1) <= count <= MOST_DRAWN:
        raise InputError(f"--count: is {count} (expected {2 if way == 'between' else 1} to {MOST_DRAWN} with --{way})")
    return replace(subject, count=count)


def read_drawings(together: Together, subject: Subject) -> list[GivenFile]:
    """Read the drawings that are named, each FILE or FILE:RECORD, of the classes that --class or their records say.

    Raises:
        InputError: a file that cannot be read or is no drawing, or one that does not say what it is.
    """
    givens = []
    for number, text in enumerate(together.files):
        path, record = _split(text)
        sketch = _read_svg(path, record) if path.suffix.lower() in _SVG else _read_record(path, record)
        name = subject.names[min(number, len(subject.names) - 1)] if subject.names else sketch.label
        if not name:
            raise InputError(f"{path}: does not say what it shows; name it with --class")
        givens.append(GivenFile(path, sketch, name))
    return givens


def draw_together(
    artist: Artist,
    together: Together,
    givens: Sequence[GivenFile],
    subject: Subject,
    sampling: Sampling,
    paper: Paper,
    output: Output,
) -> Result:
    """Draw what was asked for and write it.

    Raises:
        InputError, UnfinishedError: as the library and `Output.write`.
    """
    from sketch_edge.runtime.scene import Scene
    from sketch_edge.runtime.writers import FORMATS

    way = together.ways[0]
    for given in givens:
        _check_class(artist, given)
    options = {
        "seed": subject.seed,
        "index": subject.index,
        "temperature": subject.temperature,
        "max_points": subject.max_points,
        **sampling.given(),
    }
    try:
        drawn = _WAYS[way](artist, together, givens, subject.count, options)
    except InputError as error:
        what = str(error).removeprefix(GIVEN)
        if what == str(error):
            raise
        raise InputError(f"{', '.join(str(given.path) for given in givens)}: {what}") from None
    takes_page = FORMATS[output.format].takes is Scene
    report: list[str] = []
    if output.one_file_each:
        last = subject.index + len(drawn) - 1
        paths = [output.path_of(each.label, subject.index + number, last) for number, each in enumerate(drawn)]
        check_paths(paths, output.reads)
        for path, sketch in zip(paths, drawn, strict=True):
            cell = _drawn_cell(way, givens, sketch)
            report += output.write(_page([cell], way, paper, output) if takes_page else [sketch], path)
    else:
        report += output.write(_page(_cells(way, givens, drawn), way, paper, output) if takes_page else drawn)
    return len(drawn), drawn[0].seed, sum(not sketch.complete for sketch in drawn), report


def _reconstruct(
    artist: Artist, _: Together, givens: Sequence[GivenFile], count: int, options: dict[str, Any]
) -> list[Sketch]:
    given = givens[0]
    return artist.vary(given.sketch, count, 0.0, name=given.name, **options)


def _between(
    artist: Artist, _: Together, givens: Sequence[GivenFile], count: int, options: dict[str, Any]
) -> list[Sketch]:
    first, last = givens
    return artist.between(first.sketch, last.sketch, count, names=(first.name, last.name), **options)


def _finish(
    artist: Artist, together: Together, givens: Sequence[GivenFile], count: int, options: dict[str, Any]
) -> list[Sketch]:
    given = givens[0]
    own: dict[str, Any] = {"latent": together.latent or "fit", "size": together.whole_size, "joined": together.joined}
    return artist.finish(given.sketch, given.name, count, **own, **options)


def _vary(
    artist: Artist, together: Together, givens: Sequence[GivenFile], count: int, options: dict[str, Any]
) -> list[Sketch]:
    given = givens[0]
    amount = AMOUNT if together.amount is None else together.amount
    return artist.vary(given.sketch, count, amount, name=given.name, **options)


_WAYS: dict[str, Callable[..., list[Sketch]]] = {
    "reconstruct": _reconstruct,
    "between": _between,
    "finish": _finish,
    "vary": _vary,
}


def _cells(way: str, givens: Sequence[GivenFile], drawn: Sequence[Sketch]) -> list[Cell]:
    """What stands on the page: the drawings, beside those that they were made of."""
    from sketch_edge.runtime.together.cells import Cell

    cells = [_drawn_cell(way, givens, sketch) for sketch in drawn]
    if way == "finish":
        return cells
    given = [Cell(each.sketch, each.sketch.point_count) for each in givens]
    if way == "between":
        return [given[0], *cells, given[1]]
    words = "drawn again" if way == "reconstruct" else "varied"
    return [
        replace(given[0], text="given"),
        *(replace(cell, text=words if len(cells) == 1 else f"{words} {cell.sketch.index}") for cell in cells),
    ]


def _drawn_cell(way: str, givens: Sequence[GivenFile], sketch: Sketch) -> Cell:
    from sketch_edge.runtime.together.cells import Cell

    return Cell(sketch, givens[0].sketch.point_count if way == "finish" else 0)


def _page(cells: Sequence[Cell], way: str, paper: Paper, output: Output) -> Scene:
    """Lay the drawings out; pens whose text gives no width get the one that suits the drawings."""
    from sketch_edge.runtime.scene import Pen
    from sketch_edge.runtime.together.cells import cells_page

    page = output.page if paper.page or paper.margin or paper.landscape else None
    row = paper.layout == "row" or (paper.layout is None and way == "between")
    scene = cells_page(cells, page, row=row, one_scale=way == "finish")
    if not paper.pens:
        return scene
    pens = [Pen.parse(text, scene.pens[0].width_mm) for text in paper.pens]
    return cells_page(cells, page, row=row, one_scale=way == "finish", pens=pens)


def _check_class(artist: Artist, given: GivenFile) -> None:
    """Refuse a class that the model does not know, with the file that says it."""
    try:
        artist.class_id(given.name)
    except InputError as error:
        raise InputError(f"{given.path}: {error}; or name another with --class") from None


def _split(text: str) -> tuple[Path, int]:
    """Path and record, from 0, of FILE or FILE:RECORD; a file whose own name looks so comes first."""
    match = _RECORD.fullmatch(text)
    try:
        whole = match is None or Path(text).exists()
    except (OSError, ValueError):  # a name that no file can have: said when it is read
        whole = True
    if match is None or whole:
        return Path(text), 0
    return Path(match[1]), int(match[2])


def _read_record(path: Path, record: int) -> Sketch:
    from sketch_edge.runtime.drawings import read_sketches

    return read_sketches(path, {record})[record]


def _read_svg(path: Path, record: int) -> Sketch:
    from sketch_edge.runtime.sketch import Sketch
    from sketch_edge.train.readers.svg import read_svg_lines

    if record:
        raise InputError(f"{path}: has no record {record} (an svg is one drawing); leave out :{record}")
    return Sketch(tuple(read_svg_lines(path)))
