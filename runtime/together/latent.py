"""Ways through the latent space, from one drawing's z to another's."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.session import State

Vector = npt.NDArray[np.float32]

_NEARLY_ONE = 1.0 - 2.0**-24
"""The largest float32 below 1: tanh reaches 1 in float32, and its inverse there is infinite."""


def slerp(first: Vector, last: Vector, share: float) -> Vector:
    """Spherical interpolation from `first` (share 0, exactly) to `last` (share 1, exactly), both of shape (Z,).

    White 2016 (arXiv:1609.04468, section 2.1): sin((1 - t) w) / sin w * first + sin(t w) / sin w * last, w the angle
    between the two. Where they point the same or opposite ways there is no such arc, and the way is straight.
    """
    if share in (0.0, 1.0):
        return np.array(last if share else first, np.float32)
    one, other = np.asarray(first, np.float64), np.asarray(last, np.float64)
    lengths = math.sqrt(float(one @ one)) * math.sqrt(float(other @ other))
    cosine = float(one @ other) / lengths if lengths > 0 else 1.0
    angle = math.acos(min(1.0, max(-1.0, cosine)))
    sine = math.sin(angle)
    if sine < 1e-6:
        return np.asarray((1 - share) * one + share * other, np.float32)
    return np.asarray((math.sin((1 - share) * angle) * one + math.sin(share * angle) * other) / sine, np.float32)


def spread(z: Vector, normals: Vector, amount: float) -> Vector:
    """A z near `z`: cos(a) z + sin(a) normals, a = amount * pi / 2; both of shape (Z,).

    Amount 0 is `z` itself, 1 a draw from the prior with no memory of it; variances are those of the prior all the way
    where they are at the beginning.
    """
    if amount == 0:
        return np.array(z, np.float32)
    angle = amount * math.pi / 2
    return np.asarray(math.cos(angle) * z.astype(np.float64) + math.sin(angle) * normals.astype(np.float64), np.float32)


def blend(first: State, last: State, share: float) -> State:
    """What a decoder starts from between two classes: as if their embeddings had been mixed, share 0 to 1.

    The start graph is affine in the embedding up to the tanh of the first state (Ha & Eck 2017, section 3.2), so the
    mix can be taken behind it: of the gate as it is, of h and c before their tanh. The ends are exact.
    """
    if share in (0.0, 1.0):
        return last if share else first
    h, c = (
        np.tanh((1 - share) * _before_tanh(near) + share * _before_tanh(far)).astype(np.float32)
        for near, far in ((first.h, last.h), (first.c, last.c))
    )
    gate = (1 - share) * first.gate.astype(np.float64) + share * last.gate.astype(np.float64)
    return State(gate.astype(np.float32), h, c)


def _before_tanh(values: Vector) -> npt.NDArray[np.float64]:
    return np.asarray(np.arctanh(np.clip(values.astype(np.float64), -_NEARLY_ONE, _NEARLY_ONE)))
