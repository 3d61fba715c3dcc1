"""Whole sketches from draw.onnx, a block of steps a call: `runtime/sampler.py` with the sampling inside the graph.

A block ends early once every sketch in it has ended. Between blocks the places of ended sketches are cleared and given
to waiting ones, and the noise of the next steps is handed over. How sketches and steps are grouped changes nothing
about a sketch: it is the one that `draw_rows` gives, point by point, from step.onnx.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.manifest import PEN_STATES, Manifest
from sketch_edge.runtime.noise import Floats, Noise
from sketch_edge.runtime.sampler import BATCH, BLOCK, LONGEST_MOVE, Job, Rows, draw_rows, first_latents
from sketch_edge.runtime.session import Decoder, State
from sketch_edge.runtime.strokes import START_TOKEN, STROKE

SHORT_BLOCK = 16
"""Steps a call where several sketches are drawn side by side: a sketch that has ended keeps its place up to the end of
the block. Divides BLOCK, for which noise is made at once."""

FIRST_ROW = np.array([START_TOKEN], np.float32)
END = PEN_STATES - 1
"""Place of the end among the pen states."""


@runtime_checkable
class BlockDecoder(Decoder, Protocol):
    """What drawing in blocks needs of a model: `Session` is one."""

    @property
    def draws(self) -> bool:
        """Whether it can draw in blocks at all."""

    def draw(
        self, x: Floats, state: State, gumbels: Floats, normals: Floats, tau: float | npt.NDArray[np.float64]
    ) -> tuple[Floats, State]:
        """Take B sketches up to T steps on; see `Session.draw`."""


def draw_sketches(
    decoder: Decoder, manifest: Manifest, jobs: Sequence[Job], tau: float, max_points: int
) -> Iterator[Rows]:
    """Draw sketches in blocks where the decoder can, else step by step; arguments and results as `draw_rows`."""
    if isinstance(decoder, BlockDecoder) and decoder.draws:
        return draw_blocks(decoder, manifest, jobs, tau, max_points)
    return draw_rows(decoder, manifest, jobs, tau, max_points)


def draw_blocks(
    decoder: BlockDecoder, manifest: Manifest, jobs: Sequence[Job], tau: float, max_points: int
) -> Iterator[Rows]:
    """Draw sketches, many at a time; yields them in the order of `jobs`, each as soon as all before it are done.

    Each is the same as if it were drawn alone, or by `draw_rows`.

    Raises:
        BundleError: the model gives numbers that are not finite.
    """
    table = _Table(decoder, manifest, tau, max_points)
    waiting = deque(enumerate(jobs))
    done: dict[int, Rows] = {}
    for number in range(len(jobs)):
        while number not in done:
            table.seat(waiting)
            done.update(table.draw())
        yield done.pop(number)


class _Pen:
    """One sketch while it is drawn."""

    def __init__(self, number: int, noise: Noise, tau: float) -> None:
        self.number = number
        self.tau = tau
        self._noise = noise
        self._blocks: list[Floats] = []
        self.points = 0
        """Drawn so far."""

    def noise(self, count: int) -> tuple[Floats, Floats]:
        """Gumbels (count, 3 + M) and normals (count, 2) of the next steps, which must lie in one BLOCK."""
        at = self.points % BLOCK
        if at == 0:
            self._gumbels, self._normals = self._noise.steps(BLOCK)
            if self.points == 0:
                self._gumbels[0, END] = -math.inf  # a sketch is never empty
        return self._gumbels[at : at + count], self._normals[at : at + count]

    def take(self, rows: Floats) -> None:
        """Append stroke-5 rows of shape (n, 5)."""
        self._blocks.append(rows)
        self.points += len(rows)

    def rows(self, unit: float, longest: int, complete: bool) -> Rows:
        """Give the sketch in grid steps, of which `unit` are one model unit; moves are cut to `longest` steps."""
        stroke5 = np.concatenate(self._blocks)
        rows = np.empty((len(stroke5), 3), np.int64)
        # A graph of ours has cut them already. Another may give what no whole number holds.
        rows[:, :2] = np.rint(stroke5[:, :2] * np.float64(unit)).clip(-longest, longest)
        rows[:, 2] = stroke5[:, 3] > 0
        return Rows(rows, complete)


class _Table:
    """Sketches that are drawn side by side, each in its place (a row of the batch)."""

    def __init__(self, decoder: BlockDecoder, manifest: Manifest, tau: float, max_points: int) -> None:
        self._decoder = decoder
        self._sizes = manifest.sizes
        self._unit = manifest.scale * manifest.grid
        self._longest = LONGEST_MOVE * manifest.grid
        self._tau = tau
        self._max_points = max_points
        self._pens: list[_Pen] = []
        self._x: Floats
        self._state: State

    def seat(self, waiting: deque[tuple[int, Job]]) -> None:
        """Give the free places to waiting sketches."""
        guests = [waiting.popleft() for _ in range(min(len(waiting), BATCH - len(self._pens)))]
        if not guests:
            return
        noises = [Noise(job.seed, job.index, self._sizes.latent, self._sizes.mixtures) for _, job in guests]
        taus = [job.tau_beside(self._tau) for _, job in guests]
        z = first_latents(noises, taus)
        state = self._decoder.start(z, [job.class_id for _, job in guests])
        x = np.repeat(FIRST_ROW, len(guests), axis=0)
        if self._pens:
            state = State(*(np.concatenate(both) for both in zip(self._state, state, strict=True)))
            x = np.concatenate([self._x, x])
        self._pens += [_Pen(number, noise, tau) for (number, _), noise, tau in zip(guests, noises, taus, strict=True)]
        self._x, self._state = x, state

    def draw(self) -> dict[int, Rows]:
        """Draw one block of every sketch and clear the places of those that ended; gives these by number."""
        steps = SHORT_BLOCK if len(self._pens) > 1 else BLOCK - self._pens[0].points % BLOCK
        left = max(self._max_points - pen.points for pen in self._pens)
        noise = [pen.noise(min(steps, left)) for pen in self._pens]
        if len(noise) == 1:
            gumbels, normals = (part[:, None] for part in noise[0])
        else:
            gumbels, normals = (np.stack(parts, axis=1) for parts in zip(*noise, strict=True))
        taus = np.array([pen.tau for pen in self._pens])
        rows, self._state = self._decoder.draw(self._x, self._state, gumbels, normals, taus)
        self._x = rows[-1]
        ends = rows[:, :, STROKE - 1] > 0
        lengths = np.where(ends.any(axis=0), ends.argmax(axis=0), len(rows)).tolist()
        done, kept = {}, []
        for place, (pen, length) in enumerate(zip(self._pens, lengths, strict=True)):
            room = self._max_points - pen.points
            pen.take(rows[: min(length, room), place])
            if length < min(room, len(rows)):
                done[pen.number] = pen.rows(self._unit, self._longest, complete=True)
            elif pen.points == self._max_points:
                done[pen.number] = pen.rows(self._unit, self._longest, complete=False)
            else:
                kept.append(place)
        if done and kept:
            self._x, self._state = self._x[kept], State(*(array[kept] for array in self._state))
        self._pens = [self._pens[place] for place in kept]
        return done
