"""sketch-draw: from a class name to a drawing."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sketch_edge.cli.command import SketchCommand, say
from sketch_edge.runtime.errors import InputError

if TYPE_CHECKING:  # numpy is not needed to print the help
    from sketch_edge.runtime.page import Page
    from sketch_edge.runtime.sketch import Sketch

MOST_SKETCHES = 10_000
"""Sketches of one command."""

MOST_SCATTERED = 300
"""Scattering looks at every pair, again and again."""

BAR_FROM = 16
"""From this many sketches on, a terminal gets a progress bar."""

LARGEST_SEED = 2**64 - 1
ONE_FILE_EACH = ("{i}", "{class}")
STANDARD_OUTPUT = "-"


@dataclass(frozen=True)
class Output:
    """Where drawings go and how they look; every value checked before anything is drawn."""

    path: str
    """As given: "-" is standard output, {i} and {class} stand for a number and a class."""

    format: str
    page: Page
    layout: str | None
    options: dict[str, Any]
    """The writer's own."""

    @property
    def one_file_each(self) -> bool:
        """Whether every sketch gets a file of its own."""
        return any(mark in self.path for mark in ONE_FILE_EACH)

    def path_of(self, label: str, number: int, last: int) -> str:
        """The file for one sketch: numbers with as many digits as the last one has, labels as plain words."""
        name = re.sub(r"[^\w-]+", "_", label)
        return self.path.replace("{i}", str(number).zfill(len(str(last)))).replace("{class}", name)


@click.command("sketch-draw", cls=SketchCommand)
@click.option("-c", "--class", "names", multiple=True, metavar="NAME", help="What to draw; repeat for several.")
@click.option("-o", "--out", metavar="FILE", help="The file to write; its suffix picks the format, - is stdout.")
@click.option("--format", type=click.Choice(["svg", "png", "json"]), help="The format, whatever the suffix says.")
@click.option("--count", type=click.IntRange(1, MOST_SKETCHES), default=1, metavar="N", help="Sketches of each class.")
@click.option(
    "--seed", type=click.IntRange(0, LARGEST_SEED), metavar="N", help="Same seed, same sketch.  [default: random]"
)
@click.option("--index", type=click.IntRange(0, LARGEST_SEED), default=0, metavar="N", help="First sketch of the seed.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, 10),
    metavar="T",
    help="How freely: 0 draws the likeliest lines, 1 as varied as people do.  [default: the model's]",
)
@click.option(
    "--max-points", type=click.IntRange(1, 10_000), metavar="N", help="Cut sketches here.  [default: the model's]"
)
@click.option("--layout", type=click.Choice(["grid", "row", "scatter"]), help="Several on a page.  [default: grid]")
@click.option("--page", metavar="SIZE", help="a3 to a6, letter, legal, or such as 120x80mm.  [default: 100x100mm]")
@click.option("--margin", metavar="LENGTH", help="Such as 5mm, 1cm or 0.5in.  [default: 5 % of the shorter side]")
@click.option("--landscape", is_flag=True, help="Turn the page on its side.")
@click.option("--background", metavar="COLOR", help="#rrggbb or a name.  [default: white in png, none in svg]")
@click.option("--width-px", type=click.IntRange(1, 20_000), metavar="N", help="Width of a png.  [default: 800]")
@click.option("--model", type=click.Path(path_type=Path), metavar="FILE", help="A bundle.  [default: the shipped one]")
@click.option("--provider", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to compute.")
@click.option(
    "--threads", type=click.IntRange(1, 64), metavar="N", default=1, help="Processor threads; more rarely help."
)
@click.option("--list", "listed", is_flag=True, help="Name what the model can draw, and exit.")
@click.pass_context
def main(
    context: click.Context,
    names: tuple[str, ...],
    out: str | None,
    format: str | None,
    count: int,
    seed: int | None,
    index: int,
    temperature: float | None,
    max_points: int | None,
    layout: str | None,
    page: str | None,
    margin: str | None,
    landscape: bool,
    background: str | None,
    width_px: int | None,
    model: Path | None,
    provider: str,
    threads: int,
    listed: bool,
) -> None:
    """Draw a class, such as a star, with a trained model.

    Several sketches (more classes, or --count) go on one page. With {i} or {class} in the name of --out each gets a
    file of its own: {i} becomes its number (from 0), {class} its class. The seed that was used is printed with the
    command that draws the same again.

    \b
    Examples:
        sketch-draw --class star --out star.svg
        sketch-draw --class cat --count 12 --seed 7 --page a4 --out cats.png
        sketch-draw -c sun -c tree -c house --layout row --page a5-landscape -o row.svg
        sketch-draw --class fish --count 100 --out 'fish-{i}.svg'
        sketch-draw --class cat --format json --out - | head -c 300
        sketch-draw --list
    """  # noqa: D301 - click wants the control character itself
    from sketch_edge.runtime.bundle import open_bundle

    if listed:
        click.echo("\n".join(open_bundle(model).manifest.classes))
        return
    if not names:
        raise InputError("--class: missing; name what to draw (sketch-draw --list shows what there is)")
    if out is None:
        raise InputError("--out: missing; name the file to write, such as star.svg, or - for standard output")
    from sketch_edge.runtime.artist import load
    from sketch_edge.runtime.files import refuse_same

    labels = _labels(names, count, layout, index)
    look = {"background": background, "width_px": width_px}
    output = _check_output(out, format, layout, page, margin, landscape, look)
    if model is not None and out != STANDARD_OUTPUT:
        refuse_same(Path(out), model, "the bundle")
    artist = load(model, provider=provider, threads=threads)
    drawn = artist.draw_each(labels, seed=seed, temperature=temperature, max_points=max_points, first_index=index)
    last = index + len(labels) - 1
    if output.one_file_each:
        labels = [artist.classes[artist.class_id(label)] for label in labels]
        _check_paths([output.path_of(label, index + number, last) for number, label in enumerate(labels)])
    with _progress(drawn, len(labels)) as sketches:
        seed, cut = _write_each(output, sketches, last) if output.one_file_each else _write_page(output, sketches)
    say(f"{out}: {len(labels)} {'sketch' if len(labels) == 1 else 'sketches'} by {artist.source} on {artist.provider}")
    if cut:
        most = max_points or artist.manifest.sizes.max_points
        say(f"note: {cut} of {len(labels)} cut at {most} points, where the model would have gone on")
    say(f"seed {seed}; again: {_command_again(context, seed)}")


def _labels(names: Sequence[str], count: int, layout: str | None, index: int) -> list[str]:
    """One label for each sketch, class after class."""
    total = len(names) * count
    if total > MOST_SKETCHES:
        raise InputError(f"--count: would make {total} sketches (at most {MOST_SKETCHES}); draw them in several runs")
    if layout == "scatter" and total > MOST_SCATTERED:
        raise InputError(f"--layout: scatter is for at most {MOST_SCATTERED} sketches (got {total}); choose grid")
    if index + total - 1 > LARGEST_SEED:
        raise InputError(f"--index: {index} leaves no room for {total} sketches; choose a smaller one")
    return [name for name in names for _ in range(count)]


def _check_output(
    out: str,
    format: str | None,
    layout: str | None,
    page: str | None,
    margin: str | None,
    landscape: bool,
    look: dict[str, Any],
) -> Output:
    """Check all that concerns the file before anything is drawn."""
    from sketch_edge.runtime.files import check_writable
    from sketch_edge.runtime.page import Page
    from sketch_edge.runtime.scene import Scene, parse_color
    from sketch_edge.runtime.writers import FORMATS, format_of
    from sketch_edge.runtime.writers.png import picture_size

    chosen = format_of(out, format)
    options = {name: value for name, value in look.items() if value is not None}
    given = [*options, *(name for name, value in _page_options(layout, page, margin, landscape) if value)]
    for name in given:
        if FORMATS[chosen].takes is not Scene or (name == "width_px" and chosen != "png"):
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option}: does not go with {chosen}, which has no such thing; leave it out")
    paper = Page.parse(page or "100x100mm", landscape=landscape, margin=margin)
    if chosen == "png":
        picture_size(Scene(paper), options.get("width_px", 800))
    if "background" in options and (chosen, options["background"]) != ("png", "transparent"):
        options["background"] = parse_color(options["background"])
    output = Output(out, chosen, paper, layout, options)
    if layout is not None and output.one_file_each:
        raise InputError("--layout: each sketch gets a file of its own; leave it out, or {i} and {class} of --out")
    if out != STANDARD_OUTPUT and not output.one_file_each:
        check_writable(Path(out))
    return output


