"""The gates of an import: the graphs compute what the file says, by `Reading`, as `export/verify.py` asks it of ours.

* **step**: graphs carry their own state over 250 steps; each output and next state is compared with the reading's, from
  the very state that the graphs had.
* **drift**: the same outputs beside a reading that carried its own state from the start on.
* **encode**: mu and sigma of drawings of 1 to 60 rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sketch_edge.export.compare import BATCHES, ROUNDING_SHARE, STEPS, Difference, allowed, require_within
from sketch_edge.export.magenta_file import MagentaModel
from sketch_edge.export.magenta_reading import Reading, Reals
from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.manifest import Manifest
from sketch_edge.runtime.noise import Noise
from sketch_edge.runtime.sampler import Job, draw_rows
from sketch_edge.runtime.session import Session
from sketch_edge.runtime.strokes import START_TOKEN, STROKE, stroke3_to_stroke5

DRAWN = 2
"""Sketches of the model itself among those that are compared."""

ENCODED_ROWS = 60
ROUNDED_STEPS = 12
LARGEST_LATENT = 1000.0
"""mu and sigma are of the size of standard normals; these are far beyond."""


@dataclass(frozen=True)
class Measured:
    """How far the graphs are from the file."""

    step: Difference
    drift: Difference
    encode: Difference | None


def measure(model: MagentaModel, session: Session, manifest: Manifest, coarse: bool = False) -> Measured:
    """Run the graphs, in the run-time's own session, and the reading over the same rows and compare.

    Args:
        model: what the graphs should compute.
        session: of the graphs.
        manifest: of their bundle.
        coarse: the graphs round h, as in variant int8.

    Raises:
        InputError: the model gives numbers that are not finite.
        BundleError: the graphs do.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # found and reported below
        return _measure(model, session, manifest, coarse)


def _measure(model: MagentaModel, session: Session, manifest: Manifest, coarse: bool) -> Measured:
    exact = Reading(model, np.float64, coarse)
    random = [_random_rows(model, batch, STEPS, seed=batch) for batch in BATCHES]
    readings = exact, Reading(model, np.float32, coarse)
    walks = [_walk(readings, session, rows, z) for rows, z in (*random, _drawn_rows(model, session, manifest))]
    step = walks[0][0]
    for found, _ in walks[1:]:
        step |= found
    # Sketches do not know of each other, so the reading, which is slow, takes all batches at once.
    rows, z = (np.concatenate([pair[part] for pair in random], axis=1 - part) for part in (0, 1))
    y = np.concatenate([outputs for _, outputs in walks[: len(random)]], axis=1)
    expected = exact.carry(rows, z)
    _check_finite(model, expected)
    # Where the state is rounded, a last bit may decide to which side: there it is the reading without that which tells.
    other = Reading(model, np.float64 if coarse else np.float32).carry(rows, z)
    drift = Difference.of(y, expected, allowed(other, expected))
    return Measured(step, drift, _compare_encoders(model, session) if model.kind == "vae" else None)


def require_parity(measured: Measured) -> None:
    """Refuse graphs that depart from the file by more than is allowed.

    Raises:
        UnfinishedError: a difference over what is allowed, or no number.
    """
    require_within(
        measured.step, measured.drift, measured.encode, reference="the file", packages="onnx and onnxruntime"
    )


def rounding_share(model: MagentaModel, coarse: Reading) -> float:
    """What rounding changes in a step's output from the same state, as a share of the outputs' spread; RMS both.

    Raises:
        UnfinishedError: more than ROUNDING_SHARE.
    """
    rows, z = _random_rows(model, 8, ROUNDED_STEPS, seed=5)
    exact = Reading(model)
    h, c = exact.start(z)
    outputs, away = [], []
    for x in rows:
        other, _, _ = coarse.step(x, z, h, c)
        y, h, c = exact.step(x, z, h, c)
        outputs.append(y)
        away.append(other - y)
    changed, spread = float(np.sqrt(np.square(away).mean())), float(np.stack(outputs).std(axis=(0, 1)).mean())
    share = changed / spread if spread > 0 else float("inf") if changed > 0 else 0.0  # a model may be all zeros
    if not share <= ROUNDING_SHARE:
        raise UnfinishedError(
            f"step.onnx: rounding changes a step's output by {share:.2f} of its spread (at most {ROUNDING_SHARE}); "
            "nothing was written; choose --quantize none"
        )
    return share


