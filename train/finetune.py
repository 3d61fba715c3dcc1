"""Fine-tuning: a training that starts from the weights of another model, with classes of its own.

What the classes do not touch is taken over as it is. A class that both have keeps its embedding; a new one starts at
the mean of all, where the decoder draws what most classes share, moved by noise half as wide as the embeddings
themselves, so that two new classes do not start alike. The units stay those of the weights: the scale of the other
model, not that of the new data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sketch_edge.runtime.bundle import open_bundle
from sketch_edge.runtime.errors import CheckpointError, InputError
from sketch_edge.runtime.files import read_beginning
from sketch_edge.runtime.manifest import MANIFEST, fold_name
from sketch_edge.train.about import About
from sketch_edge.train.checkpoint import Checkpoint, load_checkpoint
from sketch_edge.train.config import DROPOUTS, PRESETS, Config, ModelConfig
from sketch_edge.train.credit import join_credits
from sketch_edge.train.models import weight_shapes
from sketch_edge.train.models.base import EMBEDDING
from sketch_edge.train.parts import check_parts, take_parts

SHIPPED = "shipped"
"""What `--from` calls the bundle that comes with the package."""

DEFAULTS: Mapping[str, Any] = {
    "steps": 600,
    "batch": 64,
    "learning_rate": 3e-4,
    "warmup": 50,
    "kl_start": 1.0,
    "ema": 0.99,
    "valid_every": 100,
    "save_every": 100,
    "sheet_every": 200,
}
"""Settings that differ from those of a training from nothing: short, gentle, no annealing, as z is in use already."""

NOISE = 0.5
"""Of new embeddings, in standard deviations of the old ones."""

_NOISE_STREAM = 3 << 56
"""Beside the streams of `train/batches.py`."""


@dataclass(frozen=True)
class Source:
    """The model that a training starts from."""

    name: str
    """Of its file, without folders."""

    checkpoint: Checkpoint

    parts: tuple[str, ...] = ()
    """Which of `train.parts.PARTS` are taken over, the others start anew; all where empty."""

    @property
    def about(self) -> About:
        """What the model says about itself."""
        return self.checkpoint.about

    def config(self, changes: Mapping[str, Any]) -> Config:
        """Give the settings of a fine-tuning: sizes of this model, `DEFAULTS`, and what the user changes.

        Where parts alone are taken over, the training is as long as one from nothing, and sizes may change that
        these parts do not have.

        Raises:
            InputError: an unknown or impossible setting, or a size that is not that of the model.
        """
        preset = PRESETS[self.checkpoint.config.preset].config
        if self.parts:
            config = replace(preset, model=self.checkpoint.config.model).replace(changes)
            shapes = weight_shapes(config, len(self.about.classes))
            check_parts(self.name, self.checkpoint.weights, shapes, self.parts)
            return config
        start = replace(preset, model=self.checkpoint.config.model).replace(dict.fromkeys(DROPOUTS, 0.0))
        wanted = start.replace(DEFAULTS).replace(changes)
        for name in (each.name for each in fields(ModelConfig) if each.name not in DROPOUTS):
            old, new = getattr(start.model, name), getattr(wanted.model, name)
            if old != new:
                raise InputError(
                    f"--set {name}={new}: {self.name} has {old}, and its weights fit no other; leave it out"
                )
        return wanted

    def start(self, about: About, seed: int) -> tuple[dict[str, Tensor], About]:
        """Give the weights taken over, for a data set that `about` describes, and what to say about the new model.

        Args:
            about: of the data set, in its own units.
            seed: of the embeddings of new classes.
        """
        weights = take_parts(self.checkpoint.weights, self.parts)
        if EMBEDDING in weights:
            weights[EMBEDDING] = embed(weights[EMBEDDING], self.about.classes, about.classes, seed)
        credit, licence = join_credits(
            [(self.about.credit, self.about.licence), (about.credit, about.licence)],
        )
        return weights, replace(
            about,
            scale=self.about.scale,
            max_points=max(self.about.max_points, about.max_points),
            credit=credit,
            licence=licence,
            source=self.name,
            source_sha256=self.checkpoint.sha256,
        )


def load_source(path: Path) -> Source:
    """Read a model to start from: a model.pt, a bundle, or `SHIPPED` for the bundle that comes with the package.

    Raises:
        CheckpointError, BundleError: cannot be read, is neither, or is damaged.
    """
    if str(path) == SHIPPED and not path.exists():
        bundle = open_bundle()
    elif _is_bundle(path):
        bundle = open_bundle(path)
    else:
        return Source(_printable(path.name), load_checkpoint(path))
    from sketch_edge.train.from_bundle import read_weights

    return Source(_printable(bundle.path.name), read_weights(bundle))


def embed(old: Tensor, old_classes: Sequence[str], classes: Sequence[str], seed: int) -> Tensor:
    """Give the embeddings (k, E) of `classes` from those of a model's classes, (n, E); names match by `fold_name`."""
    known = known_classes(old_classes, classes)
    mean, spread = old.mean(dim=0), old.std(dim=0) if len(old) > 1 else torch.full_like(old[0], 0.5)
    rows = []
    for number, name in enumerate(classes):
        if name in known:
            rows.append(old[known[name]])
            continue
        rng = np.random.Generator(np.random.Philox(key=[seed, _NOISE_STREAM | number]))
        rows.append(mean + NOISE * spread * torch.from_numpy(rng.standard_normal(len(mean)).astype(np.float32)))
    return torch.stack(rows)


def known_classes(old_classes: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    """Which of `classes` a model has, and the number of each in `old_classes`."""
    exact = {name: number for number, name in enumerate(old_classes)}
    folded = {fold_name(name): number for number, name in reversed(list(enumerate(old_classes)))}
    found = {name: exact.get(name, folded.get(fold_name(name))) for name in classes}
    return {name: number for name, number in found.items() if number is not None}


def take_units(about: About, before: About) -> About:
    """What a fine-tuning that goes on says about its model: what it said `before` about units, credit and source."""
    names = ("scale", "max_points", "credit", "licence", "source", "source_sha256")
    return replace(about, **{name: getattr(before, name) for name in names})


def _is_bundle(path: Path) -> bool:
    """Whether a file is a bundle and not a checkpoint, by its first member."""
    try:
        return MANIFEST.encode() in read_beginning(path, 64)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{path}: cannot be read ({reason}); give a model.pt or a bundle") from error


def _printable(name: str) -> str:
    return "".join(char for char in name if char.isprintable())[:100]
