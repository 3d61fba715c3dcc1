"""model.pt: everything to export a model and to go on training it, in one checked file.

A checkpoint is a `torch.save` archive of plain tensors, numbers and text, whose zip comment carries the sha256 of the
archive itself. The hash is checked before the parser sees a byte, and the parser is
``torch.load(weights_only=True)``: no code is ever run. Other tools can read the file with plain `torch.load`.
A hash proves that a file is whole, not that it is honest: sizes, types and values are checked as well, before anything
is built from them.

======== ==========================================================================================
key      meaning
======== ==========================================================================================
format   1
config   JSON text: every setting (`train/config.py`)
about    JSON text: classes, scale, max_points, data credit, counts, losses (`train/about.py`)
weights  state dict for export: the running mean of the weights, at the best validation
resume   state to go on from (`train/resume.py`): raw weights, running mean, optimiser, step, bests, history
======== ==========================================================================================
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import stat
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from sketch_edge.runtime.errors import CheckpointError, InputError, UnfinishedError
from sketch_edge.runtime.files import write_atomic
from sketch_edge.runtime.manifest import short
from sketch_edge.train.about import About, read_about, read_json, write_about
from sketch_edge.train.archive import open_archive
from sketch_edge.train.config import Config
from sketch_edge.train.models import make_model, weight_shapes
from sketch_edge.train.models.base import SketchModel
from sketch_edge.train.pickled import check_pickle, plain

__all__ = ["About", "Checkpoint", "DamagedError", "check_tensors", "load_checkpoint", "load_weights", "save_checkpoint"]

FORMAT = 1
MAX_BYTES = 2 << 30
_MARK = b"sketch-edge checkpoint "
_COMMENT = re.compile(rb"sketch-edge checkpoint (\d{1,9}) sha256:([0-9a-f]{64})\Z")
_COMMENT_BYTES = 120  # more than any comment has
_END_RECORD = 22  # bytes of a zip's end record without its comment
_BLOCK = 1 << 20


class DamagedError(CheckpointError):
    """The file is no checkpoint as it was written: cut, changed, or something else by now."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory; what `load_checkpoint` gives is consistent."""

    config: Config
    about: About
    weights: dict[str, Tensor]
    resume: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    """Of the whole file it was read from; empty for a new one."""

    def model(self) -> SketchModel:
        """Build the model with the weights for export, in evaluation mode.

        Raises:
            CheckpointError: the weights do not fit the settings.
        """
        check_tensors(self.weights, weight_shapes(self.config, len(self.about.classes)), "weights")
        model = make_model(self.config, len(self.about.classes))
        model.load_state_dict(self.weights)
        return model.eval()


def check_tensors(
    tensors: object, shapes: Mapping[str, tuple[int, ...]], where: str, most_bytes: float = math.inf
) -> dict[str, Tensor]:
    """Refuse anything but finite float32 tensors of these names and shapes, together of at most `most_bytes`.

    Raises:
        CheckpointError: one is missing, too much, of another kind or shape, or not finite.
    """
    if not isinstance(tensors, dict):
        raise CheckpointError(f"{where}: is {type(tensors).__name__} (expected tensors by name); train again")
    for name in sorted(map(str, tensors.keys() ^ shapes.keys())):
        problem = "is missing" if name in shapes else "is unknown"
        raise CheckpointError(f"{where}.{name if name in shapes else short(name)}: {problem}; train again")
    for name, shape in shapes.items():
        tensor = tensors[name]
        if not isinstance(tensor, Tensor) or tensor.dtype != torch.float32 or tensor.layout != torch.strided:
            raise CheckpointError(f"{where}.{name}: is no dense tensor of float32; train again")
        if tensor.requires_grad:  # computing with it would remember every step
            raise CheckpointError(f"{where}.{name}: is a tensor that asks for gradients; train again")
        if tuple(tensor.shape) != shape:
            raise CheckpointError(
                f"{where}.{name}: has shape {tuple(tensor.shape)} (the settings ask for {shape}); train again"
            )
        # A view may repeat one number a thousand million times.
        if tensor.device.type != "cpu" or not tensor.is_contiguous():
            raise CheckpointError(f"{where}.{name}: is not stored in full; train again")
    if 4 * sum(map(math.prod, shapes.values())) > most_bytes:  # many may share one storage
        raise CheckpointError(f"{where}: are larger than the file that holds them; train again")
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{where}.{name}: holds NaN or infinite values; use an older checkpoint")
    return tensors


