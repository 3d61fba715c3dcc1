"""A drawing that is worked on, step by step: drawn, kept in part, drawn on, taken back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sketch_edge.runtime.artist import Artist
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.knobs import KnobOptions
from sketch_edge.runtime.manifest import MAX_TEMPERATURE
from sketch_edge.runtime.noise import KEY_LIMIT
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.strokes import BOX

if TYPE_CHECKING:
    from sketch_edge.runtime.together.redraw import DrawOptions

MOST_STEPS = 1000
"""Steps that can be taken back."""


@dataclass(frozen=True)
class Step:
    """What the drawing and the settings were after a step."""

    name: str
    """The class."""

    seed: int
    index: int
    """Of the next drawing."""

    temperature: float | None
    """None: that of the class."""

    sketch: Sketch | None = None
    """The drawing; None before the first."""

    kept: int = 0
    """Strokes at its beginning that were kept from the drawing before."""


class Refinement:
    """A drawing with its settings and its past.

    Args:
        artist: draws.
        name: the class.
        seed: of all drawings; each takes the next index.
        index: the first.
        temperature: that of the class where not given.
        max_points: as in `Artist.draw`.
        **knobs: as in `Artist.draw`.

    Raises:
        InputError: an unknown class. Later, each method: what cannot be; the drawing then stays as it was.
    """

    def __init__(
        self,
        artist: Artist,
        name: str,
        seed: int,
        index: int = 0,
        temperature: float | None = None,
        max_points: int | None = None,
        knobs: KnobOptions | None = None,
    ) -> None:
        self._artist = artist
        self._max_points = max_points
        self._knobs: KnobOptions = knobs or {}
        self._past: list[Step] = []
        self.now = Step(artist.classes[artist.class_id(name)], seed, index, temperature)
        """The drawing and the settings as they are."""

    def draw(self) -> None:
        """Draw the class anew, with the next index."""
        self._go(self._drawn(self.now, 0))

    def keep(self, strokes: int) -> None:
        """Keep the first strokes and draw the rest anew, with the next index; 0 keeps none."""
        self._go(self._drawn(self.now, strokes))

    def choose(self, *, name: str | None = None, seed: int | None = None, temperature: float | None = None) -> None:
        """Change the class, the seed (and begin with its first drawing) or the temperature, and draw again.

        What was kept of the drawing is kept again, unless the class or the seed is another.
        """
        now, kept = self.now, self.now.kept
        if name is not None:
            now, kept = replace(now, name=self._artist.classes[self._artist.class_id(name)]), 0
        if seed is not None:
            if not 0 <= seed < KEY_LIMIT:
                raise InputError(f"seed {seed}: choose a whole number, 0 to {KEY_LIMIT - 1}")
            now, kept = replace(now, seed=seed, index=0), 0
        if temperature is not None:
            if not 0 <= temperature <= MAX_TEMPERATURE:  # false for nan too
                raise InputError(f"temperature {temperature:g}: choose a number, 0 to {MAX_TEMPERATURE:g}")
            now = replace(now, temperature=temperature)
        self._go(self._drawn(now, kept))

    def undo(self) -> None:
        """Take the last step back."""
        if not self._past:
            raise InputError("undo: there is no step to take back")
        self.now = self._past.pop()

    def _drawn(self, now: Step, strokes: int) -> Step:
        """The step that draws behind the first `strokes` of the drawing."""
        options: DrawOptions = {
            "seed": now.seed,
            "index": now.index,
            "temperature": now.temperature,
            "max_points": self._max_points,
            **self._knobs,
        }
        if strokes == 0:
            sketch = self._artist.draw(now.name, **options)
        else:
            lines = () if now.sketch is None else now.sketch.lines
            if not 0 < strokes <= len(lines):
                raise InputError(f"keep {strokes}: the drawing has {len(lines)} strokes; choose 0 to {len(lines)}")
            part = Sketch(lines[:strokes], now.name)
            size = max(BOX, part.bounds.width, part.bounds.height)
            (sketch,) = self._artist.finish(part, now.name, size=size, **options)
            sketch = replace(sketch, how=f"strokes kept: {strokes}, {sketch.how}")
        return replace(now, sketch=sketch, kept=strokes, index=(now.index + 1) % KEY_LIMIT)

    def _go(self, step: Step) -> None:
        self._past = [*self._past[-MOST_STEPS + 1 :], self.now]
        self.now = step
