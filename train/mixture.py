"""The output y of a step with the head "mixture", named."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from sketch_edge.runtime.manifest import PEN_STATES


class Mixture(NamedTuple):
    """A step's output, named; M bivariate normals and three pen states."""

    pen: Tensor
    """Logits of down, up, end, (N, 3)."""

    pi: Tensor
    """Logits of the mixture, (N, M)."""

    mu_x: Tensor
    mu_y: Tensor
    """Means in model units, (N, M)."""

    log_sigma_x: Tensor
    log_sigma_y: Tensor
    """Logarithms of the standard deviations, (N, M)."""

    rho_hat: Tensor
    """rho = tanh(rho_hat), (N, M)."""


def split_output(output: Tensor) -> Mixture:
    """Name the parts of y, (N, 6M + 3): three pen logits, then six blocks of M (Ha & Eck 2017, eq. 4-7)."""
    return Mixture(output[:, :PEN_STATES], *output[:, PEN_STATES:].chunk(6, dim=1))
