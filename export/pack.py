"""From a checkpoint to a bundle that passed every gate."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch

from sketch_edge.export.class_choices import chosen_hidden, chosen_temperatures, find_class
from sketch_edge.export.compare import BATCHES, STEPS
from sketch_edge.export.drawings import Likeness, require_like_drawings, require_same_drawings
from sketch_edge.export.graphs import trace
from sketch_edge.export.members import make_members
from sketch_edge.export.quantise import SMALLEST
from sketch_edge.export.rounded import coarse_copy, quantised_copy, weights_to_quantise
from sketch_edge.export.rules import VARIANTS, check_sizes, check_texts, name_of, round_up
from sketch_edge.export.verify import Measured, Rounding, measure, require_parity, rounding_error
from sketch_edge.runtime.bundle import (
    MAX_BYTES,
    MAX_MANIFEST_BYTES,
    Bundle,
    Credit,
    Defaults,
    Manifest,
    Origin,
    Parity,
    pack_bundle,
)
from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.files import check_writable, write_atomic
from sketch_edge.runtime.manifest import TEMPERATURE
from sketch_edge.runtime.session import Session
from sketch_edge.train.checkpoint import Checkpoint
from sketch_edge.train.models.base import EMBEDDING, SketchModel
from sketch_edge.train.models.vae import SketchVAE

REFERENCES = {"none": lambda model: model, "w8": quantised_copy, "int8": coarse_copy}
"""The torch model whose numbers the graphs of a variant must give."""


@dataclass(frozen=True)
class ExportReport:
    """What an export measured."""

    path: Path
    variant: str
    sizes: dict[str, int]
    """Bytes of each graph."""

    total: int
    """Bytes of the bundle."""

    fp32_total: int
    """Bytes of the same graphs in float32."""

    measured: Measured
    rounding: Rounding | None
    """What rounding changes in a step; None for fp32."""

    likeness: Likeness | None
    """How far the drawings are from those in float32; None for fp32."""


def export_bundle(
    checkpoint: Checkpoint,
    out: str | os.PathLike[str],
    *,
    quantize: str = "w8",
    name: str | None = None,
    classes: Sequence[str] = (),
    temperature: float = TEMPERATURE,
    temperatures: Mapping[str, float] = MappingProxyType({}),
    hide: Sequence[str] = (),
) -> ExportReport:
    """Trace, quantise, verify and write a bundle.

    Args:
        checkpoint: as `load_checkpoint` gave it.
        out: usually ends in .sketch.zip.
        quantize: "none" (float32), "w8" (weights in int8, a quarter of the size, the same arithmetic) or "int8" (the
            products in int8 too: twice as fast).
        name: of the model, 1 to 100 printable letters; the file's name up to the first dot where not given.
        classes: the classes to keep, all where empty.
        temperature: what drawing uses where nobody says another, 0 to 10.
        temperatures: the same for single classes, by name.
        hide: classes, not all of those kept, that lists leave out because they are drawn poorly.

    Raises:
        InputError: an unknown class or variant, a name or temperature that no manifest takes, or a path that cannot be
            written.
        CheckpointError: weights that do not fit, or give numbers that are not finite.
        UnfinishedError: a gate was not passed, or the bundle would be too large to be read; nothing was written.
    """
    path = Path(out)
    check_writable(path)
    if quantize not in VARIANTS:
        raise InputError(f"quantize {quantize!r}: is unknown; choose one of {', '.join(VARIANTS)}")
    checkpoint = keep_classes(checkpoint, classes) if classes else checkpoint
    name = name_of(path) if name is None else name
    check_texts(name, temperature)
    known = checkpoint.about.classes
    defaults, hidden = Defaults(temperature, chosen_temperatures(temperatures, known)), chosen_hidden(hide, known)
    model = checkpoint.model()
    if quantize == "int8":
        _check_large_enough(model)
    manifest = replace(_manifest(checkpoint, model, name, VARIANTS[quantize], defaults), hidden=hidden)
    traced = trace(model)
    expected = weights_to_quantise(model)
    originals = make_members(traced, expected, "none", manifest)
    members = originals if quantize == "none" else make_members(traced, expected, quantize, manifest)
    fp32_total = sum(map(len, originals.values()))
    check_sizes(members, fp32_total, quantize)
    total = sum(map(len, members.values())) + MAX_MANIFEST_BYTES
    if total > MAX_BYTES:
        raise UnfinishedError(
            f"{path}: would have up to {total} bytes (at most {MAX_BYTES}); nothing was written; "
            "choose --quantize w8, or train a smaller model"
        )
    if members != make_members(trace(model), expected, quantize, manifest):
        raise UnfinishedError(f"{path}: two exports of one checkpoint differ; nothing was written; report this")
    session, original = (Session(Bundle(path, manifest, each, ""), provider="cpu") for each in (members, originals))
    reference = REFERENCES[quantize](model)
    measured = measure(reference, session, manifest)
    require_parity(measured)
    if "draw.onnx" in members:
        require_same_drawings(session, manifest)
    rounding = likeness = None
    if quantize != "none":
        rounding, likeness = rounding_error(model, reference), require_like_drawings(session, original, manifest)
    largest = max(found.largest for found in (measured.step, measured.encode) if found is not None)
    parity = replace(manifest.parity, max_abs_error=round_up(largest))
    content = pack_bundle(replace(manifest, parity=parity), members, where=str(path))
    write_atomic(path, content)
    return ExportReport(
        path,
        VARIANTS[quantize],
        {name: len(member) for name, member in members.items()},
        len(content),
        fp32_total,
        measured,
        rounding,
        likeness,
    )


def _check_large_enough(model: SketchModel) -> None:
    """Refuse int8 where a matrix is so small that it is never rounded, or the cell is none that int8 is made for."""
    if not isinstance(model, SketchVAE) or model.config.cell != "lstm":
        raise InputError("quantize 'int8': is made for decoders with a mixture and the cell lstm; choose w8 or none")
    smallest = model.config.decoder_hidden * min(4 * model.config.decoder_hidden, model.head.out_features)
    if smallest < SMALLEST:
        raise InputError(f"quantize 'int8': this decoder is too small for it ({smallest} weights); choose w8 or none")


def keep_classes(checkpoint: Checkpoint, classes: Sequence[str]) -> Checkpoint:
    """Give a checkpoint of some of the classes, in alphabetical order: the rows of the class embedding are chosen.

    Raises:
        InputError: a class that the model does not have; the message names the nearest.
    """
    known = checkpoint.about.classes
    kept = tuple(sorted({find_class("classes", name, known) for name in classes}))
    weights = copy.copy(checkpoint.weights)
    rows = torch.tensor([known.index(name) for name in kept])
    if EMBEDDING in weights:
        weights[EMBEDDING] = weights[EMBEDDING][rows].clone()
    counts = {name: count for name, count in checkpoint.about.counts.items() if name in kept}
    return replace(checkpoint, weights=weights, about=replace(checkpoint.about, classes=kept, counts=counts))


def _manifest(checkpoint: Checkpoint, model: SketchModel, name: str, variant: str, defaults: Defaults) -> Manifest:
    """The manifest before its parity is known."""
    about = checkpoint.about
    made = f"{about.synthetic} of the training drawings were made by a model" if about.synthetic else None
    return Manifest(
        name=name,
        classes=about.classes,
        scale=about.scale,
        sizes=model.sizes(about.max_points),
        head=model.HEAD,
        variant=variant,
        defaults=defaults,
        parity=Parity(STEPS, BATCHES, 0.0, f"torch {torch.__version__.split('+')[0]}"),
        data=Credit(about.credit, about.licence, made, about.drawings),
        checkpoint=Origin(checkpoint.sha256, about.step),
    )
