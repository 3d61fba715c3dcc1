"""From the model's raw output to pen moves: Ha & Eck 2017 (arXiv:1704.03477, section 3.2), with reproducible numbers.

One step of the decoder gives y of width 6 M + 3: pen logits (down, up, end), then six blocks of M: mixture logits,
mu_x, mu_y, log sigma_x, log sigma_y, rho-hat. With temperature tau in [0, 10] and the noise of `runtime/noise.py`:

* mixture component: ``k = argmax(logits + tau * gumbel)``, which samples softmax(logits / tau) (eq. 8; the Gumbel-max
  trick, Maddison et al. 2014). At tau = 0 it is the most likely one, with no division by zero. In float32.
* pen state: the same with the pen logits and tau^(1/5), the milder `pen_temperature`. The end cannot be chosen before a
  first point was drawn.
* offset, in model units and float64, for component k, sigma = exp(log sigma), rho = tanh(rho-hat):
  ``dx = mu_x + sigma_x * n1``, ``dy = mu_y + sigma_y * (rho * n1 + sqrt(1 - rho^2) * n2)``, where n1 and n2 are the
  normals times sqrt(tau), so that sigma^2 is multiplied by tau (eq. 8).
* rounding: ``round(offset * scale * grid)`` is a whole number of 1 / grid of a Quick, Draw! unit, ties to even, within
  +-1000 units. Points are sums of whole numbers, so they are exact and do not depend on how they are added up. What the
  model is told next is the rounded offset: ``float32(number / (scale * grid))``.

* with the head "offset" y has 5 numbers instead: the pen logits, dx and dy. There is no component to choose; the pen is
  chosen as above, and the offset is the model's own, which no temperature moves. It is rounded like any other.
* latent vector, once a sketch: ``z = sqrt(tau) * normals``, the prior's variance times tau as every other variance.

The pen departs from eq. 8 on purpose. Ends of lines and of the sketch are rare at each single point; tempered like the
rest, at 0.3 they hardly ever win, and a fifth of all sketches scribbled on until they were cut. At tau = 1 all is as
the model learnt it, at tau = 0 nothing is left to chance.

Other settings of the choice are in `runtime/knobs.py`; with its defaults they change nothing.

Rounding also absorbs the last bits in which one processor or batch size may differ from another.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.knobs import PLAIN, Knobs
from sketch_edge.runtime.manifest import PEN_STATES, Manifest
from sketch_edge.runtime.noise import Floats, Noise
from sketch_edge.runtime.session import Decoder, State, Stepping
from sketch_edge.runtime.strokes import START_TOKEN, STROKE

BLOCK = 64
"""Steps whose noise is made at once."""

BATCH = 64
"""Most sketches that are drawn at once."""

VACANT_SHARE = 8
"""Places of ended sketches are given to others once one place in this many is vacant. Measured: 4 to 16 are alike,
1 (wait until all have ended) takes a quarter longer."""

LONGEST_MOVE = 1000
"""Quick, Draw! units; longer moves are cut to this, so that a broken model cannot overflow anything."""

LARGEST_LOG_SIGMA = 10.0
"""Larger ones are taken as this, for the same reason."""


@dataclass(frozen=True)
class Job:
    """One sketch to draw."""

    class_id: int
    seed: int
    index: int

    start: State | None = None
    """The state to start from, a batch of one; where not given, that of the class and the noise's own z."""

    given: npt.NDArray[np.float32] | None = None
    """Stroke-5 rows in model units, (n, 5), that the model is told before it draws, as if it had drawn them (teacher
    forcing). They are not among the rows that it gives, take no noise, and count for nothing."""

    temperature: float | None = None
    """0 to 10; that of the call where not given."""

    def tau_beside(self, tau: float) -> float:
        """Its temperature in a call with the temperature `tau`."""
        return tau if self.temperature is None else self.temperature


@dataclass(frozen=True)
class Rows:
    """A drawn sketch: stroke-3 rows in whole numbers."""

    rows: npt.NDArray[np.int64]
    """(N, 3): dx and dy in 1 / grid of a Quick, Draw! unit, and lift. N is at least 1."""

    complete: bool
    """The model ended the sketch by itself; False where it was cut at the most points allowed."""


def draw_rows(
    decoder: Decoder, manifest: Manifest, jobs: Sequence[Job], tau: float, max_points: int, knobs: Knobs = PLAIN
) -> Iterator[Rows]:
    """Draw sketches, many at a time; yields them in the order of `jobs`, each as soon as all before it are done.

    Each is the same as if it were drawn alone. `tau` is the temperature of those whose job has none.

    Raises:
        BundleError: the model gives numbers that are not finite.
    """
    table = _Table(decoder, manifest, tau, max_points, knobs, places=BATCH)
    waiting = deque(enumerate(jobs))
    done: dict[int, Rows] = {}
    for number in range(len(jobs)):
        with _no_warnings():
            while number not in done:
                table.seat(waiting)
                for pen in table.step():
                    done[pen.number] = Rows(np.array(pen.rows, np.int64), pen.complete)
        yield done.pop(number)


