"""Augmentation of a padded batch of drawings, vectorised: every array has one row a sketch.

Drawings are handled as absolute points here, because bends and mirrors act on places, not on offsets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.train.config import TrainConfig

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FEW = 25
ENOUGH = 1000
"""A class with FEW drawings gets the few-shot augmentation at full strength, one with ENOUGH gets none."""

MIRROR_SHARE = 0.4
ROTATION = np.deg2rad(7.0)
SHEAR = 0.07
BEND = 6.0  # pixels of the 255 box
LOOSE_SHIFT = 4.0  # pixels
LOOSE_SCALE = 0.05
JITTER = 0.6  # pixels


@dataclass(frozen=True)
class Padded:
    """B drawings of at most N points, as absolute positions."""

    points: Floats
    """Positions, (B, N, 2), in Quick, Draw! units; point 0 is the origin that the pen starts on."""

    lift: Bools
    """Whether the pen lifts after a point, (B, N)."""

    lengths: npt.NDArray[np.int64]
    """Points of each drawing, the origin included, (B,)."""

    @property
    def valid(self) -> Bools:
        """Which places hold a point, (B, N)."""
        return np.arange(self.points.shape[1]) < self.lengths[:, None]


def strength_of_class(drawings: npt.NDArray[np.int64]) -> Floats:
    """How strongly classes of so many drawings are augmented beyond the paper, in [0, 1]."""
    counts = np.maximum(drawings, 1)
    return np.asarray(np.clip(np.log(ENOUGH / counts) / np.log(ENOUGH / FEW), 0.0, 1.0))


def augment(batch: Padded, strength: Floats, config: TrainConfig, rng: np.random.Generator) -> Padded:
    """Give a changed copy of a batch.

    All sketches: independent scales of x and y and left-out points, as in Ha & Eck 2017, section 4.
    Sketches of small classes, by `strength` (B,): mirror, rotation, shear, bend, loose lines and jitter as well.
    """
    points = batch.points.copy()
    few = strength * config.few_shot
    if few.any():
        points = _loosen_lines(points, batch, few, rng)
        points = _bend(points, few, rng)
        points += rng.standard_normal(points.shape) * (JITTER * few)[:, None, None]
        points = points @ _affine(few, rng)
    sides = 1.0 + config.scale_jitter * rng.uniform(-1, 1, (len(points), 1, 2))
    return _drop_points(Padded(points * sides, batch.lift, batch.lengths), config.point_drop, rng)


def _affine(few: Floats, rng: np.random.Generator) -> Floats:
    """Mirror, shear and rotation as one matrix a sketch, (B, 2, 2)."""
    angle = rng.normal(0, ROTATION, len(few)) * few
    shear = rng.normal(0, SHEAR, len(few)) * few
    mirror = np.where(rng.random(len(few)) < MIRROR_SHARE * np.minimum(few, 1), -1.0, 1.0)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([cos, sin, -sin, cos], axis=1).reshape(-1, 2, 2)
    lean = np.stack([mirror, np.zeros_like(shear), shear, np.ones_like(shear)], axis=1).reshape(-1, 2, 2)
    return np.asarray(lean @ turn)


def _bend(points: Floats, few: Floats, rng: np.random.Generator) -> Floats:
    """Move places by a smooth field of two slow waves, different for each sketch."""
    moved = points.copy()
    for _ in range(2):
        wave = rng.normal(0, 2 * np.pi / 320.0, (len(points), 2, 1))
        phase = rng.uniform(0, 2 * np.pi, (len(points), 1))
        height = rng.normal(0, BEND, (len(points), 1, 2)) * few[:, None, None]
        moved += np.sin((points @ wave)[..., 0] + phase)[..., None] * height
    return moved


def _loosen_lines(points: Floats, batch: Padded, few: Floats, rng: np.random.Generator) -> Floats:
    """Shift and scale each line by itself a little, as a hand would place it another time."""
    line = np.concatenate([np.zeros((len(points), 1), np.int64), np.cumsum(batch.lift, axis=1)[:, :-1]], axis=1)
    count = int(line.max()) + 1
    shift = rng.normal(0, LOOSE_SHIFT, (len(points), count, 2)) * few[:, None, None]
    scale = 1.0 + rng.normal(0, LOOSE_SCALE, (len(points), count, 1)) * few[:, None, None]
    centre = np.zeros((len(points), count, 2))
    weight = np.zeros((len(points), count, 1))
    row = np.broadcast_to(np.arange(len(points))[:, None], line.shape)
    valid = batch.valid
    np.add.at(centre, (row[valid], line[valid]), points[valid])
    np.add.at(weight, (row[valid], line[valid]), 1.0)
    centre /= np.maximum(weight, 1.0)
    own = centre[row, line]
    return np.asarray(own + (points - own) * scale[row, line] + shift[row, line])


def _drop_points(batch: Padded, share: float, rng: np.random.Generator) -> Padded:
    """Leave out points inside lines; the first three and the last of a line always stay."""
    if share <= 0:
        return batch
    valid = batch.valid
    place = np.arange(batch.lift.shape[1])
    starts = np.concatenate([np.ones((len(batch.lift), 1), bool), batch.lift[:, :-1]], axis=1)
    since_start = place - np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    last = batch.lift | (place == batch.lengths[:, None] - 1)
    dropped = valid & (since_start > 2) & ~last & (rng.random(valid.shape) < share)
    keep = np.argsort(~valid | dropped, axis=1, kind="stable")
    points = np.take_along_axis(batch.points, keep[:, :, None], axis=1)
    lift = np.take_along_axis(batch.lift, keep, axis=1)
    return Padded(points, lift, batch.lengths - dropped.sum(axis=1))
