"""Reconstruction and KL losses of real drawings, for bundles and checkpoints alike, through encoder and single step.

As in training (`train/losses.py`, Ha & Eck 2017, eq. 9-10), with z at its posterior mean: L_s is the negative log
likelihood of the offsets, in model units, over the points of a drawing; L_p the cross-entropy of the pen states, the
end row included; both divided by the most points of the model, so they are the figures that sketch-train shows. The
likelihood per point, in nats and Quick, Draw! units, divides by the drawing's own rows instead and takes the scale out
of the density: only that compares models of other data sets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.manifest import PEN_STATES
from sketch_edge.runtime.strokes import START_TOKEN, STROKE, stroke3_to_stroke5
from sketch_edge.train.evaluate.drawing import Drawing
from sketch_edge.train.evaluate.subject import Network

RHO_LIMIT = 1.0 - 1e-4
"""As in training: at 1 a normal is a line and its density infinite."""

BATCH = 128

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Likelihoods:
    """Losses of n drawings, each (n,)."""

    offset: Floats
    """L_s"""

    pen: Floats
    """L_p"""

    kl: Floats
    """Mean over the latent numbers."""

    per_point: Floats
    """Nats a row, in Quick, Draw! units."""

    @property
    def reconstruction(self) -> Floats:
        """L_R = L_s + L_p."""
        return self.offset + self.pen

    def part(self, chosen: slice) -> Likelihoods:
        """Those of some drawings."""
        return Likelihoods(self.offset[chosen], self.pen[chosen], self.kl[chosen], self.per_point[chosen])


def likelihoods(
    network: Network,
    drawings: Sequence[Drawing],
    class_ids: Sequence[int],
    on_done: Callable[[int], None] = lambda count: None,
) -> Likelihoods:
    """Take the losses of drawings.

    Args:
        network: the model.
        drawings: in Quick, Draw! units.
        class_ids: of the model, one for each.
        on_done: called with the number of drawings done after each batch.
    """
    sketches = [drawing.stroke3() for drawing in drawings]
    order = sorted(range(len(sketches)), key=lambda i: len(sketches[i]))
    table = np.zeros((len(sketches), 4))
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        table[chosen] = _batch(network, [sketches[i] for i in chosen], [class_ids[i] for i in chosen])
        on_done(len(chosen))
    return Likelihoods(*table.T)


def _batch(network: Network, sketches: list[Floats], class_ids: list[int]) -> Floats:
    """Losses of a batch, (B, 4): offset, pen, KL, per point."""
    manifest = network.manifest
    lengths = np.array([len(sketch) for sketch in sketches])
    rows = np.zeros((len(sketches), int(lengths.max()) + 1, STROKE), np.float32)
    for row, sketch in zip(rows, sketches, strict=True):
        scaled = sketch / np.array([manifest.scale, manifest.scale, 1.0])
        row[:] = stroke3_to_stroke5(scaled, len(row))
    mu, sigma = network.encode(rows, lengths.tolist(), class_ids)
    offset, pen = _teach(network, rows, lengths, mu, class_ids)
    variance = sigma.astype(np.float64) ** 2
    kl = -0.5 * (1 + np.log(np.maximum(variance, 1e-300)) - mu.astype(np.float64) ** 2 - variance).mean(axis=1)
    # A density in model units is scale^2 times that in Quick, Draw! units.
    per_point = (offset + pen + 2 * math.log(manifest.scale) * lengths) / (lengths + 1)
    return np.stack([offset / manifest.sizes.max_points, pen / manifest.sizes.max_points, kl, per_point], axis=1)


def _teach(
    network: Network,
    rows: npt.NDArray[np.float32],
    lengths: npt.NDArray[np.int64],
    z: npt.NDArray[np.float32],
    class_ids: list[int],
) -> tuple[Floats, Floats]:
    """Feed the drawing's own rows to the decoder and add up what it thought of each next one; each (B,)."""
    steps = network.decoder.steps(network.decoder.start(z, class_ids))
    offset, pen = np.zeros(len(rows)), np.zeros(len(rows))
    steps.x[:] = START_TOKEN
    for t in range(rows.shape[1]):
        steps.run()
        y, target = steps.y.astype(np.float64), rows[:, t].astype(np.float64)
        pen += np.where(t <= lengths, -(_log_softmax(y[:, :PEN_STATES]) * target[:, 2:]).sum(axis=1), 0.0)
        offset += np.where(t < lengths, offset_nll(y, target[:, :2]), 0.0)
        steps.x[:] = rows[:, t]
    return offset, pen


def offset_nll(y: Floats, offsets: Floats) -> Floats:
    """Negative log likelihood of offsets (B, 2) under raw outputs y (B, 6 M + 3), (B,); `train/losses.py` in numpy."""
    pi, mu_x, mu_y, log_x, log_y, rho_hat = np.split(y[:, PEN_STATES:], 6, axis=1)
    u = (offsets[:, :1] - mu_x) * np.exp(-log_x)
    v = (offsets[:, 1:] - mu_y) * np.exp(-log_y)
    rho = np.tanh(rho_hat) * RHO_LIMIT
    one_less = 1 - rho * rho
    quadratic = (u * u + v * v - 2 * rho * u * v) / (2 * one_less)
    log_density = -quadratic - log_x - log_y - 0.5 * np.log(one_less) - math.log(2 * math.pi)
    joint = _log_softmax(pi) + log_density
    highest = joint.max(axis=1)
    return np.asarray(-(highest + np.log(np.exp(joint - highest[:, None]).sum(axis=1))))


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
