"""The trained classifier, kept beside the data set, so that a second report takes seconds.

A plain .npz, no pickle: the weights, and a text that says what they were trained on. It is taken only where that text
is the one expected and the sha256 over all is right; else the classifier is trained again and the file replaced.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sketch_edge.runtime.errors import SketchError
from sketch_edge.runtime.files import write_atomic
from sketch_edge.train.evaluate.classifier import Classifier, ClassifierSettings, Network, train_classifier
from sketch_edge.train.evaluate.drawing import Drawing

VERSION = 1
"""Raised when the network, the rasteriser or the augmentation changes: kept classifiers are then forgotten."""

MAX_BYTES = 64 << 20

Arrays = dict[str, npt.NDArray[Any]]


def describe(drawings: Sequence[Sequence[Drawing]], classes: Sequence[str], settings: ClassifierSettings) -> str:
    """What a classifier is known by: every number that its training depends on."""
    digest = hashlib.sha256()
    for group in drawings:
        digest.update(f"class {len(group)}\n".encode())
        for each in group:
            digest.update(np.ascontiguousarray(each.points, "<f8").tobytes())
            digest.update(np.asarray(each.ends, "<i8").tobytes())
    content = {
        "version": VERSION,
        "drawings": digest.hexdigest(),
        "classes": list(classes),
        "settings": asdict(settings),
    }
    return json.dumps(content, sort_keys=True)


def kept_path(data: Path, key: str) -> Path:
    """Where the classifier of a key is kept: ``data.classifier-0123456789ab.npz`` beside data.npz."""
    return data.with_name(f"{data.stem}.classifier-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz")


def keep_or_train(
    data: Path | None,
    drawings: Sequence[Sequence[Drawing]],
    classes: Sequence[str],
    settings: ClassifierSettings,
    device: torch.device,
    on_step: Callable[[int], None] = lambda step: None,
) -> tuple[Classifier, str]:
    """Take the classifier that is kept beside `data`, or train one and keep it.

    Args:
        data: the data set's file; None keeps nothing.
        drawings: as all that follow, see `train_classifier`.
        classes: names.
        settings: of the training.
        device: where the classifier works.
        on_step: told of the training, if there is one.

    Returns:
        The classifier, and its sha256, which a report states.
    """
    key = describe(drawings, classes, settings)
    path = kept_path(data, key) if data is not None else None
    weights = load_weights(path, key, len(classes)) if path is not None else None
    if weights is not None:
        network = Network(len(classes))
        network.load_state_dict(weights)
        classifier = Classifier(network.to(memory_format=torch.channels_last), classes, device)  # type: ignore[call-overload]
    else:
        classifier = train_classifier(drawings, classes, settings, device, on_step)
    arrays = {name: np.asarray(tensor.cpu()) for name, tensor in classifier.network.state_dict().items()}
    if path is not None and weights is None:
        with contextlib.suppress(SketchError):  # a folder that may not be written to: the next report trains anew
            write_atomic(path, _pack(arrays, key))
    return classifier, _digest(arrays, key)


def load_weights(path: Path, key: str, classes: int) -> dict[str, torch.Tensor] | None:
    """Read a kept classifier; None where there is none, or it is damaged or of another key."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:  # stored, so it cannot inflate
            if sum(info.file_size for info in archive.infolist()) > len(content):
                return None
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if str(arrays.pop("key")) != key or str(arrays.pop("sha256")) != _digest(arrays, key):
            return None
        expected = {name: tuple(each.shape) for name, each in Network(classes).state_dict().items()}
        if {name: tuple(each.shape) for name, each in arrays.items()} != expected:
            return None
        if not all(np.isfinite(each).all() for each in arrays.values()):  # nothing would be told from anything
            return None
        return {name: torch.from_numpy(each) for name, each in arrays.items()}
    except Exception:  # whatever is wrong with it, another one can be trained
        return None


def _pack(arrays: Arrays, key: str) -> bytes:
    buffer = io.BytesIO()
    content: Arrays = {"key": np.array(key), "sha256": np.array(_digest(arrays, key)), **arrays}
    np.savez(buffer, **content)  # type: ignore[arg-type]
    return buffer.getvalue()


def _digest(arrays: Arrays, key: str) -> str:
    digest = hashlib.sha256(key.encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
