"""Drawing together: a drawing made by hand goes in, and the model draws it again, changes it or goes on with it.

Ha & Eck 2017 (arXiv:1704.03477), sections 4.2 (reconstruction), 4.3 (interpolation) and 4.5 (endings). All goes through
encode.onnx and the step graph. The noise is that of every other drawing: sketch `index` of seed `seed` has its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.knobs import KnobOptions, Knobs
from sketch_edge.runtime.manifest import MIXTURE, short
from sketch_edge.runtime.noise import KEY_LIMIT, Noise
from sketch_edge.runtime.sampler import Job, Rows, draw_rows
from sketch_edge.runtime.session import State
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.strokes import stroke3_to_lines
from sketch_edge.runtime.together.given import SMALLEST_SIDE, Given, bring, is_official
from sketch_edge.runtime.together.guess import guess_share
from sketch_edge.runtime.together.latent import blend, slerp, spread
from sketch_edge.runtime.together.likelihood import check_density, log_likelihood

if TYPE_CHECKING:
    from sketch_edge.runtime.artist import Artist

MOST = 10_000
"""Drawings that one call may give."""

ENCODER = "encode.onnx"

AGAIN = "drawn again"
"""What a sketch says of itself that is as near to the given one as the model can."""

LATENTS = ("fit", "prior", "encode")
"""Where z comes from when a drawing is finished."""

CANDIDATES = 16
"""z that are tried for each ending; with "fit"."""

CANDIDATE_STREAM = int.from_bytes(b"endings!", "big")
"""Combined with the seed by exclusive or: the noise of the candidates is another than that of the steps."""


class DrawOptions(KnobOptions, total=False):
    """What every way of drawing together takes; the meaning is that of `Artist.draw`."""

    seed: int | None
    index: int
    temperature: float | None
    max_points: int | None


@dataclass(frozen=True)
class Settings:
    """`DrawOptions`, each checked and filled in."""

    seed: int
    index: int
    temperature: float | None
    """None: that of the class."""

    most: int
    knobs: Knobs

    def tau(self, artist: Artist, name: str) -> float:
        """The temperature for a drawing of the class `name`."""
        return artist.temperature_of(name) if self.temperature is None else self.temperature


def reconstruct(artist: Artist, settings: Settings, sketch: Sketch, name: str | None = None) -> Sketch:
    """Draw a sketch again, from the z that the model sees in it; see `Artist.reconstruct`."""
    return vary(artist, settings, sketch, 1, 0.0, name)[0]


def between(
    artist: Artist, settings: Settings, first: Sketch, last: Sketch, count: int, names: Sequence[str | None]
) -> list[Sketch]:
    """Draw the way from one sketch to another; see `Artist.between`."""
    _check_count(count, 2)
    ends = [(bring(sketch), name or sketch.label) for sketch, name in zip((first, last), names, strict=True)]
    latents = [_encode(artist, given, name) for given, name in ends]
    shares = [number / (count - 1) for number in range(count)]
    warmth = [settings.tau(artist, name) for _, name in ends]
    starts, taus = [], []
    for share in shares:
        z = slerp(latents[0], latents[1], share)
        near, far = (_start(artist, z, name) for _, name in ends)
        starts.append(blend(near, far, share))
        taus.append(warmth[0] if warmth[0] == warmth[1] else (1 - share) * warmth[0] + share * warmth[1])
    labels = [ends[share > 0.5][1] for share in shares]
    # One noise for all: what differs between neighbours is where they are on the way, and nothing else.
    indices = [settings.index] * count
    how = [f"between, {share:.3g}" for share in shares]
    return _draw(artist, settings, starts, indices, labels, taus, how)


def vary(
    artist: Artist, settings: Settings, sketch: Sketch, count: int, amount: float, name: str | None = None
) -> list[Sketch]:
    """Draw what is like a sketch; see `Artist.vary`."""
    _check_count(count)
    indices = _indices(settings, count)
    if isinstance(amount, bool) or not isinstance(amount, int | float | np.number) or not 0 <= amount <= 1:
        raise InputError(f"amount {short(amount)}: choose a number, 0 (the drawing itself) to 1 (any of its class)")
    name = name or sketch.label
    mu = _encode(artist, bring(sketch), name)
    starts = []
    for index in indices:
        normals = Noise(settings.seed, index, artist.manifest.sizes.latent, artist.manifest.sizes.mixtures).z
        starts.append(_start(artist, spread(mu, normals, float(amount)), name))
    how = f"varied by {amount:.10g}" if amount else AGAIN
    taus = [settings.tau(artist, name)] * count
    return _draw(artist, settings, starts, indices, [name] * count, taus, [how] * count)


def finish(
    artist: Artist,
    settings: Settings,
    sketch: Sketch,
    name: str | None = None,
    *,
    count: int,
    latent: str,
    size: float | None,
    joined: bool,
) -> list[Sketch]:
    """Go on from given strokes; see `Artist.finish`."""
    _check_count(count)
    if latent not in LATENTS:
        raise InputError(f"latent {short(latent)}: is unknown; choose one of {', '.join(LATENTS)}")
    if latent == "fit" and artist.manifest.head != MIXTURE:
        latent = "prior"  # it cannot say which z fits; of a decoder alone every z is the same one anyway
    indices = _indices(settings, count)
    name = name or sketch.label
    given, words = _part(artist, settings, sketch, size, name)
    rows = given.rows(artist.manifest.scale)
    if joined:
        rows[-1, 2:] = (1, 0, 0)
    room = settings.most - len(rows)
    if room < 1:
        raise InputError(
            f"sketch: has {len(rows)} points already (expected fewer than the {settings.most} of a whole drawing); "
            "give fewer strokes, or raise max_points"
        )
    starts = _endings(artist, settings, given, rows, name, latent, indices)
    tau = settings.tau(artist, name)
    jobs = [_job(artist, settings, name, index, start, tau, rows) for index, start in zip(indices, starts, strict=True)]
    drawn = draw_rows(artist.session, artist.manifest, jobs, tau, room, settings.knobs)
    how = _how(settings, f"finished, latent {latent}{words}")
    plain = _sketch(artist, settings, jobs[0], (), how)
    return [
        replace(plain, lines=_continued(sketch, own, artist, given, joined), index=job.index, complete=own.complete)
        for job, own in zip(jobs, drawn, strict=True)
    ]


def _part(artist: Artist, settings: Settings, sketch: Sketch, size: float | None, name: str) -> tuple[Given, str]:
    """The strokes at the scale of the whole drawing, and what there is to say of its size."""
    given = bring(sketch, size)
    if size is not None:
        return given, f", size {size:.6g}"
    side = max(sketch.bounds.width, sketch.bounds.height)
    if is_official(sketch) or side < SMALLEST_SIDE:
        return given, ""
    check_density(artist.manifest, "give the larger side of the whole drawing, size (--whole-size)")
    latent = artist.manifest.sizes.latent
    z = Noise(0, 0, latent * CANDIDATES, CANDIDATES).z.reshape(CANDIDATES, latent)
    states = _start(artist, z, name)
    size = side / guess_share(artist.session, states, given, artist.manifest.scale)
    return bring(sketch, size), f", size {size:.6g}"


def _endings(
    artist: Artist,
    settings: Settings,
    given: Given,
    rows: npt.NDArray[np.float32],
    name: str,
    latent: str,
    indices: Sequence[int],
) -> list[State]:
    """The state that each ending starts from."""
    if latent == "encode":
        return [_start(artist, _encode(artist, given, name), name)] * len(indices)
    sizes, root = artist.manifest.sizes, np.float32(math.sqrt(settings.tau(artist, name)))
    starts = []
    for index in indices:
        if latent == "prior":
            starts.append(_start(artist, Noise(settings.seed, index, sizes.latent, sizes.mixtures).z * root, name))
            continue
        noise = Noise(settings.seed ^ CANDIDATE_STREAM, index, sizes.latent * CANDIDATES, CANDIDATES)
        states = _start(artist, noise.z.reshape(CANDIDATES, sizes.latent), name)
        gumbels = noise.steps(1)[0][0, -CANDIDATES:]
        best = int(np.argmax(log_likelihood(artist.session, states, rows) + gumbels))
        starts.append(State(*(array[best : best + 1] for array in states)))
    return starts


def _continued(
    sketch: Sketch, own: Rows, artist: Artist, given: Given, joined: bool
) -> tuple[npt.NDArray[np.float64], ...]:
    """The given lines, untouched, and behind them what the model drew, in their units."""
    unit = artist.manifest.grid * given.factor
    corner = sketch.lines[-1][-1]
    rows = own.rows if joined else np.concatenate([np.array([[0, 0, 1]]), own.rows])
    lines = [line / unit + corner for line in stroke3_to_lines(rows)]
    if joined:
        return (*sketch.lines[:-1], np.concatenate([sketch.lines[-1], lines[0][1:]]), *lines[1:])
    return (*sketch.lines, *lines[1:])


def _encode(artist: Artist, given: Given, name: str) -> npt.NDArray[np.float32]:
    """The mean of q(z | sketch, class), shape (Z,)."""
    if ENCODER not in artist.manifest.members:
        raise InputError(
            f"{artist.manifest.name}: has no encoder, so it cannot see drawings; choose a model that has one"
        )
    return artist.encode(given.sketch, name)[0]


def _start(artist: Artist, z: npt.NDArray[np.float32], name: str) -> State:
    """The first state for z of shape (Z,) or (B, Z)."""
    z = np.atleast_2d(z)
    return artist.session.start(z, [artist.class_id(name)] * len(z))


def _job(
    artist: Artist,
    settings: Settings,
    name: str,
    index: int,
    start: State,
    tau: float,
    given: npt.NDArray[np.float32] | None = None,
) -> Job:
    return Job(artist.class_id(name), settings.seed, index, start, given, tau)


def _draw(
    artist: Artist,
    settings: Settings,
    starts: Sequence[State],
    indices: Sequence[int],
    names: Sequence[str],
    taus: Sequence[float],
    how: Sequence[str],
) -> list[Sketch]:
    """Draw a sketch from each state."""
    jobs = [
        _job(artist, settings, name, index, start, tau)
        for name, index, start, tau in zip(names, indices, starts, taus, strict=True)
    ]
    drawn = draw_rows(artist.session, artist.manifest, jobs, taus[0], settings.most, settings.knobs)
    sketches = []
    for job, rows, words in zip(jobs, drawn, how, strict=True):
        lines = tuple(line / artist.manifest.grid for line in stroke3_to_lines(rows.rows))
        sketches.append(replace(_sketch(artist, settings, job, lines, _how(settings, words)), complete=rows.complete))
    return sketches


def _sketch(
    artist: Artist, settings: Settings, job: Job, lines: tuple[npt.NDArray[np.float64], ...], how: str
) -> Sketch:
    label = artist.classes[job.class_id]
    return Sketch(lines, label, job.seed, job.index, job.temperature, artist.source, how=how)


def _how(settings: Settings, words: str) -> str:
    return ", ".join(part for part in (words, settings.knobs.describe()) if part)


def _indices(settings: Settings, count: int) -> list[int]:
    if settings.index + count > KEY_LIMIT:
        raise InputError(f"index {settings.index}: leaves no room for {count} sketches; choose a smaller one")
    return list(range(settings.index, settings.index + count))


def _check_count(count: int, least: int = 1) -> None:
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or not least <= count <= MOST:
        raise InputError(f"count {short(count)}: choose a whole number, {least} to {MOST}")
