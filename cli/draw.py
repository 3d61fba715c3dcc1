"""sketch-draw: from a class name, or a page of things, to a drawing."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from sketch_edge.cli.command import SketchCommand, counted, leave, say, section
from sketch_edge.cli.draw_listing import print_classes, print_machines, say_hidden
from sketch_edge.cli.draw_options import (
    BEST_OF,
    BEST_OF_UP_TO,
    FORMATS,
    LARGEST_SEED,
    LIVE,
    MEANT_SO,
    MOST_DRAWN,
    MOST_SKETCHES,
    Engine,
    Look,
    Paper,
    Plotter,
    Sampling,
    Subject,
    Together,
    engine_options,
    grouped,
    look_options,
    paper_options,
    plotter_options,
    sampling_options,
    subject_options,
    together_options,
)
from sketch_edge.cli.draw_output import STANDARD_OUTPUT, Output, Result, check_output, check_pixels
from sketch_edge.cli.draw_paths import Reads, check_paths
from sketch_edge.cli.draw_refine import refine
from sketch_edge.cli.draw_together import GivenFile, check_together, draw_together, read_drawings
from sketch_edge.runtime.errors import InputError

if TYPE_CHECKING:  # numpy is not needed to print the help
    from sketch_edge.runtime.artist import Artist
    from sketch_edge.runtime.scene import Pen, Scene
    from sketch_edge.runtime.scenes.composition import Composition
    from sketch_edge.runtime.sketch import Sketch

BAR_FROM = 16
"""From this many sketches on, a terminal gets a progress bar."""

MOST_SCATTERED = 300
"""Scattering looks at every pair, again and again."""


@click.command("sketch-draw", cls=SketchCommand, context_settings={"allow_extra_args": True})
@section("Output")("-o", "--out", metavar="FILE", help="The file to write; its suffix picks the format, - is stdout.")
@section("Output")("--format", type=click.Choice(FORMATS), help="The format, whatever the suffix says.")
@section("Output")(
    "--live",
    is_flag=False,
    flag_value="terminal",
    type=click.Choice(LIVE),
    help="Watch it being drawn; alone it means terminal, auto is a window where there is a screen.",
)
@subject_options
@sampling_options
@together_options
@paper_options
@look_options
@plotter_options
@engine_options
@click.pass_context
def main(
    context: click.Context,
    /,
    out: str | None,
    format: str | None,
    live: str | None,
    listed: bool,
    everything: bool,
    **given: Any,
) -> None:
    """Draw a class, such as a star, with a trained model: as a picture, a film, or a program for a pen plotter.

    Several sketches (more classes, or --count) go on one page. With {i} or {class} in the name of --out each gets a
    file of its own: {i} becomes its number (from 0), {class} its class; with {pen} each pen of a plot does. The seed
    that was used is printed with the command that draws the same again.

    \b
    Examples:
        sketch-draw --class star --out star.svg
        sketch-draw --class cat --count 12 --seed 7 --page a4 --labels --out cats.png
        sketch-draw -c sun -c tree -c house --layout row --page a5-landscape -o row.svg
        sketch-draw --class cat --live
        sketch-draw --class bicycle --out bicycle.gif
        sketch-draw --class bicycle --steps 4x5 --out steps.png
        sketch-draw --scene garden.toml --out garden.svg
        sketch-draw -c house --machine grbl-servo -o house.gcode --preview house.svg
        sketch-draw --class fish --count 100 --out 'fish-{i}.svg'
        sketch-draw --finish start.svg --class cat --count 6 --out endings.svg
        sketch-draw --between cats.ndjson:3 owls.ndjson --count 7 --out way.svg
        sketch-draw --class cat --format json --out - | head -c 300
        sketch-draw --list
        sketch-draw --list --all
    """  # noqa: D301 - click wants the control character itself
    if context.args:
        _refuse_word(context)
    sampling, together = grouped(Sampling, given), grouped(Together, given)
    subject, paper, look = grouped(Subject, given), grouped(Paper, given), grouped(Look, given)
    plotter, engine = grouped(Plotter, given), grouped(Engine, given)
    if everything and not listed:
        raise InputError("--all: goes with --list, to name hidden classes too; leave it out")
    if listed:
        print_classes(engine, everything)
        return
    if plotter.machines or plotter.show:
        print_machines(plotter)
        return
    if together.refine:
        refine(context, lambda: _load(engine), subject, sampling, out)
        return
    if together.asked:
        subject = check_together(context, together, subject, paper)
    else:
        _check_subject(subject, paper, sampling)
    output = check_output(out, format, paper, look, plotter, subject.scene is not None, live)
    _read_pens(paper)  # what is wrong with them is said before the work
    composition = _read_scene(subject) if subject.scene is not None else None
    givens = read_drawings(together, subject)
    if not together.asked:
        subject = _choosing(context, subject, composition)
    _check_size(output, subject, paper, composition)
    output = replace(output, reads=_reads(subject, plotter, engine, givens))
    _refuse_reads(output, plotter)
    artist = _load(engine)
    if composition is not None:
        composition = replace(composition.seeded(), best_of=subject.tries)
    if output.live is not None and not together.asked and output.live.streams(subject, sampling, paper):
        pen = next(iter(_read_pens(paper)), None)
        subject = replace(subject, seed=output.live.stream(artist, subject, sampling, pen))
        output = replace(output, live=None)
    if composition is not None:
        result = _draw_scene(artist, composition, subject, paper, output)
    elif givens:
        result = draw_together(artist, together, givens, subject, sampling, paper, output)
    elif output.one_file_each:
        result = _draw_each(artist, subject, sampling, paper, output)
    else:
        result = _draw_page(artist, subject, sampling, paper, output)
    count, seed, cut, report = result
    where = f"{out}: " if out else ""
    chosen = f", best of {subject.tries}" if subject.tries > 1 else ""
    say(f"{where}{counted(count, 'sketch', 'sketches')} by {artist.source} on {artist.provider}{chosen}")
    for line in report:
        say(line)
    say_hidden(artist, _names(subject, composition, givens))
    if cut:
        say(f"note: {cut} of {count} cut at {_most_points(artist, subject)} points, where the model would have gone on")
    say(f"seed {seed}; again: {_command_again(context, seed, subject.tries)}")


def _names(subject: Subject, composition: Composition | None, givens: Sequence[GivenFile]) -> list[str]:
    """The classes that the model drew, as they were written."""
    if composition is not None:
        return [member.thing.label for member in composition.members if member.thing.sketch is None]
    return [given.name for given in givens] or list(subject.names)


def _most_points(artist: Artist, subject: Subject) -> str:
    """Where sketches were cut; the bundles of a folder may differ."""
    if subject.max_points is not None:
        return str(subject.max_points)
    most = sorted({artist.most_points(name) for name in subject.names or artist.classes})
    return str(most[0]) if len(most) == 1 else f"{most[0]} to {most[-1]}"


def _refuse_word(context: click.Context) -> NoReturn:
    """Say of a word that no option takes what it was most likely meant to be."""
    word = context.args[0]
    if f"--{word}" in {flag for option in context.command.params for flag in option.opts}:
        advice = f"write --{word}"
    elif word[:1] in ("\N{EN DASH}", "\N{EM DASH}"):  # what a text program or a web page makes of two hyphens
        advice = "an option begins with two plain hyphens"
    else:
        advice = f'to draw it write --class {shlex.quote(word)}; a name of several words is quoted: --class "palm tree"'
    raise InputError(f"{word}: belongs to no option; {advice}")


def _check_subject(subject: Subject, paper: Paper, sampling: Sampling) -> None:
    """Check that there is something to draw, and not more than can be drawn."""
    if paper.steps is not None:
        _read_steps(paper.steps)
    if subject.scene is not None:
        for option, value in (
            ("class", subject.names),
            ("count", subject.count != 1),
            ("index", subject.index),
            ("pen", paper.pens),
            *((name, getattr(paper, name)) for name in ("layout", "sizes", "labels")),
        ):
            if value:
                raise InputError(f"--{option}: stands in the scene file; leave it out, or --scene")
        for name in sampling.given():
            raise InputError(f"--{name.replace('_', '-')}: is not for scenes; leave it out, or --scene")
        if not paper.steps and (paper.page or paper.margin or paper.landscape):
            raise InputError("--page: stands in the scene file; leave it out, or --scene")
        return
    if not subject.names:
        raise InputError(
            "--class: missing; name what to draw, such as sketch-draw --class star --out star.svg "
            "(--list shows what there is, --help all options)"
        )
    total = subject.total
    if total > MOST_SKETCHES:
        raise InputError(f"--count: would make {total} sketches (at most {MOST_SKETCHES}); draw them in several runs")
    if paper.layout == "scatter" and total > MOST_SCATTERED:
        raise InputError(f"--layout: scatter is for at most {MOST_SCATTERED} sketches (got {total}); choose grid")
    if paper.labels and (paper.layout not in (None, "grid") or paper.sizes):
        raise InputError("--labels: makes a sheet of equal cells; leave out --layout and --sizes")


def _check_size(output: Output, subject: Subject, paper: Paper, composition: Composition | None) -> None:
    """Refuse a picture, film or sheet that would be too large, as far as that is known before anything is drawn."""
    count = subject.total if composition is None else len(composition.members)
    pens = max(1, min(count, len(paper.pens)))
    if paper.steps is not None:
        from sketch_edge.runtime.progress import check_cells

        check_cells(*_read_steps(paper.steps), count)
    page = output.page
    if paper.labels:
        from sketch_edge.runtime.contact import contact_page

        page, pens = page or contact_page(count), pens + 1
    elif composition is not None:
        page, pens = page if paper.steps else composition.paper, 1
    if page is not None:
        check_pixels(output, page, 1 if output.one_file_each else pens)


def _read_steps(text: str) -> tuple[int, int]:
    """Rows and columns of --steps."""
    match = re.fullmatch(r"([1-9][0-9]{0,2})x([1-9][0-9]{0,2})", text.strip().lower())
    if match is None:
        raise InputError(f"--steps {text!r}: is no sheet; write rows x columns, such as 4x5")
    return int(match[1]), int(match[2])


def _read_pens(paper: Paper, width_mm: float = 0.7) -> list[Pen]:
    """The pens of --pen; `width_mm` is that of those whose text has none."""
    from sketch_edge.runtime.scene import Pen

    return [Pen.parse(text, width_mm) for text in paper.pens]


def _read_scene(subject: Subject) -> Composition:
    """The scene file, with what the command line says of seed and temperature."""
    from sketch_edge.runtime.scenes.scene_file import read_composition

    assert subject.scene is not None
    composition = read_composition(subject.scene)
    if subject.seed is not None:
        composition = replace(composition, seed=subject.seed)
    if subject.temperature is not None:
        composition = replace(composition, temperature=subject.temperature)
    return composition


def _choosing(context: click.Context, subject: Subject, composition: Composition | None) -> Subject:
    """The subject with the number of sketches that each is chosen from; of a scene, its file may say it.

    Where nobody does it is BEST_OF, or 1 where the sketches are meant to be just as they are, or are many.
    """
    meant_so = any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in MEANT_SO)
    best_of, total = subject.best_of, subject.total
    if composition is not None:
        best_of = composition.best_of if best_of is None else best_of
        meant_so = meant_so or composition.seed is not None or composition.tempered
        total = sum(not member.thing.settled for member in composition.members)
    if best_of is None:
        best_of = 1 if meant_so or total > BEST_OF_UP_TO else BEST_OF
    drawn = total * best_of
    if drawn > MOST_DRAWN:
        raise InputError(f"--best-of: would draw {drawn} sketches (at most {MOST_DRAWN}); choose a smaller one")
    if subject.index + drawn - 1 > LARGEST_SEED:
        raise InputError(f"--index: {subject.index} leaves no room for {drawn} sketches; choose a smaller one")
    return replace(subject, best_of=best_of if total else 1)


def _reads(subject: Subject, plotter: Plotter, engine: Engine, givens: Sequence[GivenFile]) -> Reads:
    """The files that are read, with what they are."""
    read: list[tuple[Path | str | None, str]] = [(given.path, "the drawing") for given in givens]
    read += [(each, "a bundle of the folder") for each in _bundles_of(engine)]
    read += [(engine.model, "the bundle"), (subject.scene, "the scene file"), (plotter.machine, "the profile")]
    return [(Path(source), what) for source, what in read if source is not None]


def _refuse_reads(output: Output, plotter: Plotter) -> None:
    """Refuse to write over a file that is read; names with marks in them are looked at once they are known."""
    from sketch_edge.runtime.files import refuse_same

    for target in (output.path, plotter.preview):
        for source, what in output.reads:
            if target not in (None, "", STANDARD_OUTPUT):
                refuse_same(Path(str(target)), source, what)


def _bundles_of(engine: Engine) -> list[Path]:
    """The bundles of --model, where that is a folder."""
    if engine.model is None or not engine.model.is_dir():
        return []
    from sketch_edge.runtime.shelf import find_bundles

    return find_bundles(engine.model)


def _load(engine: Engine) -> Artist:
    from sketch_edge.runtime.artist import load

    artist = load(engine.model, provider=engine.provider, threads=engine.threads)
    if artist.fallback:
        say(f"note: {artist.fallback}")
    return artist


def _draw_scene(artist: Artist, composition: Composition, subject: Subject, paper: Paper, output: Output) -> Result:
    """Draw a page of things."""
    scene = artist.compose(composition, max_points=subject.max_points)
    report = output.write(_sheet(scene, paper, output))
    return len(scene.objects), composition.seed, 0, report


def _draw_page(artist: Artist, subject: Subject, sampling: Sampling, paper: Paper, output: Output) -> Result:
    """Draw all sketches onto one page, or, where the format has none, into one file."""
    from sketch_edge.runtime.scene import Scene
    from sketch_edge.runtime.writers import FORMATS

    with _drawn(artist, subject, sampling) as sketches:
        drawn = list(sketches)
    takes_page = FORMATS[output.format].takes is Scene
    report = output.write(_page(drawn, artist, paper, output) if takes_page else drawn)
    return len(drawn), drawn[0].seed, sum(not sketch.complete for sketch in drawn), report


def _draw_each(artist: Artist, subject: Subject, sampling: Sampling, paper: Paper, output: Output) -> Result:
    """Write every sketch into a file of its own, as soon as it is drawn."""
    from sketch_edge.runtime.scene import Scene
    from sketch_edge.runtime.writers import FORMATS

    labels = [artist.label_of(label) for label in _labels(subject)]
    last = subject.index + len(labels) - 1
    paths = [output.path_of(label, subject.index + number, last) for number, label in enumerate(labels)]
    check_paths(paths, output.reads)
    seed, cut, report = None, 0, list[str]()
    takes_page = FORMATS[output.format].takes is Scene
    with _drawn(artist, subject, sampling) as sketches:
        for number, (sketch, path) in enumerate(zip(sketches, paths, strict=True)):
            own = replace(paper, pens=paper.pens[number % len(paper.pens) :][:1]) if paper.pens else paper
            drawing = _page([sketch], artist, own, output) if takes_page else [sketch]
            report += output.write(drawing, path)
            seed, cut = sketch.seed, cut + (not sketch.complete)
    return len(labels), seed, cut, report


def _page(sketches: Sequence[Sketch], artist: Artist, paper: Paper, output: Output) -> Scene:
    """Lay sketches out on a page; pens whose text gives no width get the one that suits the sketches."""
    pens = _read_pens(paper)
    if any(text.count(":") < 2 for text in paper.pens):
        pens = _read_pens(paper, _laid_out(sketches, artist, paper, output, ()).pens[0].width_mm)
    scene = _laid_out(sketches, artist, paper, output, pens)
    return _sheet(scene, paper, output)


def _laid_out(sketches: Sequence[Sketch], artist: Artist, paper: Paper, output: Output, pens: Sequence[Pen]) -> Scene:
    from sketch_edge.runtime.layout import arrange

    if paper.labels:
        from sketch_edge.runtime.contact import contact_sheet

        return contact_sheet(sketches, output.page, pens=pens)
    page = None if paper.steps else output.page  # that is the page of the sheet then
    layout = paper.layout or "grid"
    sizes = paper.sizes or ("equal" if layout == "grid" else "natural")
    if sizes == "equal" and layout != "scatter":
        return arrange(sketches, page, layout=layout, pens=pens)
    from sketch_edge.runtime.page import Page
    from sketch_edge.runtime.scenes.composition import Composition
    from sketch_edge.runtime.scenes.thing import Thing

    things = [
        Thing(sketch=sketch, pen=pens[number % len(pens)].name if pens else None)
        for number, sketch in enumerate(sketches)
    ]
    return artist.compose(Composition(things, page or Page(), pens, seed=sketches[0].seed, layout=layout, sizes=sizes))


def _sheet(scene: Scene, paper: Paper, output: Output) -> Scene:
    """The scene, or the sheet of its progress."""
    if paper.steps is None:
        return scene
    from sketch_edge.runtime.progress import progress

    rows, columns = _read_steps(paper.steps)
    return progress(scene, rows, columns, page=output.page, captions="share")


def _labels(subject: Subject) -> list[str]:
    """One label for each sketch, class after class."""
    return [name for name in subject.names for _ in range(subject.count)]


def _drawn(artist: Artist, subject: Subject, sampling: Sampling) -> AbstractContextManager[Iterable[Sketch]]:
    """All sketches of the classes, one after the other, with a bar while many are drawn and somebody watches."""
    labels = _labels(subject)
    drawn: Iterator[Sketch] = artist.draw_each(
        labels,
        seed=subject.seed,
        temperature=subject.temperature,
        max_points=subject.max_points,
        first_index=subject.index,
        best_of=subject.tries,
        **sampling.given(),
    )
    if len(labels) < BAR_FROM or not sys.stderr.isatty():
        return nullcontext(drawn)
    return click.progressbar(drawn, length=len(labels), label="drawing", file=sys.stderr, show_pos=True)


def _command_again(context: click.Context, seed: int | None, tries: int) -> str:
    """The command line that draws the same again: the one that was given, with the seed and what goes with it."""
    words = ["sketch-draw"]
    for option in context.command.params:
        name = option.name or ""
        if name in ("seed", "best_of") or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        flag = max(option.opts, key=len)
        if isinstance(value, bool):
            words.append(flag)
        elif option.nargs > 1:
            words += [flag, *map(str, value)]
        else:
            for each in value if isinstance(value, tuple) else (value,):
                words += [flag, str(each)]
    if tries > 1:
        words += ["--best-of", str(tries)]
    return shlex.join([*words, "--seed", str(seed)])


def run() -> NoReturn:
    """The console script: `main` as a whole process."""
    leave(main)


if __name__ == "__main__":
    run()
