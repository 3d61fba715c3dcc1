"""What is measured: a bundle, which the run-time draws, a checkpoint, which torch draws, or anything that draws."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from sketch_edge.runtime.blocks import draw_sketches
from sketch_edge.runtime.bundle import Bundle, read_bundle
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.files import read_beginning
from sketch_edge.runtime.manifest import MAX_TEMPERATURE, MIXTURE, TEMPERATURE, Manifest
from sketch_edge.runtime.provider import open_session
from sketch_edge.runtime.sampler import Job, Rows, draw_rows
from sketch_edge.runtime.session import Decoder
from sketch_edge.train.checkpoint import Checkpoint, load_checkpoint
from sketch_edge.train.dataset import DataSet
from sketch_edge.train.evaluate.drawing import Drawing
from sketch_edge.train.sheet import TorchDecoder, drawing_manifest

Floats = npt.NDArray[np.float32]


class Network(Protocol):
    """A model whose losses can be taken."""

    @property
    def manifest(self) -> Manifest:
        """Classes, scale and sizes."""

    @property
    def decoder(self) -> Decoder:
        """Start state and single steps."""

    def encode(self, strokes: Floats, lengths: Sequence[int], class_ids: Sequence[int]) -> tuple[Floats, Floats]:
        """Mu and sigma, each (B, Z), of stroke-5 rows in model units without start token, (B, T, 5)."""


class Subject(Protocol):
    """Something that draws classes."""

    name: str
    """How the report calls it; changed where two are called alike."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What it can draw."""

    @property
    def about(self) -> Mapping[str, str | int]:
        """What it is: kind, sha256 and the like; texts and whole numbers."""

    def temperature_of(self, name: str) -> float | None:
        """What it draws a class with where nobody says another temperature; None where it knows none."""

    @property
    def network(self) -> Network | None:
        """What losses are taken of; None where there is nothing."""

    def draw(self, name: str, count: int, seed: int, temperature: float | None) -> list[Drawing]:
        """Draw `count` drawings of a class; at its own temperature where None is given."""


class SyntheticSubject:
    """The drawings of a data set that models made, as if one had drawn them: a teacher's, say, beside its pupil's.

    They are part of what models learned from, so only real drawings count as originals of copies.
    """

    name = "synthetic drawings"
    network = None

    def __init__(self, data: DataSet) -> None:
        self._data = data
        made = np.bincount(data.class_ids[data.synthetic], minlength=len(data.class_names))
        self.classes = tuple(name for name, count in zip(data.class_names, made.tolist(), strict=True) if count > 1)
        self.about: Mapping[str, str | int] = {"kind": "drawings", "drawings": int(made.sum())}

    def temperature_of(self, _: str) -> None:
        """Unknown: they were drawn long ago."""

    def draw(self, name: str, count: int, seed: int, temperature: float | None) -> list[Drawing]:
        """Choose `count` of them, or all where there are fewer."""
        mine = self._data.synthetic & (self._data.class_ids == self._data.class_names.index(name))
        chosen = np.random.default_rng([seed, 60]).permutation(np.flatnonzero(mine))[:count]
        return [Drawing.from_stroke3(self._data.drawing(int(index))) for index in chosen]


