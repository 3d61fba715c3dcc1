"""The options of sketch-draw, in groups: each group has its own heading in the help and its own fields here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from sketch_edge.cli.command import FiniteRange, section

MOST_SKETCHES = 10_000
"""Sketches of one command."""

MOST_DRAWN = 100_000
"""Sketches that one command may draw to choose from."""

BEST_OF, BEST_OF_UP_TO = 8, 100
"""Sketches from which the most typical is chosen where nothing else is asked for, and for how many at most."""

MEANT_SO = ("seed", "index", "temperature")
"""Who gives one of these wants what the model draws with it, not a choice."""

LARGEST_SEED = 2**64 - 1

FORMATS = ("svg", "png", "gif", "apng", "webp", "gcode", "json")
"""The names in `runtime/writers`, which is not imported to print the help."""

LIVE = ("terminal", "window", "auto")
"""Where a drawing can be watched."""

Group = TypeVar("Group")
Decorated = Callable[..., Any]


def grouped(kind: type[Group], given: Mapping[str, Any]) -> Group:
    """Pick the fields of one group out of all that was given."""
    return kind(**{field.name: given[field.name] for field in dataclasses.fields(kind)})  # type: ignore[arg-type]


def options(*each: Callable[[Decorated], Decorated]) -> Callable[[Decorated], Decorated]:
    """One decorator of many, which the help shows in this order."""

    def decorate(function: Decorated) -> Decorated:
        for option in reversed(each):
            function = option(function)
        return function

    return decorate


@dataclass(frozen=True)
class Subject:
    """What is drawn."""

    names: tuple[str, ...]
    scene: Path | None
    count: int
    seed: int | None
    index: int
    temperature: float | None
    max_points: int | None
    best_of: int | None

    @property
    def tries(self) -> int:
        """Sketches that each is chosen from."""
        return self.best_of or 1

    @property
    def total(self) -> int:
        """Sketches that are wanted."""
        return len(self.names) * self.count


_subject = section("What")
subject_options = options(
    _subject("-c", "--class", "names", multiple=True, metavar="NAME", help="What to draw; repeat for several."),
    _subject(
        "--scene",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A page of things, described in TOML: docs/SCENES.md.",
    ),
    _subject("--count", type=click.IntRange(1, MOST_SKETCHES), default=1, metavar="N", help="Sketches of each class."),
    _subject(
        "--seed", type=click.IntRange(0, LARGEST_SEED), metavar="N", help="Same seed, same sketch.  [default: random]"
    ),
    _subject(
        "--best-of",
        type=click.IntRange(1, 100),
        metavar="N",
        help="Draw each N times, keep the most typical.  [default: 8; 1 with --seed, --index, --temperature, or for "
        f"over {BEST_OF_UP_TO}]",
    ),
    _subject(
        "--index",
        type=click.IntRange(0, LARGEST_SEED),
        default=0,
        metavar="N",
        help="First sketch of the seed: 7 for number 7 of a sheet.",
    ),
    _subject(
        "--temperature",
        type=FiniteRange(0, 10),
        metavar="T",
        help="How freely: 0 draws the likeliest lines, 1 as varied as people do.  [default: the class's]",
    ),
    _subject(
        "--max-points", type=click.IntRange(1, 10_000), metavar="N", help="Cut sketches here.  [default: the model's]"
    ),
)


@dataclass(frozen=True)
class Sampling:
    """How the sampler chooses, beside the temperature."""

    pen_temperature: float | None
    top_k: int | None
    end_bias: float

    def given(self) -> dict[str, Any]:
        """The settings that change something, by their names in the library."""
        plain = {"pen_temperature": None, "top_k": None, "end_bias": 0}
        return {name: value for name, value in vars(self).items() if value != plain[name]}


_sampling = section("Sampling")
sampling_options = options(
    _sampling(
        "--pen-temperature",
        type=FiniteRange(0, 10),
        metavar="T",
        help="Temperature of lifting the pen and of ending.  [default: the fifth root of --temperature]",
    ),
    _sampling(
        "--top-k",
        type=click.IntRange(1, 128),
        metavar="K",
        help="Draw each move from the K likeliest parts of the mixture.  [default: from all]",
    ),
    _sampling(
        "--end-bias",
        type=FiniteRange(-100, 100),
        default=0.0,
        metavar="B",
        help="Over 0: sketches end sooner, below 0: later; added to the logit of the end.",
    ),
)


@dataclass(frozen=True)
class Together:
    """Drawings that are given, and what is made of them."""

    reconstruct: str | None
    between: tuple[str, str] | None
    finish: str | None
    vary: str | None
    amount: float | None
    latent: str | None
    whole_size: float | None
    joined: bool
    refine: bool

    @property
    def asked(self) -> bool:
        """Whether any of it was asked for."""
        return any(value is not None and value is not False for value in vars(self).values())

    @property
    def ways(self) -> list[str]:
        """Which of the four ways were asked for."""
        return [name for name in ("reconstruct", "between", "finish", "vary") if getattr(self, name) is not None]

    @property
    def files(self) -> list[str]:
        """The drawings as they were named."""
        return [*(each for each in (self.reconstruct, self.finish, self.vary) if each), *(self.between or ())]


_together = section("Drawing together")
together_options = options(
    _together("--reconstruct", metavar="FILE", help="Draw a drawing again, as the model sees it."),
    _together("--between", nargs=2, metavar="FILE FILE", help="The way from one drawing to another, in --count steps."),
    _together("--finish", metavar="FILE", help="Go on from the strokes of a drawing: --count endings."),
    _together("--vary", metavar="FILE", help="Drawings like a drawing: --count of them."),
    _together("--amount", type=FiniteRange(0, 1), metavar="X", help="How much --vary changes: 0 to 1.  [default: 0.3]"),
    _together(
        "--latent",
        type=click.Choice(["fit", "prior", "encode"]),
        help="What --finish has in mind: what fits the strokes, anything, or just them.  [default: fit]",
    ),
    _together(
        "--whole-size",
        type=FiniteRange(0, 1e9, min_open=True),
        metavar="X",
        help="Larger side of the finished drawing, in the units of its file.  [default: guessed]",
    ),
    _together("--joined", is_flag=True, help="--finish goes on with the last stroke: the pen is still down."),
    _together("--refine", is_flag=True, help="Work on a drawing of --class, command by command; help lists them."),
)


@dataclass(frozen=True)
class Paper:
    """The page, and how things lie on it."""

    layout: str | None
    sizes: str | None
    page: str | None
    margin: str | None
    landscape: bool
    pens: tuple[str, ...]
    labels: bool
    steps: str | None


_paper = section("Page")
paper_options = options(
    _paper("--layout", type=click.Choice(["grid", "row", "scatter"]), help="Several on a page.  [default: grid]"),
    _paper(
        "--sizes",
        type=click.Choice(["natural", "equal"]),
        help="A cat is smaller than a house, or all alike.  [default: natural in rows and scatters]",
    ),
    _paper("--page", metavar="SIZE", help="a3 to a6, letter, legal, or such as 120x80mm.  [default: 100x100mm]"),
    _paper("--margin", metavar="LENGTH", help="Such as 5mm, 1cm or 0.5in.  [default: 5 % of the shorter side]"),
    _paper("--landscape", is_flag=True, help="Turn the page on its side."),
    _paper(
        "--pen",
        "pens",
        multiple=True,
        metavar="NAME[:COLOR[:WIDTH]]",
        help="Such as red or fine:#204080:0.3mm; repeat, sketches take them in turn.  [default: one black pen]",
    ),
    _paper("--labels", is_flag=True, help="A contact sheet: the class and number of each sketch below it."),
    _paper("--steps", metavar="RxC", help="A sheet of the drawing's progress, such as 4x5 (rows x columns)."),
)


@dataclass(frozen=True)
class Look:
    """What pictures look like, and how they move: options of the writers, None where not given."""

    background: str | None
    width_px: int | None
    animate: bool
    duration_s: float | None
    speed: float | None
    fps: float | None
    hold_s: float | None
    loop: int | None

    def given(self) -> dict[str, Any]:
        """The options that were given, by their names in the writers."""
        return {name: value for name, value in vars(self).items() if value is not None and value is not False}


_look = section("Pictures")
look_options = options(
    _look("--background", metavar="COLOR", help="#rrggbb or a name, transparent too.  [default: white, none in svg]"),
    _look(
        "--width-px",
        type=click.IntRange(1, 20_000),
        metavar="N",
        help="Width in pixels.  [default: 800, 480 where it moves]",
    ),
    _look("--animate", is_flag=True, help="An svg that draws itself in a browser."),
    _look("--duration", "duration_s", type=FiniteRange(0.05, 300), metavar="S", help="Seconds that drawing takes."),
    _look(
        "--speed",
        type=FiniteRange(0, 100),
        metavar="X",
        help="Times as fast as usual, instead of --duration; --live: 0 is as fast as it comes.",
    ),
    _look("--fps", type=FiniteRange(1, 50), metavar="N", help="Pictures a second.  [default: 20]"),
    _look("--hold", "hold_s", type=FiniteRange(0, 300), metavar="S", help="Show the finished drawing.  [default: 2 s]"),
    _look("--loop", type=click.IntRange(0, 65_535), metavar="N", help="Play N times, 0 for ever.  [default: 0; svg 1]"),
)


@dataclass(frozen=True)
class Plotter:
    """The machine, and what it is to do."""

    machine: str | None
    settings: tuple[str, ...]
    order: str | None
    merge: str | None
    simplify: str | None
    shortest: str | None
    keep_duplicates: bool
    clip: bool
    start_at_stroke: int | None
    frame: bool
    preview: str | None
    machines: bool
    show: bool

    def given(self) -> dict[str, str]:
        """The options for a plot that were given: field and name on the command line."""
        names = {"settings": "set", "shortest": "min-length", "machines": "list-machines"}
        return {name: f"--{names.get(name, name).replace('_', '-')}" for name, value in vars(self).items() if value}


_plotter = section("Plotter")
plotter_options = options(
    _plotter("--machine", metavar="NAME|FILE", help="A shipped profile, or one of your own (TOML)."),
    _plotter(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change the profile: pen.down=90; repeat for more.",
    ),
    _plotter(
        "--order",
        type=click.Choice(["keep", "nearest", "best"]),
        help="Order of the strokes: as drawn, on to the nearest, or least travel.  [default: best]",
    ),
    _plotter("--merge", metavar="LENGTH", help="Join lines whose ends are this near.  [default: 0.02mm]"),
    _plotter("--simplify", metavar="LENGTH", help="Leave out points that change the line by less.  [default: 0mm]"),
    _plotter("--min-length", "shortest", metavar="LENGTH", help="Leave out shorter lines.  [default: 0mm]"),
    _plotter("--keep-duplicates", is_flag=True, help="Draw lines twice that lie on each other."),
    _plotter("--clip", is_flag=True, help="Cut what is out of the work area, instead of refusing it."),
    _plotter(
        "--start-at-stroke", type=click.IntRange(1, 10**9), metavar="N", help="Go on with this stroke of the program."
    ),
    _plotter("--frame", is_flag=True, help="Write a trace round the drawing instead, with the pen up."),
    _plotter("--preview", metavar="FILE", help="Also a picture of the strokes and of the travel between them."),
    _plotter("--list-machines", "machines", is_flag=True, help="Name the shipped profiles, and exit."),
    _plotter("--show", is_flag=True, help="Print the profile of --machine, to start your own from, and exit."),
)


@dataclass(frozen=True)
class Engine:
    """What computes."""

    model: Path | None
    provider: str
    threads: int


_engine = section("Model")
engine_options = options(
    _engine(
        "--model",
        type=click.Path(path_type=Path),
        metavar="FILE|DIR",
        help="A bundle, or a folder of bundles.  [default: the shipped one]",
    ),
    _engine(
        "--provider", type=click.Choice(["auto", "cpu", "cuda", "numpy"]), default="auto", help="Where to compute."
    ),
    _engine(
        "--threads", type=click.IntRange(1, 64), metavar="N", default=1, help="Processor threads; more rarely help."
    ),
    _engine("--list", "listed", is_flag=True, help="Name what the model can draw, and exit."),
    _engine("--all", "everything", is_flag=True, help="--list names what the model draws poorly, too."),
)
