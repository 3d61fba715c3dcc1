"""The gates that every bundle passes before it is kept: valid ONNX, loads, and computes what torch computes.

What is asked of a number x that should be y is ``|x - y| <= 1e-5 * max(1, |y|)``: an absolute 1e-5 up to magnitude 1,
and a relative one beyond, since the rounding of float32 grows with the number. It is asked twice:

* **step**: the graphs carry their own state over 250 steps; every next state is compared with that of the trained
  network from the very state that the graphs had, and every output with that of the network's output layer from the
  very next state. No error can hide in a later one, or be blamed on it.
* **drift**: the same outputs against a network that carried its state by itself, from the start on. A network may
  enlarge the rounding of early steps in later ones (trained ones were seen to, a hundredfold and more). That is no
  fault of a graph, torch's own float32 departs alike: so where ten times its departure is more than 1e-5, it is that
  much which is allowed here.

Variant int8 is asked the same of a network that rounds its state as the graphs do; from that it may drift ten times as
far as the network that does not. That the rounding does not show in drawings is asked by `export/drawings.py`.

The encoder, one operator over all rows, is asked what is asked of the drift. The reference is the network itself
(nn.LSTM), not the cut-up cell that was traced: a mistake in the cutting shows too. It computes in float64, so that what
is measured is the error of the graphs and not the sum of theirs and torch's.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sketch_edge.export.compare import BATCHES, ROUNDING_SHARE, STEPS, Difference, Reals, allowed, require_within
from sketch_edge.export.rounded import CoarseVAE, fine_copy, seen
from sketch_edge.runtime.errors import CheckpointError, UnfinishedError
from sketch_edge.runtime.manifest import Manifest
from sketch_edge.runtime.noise import Noise
from sketch_edge.runtime.sampler import Job, draw_rows
from sketch_edge.runtime.session import Session, State
from sketch_edge.runtime.strokes import START_TOKEN, stroke3_to_stroke5
from sketch_edge.train.models.base import SketchModel

DRAWN = 8
"""Sketches of the model itself among those that are compared."""

ENCODED_ROWS = 60
CLASS_STEPS = 3
"""Steps over which every single class is compared."""


@dataclass(frozen=True)
class Measured:
    """How far the graphs are from torch, and how fast they are."""

    step: Difference
    """Outputs and states of single steps along the graphs' own way, and of the start."""

    drift: Difference
    """Outputs over 250 steps that both went by themselves."""

    encode: Difference | None
    """mu and sigma; None where there is no encoder."""

    step_us: float
    """Median time of a step at batch 1, microseconds, on this machine."""


class Rounding(NamedTuple):
    """What rounding changes in the output y of one step, from the same state."""

    largest: float
    share: float
    """Root mean square, as a share of y's standard deviation over steps and sketches."""


class Sketches(NamedTuple):
    """B sketches to compare on."""

    rows: Tensor
    """Stroke-5 in model units from the start token on, float32 (T, B, 5)."""

    z: Tensor
    """float32 (B, Z)."""

    class_ids: Tensor
    """int64 (B,)."""


def measure(model: SketchModel, session: Session, manifest: Manifest) -> Measured:
    """Run the graphs, in the run-time's own session, and the torch model over the same sketches and compare.

    Random sketches in batches of 1, 2 and 5, sketches that the model draws, with the rows after their end, over 250
    steps; and a few steps of every class.

    Args:
        model: what the graphs should compute, float32.
        session: of the graphs.
        manifest: of their bundle.

    Raises:
        CheckpointError: the model gives numbers that are not finite.
        BundleError: the graphs do.
    """
    exact = copy.deepcopy(model).double()
    carried = [_random_sketches(model, batch, STEPS, seed=batch) for batch in BATCHES]
    float32 = [_decode(model, sketches) for sketches in carried]
    if not all(np.isfinite(y).all() for y in float32):
        raise CheckpointError("weights: give numbers that are not finite; train again with a lower learning_rate")
    walks = [_walk(exact, session, sketches) for sketches in carried]
    more = [_drawn_sketches(session, manifest), *_every_class(model)]
    steps = [found for found, _ in walks] + [_walk(exact, session, sketches)[0] for sketches in more]
    drifts = [
        _drift(exact, sketches, y, torchs) for sketches, (_, y), torchs in zip(carried, walks, float32, strict=True)
    ]
    encoded = [_compare_encoders(exact, model, session, batch) for batch in BATCHES] if model.latent else []
    step, drift = (reduce(Difference.__or__, found) for found in (steps, drifts))
    return Measured(step, drift, reduce(Difference.__or__, encoded) if encoded else None, _time_step(model, session))


