"""Losses: their parts, and those of the VAE in log-space throughout (Ha & Eck 2017, arXiv:1704.03477, section 3.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sketch_edge.train.mixture import Mixture

RHO_LIMIT = 1.0 - 1e-4
"""|rho| stays below this: at 1 a normal is a line and its density infinite."""


@dataclass(frozen=True)
class Losses:
    """The losses of a batch or a split, as plain numbers (Ha & Eck 2017, section 3.3).

    Kinds of model without a density give their own measure of the offsets and of the pen in the places of L_s and L_p.
    """

    offset: float
    """L_s: negative log likelihood of the offsets, summed over a sketch, divided by Nmax, mean over sketches."""

    pen: float
    """L_p: cross-entropy of the pen states, summed, divided and averaged alike."""

    kl: float
    """KL of the posterior from N(0, I), mean over Nz and batch, before weight and floor; 0 without a latent vector."""

    total: float
    """What is minimised: L_s + L_p + w * max(KL, KL_min); w is the annealed weight in training, the full one else."""

    @property
    def reconstruction(self) -> float:
        """L_R = L_s + L_p."""
        return self.offset + self.pen


def offset_nll(mixture: Mixture, offsets: Tensor) -> Tensor:
    """Negative log likelihood of offsets (N, 2) in model units under the mixture, (N,): L_s of eq. 9, not yet summed.

    logsumexp over the normals: no epsilon inside a logarithm. Values below zero are usual, they are densities.
    """
    x, y = offsets[:, 0:1], offsets[:, 1:2]  # (N, 1)
    u = (x - mixture.mu_x) * torch.exp(-mixture.log_sigma_x)
    v = (y - mixture.mu_y) * torch.exp(-mixture.log_sigma_y)
    rho = torch.tanh(mixture.rho_hat) * RHO_LIMIT
    one_less = 1 - rho * rho
    # log N(x, y) of a bivariate normal, Graves 2013 (arXiv:1308.0850), eq. 24-25
    log_density = (
        -(u * u + v * v - 2 * rho * u * v) / (2 * one_less)
        - mixture.log_sigma_x
        - mixture.log_sigma_y
        - 0.5 * torch.log(one_less)
        - math.log(2 * math.pi)
    )
    return -torch.logsumexp(F.log_softmax(mixture.pi, dim=1) + log_density, dim=1)


def pen_nll(pen: Tensor, states: Tensor) -> Tensor:
    """Cross-entropy of pen logits (N, 3) against states, int64 (N,): 0 down, 1 up, 2 end; (N,); L_p before its mean."""
    return F.cross_entropy(pen, states, reduction="none")


def kl_divergence(mu: Tensor, log_variance: Tensor) -> Tensor:
    """KL of the posterior from N(0, I), mean over Nz and batch, a scalar (eq. 10)."""
    return -0.5 * torch.mean(1 + log_variance - mu * mu - torch.exp(log_variance))


def kl_weight_at(step: int, weight: float, start: float, rate: float) -> float:
    """Annealed KL weight at a step (eq. 11): weight * (1 - (1 - start) * rate**step)."""
    return weight * (1.0 - (1.0 - start) * rate**step)