def stream_rows(
    decoder: Decoder, manifest: Manifest, job: Job, tau: float, max_points: int, knobs: Knobs = PLAIN
) -> Iterator[tuple[int, int, int]]:
    """Draw one sketch row by row: (dx, dy, lift) as in `Rows.rows`, each as soon as the model gave it.

    Raises:
        BundleError: the model gives numbers that are not finite.
    """
    table = _Table(decoder, manifest, tau, max_points, knobs, places=1)
    table.seat(deque([(0, job)]))
    pen = table.pens[0]
    while not pen.ended:
        given = len(pen.rows)
        with _no_warnings():
            table.step()
        yield from pen.rows[given:]


def pen_temperature(tau: float) -> float:
    """The temperature of the pen states when that of the lines is `tau`: its fifth root, 0.63 for 0.1."""
    return float(tau ** (1.0 / 5.0))


def first_latents(noises: Sequence[Noise], taus: Sequence[float]) -> Floats:
    """Z of each sketch, (B, Z): its normals times the square root of its temperature."""
    roots = np.array([math.sqrt(tau) for tau in taus], np.float32)
    return np.stack([noise.z for noise in noises]) * roots[:, None]


class _Pen:
    """One sketch while it is drawn."""

    def __init__(self, number: int, job: Job, noise: Noise, mixtures: int, tau: float, knobs: Knobs) -> None:
        self.number = number
        self.rows: list[tuple[int, int, int]] = []
        self.given: deque[Floats] = deque(() if job.given is None else job.given)
        """Rows that the model is still to be told."""
        self.ended = False
        self.complete = False
        self._noise = noise
        self._tau = np.full(PEN_STATES + mixtures, tau, np.float32)
        self._tau[:PEN_STATES] = pen_temperature(tau) if knobs.pen_temperature is None else knobs.pen_temperature
        self._end_bias = np.float32(knobs.end_bias)
        self._root_tau = math.sqrt(tau)
        self.refill()

    def refill(self) -> None:
        """Make the noise of the next block, with the temperature in it."""
        gumbels, normals = self._noise.steps(BLOCK)
        self.at = 0
        """The step within the block."""
        self.gumbels: Floats = gumbels * self._tau
        """(BLOCK, 3 + M); the end's with its bias."""
        if self._end_bias:
            self.gumbels[:, PEN_STATES - 1] += self._end_bias
        self.normals: list[list[float]] = (normals.astype(np.float64) * self._root_tau).tolist()
        """BLOCK pairs."""