def _page_options(
    layout: str | None, page: str | None, margin: str | None, landscape: bool
) -> list[tuple[str, object]]:
    return [("layout", layout), ("page", page), ("margin", margin), ("landscape", landscape)]


def _check_paths(paths: Sequence[str]) -> None:
    """Check that every sketch gets a file of its own, and that each can be written."""
    from sketch_edge.runtime.files import check_writable

    if len(set(paths)) < len(paths):
        raise InputError(f"--out: several sketches would be written to {max(paths, key=paths.count)}; put {{i}} in it")
    for path in paths:
        check_writable(Path(path))


def _progress(drawn: Iterator[Sketch], total: int) -> AbstractContextManager[Iterable[Sketch]]:
    """Show a bar on standard error while many sketches are drawn and somebody watches."""
    if total < BAR_FROM or not sys.stderr.isatty():
        return nullcontext(drawn)
    return click.progressbar(drawn, length=total, label="drawing", file=sys.stderr, show_pos=True)


def _write_page(output: Output, sketches: Iterable[Sketch]) -> tuple[int | None, int]:
    """Write all sketches into one file; returns the seed and how many sketches were cut."""
    import numpy as np

    from sketch_edge.runtime.writers import save

    drawn = list(sketches)
    seed = drawn[0].seed
    # The last index of the seed: no sketch ever gets that far.
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, LARGEST_SEED], np.uint64)))
    save(drawn, output.path, format=output.format, page=output.page, layout=output.layout, rng=rng, **output.options)
    return seed, sum(not sketch.complete for sketch in drawn)


def _write_each(output: Output, sketches: Iterable[Sketch], last: int) -> tuple[int | None, int]:
    """Write every sketch into a file of its own, as soon as it is drawn; returns as `_write_page`."""
    from sketch_edge.runtime.writers import save

    seed, cut = None, 0
    for sketch in sketches:
        path = output.path_of(sketch.label, sketch.index, last)
        save(sketch, path, format=output.format, page=output.page, **output.options)
        seed, cut = sketch.seed, cut + (not sketch.complete)
    return seed, cut


def _command_again(context: click.Context, seed: int | None) -> str:
    """The command line that draws the same again: the one that was given, with the seed."""
    words = [context.info_name or "sketch-draw"]
    for option in context.command.params:
        name = option.name or ""
        if name == "seed" or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        flag = max(option.opts, key=len)
        if isinstance(value, bool):
            words.append(flag)
        else:
            for each in value if isinstance(value, tuple) else (value,):
                words += [flag, str(each)]
    return shlex.join([*words, "--seed", str(seed)])
