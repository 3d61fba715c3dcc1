"""model.pt: everything to export a model and to go on training it, in one checked file.

A checkpoint is a `torch.save` archive of plain tensors, numbers and text, whose zip comment carries the sha256 of the
archive itself. The hash is checked before the parser sees a byte, and the parser is
``torch.load(weights_only=True)``: no code is ever run. Other tools can read the file with plain `torch.load`.

======== ==========================================================================================
key      meaning
======== ==========================================================================================
format   1
config   JSON text: every setting (`train/config.py`)
about    JSON text: classes, scale, max_points, data credit, counts, losses, versions
weights  state dict for export: the running mean of the weights, at the best validation
resume   state to go on from: raw weights, running mean, optimiser, scheduler, step, bests, history
======== ==========================================================================================
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import struct
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sketch_edge.runtime.errors import CheckpointError
from sketch_edge.runtime.files import write_atomic
from sketch_edge.train.config import Config
from sketch_edge.train.model import SketchVAE

FORMAT = 1
MAX_BYTES = 2 << 30
_COMMENT = re.compile(rb"sketch-edge checkpoint 1 sha256:([0-9a-f]{64})\Z")
_END_RECORD = 22  # bytes of a zip's end record without its comment


@dataclass(frozen=True)
class About:
    """What a model was trained on and how far; goes on into the bundle's manifest and the model card."""

    classes: tuple[str, ...]
    scale: float
    """Quick, Draw! units per model unit."""

    max_points: int
    """Rows of the longest drawing of the data set; the Nmax of the losses."""

    data_sha256: str = ""
    drawings: int = 0
    """Drawings in the training split."""

    synthetic: int = 0
    """How many of them a model made."""

    counts: dict[str, int] = field(default_factory=dict)
    """Training drawings of each class."""

    step: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    """Of the last validation that gave the weights."""

    credit: str = "Quick, Draw! drawings by Google's Quick, Draw! players"
    licence: str = "CC BY 4.0"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory."""

    config: Config
    about: About
    weights: dict[str, Tensor]
    resume: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    """Of the whole file it was read from; empty for a new one."""

    def model(self) -> SketchVAE:
        """Build the model with the weights for export, in evaluation mode.

        Raises:
            CheckpointError: the weights do not fit the settings.
        """
        model = SketchVAE(self.config.model, len(self.about.classes))
        load_weights(model, self.weights)
        return model.eval()


def load_weights(model: SketchVAE, weights: dict[str, Tensor]) -> None:
    """Copy weights into a model; names, shapes and values are checked.

    Raises:
        CheckpointError: a tensor is missing, too much, of another shape or not finite.
    """
    expected = model.state_dict()
    for name in expected.keys() ^ weights.keys():
        raise CheckpointError(f"weights: {name} is {'missing' if name in expected else 'unknown'}; retrain or repair")
    for name, tensor in weights.items():
        if tuple(tensor.shape) != tuple(expected[name].shape):
            raise CheckpointError(
                f"weights: {name} has shape {tuple(tensor.shape)}, the settings ask for {tuple(expected[name].shape)}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"weights: {name} holds NaN or infinite values; use an older checkpoint")
    model.load_state_dict(weights)


def save_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically."""
    buffer = io.BytesIO()
    torch.save(
        {
            "format": FORMAT,
            "config": json.dumps(checkpoint.config.to_dict()),
            "about": json.dumps(vars(checkpoint.about)),
            "weights": checkpoint.weights,
            "resume": checkpoint.resume,
        },
        buffer,
    )
    archive = buffer.getvalue()
    comment = f"sketch-edge checkpoint 1 sha256:{hashlib.sha256(archive).hexdigest()}".encode()
    write_atomic(path, archive[:-2] + struct.pack("<H", len(comment)) + comment)


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint, its hash first.

    Raises:
        CheckpointError: no such file, foreign, damaged, of another format, or its parts disagree.
    """
    path = Path(path)
    content = _read(path)
    archive = _verified(path, content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = torch.load(io.BytesIO(archive), map_location="cpu", weights_only=True)
        config = Config.from_dict(json.loads(raw["config"]))
        about = json.loads(raw["about"])
        about["classes"] = tuple(about["classes"])
        weights, resume = dict(raw["weights"]), dict(raw["resume"])
        number = raw["format"]
        known = About(**about)
    except Exception as error:  # whatever the parser trips over, the file is not one of ours
        raise CheckpointError(f"{path}: cannot be understood ({str(error).splitlines()[0]}); train again") from error
    if number != FORMAT:
        raise CheckpointError(f"{path}: checkpoint format {number!r}, this version reads {FORMAT}; update sketch-edge")
    if not known.classes or not known.scale > 0:
        raise CheckpointError(f"{path}: has no classes or no scale; train again")
    return Checkpoint(config, known, weights, resume, hashlib.sha256(content).hexdigest())


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{path}: is {path.stat().st_size} bytes (at most {MAX_BYTES}); not a sketch model")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); make one with sketch-train") from error


def _verified(path: Path, content: bytes) -> bytes:
    """Give the archive without its comment, once the hash in the comment was found right."""
    found = None
    cut = content.rfind(b"sketch-edge checkpoint 1 sha256:")
    if cut > _END_RECORD:
        found = _COMMENT.match(content[cut:])
    if found is None:
        kind = (
            "a torch file, but not one of sketch-train" if zipfile.is_zipfile(io.BytesIO(content)) else "no checkpoint"
        )
        raise CheckpointError(f"{path}: is {kind} (or was cut short); give a model.pt that sketch-train wrote")
    archive = content[: cut - 2] + b"\0\0"
    if hashlib.sha256(archive).hexdigest().encode() != found.group(1):
        raise CheckpointError(f"{path}: is damaged (its sha256 does not match); copy it again or use an older one")
    return archive