class _Table:
    """Sketches that are drawn side by side, each in its place (a row of the batch)."""

    def __init__(
        self, decoder: Decoder, manifest: Manifest, tau: float, max_points: int, knobs: Knobs, places: int
    ) -> None:
        self._decoder = decoder
        self._sizes = manifest.sizes
        self._unit = manifest.scale * manifest.grid
        self._longest = LONGEST_MOVE * manifest.grid
        self._tau = tau
        self._knobs = knobs
        self._max_points = max_points
        self._places = places
        self._steps: Stepping | None = None
        self.pens: list[_Pen] = []

    def seat(self, waiting: deque[tuple[int, Job]]) -> None:
        """Clear the places whose sketch has ended and give them to waiting sketches, once that pays."""
        kept = [place for place, pen in enumerate(self.pens) if not pen.ended]
        vacant = (self._places if waiting else len(self.pens)) - len(kept)
        if vacant == 0 or (kept and vacant * VACANT_SHARE < len(self.pens)):
            return
        guests = [waiting.popleft() for _ in range(min(len(waiting), self._places - len(kept)))]
        noises = [Noise(job.seed, job.index, self._sizes.latent, self._sizes.mixtures) for _, job in guests]
        states, rows = [], [np.tile(np.array(START_TOKEN, np.float32), (len(guests), 1))]
        if guests:
            states.append(self._first_states([job for _, job in guests], noises))
        if self._steps is not None and kept:
            states.append(State(*(array[kept] for array in self._steps.state)))
            rows.append(self._steps.x[kept])
        self.pens = [
            *(
                _Pen(number, job, noise, self._sizes.mixtures, job.tau_beside(self._tau), self._knobs)
                for (number, job), noise in zip(guests, noises, strict=True)
            ),
            *(self.pens[place] for place in kept),
        ]
        self._steps = self._decoder.steps(State(*(np.concatenate(arrays) for arrays in zip(*states, strict=True))))
        self._steps.x[:] = np.concatenate(rows)
        self._x, self._y = _flat(self._steps.x), _flat(self._steps.y)

    def _first_states(self, jobs: Sequence[Job], noises: Sequence[Noise]) -> State:
        """What sketches start from: their jobs say it, or z and the class do."""
        if all(job.start is not None for job in jobs):
            given = [job.start for job in jobs if job.start is not None]
            return State(*(np.concatenate(arrays) for arrays in zip(*given, strict=True)))
        z = first_latents(noises, [job.tau_beside(self._tau) for job in jobs])
        states = self._decoder.start(z, [job.class_id for job in jobs])
        for place, job in enumerate(jobs):
            if job.start is not None:
                states = State(*(np.array(array) for array in states))
                for array, own in zip(states, job.start, strict=True):
                    array[place] = own[0]
        return states

    def step(self) -> list[_Pen]:
        """Take every sketch one row on; returns those that ended with it.

        What concerns one sketch is a handful of numbers, for which plain Python is faster than numpy.
        """
        assert self._steps is not None, "seat first"
        self._steps.run()
        _check_finite(self._steps)
        scores = self._scores(self._steps.y)
        x, y, unit, longest = self._x, self._y, self._unit, self._longest
        width, mixtures = self._sizes.outputs, self._sizes.mixtures
        components = scores[:, PEN_STATES:].argmax(axis=1).tolist() if mixtures else None
        ended = []
        for place, (down, up, end) in enumerate(scores[:, :PEN_STATES].tolist()):
            pen = self.pens[place]
            if pen.ended:
                continue
            if pen.given:
                self._steps.x[place] = pen.given.popleft()
                continue
            rows = pen.rows
            if end > down and end > up and rows:
                pen.ended = pen.complete = True
                ended.append(pen)
                continue
            lift = 1 if up > down else 0
            if components is None:
                first = place * width + PEN_STATES
                move_x, move_y = y[first], y[first + 1]
            else:
                first = place * width + PEN_STATES + mixtures + components[place]
                move_x, move_y = _offset(*y[first : first + 4 * mixtures + 1 : mixtures], *pen.normals[pen.at])
            dx, dy = round(move_x * unit), round(move_y * unit)
            if not (-longest <= dx <= longest and -longest <= dy <= longest):
                dx, dy = max(-longest, min(dx, longest)), max(-longest, min(dy, longest))
            rows.append((dx, dy, lift))
            first = place * STROKE
            x[first], x[first + 1], x[first + 2], x[first + 3] = dx / unit, dy / unit, 1 - lift, lift
            pen.at += 1
            if pen.at == BLOCK:
                pen.refill()
            if len(rows) == self._max_points:
                pen.ended = True
                ended.append(pen)
        return ended

    def _scores(self, y: Floats) -> Floats:
        """Logits of pen states and mixture components plus tau times Gumbels, shape (B, 3 + M); M may be 0."""
        scores = np.empty((len(self.pens), PEN_STATES + self._sizes.mixtures), np.float32)
        for place, pen in enumerate(self.pens):
            scores[place] = pen.gumbels[pen.at]
        scores += y[:, : scores.shape[1]]
        top = self._knobs.top_k
        if top is not None and top < self._sizes.mixtures:
            logits = y[:, PEN_STATES : scores.shape[1]]
            unlikely = np.argsort(-logits, axis=1, kind="stable")[:, top:]
            np.put_along_axis(scores[:, PEN_STATES:], unlikely, np.float32(-np.inf), axis=1)
        return scores


def _offset(
    mu_x: float, mu_y: float, log_x: float, log_y: float, rho_hat: float, n1: float, n2: float
) -> tuple[float, float]:
    """Sample one bivariate normal (eq. 8): five parameters as in y, two normals already times sqrt(tau)."""
    sigma_x = math.exp(log_x if log_x < LARGEST_LOG_SIGMA else LARGEST_LOG_SIGMA)
    sigma_y = math.exp(log_y if log_y < LARGEST_LOG_SIGMA else LARGEST_LOG_SIGMA)
    rho = math.tanh(rho_hat)
    return mu_x + sigma_x * n1, mu_y + sigma_y * (rho * n1 + math.sqrt(1.0 - rho * rho) * n2)


def _no_warnings() -> np.errstate:
    """Numbers that overflow are found and reported by `_check_finite`; numpy need not warn of them."""
    return np.errstate(over="ignore", invalid="ignore")


def _check_finite(steps: Stepping) -> None:
    flat = steps.y.reshape(-1)
    # A sum of squares is finite only if every number is; it is the cheapest look at all of them.
    if not flat.dot(flat) < math.inf and not np.isfinite(flat).all():
        raise BundleError(f"{steps.where}: gives numbers that are not finite; train or export the model again")


def _flat(array: Floats) -> memoryview[float]:
    """All numbers of an array in one row, read and written as Python floats."""
    return array.data.cast("B").cast("f")