def require_parity(measured: Measured) -> None:
    """Refuse a bundle that departs from torch by more than the module's docstring allows.

    Raises:
        UnfinishedError: a difference over what is allowed, or no number.
    """
    require_within(
        measured.step, measured.drift, measured.encode, reference="torch", packages="torch, onnx and onnxruntime"
    )


def rounding_error(model: SketchModel, rounded: SketchModel) -> Rounding:
    """Measure, in torch, what rounding the weights (and in int8 the state) changes in a step.

    Raises:
        UnfinishedError: more than ROUNDING_SHARE.
    """
    rows, z, class_ids = _random_sketches(model, 8, 32, seed=5)
    exact, found = [], []
    with torch.no_grad():
        state = model.first_state(z, class_ids)
        for row in rows:
            before, (output, state) = state, model.advance(row[None], z, class_ids, state)
            exact.append(output[0].numpy())
            found.append(rounded.advance(row[None], z, class_ids, before)[0][0].numpy())
    y, away = np.stack(exact), np.stack(found) - np.stack(exact)
    rounding = Rounding(float(np.abs(away).max()), float(np.sqrt((away**2).mean()) / y.std(axis=(0, 1)).mean()))
    if not rounding.share <= ROUNDING_SHARE:
        raise UnfinishedError(
            f"step.onnx: rounding changes a step's output by {rounding.share:.2f} of its spread (at most "
            f"{ROUNDING_SHARE}); nothing was written; choose --quantize none"
        )
    return rounding


def _walk(exact: SketchModel, session: Session, sketches: Sketches) -> tuple[Difference, Reals]:
    """Carry the graphs over sketches; compare each step with the network's from the same state, and give all y."""
    rows, z, class_ids = sketches
    state = session.start(z.numpy(), class_ids.tolist())
    steps = session.steps(state)
    states, outputs = [_copy(state)], []
    for row in rows.numpy():
        steps.x[:] = row
        steps.run()
        outputs.append(steps.y.copy())
        states.append(_copy(steps.state))
    h, c = (torch.from_numpy(np.stack(parts)).double() for parts in zip(*states, strict=True))  # (T + 1, B, H)
    y = np.stack(outputs)
    count = len(rows)
    with torch.no_grad():
        start = torch.stack(exact.first_state(z.double(), class_ids))
        # Every step is a sequence of one row with a state of its own: T * B sketches side by side.
        alone, before = rows.double().flatten(0, 1).unsqueeze(0), (h[:-1].flatten(0, 1), c[:-1].flatten(0, 1))
        alongside, after = exact.advance(alone, z.double().repeat(count, 1), class_ids.repeat(count), before)
        expected = exact.output(seen(exact, h[1:]).flatten(0, 1))
    expected = alongside[0] if expected is None else expected
    found = Difference.of(y.reshape(-1, y.shape[-1]), expected.numpy())
    found |= Difference.of(torch.stack([h[0], c[0]]).numpy(), start.numpy())
    for mine, torchs in ((h, after[0]), (c, after[1])):
        found |= Difference.of(mine[1:].flatten(0, 1).numpy(), torchs.numpy())
    return found, y


def _drift(exact: SketchModel, sketches: Sketches, y: Reals, float32: Reals) -> Difference:
    """Compare all y of the graphs with those of the network, which carried its own state.

    Where the state is rounded, a last bit may decide to which side. There it is not float32's departure that is
    compared with, but that of the network which does not round.
    """
    expected = _decode(exact, sketches)
    other = _decode(fine_copy(exact), sketches) if isinstance(exact, CoarseVAE) else float32
    return Difference.of(y, expected, allowed(other, expected))


