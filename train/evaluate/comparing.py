"""Sets of drawings held against each other in features, equal in size and in how many are of each class.

Fréchet distance, precision and recall depend on the size of the sets and on the mix of classes. So from every class as
many drawings are taken of the one set as of the other: of the held-back real drawings, and of a model's or of the
training drawings. That is repeated with other drawings, and the figures are means. Precision and recall are means over
classes of what is measured per drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.train.evaluate.bootstrap import Estimate, centred, class_means, estimate, mean_over_classes, resampled
from sketch_edge.train.evaluate.figures import Comparison
from sketch_edge.train.evaluate.metrics import NEIGHBOURS, frechet_distance, inside

Floats = npt.NDArray[np.float64]
Picks = list[list[npt.NDArray[np.int64]]]

FEWEST = 20
"""Drawings in each set, at least; of fewer nothing is said."""

FRECHET_SAMPLES = 100


@dataclass(frozen=True)
class Compared:
    """A comparison, and what each real drawing contributed."""

    summary: Comparison
    recalls: list[Floats]
    """For each class, how often each of its held drawings lay in the other set's manifold, (n_c,)."""


class Ground:
    """Held-back real drawings of several classes.

    Args:
        features: of each class, (n_c, D), n_c at least 1.
        sizes: how many of each class are taken, at most n_c.
        repeats: how often.
        samples: of the bootstrap.
        seed: of every choice.
    """

    def __init__(self, features: Sequence[Floats], sizes: Sequence[int], repeats: int, samples: int, seed: int) -> None:
        self._features, self._sizes, self._samples, self._seed = list(features), list(sizes), samples, seed
        self._picks = _picks([len(each) for each in features], sizes, repeats, np.random.default_rng([seed, 1]))

    @property
    def enough(self) -> bool:
        """Whether there are enough drawings to say anything."""
        return sum(self._sizes) >= FEWEST

    def compare(self, others: Sequence[Floats]) -> Compared:
        """Hold features of other drawings, (m_c, D) each, against those of the real ones; `enough` must be true."""
        rng = np.random.default_rng([self._seed, 2])
        picks = _picks([len(each) for each in others], self._sizes, len(self._picks), rng)
        recalls, precisions = _Tally(self._features), _Tally(others)
        distances = []
        for mine, theirs in zip(self._picks, picks, strict=True):
            real, other = _take(self._features, mine), _take(others, theirs)
            recalls.add(mine, inside(np.concatenate(real), np.concatenate(other), NEIGHBOURS))
            precisions.add(theirs, inside(np.concatenate(other), np.concatenate(real), NEIGHBOURS))
            distances.append(frechet_distance(np.concatenate(real), np.concatenate(other)))
        first = _take(self._features, self._picks[0]), _take(others, picks[0])
        frechet = centred(
            float(np.mean(distances)),
            min(FRECHET_SAMPLES, self._samples),
            lambda: frechet_distance(*(np.concatenate([_again(each, rng) for each in side]) for side in first)),
        )
        summary = Comparison(
            sum(self._sizes),
            frechet,
            mean_over_classes(precisions.means(), self._samples, rng),
            mean_over_classes(recalls.means(), self._samples, rng),
        )
        return Compared(summary, recalls.means())

    def recall_ratio(self, above: Compared, below: Compared) -> Estimate | None:
        """Recall of one comparison over that of another, paired by real drawing; None where the latter is 0."""
        pairs = [np.stack(each, axis=1) for each in zip(above.recalls, below.recalls, strict=True)]
        mean = class_means(pairs).mean(axis=0)
        if mean[1] == 0:
            return None
        samples = resampled(pairs, self._samples, np.random.default_rng([self._seed, 3]))
        return estimate(float(mean[0] / mean[1]), samples[:, 0] / np.maximum(samples[:, 1], 1e-9))


class _Tally:
    """How often each drawing was found inside, of how often it was asked."""

    def __init__(self, features: Sequence[Floats]) -> None:
        self._found = [np.zeros(len(each)) for each in features]
        self._asked = [np.zeros(len(each)) for each in features]

    def add(self, picks: list[npt.NDArray[np.int64]], found: npt.NDArray[np.bool_]) -> None:
        """Count one set."""
        start = 0
        for number, chosen in enumerate(picks):
            self._found[number][chosen] += found[start : start + len(chosen)]
            self._asked[number][chosen] += 1
            start += len(chosen)

    def means(self) -> list[Floats]:
        """Share of each drawing that was asked at all; the others take the mean of their class."""
        shares = []
        for found, asked in zip(self._found, self._asked, strict=True):
            mean = found.sum() / max(asked.sum(), 1.0)
            shares.append(np.where(asked > 0, found / np.maximum(asked, 1.0), mean))
        return shares


def _picks(lengths: Sequence[int], sizes: Sequence[int], repeats: int, rng: np.random.Generator) -> Picks:
    return [
        [np.sort(rng.permutation(length)[:size]) for length, size in zip(lengths, sizes, strict=True)]
        for _ in range(repeats)
    ]


def _take(features: Sequence[Floats], picks: list[npt.NDArray[np.int64]]) -> list[Floats]:
    return [each[chosen] for each, chosen in zip(features, picks, strict=True)]


def _again(rows: Floats, rng: np.random.Generator) -> Floats:
    return rows[rng.integers(0, len(rows), len(rows))]
