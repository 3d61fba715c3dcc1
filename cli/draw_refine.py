"""sketch-draw --refine: a drawing is worked on in the terminal, command by command."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

import click
from click.core import ParameterSource

from sketch_edge.cli.command import say
from sketch_edge.cli.draw_listing import say_hidden
from sketch_edge.cli.draw_options import Sampling, Subject
from sketch_edge.runtime.errors import InputError, SketchError

if TYPE_CHECKING:  # numpy is not needed to print the help
    from sketch_edge.runtime.artist import Artist
    from sketch_edge.runtime.together.refine import Refinement

HELP = """\
draw           draw it anew (so does an empty line)
keep N         keep the first N strokes, draw the rest anew
strokes        show the drawing with the numbers of its strokes
temperature T  draw more freely (up to 10) or less (down to 0)
class NAME     draw something else
seed N         draw by another seed
undo           take the last step back
save [FILE]    write it; the suffix picks the format
help           show this
quit           end (so does Ctrl-D)"""

OPTIONS = (
    *("refine", "out", "names", "seed", "index", "temperature", "max_points"),
    *("pen_temperature", "top_k", "end_bias", "model", "provider", "threads"),
)
"""What else the command line may say."""

LONGEST_COMMAND = 5000
"""Characters of a line that is read."""


def refine(
    context: click.Context, load: Callable[[], Artist], subject: Subject, sampling: Sampling, out: str | None
) -> None:
    """Read commands from standard input until it ends; a command that cannot be done is said and passed over.

    Raises:
        InputError: options that do not go together, or a class that the model does not know.
    """
    from sketch_edge.runtime.together.refine import Refinement

    for option in context.command.params:
        name = option.name or ""
        if name not in OPTIONS and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise InputError(f"{max(option.opts, key=len)}: does not go with --refine; leave one of them out")
    if len(subject.names) != 1:
        raise InputError("--refine: works on one drawing; name its class with --class, once")
    if out is not None:
        _check_file(out)
    if sys.stdin is None:  # closed by whoever started us
        return
    for stream in (sys.stdin, sys.stdout):  # neither odd bytes nor a terminal without Braille end the work
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    seed = int.from_bytes(os.urandom(4), "big") if subject.seed is None else subject.seed
    artist = load()
    work = Refinement(
        artist,
        subject.names[0],
        seed,
        subject.index,
        subject.temperature,
        subject.max_points,
        sampling.given(),  # type: ignore[arg-type]
    )
    work.draw()
    _show(work)
    say_hidden(artist, [work.now.name])
    asks = sys.stdin.isatty()
    if asks:
        say("help lists the commands")
    while True:
        if asks:
            click.echo("> ", err=True, nl=False)
        line = _read_line(sys.stdin)
        command, _, argument = line.strip().partition(" ")
        if asks and not line:
            click.echo(err=True)
        if not line or command in ("quit", "q", "exit"):
            return
        try:
            _do(work, command, argument.strip(), out)
            if command == "class":
                say_hidden(artist, [work.now.name])
        except SketchError as error:
            say(f"error: {error}")


def _read_line(stream: TextIO) -> str:
    """One line; of a longer one than LONGEST_COMMAND the beginning, and what is over is no command of its own."""
    line = rest = stream.readline(LONGEST_COMMAND)
    while rest and not rest.endswith("\n"):
        rest = stream.readline(LONGEST_COMMAND)
    return line


def _do(work: Refinement, command: str, argument: str, out: str | None) -> None:
    """Carry one command out and show what came of it."""
    if command == "help":
        click.echo(HELP)
        return
    if command == "save":
        _save(work, argument or out)
        return
    if command == "strokes":
        _show(work, numbers=True)
        return
    if command in ("", "draw"):
        work.draw()
    elif command == "undo":
        work.undo()
    elif command == "keep":
        work.keep(int(_number(command, argument, whole=True)))
    elif command == "temperature":
        work.choose(temperature=_number(command, argument))
    elif command == "seed":
        work.choose(seed=int(_number(command, argument, whole=True)))
    elif command == "class":
        work.choose(name=argument)
    else:
        raise InputError(f"{command[:40]!r}: is no command; help lists them")
    _show(work)


def _show(work: Refinement, numbers: bool = False) -> None:
    """Print the drawing, and what it takes to have it again."""
    from sketch_edge.runtime.together.braille import braille

    sketch = work.now.sketch
    if sketch is None:
        click.echo("nothing is drawn yet")
        return
    click.echo("\n".join(braille(sketch.lines, numbers=numbers)))
    temperature = f"{sketch.temperature:g}" if sketch.temperature is not None else "the model's"
    kept = f", the first {work.now.kept} kept" if work.now.kept else ""
    click.echo(
        f"{sketch.label}, seed {sketch.seed}, sketch {sketch.index}, temperature {temperature}: "
        f"{len(sketch.lines)} strokes{kept}"
    )


def _save(work: Refinement, path: str | None) -> None:
    if not path:
        raise InputError("save: name the file, such as save cat.svg")
    if work.now.sketch is None:
        raise InputError("save: there is no drawing yet; draw one first")
    _check_file(path)
    work.now.sketch.save(path)
    say(f"{path}: written")


def _check_file(path: str) -> None:
    """Refuse what a drawing cannot be written to, or what needs options that are not here."""
    from pathlib import Path

    from sketch_edge.runtime.files import check_writable
    from sketch_edge.runtime.writers import format_of

    if path == "-" or format_of(path) == "gcode":
        raise InputError(f"{path}: cannot be saved to from here; save to .json or .svg, and go on from that file")
    check_writable(Path(path))


def _number(command: str, text: str, whole: bool = False) -> float:
    """Read the number behind a command.

    Whole numbers stay exact: a seed has up to 64 bits.
    """
    try:
        return int(text[:40]) if whole else float(text[:40])
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise InputError(f"{command} {text[:40]!r}: is not {kind}; write {command} 3") from None
