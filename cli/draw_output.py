"""Where sketch-draw puts its drawings: one page, a file for each sketch, or a program for a plotter."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketch_edge.cli.draw_options import Look, Paper, Plotter
from sketch_edge.cli.draw_paths import Reads, check_preview
from sketch_edge.cli.draw_plot import PEN_MARK, PlotJob, read_job, write_plot
from sketch_edge.runtime.errors import InputError

if TYPE_CHECKING:  # numpy is not needed to print the help
    from sketch_edge.cli.draw_live import Live
    from sketch_edge.runtime.page import Page
    from sketch_edge.runtime.scene import Scene
    from sketch_edge.runtime.sketch import Sketch

Result = tuple[int, int | None, int, list[str]]
"""How many sketches, their seed, how many were cut, and what else there is to say."""

ONE_FILE_EACH = ("{i}", "{class}")
STANDARD_OUTPUT = "-"
PAGE = "100x100mm"
MOVING = ("gif", "apng", "webp")


@dataclass(frozen=True)
class Output:
    """Where drawings go and how they look; every value checked before anything is drawn."""

    path: str
    """As given: "-" is standard output, {i}, {class} and {pen} stand for a number, a class and a pen; "" is no file."""

    format: str
    page: Page | None
    """None where a sheet makes its own."""

    options: dict[str, Any]
    """The writer's own."""

    plot: PlotJob | None
    """How to plot it, where the format is gcode."""

    live: Live | None = None
    """How drawings are watched before they are written."""

    reads: Reads = ()
    """None of these is written over."""

    @property
    def one_file_each(self) -> bool:
        """Whether every sketch gets a file of its own."""
        return any(mark in self.path for mark in ONE_FILE_EACH)

    def path_of(self, label: str, number: int, last: int) -> str:
        """The file for one sketch: numbers with as many digits as the last one has, labels as plain words."""
        name = re.sub(r"[^\w-]+", "_", label)
        return self.path.replace("{i}", str(number).zfill(len(str(last)))).replace("{class}", name)

    def write(self, drawing: Scene | Sequence[Sketch], path: str | None = None) -> list[str]:
        """Write a drawing, a scene where the format has a page, to `path` if given; returns what there is to say.

        Raises:
            InputError: it cannot be drawn so.
            UnfinishedError: the system refused the write.
        """
        from sketch_edge.runtime.scene import Scene
        from sketch_edge.runtime.writers import save

        if self.live is not None:
            self.live.watch(drawing)
        path = path or self.path
        if not path:
            return []
        if self.plot is not None and isinstance(drawing, Scene):
            return write_plot(self.plot, drawing, path, self.reads)
        save(drawing, path, format=self.format, **self.options)
        return []


def check_output(
    out: str | None,
    format: str | None,
    paper: Paper,
    look: Look,
    plotter: Plotter,
    own_page: bool,
    live: str | None = None,
) -> Output:
    """Check all that concerns the file, and the live view, before anything is drawn.

    `own_page`: the drawing brings its page with it, so that there is none to choose; sheets can have either.

    Raises:
        InputError: an option that is out of range or does not go with the format, or a file that cannot be written.
    """
    from sketch_edge.runtime.files import check_writable
    from sketch_edge.runtime.page import Page
    from sketch_edge.runtime.writers import format_of

    if out is None and live is None:
        raise InputError("--out: missing; name the file to write, such as star.svg, or - for standard output")
    if out is None and format is not None:
        raise InputError("--format: is that of a file; name one with --out, or leave it out")
    if out == STANDARD_OUTPUT and sys.stdout is None:
        raise InputError("--out: - is standard output, which is closed; name a file instead")
    chosen = "svg" if out is None else format_of(out, format)
    watched = None
    if live is not None:
        from sketch_edge.cli.draw_live import read_live

        watched, look = read_live(live, look, out, chosen in MOVING or look.animate)
    elif look.speed == 0:
        raise InputError("--speed: 0, as fast as it comes, is for --live; choose 0.01 to 100")
    out = out or ""
    if paper.steps and paper.labels:
        raise InputError("--steps: makes a sheet, as --labels does; leave one of them out")
    if paper.labels or paper.steps:
        own_page = paper.page is None
    page = None if own_page else Page.parse(paper.page or PAGE, landscape=paper.landscape, margin=paper.margin)
    if own_page and (paper.margin or paper.landscape):
        raise InputError("--margin, --landscape: there is no page to change; give --page too")
    output = Output(out, chosen, page, _options(chosen, paper, look), _plot(chosen, plotter, out), watched)
    if output.one_file_each:
        _check_one_file_each(paper, output)
    elif out not in ("", STANDARD_OUTPUT) and PEN_MARK not in out:
        check_writable(Path(out))
    if output.plot is not None and output.plot.preview is not None:
        _check_preview(output.plot.preview, out)
    return output


