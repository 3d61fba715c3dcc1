"""What one of Magenta's models computes, read from its tensors by the published formulas, in numpy.

The yardstick for the graphs that `export/magenta_graphs.py` makes: nothing is reordered or folded here. The cell
(Ha & Eck 2017, arXiv:1704.03477, as the published code has it), with the gates i, g, f, o of x W + h U + b::

    c' = c sigmoid(f + 1) + tanh(g) sigmoid(i)        h' = sigmoid(o) tanh(c')        y = h' W_y + b_y
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.export.coarse import LEVELS, SCALE
from sketch_edge.export.magenta_file import MagentaModel
from sketch_edge.export.quantise import SMALLEST, round_trip
from sketch_edge.runtime.manifest import PEN_STATES
from sketch_edge.runtime.strokes import START_TOKEN, STROKE, stroke3_to_stroke5

Reals = npt.NDArray[np.floating]
Exact = npt.NDArray[np.float64]


class Reading:
    """A model, ready to compute.

    Args:
        model: as the file has it, or `rounded`.
        dtype: of all arithmetic; float64 is the yardstick.
        coarse: h is rounded before it is multiplied, as in variant int8.
    """

    def __init__(self, model: MagentaModel, dtype: Any = np.float64, coarse: bool = False) -> None:
        self.model = model
        self._dtype = dtype
        self._coarse = coarse
        # Bundles hold float32. What that rounds away is the bundle's format, not a graph's fault.
        self._tensors = {name: array.astype(np.float32).astype(dtype) for name, array in model.tensors.items()}

    def start(self, z: Reals) -> tuple[Reals, Reals]:
        """The first h and c, each (B, H), for z (B, Z): zero where the model is a decoder alone."""
        if self.model.kind == "gen":
            zero = np.zeros((len(z), self.model.hidden), self._dtype)
            return zero, zero
        both = np.tanh(z.astype(self._dtype) @ self._tensors["start_w"] + self._tensors["start_b"])
        c, h = np.split(both, 2, axis=1)
        return h, c

    def step(self, x: Reals, z: Reals, h: Reals, c: Reals) -> tuple[Reals, Reals, Reals]:
        """One step: rows x (B, 5), z (B, Z), h and c (B, H) to y (B, 6M + 3) and the next h and c."""
        x = np.concatenate([x, z], axis=1).astype(self._dtype)
        h, c = self._cell("decoder", x, h.astype(self._dtype), c.astype(self._dtype))
        return self.output(h), h, c

    def output(self, h: Reals) -> Reals:
        """The raw output y (B, 6M + 3) of the hidden vectors h (B, H)."""
        return np.asarray(self._seen(h.astype(self._dtype)) @ self._tensors["output_w"] + self._tensors["output_b"])

    def carry(self, rows: Reals, z: Reals) -> Reals:
        """All outputs (T, B, 6M + 3) over rows (T, B, 5), from the start on."""
        h, c = self.start(z)
        outputs = []
        for x in rows:
            y, h, c = self.step(x, z, h, c)
            outputs.append(y)
        return np.stack(outputs)

    def encode(self, rows: Reals, lengths: Sequence[int]) -> tuple[Reals, Reals]:
        """Mu and sigma, (B, Z), of drawings (B, T, 5) of so many rows."""
        ends = []
        for name, backward in (("forward", False), ("backward", True)):
            h = c = np.zeros((len(rows), self.model.encoder_hidden), self._dtype)
            for at in range(max(lengths)):
                places = [length - 1 - at if backward else at for length in lengths]
                x = np.stack([drawing[place] for drawing, place in zip(rows, places, strict=True)]).astype(self._dtype)
                h_next, c_next = self._cell(name, x, h, c, encoder=True)
                going = np.array([[at < length] for length in lengths])  # the others have ended, and keep their state
                h, c = np.where(going, h_next, h), np.where(going, c_next, c)
            ends.append(h)
        end = np.concatenate(ends, axis=1)
        log_variance = end @ self._tensors["sigma_w"] + self._tensors["sigma_b"]
        return np.asarray(end @ self._tensors["mu_w"] + self._tensors["mu_b"]), np.sqrt(np.exp(log_variance))

    def _cell(self, name: str, x: Reals, h: Reals, c: Reals, encoder: bool = False) -> tuple[Reals, Reals]:
        wx, wh, b = (self._tensors[f"{name}_{part}"] for part in ("wx", "wh", "b"))
        i, g, f, o = np.split(x @ wx + (h if encoder else self._seen(h)) @ wh + b, 4, axis=1)
        c = c * _sigmoid(f + 1.0) + np.tanh(g) * _sigmoid(i)
        return np.asarray(_sigmoid(o) * np.tanh(c)), c

    def _seen(self, h: Reals) -> Reals:
        """What products see of h: all of it, or, in variant int8, the nearest point of the grid."""
        if not self._coarse:
            return h
        # In float32, as the graph divides: a tie must fall to the same side.
        return np.asarray(np.rint(h.astype(np.float32) / SCALE).astype(np.float64) / LEVELS, self._dtype)


def rounded(model: MagentaModel) -> MagentaModel:
    """The model that a w8 bundle computes: every matrix of some size rounded to int8 and back, column by column."""
    tensors = dict(model.tensors)

    def rounding(weight: Exact, axis: int = 1) -> Exact:
        return round_trip(weight.astype(np.float32), axis).astype(np.float64) if weight.size >= SMALLEST else weight

    for name in ("output_w", "decoder_wh", *(("start_w",) if model.kind == "vae" else ())):
        tensors[name] = rounding(tensors[name])
    # The graphs keep the rows of x apart from those of z; mu and sigma, and both directions, are one matrix each.
    parts = [tensors["decoder_wx"][:STROKE], tensors["decoder_wx"][STROKE:]]
    tensors["decoder_wx"] = np.concatenate([rounding(part) for part in parts])
    if model.kind == "vae":
        both = rounding(np.concatenate([tensors["mu_w"], tensors["sigma_w"]], axis=1))
        tensors["mu_w"], tensors["sigma_w"] = np.split(both, 2, axis=1)
        for part in ("wx", "wh"):
            names = [f"{direction}_{part}" for direction in ("forward", "backward")]
            tensors |= zip(names, rounding(np.stack([tensors[name] for name in names]), axis=2), strict=True)
    return replace(model, tensors=tensors)


def reconstruction_loss(model: MagentaModel, drawings: Sequence[Reals]) -> float:
    """L_R of a decoder over drawings, as the files state it in r_loss (Ha & Eck 2017, eq. 9).

    Offsets count up to the last point and so does the pen; both sums are divided by max_points times the number of
    drawings. Longer drawings are left out, as they were in training.

    Args:
        model: a decoder alone.
        drawings: stroke-3, (N, 3), in canvas pixels: those that scale_factor is in.

    Raises:
        ValueError: the model has an encoder, or no drawing is short enough.
    """
    N, M = model.max_points, model.mixtures
    kept = [drawing.astype(np.float64) for drawing in drawings if 1 <= len(drawing) <= N]
    if model.kind != "gen" or not kept:
        raise ValueError("expected a decoder alone and drawings of at most max_points points")
    scaled = [drawing / (model.scale_factor, model.scale_factor, 1) for drawing in kept]
    target = np.stack([stroke3_to_stroke5(drawing, N + 1)[:N] for drawing in scaled], axis=1).astype(np.float64)
    first = np.tile(np.array(START_TOKEN), (1, len(kept), 1))
    y = Reading(model, np.float32).carry(np.concatenate([first, target[:-1]]), np.zeros((len(kept), 0)))
    y = y.astype(np.float64)
    counted = 1 - target[:, :, 4]
    pen, (pi, mu_x, mu_y, log_x, log_y, rho) = y[..., :PEN_STATES], np.split(y[..., PEN_STATES:], 6, axis=2)
    a = (target[..., 0:1] - mu_x) / np.exp(log_x)
    b = (target[..., 1:2] - mu_y) / np.exp(log_y)
    rho = np.tanh(rho)
    rest = 1 - rho**2
    density = -(a**2 + b**2 - 2 * rho * a * b) / (2 * rest) - log_x - log_y - 0.5 * np.log(rest) - np.log(2 * np.pi)
    offsets = -(_logsumexp(pi + density) - _logsumexp(pi))
    pens = _logsumexp(pen) - (pen * target[..., 2:]).sum(axis=2)
    assert pi.shape[2] == M
    return float(((offsets + pens) * counted).sum() / (N * len(kept)))


def _logsumexp(values: Reals) -> Reals:
    top = values.max(axis=2)
    return np.asarray(top + np.log(np.exp(values - top[..., None]).sum(axis=2)))


def _sigmoid(x: Reals) -> Reals:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))
