"""Mini-batches: class-balanced choice, batches of like length, augmentation, stroke-5.

Nothing here keeps a random state. Batch b of seed s depends on (s, b) alone, so a training that was cut off goes on
with the very batches it would have seen, and each of several processes makes the same batch and takes its share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sketch_edge.train.augment import Padded, augment, strength_of_class
from sketch_edge.train.config import TrainConfig
from sketch_edge.train.dataset import TRAIN, DataSet
from sketch_edge.train.distributed import Workers

POOL = 24
"""Batches that are chosen together, sorted by length and then shuffled: padding stays low, order stays random."""

_CHOICE, _AUGMENT = 1, 2  # streams of random numbers, one for each purpose


@dataclass(frozen=True)
class Batch:
    """B sketches as the model wants them, the longest with T - 1 points (with `every_row` T - 1 is Nmax)."""

    rows: Tensor
    """Stroke-5 in model units, start token first: float32 (T + 1, B, 5)."""

    lengths: Tensor
    """Rows before the end row, int64 (B,)."""

    class_ids: Tensor
    """int64 (B,)."""

    every_row: bool = False
    """Whether the end rows that pad a sketch count too."""

    @property
    def counted(self) -> Tensor:
        """Which outputs count: the rows of the sketch and its end row, or with `every_row` all, bool (T, B)."""
        last = self.lengths + len(self.rows) if self.every_row else self.lengths
        return torch.arange(len(self.rows) - 1, device=self.rows.device).unsqueeze(1) <= last

    @property
    def points(self) -> int:
        """Rows of all sketches together."""
        return int(self.lengths.sum())

    def share(self, workers: Workers) -> Batch:
        """Give the sketches that are this process's to learn from; see `Workers.mine`. The padding stays."""
        rows, lengths, class_ids = workers.mine(self.rows, 1), workers.mine(self.lengths), workers.mine(self.class_ids)
        return replace(self, rows=rows, lengths=lengths, class_ids=class_ids)

    def to(self, device: torch.device) -> Batch:
        """Give the batch on a device."""
        return replace(
            self, rows=self.rows.to(device), lengths=self.lengths.to(device), class_ids=self.class_ids.to(device)
        )