def _options(format: str, paper: Paper, look: Look) -> dict[str, Any]:
    """The options of the writer; those that it does not have, and a page for what has none, are refused."""
    from sketch_edge.runtime.scene import Scene, parse_color
    from sketch_edge.runtime.writers import FORMATS, options_of

    options = look.given()
    known = options_of(format)
    unfit = [name for name in options if name not in known]
    if FORMATS[format].takes is not Scene:
        unfit += [name for name, value in vars(paper).items() if value]
    for name in unfit:
        option = {"duration_s": "duration", "hold_s": "hold", "pens": "pen"}.get(name, name).replace("_", "-")
        raise InputError(f"--{option}: does not go with {format}, which has no such thing; leave it out")
    if "duration_s" in options and "speed" in options:
        raise InputError("--speed: goes instead of --duration; leave one of them out")
    if not (format == "svg" and not look.animate):
        pass
    elif timed := [name for name in ("duration_s", "speed", "hold_s", "loop") if name in options]:
        raise InputError(f"--{timed[0].removesuffix('_s')}: this svg does not move; add --animate, or leave it out")
    if "background" in options and (format == "svg" or options["background"] != "transparent"):
        options["background"] = parse_color(options["background"])
    return options


def _plot(format: str, plotter: Plotter, out: str) -> PlotJob | None:
    """How to plot, where the format is a plotter's; for another, no option of plotting may be given."""
    if format == "gcode":
        return read_job(plotter)
    if given := list(plotter.given().values()):
        raise InputError(
            f"{given[0]}: is for plotters (got {format}); write to a file that ends in .gcode, or leave it out"
        )
    if PEN_MARK in out:
        raise InputError(f"--out: a file for each pen is for gcode (got {format}); leave out {PEN_MARK}")
    return None


def check_pixels(output: Output, page: Page, pens: int) -> None:
    """Refuse, before anything is drawn, a picture or film of a page that would be too large.

    `pens`: how many colours it has at least.

    Raises:
        InputError: it would.
    """
    options = dict(output.options)
    if output.format == "png":
        from sketch_edge.runtime.scene import Scene
        from sketch_edge.runtime.writers.png import WIDTH_PX, picture_size

        picture_size(Scene(page), options.get("width_px", WIDTH_PX))
    elif output.format in MOVING:
        from sketch_edge.runtime.writers import motion

        width = options.pop("width_px", motion.WIDTH_PX)
        options.pop("background", None)
        motion.check_film(page, output.format, motion.Timing(**options), width, pens)


def _check_one_file_each(paper: Paper, output: Output) -> None:
    for option in ("layout", "sizes", "labels", "steps"):
        if getattr(paper, option):
            raise InputError(
                f"--{option}: each sketch gets a file of its own; leave it out, or {{i}} and {{class}} of --out"
            )
    if PEN_MARK in output.path:
        raise InputError(f"--out: {PEN_MARK} does not go with {{i}} and {{class}}; leave one of them out")
    if output.plot is not None and output.plot.preview is not None:
        raise InputError("--preview: is for one page; leave it out, or {i} and {class} of --out")


def _check_preview(preview: str, out: str) -> None:
    from sketch_edge.runtime.files import check_writable, refuse_same
    from sketch_edge.runtime.writers import format_of

    if format_of(preview) not in ("svg", "png"):
        raise InputError(f"--preview: {preview} is no picture; end the name in .svg or .png")
    check_writable(Path(preview))
    if out != STANDARD_OUTPUT:
        refuse_same(Path(preview), Path(out), "the program")  # by another link, too
        check_preview(preview, [out])