def _compare_encoders(exact: SketchModel, model: SketchModel, session: Session, batch: int) -> Difference:
    """Compare mu and sigma of sketches of 1 to ENCODED_ROWS rows."""
    rows, _, class_ids = _random_sketches(model, batch, ENCODED_ROWS, seed=100 + batch)
    lengths = torch.linspace(ENCODED_ROWS, 1, batch).long()
    for place, length in enumerate(lengths):
        rows[length:, place] = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0])
    expected, float32 = (_encode(each, rows, lengths, class_ids) for each in (exact, model))
    found = np.stack(session.encode(rows.numpy().transpose(1, 0, 2), lengths.tolist(), class_ids.tolist()))
    return Difference.of(found, expected, allowed(float32, expected))


def _time_step(model: SketchModel, session: Session) -> float:
    rows, z, class_ids = _random_sketches(model, 1, 1, seed=0)
    steps = session.steps(session.start(z.numpy(), class_ids.tolist()))
    steps.x[:] = rows[0].numpy()
    times = []
    for _ in range(300):
        before = time.perf_counter()
        steps.run()
        times.append(time.perf_counter() - before)
    return float(np.median(times) * 1e6)


def _decode(model: SketchModel, sketches: Sketches) -> Reals:
    """Outputs of the torch network, (T, B, 6M + 3), in its own precision."""
    precision = _precision(model)
    rows, z = sketches.rows.to(precision), sketches.z.to(precision)
    with torch.no_grad():
        y, _ = model.advance(rows, z, sketches.class_ids, model.first_state(z, sketches.class_ids))
    return np.asarray(y.numpy())


def _encode(model: SketchModel, rows: Tensor, lengths: Tensor, class_ids: Tensor) -> Reals:
    """Stack mu and sigma of the torch network, (2, B, Z), in its own precision."""
    with torch.no_grad():
        mu, log_variance = model.encode(rows.to(_precision(model)), lengths, model.label(class_ids))
    return np.stack([mu.numpy(), torch.exp(0.5 * log_variance).numpy()])


def _precision(model: SketchModel) -> torch.dtype:
    return next(model.parameters()).dtype


def _copy(state: State) -> tuple[Reals, Reals]:
    return np.array(state.h), np.array(state.c)


def _random_sketches(
    model: SketchModel, batch: int, steps: int, seed: int, class_ids: Sequence[int] | None = None
) -> Sketches:
    """Make rows with offsets about as large as real ones, z and, where none are given, class ids from a seed."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.zeros(steps, batch, 5)
    rows[:, :, :2] = torch.randn(steps, batch, 2, generator=generator)
    lift = torch.rand(steps, batch, generator=generator) < 0.15
    rows[:, :, 2], rows[:, :, 3] = (~lift).float(), lift.float()
    z = torch.randn(batch, model.latent, generator=generator)
    ids = torch.randint(0, model.classes, (batch,), generator=generator)
    return Sketches(rows, z, ids if class_ids is None else torch.tensor(list(class_ids)))


def _drawn_sketches(session: Session, manifest: Manifest) -> Sketches:
    """Let the model draw sketches of classes spread over all it has; end rows follow up to STEPS."""
    class_ids = np.linspace(0, len(manifest.classes) - 1, DRAWN).round().astype(int).tolist()
    jobs = [Job(class_id, 0, index) for index, class_id in enumerate(class_ids)]
    sketches = []
    for drawn in draw_rows(session, manifest, jobs, 1.0, STEPS - 2):
        stroke3 = drawn.rows.astype(np.float64)
        stroke3[:, :2] /= manifest.grid * manifest.scale
        sketches.append(np.concatenate([[START_TOKEN], stroke3_to_stroke5(stroke3, STEPS - 1)]))
    z = np.stack([Noise(job.seed, job.index, manifest.sizes.latent, manifest.sizes.mixtures).z for job in jobs])
    rows = torch.from_numpy(np.stack(sketches, axis=1).astype(np.float32))
    return Sketches(rows, torch.from_numpy(z), torch.tensor(class_ids))


def _every_class(model: SketchModel) -> Iterator[Sketches]:
    """Give a few random steps of every class, as many at a time as the run-time draws."""
    for first in range(0, model.classes, 64):
        ids = range(first, min(first + 64, model.classes))
        yield _random_sketches(model, len(ids), CLASS_STEPS, seed=first, class_ids=ids)