class BundleSubject:
    """A bundle: drawings and losses are those of the run-time, quantised weights and all.

    Drawing i of seed s is the one that ``sketch-draw --class NAME --seed s --count N`` draws as number i.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.manifest, self._sha256 = bundle.manifest, bundle.sha256
        self.name = bundle.path.name.removesuffix(".zip").removesuffix(".sketch")
        self.decoder, _ = open_session(bundle)

    @property
    def classes(self) -> tuple[str, ...]:
        """Of the manifest."""
        return self.manifest.classes

    @property
    def about(self) -> Mapping[str, str | int]:
        """Kind, variant, hash, and the checkpoint that it was made of."""
        made = self.manifest.checkpoint
        return {
            "kind": "bundle",
            "variant": self.manifest.variant,
            "sha256": self._sha256,
            "checkpoint_sha256": made.sha256,
            "step": made.step,
        }

    def temperature_of(self, name: str) -> float:
        """That of the class, or of the bundle where the class has none of its own."""
        return self.manifest.defaults.temperature_of(name)

    @property
    def network(self) -> Network | None:
        """Encoder and single-step graph, where there is an encoder and a density."""
        return self if self.manifest.sizes.latent and self.manifest.head == MIXTURE else None

    def encode(self, strokes: Floats, lengths: Sequence[int], class_ids: Sequence[int]) -> tuple[Floats, Floats]:
        """See `Network`."""
        return self.decoder.encode(strokes, lengths, class_ids)

    def draw(self, name: str, count: int, seed: int, temperature: float | None) -> list[Drawing]:
        """See `Subject`."""
        tau = self.temperature_of(name) if temperature is None else temperature
        jobs = _jobs(self.manifest, name, count, seed)
        drawn = draw_sketches(self.decoder, self.manifest, jobs, tau, self.manifest.sizes.max_points)
        return _drawings(drawn, self.manifest)


class CheckpointSubject:
    """A checkpoint: the run-time's sampler on the torch cell, in float32."""

    def __init__(self, checkpoint: Checkpoint, name: str) -> None:
        self.name = name
        self._model = checkpoint.model()
        self._sha256 = checkpoint.sha256
        self.manifest = drawing_manifest(self._model, checkpoint.about)
        self.decoder = TorchDecoder(self._model)
        self._step = checkpoint.about.step

    @property
    def classes(self) -> tuple[str, ...]:
        """Those that it was trained on."""
        return self.manifest.classes

    @property
    def about(self) -> Mapping[str, str | int]:
        """Kind, hash and step."""
        return {"kind": "checkpoint", "sha256": self._sha256, "step": self._step}

    def temperature_of(self, _: str) -> float:
        """What an exported bundle would take."""
        return TEMPERATURE

    @property
    def network(self) -> Network | None:
        """Encoder and cell, where there is an encoder and a density."""
        return self if self.manifest.sizes.latent and self.manifest.head == MIXTURE else None

    def encode(self, strokes: Floats, lengths: Sequence[int], class_ids: Sequence[int]) -> tuple[Floats, Floats]:
        """See `Network`."""
        with torch.no_grad():
            rows = torch.from_numpy(np.ascontiguousarray(strokes.transpose(1, 0, 2), np.float32))
            label = self._model.label(torch.tensor(list(class_ids)))
            mu, log_variance = self._model.encode(rows, torch.tensor(list(lengths)), label)
        return mu.numpy(), np.exp(0.5 * log_variance.numpy())

    def draw(self, name: str, count: int, seed: int, temperature: float | None) -> list[Drawing]:
        """See `Subject`."""
        tau = self.temperature_of(name) if temperature is None else temperature
        jobs = _jobs(self.manifest, name, count, seed)
        drawn = draw_rows(self.decoder, self.manifest, jobs, tau, self.manifest.sizes.max_points)
        return _drawings(drawn, self.manifest)


def open_subject(path: str | os.PathLike[str]) -> BundleSubject | CheckpointSubject:
    """Open a model.pt or a bundle; what the file begins with tells which.

    Raises:
        CheckpointError, BundleError: it cannot be read or is damaged.
        InputError: neither.
    """
    path = Path(path)
    if _is_checkpoint(path):
        return CheckpointSubject(load_checkpoint(path), path.stem)
    return BundleSubject(read_bundle(path))


def _is_checkpoint(path: Path) -> bool:
    """Whether a file begins as torch writes it, or at least is called so."""
    try:
        start = read_beginning(path, 4096)
    except (OSError, ValueError):
        start = b""
    if start.startswith(b"PK"):
        return b"data.pkl" in start
    return path.suffix == ".pt"


def _jobs(manifest: Manifest, name: str, count: int, seed: int) -> list[Job]:
    class_id = manifest.classes.index(name)
    return [Job(class_id, seed, index) for index in range(count)]


def _drawings(drawn: Iterator[Rows], manifest: Manifest) -> list[Drawing]:
    found = []
    for rows in drawn:
        stroke3 = rows.rows.astype(np.float64)
        stroke3[:, :2] /= manifest.grid
        found.append(Drawing.from_stroke3(stroke3, rows.complete))
    return found


def check_temperature(temperature: float | None) -> None:
    """Refuse a temperature that no model takes.

    Raises:
        InputError: not 0 to 10.
    """
    if temperature is not None and not 0 <= temperature <= MAX_TEMPERATURE:
        raise InputError(f"--temperature {temperature:g}: choose a number, 0 to {MAX_TEMPERATURE:g}")
