"""sketch-draw --live: the drawing is watched while it is made, in the terminal or in a window."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sketch_edge.cli.command import say
from sketch_edge.cli.draw_options import Look, Paper, Sampling, Subject
from sketch_edge.runtime.errors import InputError

if TYPE_CHECKING:  # numpy is not needed to print the help
    from sketch_edge.runtime.artist import Artist
    from sketch_edge.runtime.live.performance import Performance
    from sketch_edge.runtime.scene import Pen, Scene
    from sketch_edge.runtime.sketch import Sketch


@dataclass(frozen=True)
class Live:
    """How drawings are watched."""

    where: str
    """terminal or window."""

    speed: float
    """Times as fast as usual; 0 is as fast as it comes."""

    def streams(self, subject: Subject, sampling: Sampling, paper: Paper) -> bool:
        """Whether one sketch is drawn, which can be watched while the model is at it.

        A page is watched when it is complete, and so is what takes more than the knobs of `Artist.stream`.
        """
        from sketch_edge.runtime.knobs import KnobOptions

        one = subject.total == 1 and subject.scene is None and paper.steps is None
        return one and sampling.given().keys() <= KnobOptions.__annotations__.keys()

    def stream(self, artist: Artist, subject: Subject, sampling: Sampling, pen: Pen | None) -> int:
        """Watch the one sketch of a subject while the model draws it; returns its seed.

        Where it is one of several, these are drawn first: the model draws it a second time for who watches.
        """
        from sketch_edge.runtime.live.performance import watch_stream

        name, seed, index = subject.names[0], subject.seed, subject.index
        options = {"temperature": subject.temperature, "max_points": subject.max_points, **sampling.given()}
        if subject.tries > 1:
            chosen = artist.draw(name, seed=seed, index=index, best_of=subject.tries, **options)
            seed, index = chosen.seed, chosen.index
        stream = artist.stream(name, seed=seed, index=index, **options)
        self._show(watch_stream(stream, pen), f"{stream.label}, seed {stream.seed}")
        return stream.seed

    def watch(self, drawing: Scene | Sequence[Sketch]) -> None:
        """Watch a page, or sketches laid out on one, being drawn."""
        from sketch_edge.runtime.layout import arrange
        from sketch_edge.runtime.live.performance import watch_scene
        from sketch_edge.runtime.scene import Scene

        self._show(watch_scene(drawing if isinstance(drawing, Scene) else arrange(drawing)), "sketch-draw")

    def _show(self, performance: Performance, title: str) -> None:
        from sketch_edge.runtime.live.show import show

        if self.where == "window":
            from sketch_edge.runtime.live.window import WindowView

            with WindowView(performance, title) as window:
                show(performance, window, self.speed)
            return
        from sketch_edge.runtime.live.terminal import TerminalView

        with TerminalView(performance) as terminal:
            show(performance, terminal, self.speed, paced=terminal.moving)


def read_live(choice: str, look: Look, out: str | None, moves: bool) -> tuple[Live, Look]:
    """How --live is to be done, and the options that are left for the file.

    Args:
        choice: of --live.
        look: --speed is for the live view and, where the file moves, for that too.
        out: where the file goes.
        moves: the file does.

    Raises:
        InputError: a speed out of range, a terminal that is to show two things, or a window where there is no screen.
    """
    from sketch_edge.runtime.live.pace import checked_speed

    speed = 1.0 if look.speed is None else look.speed
    checked_speed(speed)
    where = choice if choice == "terminal" else _window_or_terminal(choice == "window")
    if where == "terminal" and (out == "-" or sys.stdout is None):
        taken = "is where --out - writes" if out == "-" else "is closed"
        raise InputError(f"--live: draws on standard output, which {taken}; change that, or take --live window")
    return Live(where, speed), look if moves and speed else replace(look, speed=None)


def _window_or_terminal(must: bool) -> str:
    """A window where one can be opened; else, unless it must be one, the terminal."""
    from sketch_edge.runtime.live.window import check_window, has_screen

    if not must and not has_screen():
        return "terminal"
    try:
        check_window()
    except InputError as error:
        if must:
            raise InputError(f"--{error}") from None
        say(f"note: {error}")
        return "terminal"
    return "window"