class TrainBatches:
    """The endless, reproducible stream of training batches.

    Args:
        data: the data set; its train split is used.
        config: batch size, balance, augmentation and seed.
        scale: Quick, Draw! units per model unit; that of the data where not given.
    """

    def __init__(self, data: DataSet, config: TrainConfig, scale: float | None = None) -> None:
        self._data = data
        self._config = config
        self._scale = data.scale if scale is None else scale
        chosen = data.indices(TRAIN)
        class_ids = data.class_ids[chosen]
        order = np.argsort(class_ids, kind="stable")
        self._drawings = chosen[order]
        counts = np.bincount(class_ids, minlength=len(data.class_names))
        self._strength = strength_of_class(counts)
        self._nmax = int(data.lengths.max()) if config.pen_rows == "all" else None
        self._weights = self._balanced(class_ids[order], self._weight_drawings(class_ids[order]))
        self._pool_number = -1
        self._pool: list[npt.NDArray[np.int64]] = []

    def _weight_drawings(self, class_ids: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """Weight of each drawing in its class: `synthetic_share` for one that a model made, where both kinds are."""
        synthetic = self._data.synthetic[self._drawings]
        drawn = np.bincount(class_ids, weights=~synthetic, minlength=len(self._data.class_names))
        return np.where(synthetic & (drawn[class_ids] > 0), self._config.synthetic_share, 1.0)

    def _balanced(self, class_ids: npt.NDArray[np.int32], weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Cumulative chance of each drawing: a class by (its weight)**balance, a drawing by its weight in the class."""
        total = np.bincount(class_ids, weights=weight, minlength=len(self._data.class_names))
        share = np.where(total > 0, np.maximum(total, 1e-12) ** self._config.balance, 0.0)
        chance = weight * (share / np.maximum(total, 1e-12))[class_ids]
        cumulative = np.cumsum(chance)
        return np.asarray(cumulative / cumulative[-1])

    def __getitem__(self, number: int) -> Batch:
        """Batch `number`, counted from 0."""
        pool_number, place = divmod(number, POOL)
        if pool_number != self._pool_number:
            self._pool, self._pool_number = self._choose(pool_number), pool_number
        rng = _rng(self._config.seed, _AUGMENT, number)
        chosen = self._pool[place]
        padded = pad(self._data, chosen)
        strength = self._strength[self._data.class_ids[chosen]]
        changed = augment(padded, strength, self._config, rng)
        return to_batch(changed, self._data.class_ids[chosen], self._scale, self._nmax)

    def _choose(self, pool_number: int) -> list[npt.NDArray[np.int64]]:
        """Choose the drawings of POOL batches, and cut them into batches of like length."""
        rng = _rng(self._config.seed, _CHOICE, pool_number)
        place = np.searchsorted(self._weights, rng.random(POOL * self._config.batch), side="right")
        chosen = self._drawings[np.minimum(place, len(self._drawings) - 1)]
        by_length = chosen[np.argsort(self._data.lengths[chosen], kind="stable")]
        batches = by_length.reshape(POOL, self._config.batch)
        return [batches[i] for i in rng.permutation(POOL)]


def valid_batches(data: DataSet, split: int, size: int, scale: float | None = None) -> Iterator[Batch]:
    """Give all drawings of a split once, by length, unchanged; `scale` is that of the data where not given."""
    chosen = data.indices(split)
    chosen = chosen[np.argsort(data.lengths[chosen], kind="stable")]
    scale = data.scale if scale is None else scale
    for start in range(0, len(chosen), size):
        part = chosen[start : start + size]
        yield to_batch(pad(data, part), data.class_ids[part], scale)


def pad(data: DataSet, chosen: npt.NDArray[np.int64]) -> Padded:
    """Lay the chosen drawings out as absolute points."""
    lengths = data.lengths[chosen]
    points = np.zeros((len(chosen), int(lengths.max()) + 1, 2))
    lift = np.zeros(points.shape[:2], bool)
    inside = np.arange(points.shape[1] - 1) < lengths[:, None]
    source = (data.offsets[chosen][:, None] + np.arange(points.shape[1] - 1))[inside]
    points[:, 1:][inside] = data.points[source, :2]
    lift[:, 1:][inside] = data.points[source, 2] > 0
    np.cumsum(points, axis=1, out=points)
    return Padded(points, lift, lengths + 1)


def to_batch(padded: Padded, class_ids: npt.NDArray[np.int32], scale: float, every_row_of: int | None = None) -> Batch:
    """Turn absolute points into the stroke-5 tensor of a batch.

    Args:
        padded: B drawings.
        class_ids: theirs, (B,).
        scale: Quick, Draw! units per model unit.
        every_row_of: Nmax, where sketches are padded to it and all rows count; else to the longest.
    """
    lengths = padded.lengths - 1
    longest = int(lengths.max())
    offsets = np.diff(padded.points[:, : longest + 1], axis=1) / scale
    inside = np.arange(longest) < lengths[:, None]
    lift = padded.lift[:, 1 : longest + 1]
    rows = np.zeros((len(lengths), (every_row_of or longest) + 2, 5), np.float32)
    rows[:, 0, 2] = 1.0  # the start token
    rows[:, 1:, 4] = 1.0
    rows[:, 1 : longest + 1, :2] = np.where(inside[..., None], offsets, 0.0)
    rows[:, 1 : longest + 1, 2] = inside & ~lift
    rows[:, 1 : longest + 1, 3] = inside & lift
    rows[:, 1 : longest + 1, 4] = ~inside
    return Batch(
        torch.from_numpy(np.ascontiguousarray(rows.transpose(1, 0, 2))),
        torch.from_numpy(lengths.astype(np.int64)),
        torch.from_numpy(class_ids.astype(np.int64)),
        every_row_of is not None,
    )


def _rng(seed: int, purpose: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, (purpose << 56) | number]))