def load_weights(model: SketchModel, weights: object, where: str = "weights") -> None:
    """Copy weights into a model; names, shapes and values are checked.

    Raises:
        CheckpointError: as `check_tensors`.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    model.load_state_dict(check_tensors(weights, shapes, where))


def save_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically.

    Raises:
        InputError, UnfinishedError: as `write_atomic`, or it would be larger than `load_checkpoint` reads.
    """
    buffer = io.BytesIO()
    torch.save(
        {
            "format": FORMAT,
            "config": json.dumps(checkpoint.config.to_dict()),
            "about": write_about(checkpoint.about),
            "weights": checkpoint.weights,
            "resume": checkpoint.resume,
        },
        buffer,
    )
    archive = buffer.getvalue()
    if len(archive) > MAX_BYTES - _COMMENT_BYTES:
        raise UnfinishedError(f"{path}: would have {len(archive)} bytes (at most {MAX_BYTES}); make the model smaller")
    comment = f"sketch-edge checkpoint {FORMAT} sha256:{hashlib.sha256(archive).hexdigest()}".encode()
    write_atomic(path, archive[:-2] + struct.pack("<H", len(comment)) + comment)


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint, its hash first.

    Raises:
        CheckpointError: no such file, foreign, damaged, of another format, or its parts disagree.
    """
    path = Path(path)
    content = _read(path)
    raw = _parse(path, _archive_of(content))
    try:
        config = Config.from_dict(read_json(raw.get("config"), f"{path}:config"), f"{path}:config.")
    except CheckpointError:
        raise
    except InputError as error:
        raise CheckpointError(f"{error}; train again, or update sketch-edge") from error
    about = read_about(raw.get("about"), f"{path}:about")
    shapes = weight_shapes(config, len(about.classes))
    weights = check_tensors(raw.get("weights"), shapes, f"{path}:weights", len(content))
    resume = raw.get("resume")
    if not isinstance(resume, dict):
        raise CheckpointError(f"{path}:resume: is {type(resume).__name__} (expected a dictionary); train again")
    return Checkpoint(config, about, dict(weights), resume, hashlib.sha256(content).hexdigest())


def _read(path: Path) -> bytes:
    """Read a file whose hash is right; one that is foreign or damaged is refused without taking memory for it."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no plain file"
            raise CheckpointError(f"{path}: is {kind} (expected a model.pt); make one with sketch-train")
        if status.st_size > MAX_BYTES:
            raise CheckpointError(f"{path}: is {status.st_size} bytes (at most {MAX_BYTES}); not a sketch model")
        with path.open("rb") as file:
            if not _hash_is_right(path, file, status.st_size):
                raise DamagedError(f"{path}: is damaged (its sha256 does not match); copy it again or use an older one")
            file.seek(0)
            content = file.read(status.st_size)
    except (OSError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{path}: cannot be read ({reason}); make one with sketch-train") from error
    # What goes to the parser is what was hashed, not what somebody wrote to the file in between.
    if not _hash_is_right(path, io.BytesIO(content), len(content)):
        raise CheckpointError(f"{path}: changed while it was read; read it again")
    return content


def _hash_is_right(path: Path, file: BinaryIO, size: int) -> bool:
    """Compare the hash in a file's zip comment with that of the archive before it, block by block."""
    file.seek(max(0, size - _COMMENT_BYTES - _END_RECORD))
    tail = file.read()
    cut = tail.rfind(_MARK)
    found = _COMMENT.match(tail[cut:]) if cut >= _END_RECORD else None
    if found is None or tail[cut - 2 : cut] != struct.pack("<H", len(tail) - cut):
        file.seek(0)
        raise DamagedError(f"{path}: {_kind_of(file)}; give a model.pt that sketch-train wrote")
    if int(found.group(1)) != FORMAT:
        raise CheckpointError(
            f"{path}: is a checkpoint of format {int(found.group(1))} (this version reads {FORMAT}); update sketch-edge"
        )
    left = size - len(tail) + cut - 2  # up to the length of the comment, which the hashed archive has as 0
    digest = hashlib.sha256()
    file.seek(0)
    while left > 0 and (block := file.read(min(_BLOCK, left))):
        digest.update(block)
        left -= len(block)
    digest.update(b"\0\0")
    return digest.hexdigest().encode() == found.group(2)


def _kind_of(file: BinaryIO) -> str:
    """What a file is that has no hash of ours at its end."""
    start = file.read(4096)
    if not start:
        return "is empty"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the checkpoint itself (run git lfs pull)"
    if start.lstrip()[:1] == b"<":
        return "is a web page or XML, not a checkpoint"
    if b"manifest.json" in start[:200]:
        return "is a bundle, no checkpoint"
    is_torch = start.startswith(b"PK") and b"data.pkl" in start
    return f"is {'a torch file, but not one of sketch-train' if is_torch else 'no checkpoint'} (or was cut short)"


def _archive_of(content: bytes) -> bytes:
    """Give the archive without its comment."""
    return content[: content.rfind(_MARK) - 2] + b"\0\0"


def _parse(path: Path, archive: bytes) -> dict[str, Any]:
    """Hand the archive to torch, once it is known that it will not inflate."""
    try:
        with open_archive(io.BytesIO(archive)) as members:
            infos = members.infolist()
            stored = all(info.compress_type == zipfile.ZIP_STORED for info in infos)
            if not stored or sum(info.file_size for info in infos) > len(archive):
                raise ValueError("a member is compressed")
            for info in infos:
                if info.filename.lower().endswith("data.pkl"):  # torch finds it in letters of any case
                    check_pickle(members.read(info))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = plain(torch.load(io.BytesIO(archive), map_location="cpu", weights_only=True))
        if not isinstance(raw, dict):
            raise TypeError(f"it holds {type(raw).__name__}")
    except Exception as error:  # whatever the parser trips over, the file is not one of ours
        first = (str(error).splitlines() or [type(error).__name__])[0]
        reason = "".join(char for char in first[:200] if char.isprintable())
        raise CheckpointError(f"{path}: cannot be understood ({reason}); train again") from error
    number = raw.get("format")
    if type(number) is not int or number != FORMAT:
        raise CheckpointError(f"{path}:format: is {short(number)} (expected {FORMAT}); update sketch-edge")
    return raw