def _walk(readings: Sequence[Reading], session: Session, rows: Reals, z: Reals) -> tuple[Difference, Reals]:
    """Carry the graphs over rows; compare each step with the readings' from the same state, and give all y.

    Args:
        readings: the exact one, and one in float32 that tells how far float32 may depart: weights up to 10 add up to
            numbers of a hundred, whose differences are the outputs.
        session: of the graphs.
        rows: (T, B, 5).
        z: (B, Z).
    """
    count, batch = rows.shape[:2]
    state = session.start(z.astype(np.float32), [0] * batch)
    steps = session.steps(state)
    states, outputs = [np.stack([state.h, state.c])], []
    for row in rows:
        steps.x[:] = row
        steps.run()
        outputs.append(steps.y.copy())
        states.append(np.stack([steps.state.h, steps.state.c]))
    y = np.stack(outputs)
    # Every step from a state of its own: T * B sketches side by side.
    (h, c), (h_next, c_next) = (np.concatenate(part, axis=1) for part in (states[:-1], states[1:]))
    wanted = []
    for reading in readings:
        _, *after = reading.step(np.concatenate(list(rows)), np.tile(z, (count, 1)), h, c)
        # Outputs from the graphs' own next h: where that is rounded, a tie must not be blamed on the output.
        wanted.append((*after, reading.output(h_next)))
    found = Difference.of(states[0], np.stack(readings[0].start(z)))
    for mine, exact, float32 in zip((h_next, c_next, np.concatenate(outputs)), *wanted, strict=True):
        found |= Difference.of(mine, exact, allowed(float32, exact))
    return found, y


def _compare_encoders(model: MagentaModel, session: Session) -> Difference:
    """Compare mu and sigma of drawings of 1 to ENCODED_ROWS rows."""
    batch = max(BATCHES)
    rows, _ = _random_rows(model, batch, ENCODED_ROWS, seed=100)
    lengths = np.linspace(ENCODED_ROWS, 1, batch).astype(int).tolist()
    for place, length in enumerate(lengths):
        rows[length:, place] = (0, 0, 0, 0, 1)
    drawings = rows.transpose(1, 0, 2)
    expected, float32 = (np.stack(Reading(model, kind).encode(drawings, lengths)) for kind in (np.float64, np.float32))
    _check_finite(model, expected, LARGEST_LATENT)
    found = np.stack(session.encode(drawings.astype(np.float32), lengths, [0] * batch))
    return Difference.of(found, expected, allowed(float32, expected))


def _check_finite(model: MagentaModel, expected: Reals, most: float = float(np.finfo(np.float32).max)) -> None:
    """Refuse weights of which numbers come that no model means, or that float32 cannot hold."""
    if not (np.abs(expected) < most).all():  # false for nan too
        raise InputError(
            f"{model.file}: its weights give numbers beyond all bounds (expected less than {most:g}); "
            "download the file again"
        )


def _random_rows(model: MagentaModel, batch: int, steps: int, seed: int) -> tuple[Reals, Reals]:
    """Make rows (T, B, 5) with offsets about as large as real ones, and z (B, Z), float32, from a seed."""
    generator = np.random.Generator(np.random.Philox(seed))
    rows = np.zeros((steps, batch, STROKE), np.float32)
    rows[:, :, :2] = generator.standard_normal((steps, batch, 2))
    lift = generator.random((steps, batch)) < 0.15
    rows[:, :, 2], rows[:, :, 3] = ~lift, lift
    return rows, generator.standard_normal((batch, model.latent)).astype(np.float32)


def _drawn_rows(model: MagentaModel, session: Session, manifest: Manifest) -> tuple[Reals, Reals]:
    """Let the model draw sketches; end rows follow up to STEPS."""
    jobs = [Job(0, 0, index) for index in range(DRAWN)]
    sketches = []
    for drawn in draw_rows(session, manifest, jobs, 1.0, STEPS - 2):
        stroke3 = drawn.rows.astype(np.float64)
        stroke3[:, :2] /= manifest.grid * manifest.scale
        sketches.append(np.concatenate([[START_TOKEN], stroke3_to_stroke5(stroke3, STEPS - 1)]))
    z = np.stack([Noise(0, job.index, model.latent, model.mixtures).z for job in jobs])
    return np.stack(sketches, axis=1).astype(np.float32), z
