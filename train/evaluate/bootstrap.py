"""Figures with an interval: small sets must not fool anyone.

Everything is measured per drawing and averaged first within a class, then over classes, so that a class with many
drawings counts no more than one with few. The interval is that of the stratified bootstrap: drawings are drawn anew
within their class, n - 1 of n, which makes the variance that of the mean and not (n - 1) / n of it (Rao & Wu 1988).
A class of one drawing tells nothing about its own spread: such classes are drawn from each other (collapsed strata).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure and the interval that holds its true value 95 times of 100."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def estimate(value: float, samples: Floats) -> Estimate:
    """A figure with the percentile interval of its bootstrap samples, (R,)."""
    low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))


def class_means(values: Sequence[Floats]) -> Floats:
    """Mean of each class; values[c] has shape (n_c, ...) with n_c at least 1; gives (C, ...)."""
    return np.stack([np.asarray(each, np.float64).mean(axis=0) for each in values])


def resampled(values: Sequence[Floats], count: int, rng: np.random.Generator) -> Floats:
    """Means over classes of `count` bootstrap samples, (count, ...); see the module.

    Args:
        values: for each class what was measured on its n_c >= 1 drawings, (n_c, ...); what stands in one row is
            drawn together, so that differences and ratios of columns are paired.
        count: bootstrap samples.
        rng: randomness.
    """
    single = [np.asarray(each, np.float64)[0] for each in values if len(each) == 1]
    total = np.zeros((count, *np.asarray(values[0]).shape[1:]))
    for each in values:
        if len(each) > 1:
            several = np.asarray(each, np.float64)
            total += several[rng.integers(0, len(several), (count, len(several) - 1))].mean(axis=1)
    if single:
        total += np.stack(single)[rng.integers(0, len(single), (count, len(single)))].sum(axis=1)
    return np.asarray(total / len(values))


def mean_over_classes(values: Sequence[Floats], count: int, rng: np.random.Generator) -> Estimate:
    """The mean over classes of the class means with its interval; values[c] has shape (n_c,).

    Where all values are 0, or all 1, no resampling shows anything else: the exact interval of a share stands in.
    """
    found = estimate(float(class_means(values).mean()), resampled(values, count, rng))
    every = np.unique(np.concatenate(values))
    if len(every) == 1 and every[0] in (0.0, 1.0):
        # as many drawings as, in one class, would give a mean of that variance
        drawings = len(values) ** 2 / sum(1 / len(each) for each in values)
        unseen = 1 - ((1 - LEVEL) / 2) ** (1 / drawings)
        return replace(found, high=unseen) if every[0] == 0 else replace(found, low=1 - unseen)
    return found


def ratio_of_means(
    above: Sequence[Floats], below: Sequence[Floats], count: int, rng: np.random.Generator
) -> Estimate | None:
    """Mean over classes of one set over that of another, drawn independently; None where the lower mean is 0."""
    lower = float(class_means(below).mean())
    if lower == 0:
        return None
    samples = resampled(above, count, rng) / np.maximum(resampled(below, count, rng), 1e-9)
    return estimate(float(class_means(above).mean()) / lower, samples)


def centred(value: float, count: int, draw: Callable[[], float]) -> Estimate:
    """A figure that resampling itself shifts (a Fréchet distance): the interval of the samples, moved to `value`."""
    samples = np.array([draw() for _ in range(count)])
    return estimate(value, np.maximum(samples - samples.mean() + value, 0.0))
