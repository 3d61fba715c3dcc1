"""How likely a model finds given strokes: the reconstruction loss of Ha & Eck 2017, run through the step graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import BundleError, InputError
from sketch_edge.runtime.manifest import MIXTURE, OFFSET_OUTPUTS, PEN_STATES, Manifest
from sketch_edge.runtime.session import Decoder, State
from sketch_edge.runtime.strokes import START_TOKEN

Array = npt.NDArray[np.float64]


def check_density(manifest: Manifest, advice: str) -> None:
    """Refuse a model that cannot say how likely strokes are: with the head "offset" it gives a next offset, no density.

    Args:
        manifest: of the model.
        advice: what to do instead; the end of the message.

    Raises:
        InputError: its head is another than a mixture.
    """
    if manifest.head != MIXTURE:
        raise InputError(
            f"{manifest.name}: cannot say how likely strokes are (its head is {manifest.head!r}, expected "
            f"{MIXTURE!r}); {advice}"
        )


def log_likelihood(decoder: Decoder, states: State, rows: npt.NDArray[np.float32]) -> Array:
    """Logarithm of the density of the strokes from each of B first states; shape (B,).

    -L_R of Ha & Eck 2017 (arXiv:1704.03477, eq. 9), summed over the rows instead of divided by Nmax.

    Args:
        decoder: gives y for each row.
        states: a batch of B.
        rows: stroke-5 in model units, (n, 5), without an end row.

    Raises:
        InputError: the head of the model is no mixture; see `check_density`.
        BundleError: the model gives numbers that are not finite.
    """
    steps = decoder.steps(states)
    if steps.y.shape[1] == OFFSET_OUTPUTS:
        raise InputError(f"{steps.where}: gives offsets, no density (expected a mixture); choose another model")
    steps.x[:] = START_TOKEN
    total = np.zeros(len(states.h))
    with np.errstate(over="ignore", invalid="ignore"):
        for row in rows:
            steps.run()
            total += _log_density(steps.y.astype(np.float64), row.astype(np.float64))
            steps.x[:] = row
    if not np.isfinite(total).all():
        raise BundleError(f"{steps.where}: gives numbers that are not finite; train or export the model again")
    return total


def _log_density(y: Array, row: Array) -> Array:
    """Of one stroke-5 row under each of B outputs (B, 6 M + 3)."""
    pen = y[:, :PEN_STATES]
    logits, mu_x, mu_y, log_x, log_y, rho_hat = np.split(y[:, PEN_STATES:], 6, axis=1)
    rho = np.tanh(rho_hat)
    rest = np.maximum(1.0 - rho * rho, 1e-12)
    dx, dy = (row[0] - mu_x) * np.exp(-log_x), (row[1] - mu_y) * np.exp(-log_y)
    away = (dx * dx + dy * dy - 2.0 * rho * dx * dy) / rest
    each = logits - away / 2 - log_x - log_y - np.log(2 * np.pi) - np.log(rest) / 2
    state = int(np.argmax(row[2:]))
    return np.asarray(_log_sum(each) - _log_sum(logits) + pen[:, state] - _log_sum(pen))


def _log_sum(values: Array) -> Array:
    """Logarithm of the sum of the exponentials along the last axis."""
    largest = values.max(axis=1)
    return np.asarray(largest + np.log(np.exp(values - largest[:, None]).sum(axis=1)))
