"""The losses against direct formulas."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sketch_edge.train.losses import RHO_LIMIT, kl_divergence, kl_weight_at, offset_nll, pen_nll  # noqa: E402
from sketch_edge.train.mixture import split_output  # noqa: E402

M = 4


def _direct_nll(y, offset):
    """The negative log of the sum of weighted densities, written out in float64 with nothing clever."""
    pi, mu_x, mu_y, log_sx, log_sy, rho_hat = np.split(y[3:].astype(np.float64), 6)
    weights = np.exp(pi) / np.exp(pi).sum()
    total = 0.0
    for k in range(M):
        sx, sy, rho = math.exp(log_sx[k]), math.exp(log_sy[k]), math.tanh(rho_hat[k]) * RHO_LIMIT
        covariance = np.array([[sx * sx, rho * sx * sy], [rho * sx * sy, sy * sy]])
        away = offset - np.array([mu_x[k], mu_y[k]])
        density = math.exp(-0.5 * away @ np.linalg.inv(covariance) @ away)
        total += weights[k] * density / (2 * math.pi * math.sqrt(np.linalg.det(covariance)))
    return -math.log(total)


def test_offset_nll_is_the_mixture_density():
    """The log-space likelihood equals the plain formula."""
    rng = np.random.default_rng(1)
    y = rng.normal(0, 0.7, (16, 6 * M + 3)).astype(np.float32)
    offsets = rng.normal(0, 1, (16, 2)).astype(np.float32)
    found = offset_nll(split_output(torch.from_numpy(y)), torch.from_numpy(offsets))
    expected = [_direct_nll(row, offset) for row, offset in zip(y, offsets, strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-5)


def test_offset_nll_stays_finite_far_away():
    """An offset a thousand sigmas away has a large loss with finite gradients, where a plain density underflows."""
    y = torch.zeros(1, 6 * M + 3, requires_grad=True)
    loss = offset_nll(split_output(y), torch.tensor([[1000.0, -1000.0]]))
    loss.sum().backward()
    assert float(loss.detach()) == pytest.approx(1e6 + math.log(2 * math.pi), rel=1e-3)
    assert bool(torch.isfinite(y.grad).all())


def test_offset_nll_prefers_the_mean():
    """The likelihood is highest at the mean of a single sharp normal."""
    y = torch.zeros(3, 6 + 3)
    y[:, 4], y[:, 5] = 0.5, -0.5  # mu_x, mu_y
    offsets = torch.tensor([[0.5, -0.5], [0.6, -0.5], [0.5, 0.0]])
    loss = offset_nll(split_output(y), offsets)
    assert loss[0] < loss[1] < loss[2]


def test_pen_nll_is_cross_entropy():
    """-log softmax of the right state."""
    logits = torch.tensor([[2.0, 1.0, 0.0]])
    expected = -math.log(math.exp(1.0) / (math.exp(2.0) + math.exp(1.0) + 1.0))
    assert float(pen_nll(logits, torch.tensor([1]))) == pytest.approx(expected, rel=1e-6)


def test_kl_is_zero_for_the_prior_and_right_beyond():
    """N(0, I) costs nothing; a shifted mean costs half its square."""
    assert float(kl_divergence(torch.zeros(3, 5), torch.zeros(3, 5))) == 0.0
    assert float(kl_divergence(torch.full((3, 5), 2.0), torch.zeros(3, 5))) == pytest.approx(2.0)


def test_kl_weight_rises_from_start_to_full():
    """The annealing starts at its share and ends at the whole weight."""
    assert kl_weight_at(0, 0.5, 0.01, 0.999) == pytest.approx(0.005)
    assert kl_weight_at(10**6, 0.5, 0.01, 0.999) == pytest.approx(0.5)
    weights = [kl_weight_at(step, 0.5, 0.01, 0.999) for step in range(0, 5000, 100)]
    assert weights == sorted(weights)
