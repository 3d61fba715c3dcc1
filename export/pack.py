"""From a checkpoint to a bundle that passed every gate."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import torch

from sketch_edge.export.graphs import assemble_encode, to_bytes, trace_start, trace_step
from sketch_edge.export.quantise import check_quantised, quantise_weights, quantised_copy, weights_to_quantise
from sketch_edge.export.verify import (
    BATCHES,
    STEPS,
    Measured,
    check_graph,
    measure,
    require_parity,
    rounding_error,
)
from sketch_edge.runtime.bundle import Bundle, Credit, Defaults, Manifest, Origin, Parity, Sizes, pack_bundle
from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.files import check_writable, write_atomic
from sketch_edge.runtime.session import Session
from sketch_edge.train.cell import Start, Step
from sketch_edge.train.checkpoint import Checkpoint
from sketch_edge.train.model import SketchVAE

VARIANTS = {"none": "fp32", "w8": "w8"}
"""What `--quantize` says, and the variant that the manifest names."""

TEMPERATURE = 0.3
"""Default temperature of a bundle: tidy drawings that still differ."""


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
    rounding: float | None
    """Largest difference that rounded weights make in y over the first steps; None for fp32."""


def export_bundle(
    checkpoint: Checkpoint,
    out: str | os.PathLike[str],
    *,
    quantize: str = "w8",
    name: str | None = None,
    classes: Sequence[str] = (),
    temperature: float = TEMPERATURE,
) -> ExportReport:
    """Trace, quantise, verify and write a bundle.

    Args:
        checkpoint: as `load_checkpoint` gave it.
        out: usually ends in .sketch.zip.
        quantize: "none" (float32) or "w8" (weight-only int8, a quarter of the size).
        name: of the model; the file's name up to the first dot where not given.
        classes: the classes to keep, all where empty.
        temperature: what drawing uses where nobody says another.

    Raises:
        InputError: an unknown class or variant, or a path that cannot be written.
        CheckpointError: weights that do not fit.
        UnfinishedError: a gate was not passed; nothing was written.
    """
    path = Path(out)
    check_writable(path)
    if quantize not in VARIANTS:
        raise InputError(f"quantize {quantize!r}: is unknown; choose one of {', '.join(VARIANTS)}")
    checkpoint = keep_classes(checkpoint, classes) if classes else checkpoint
    model = checkpoint.model()
    reference = quantised_copy(model) if quantize == "w8" else model
    members, fp32_total = _make_members(model, quantize)
    if members != _make_members(model, quantize)[0]:
        raise UnfinishedError(f"{path}: two exports of one checkpoint differ; nothing was written; report this")
    manifest = _manifest(checkpoint, name or path.name.split(".")[0], VARIANTS[quantize], temperature)
    measured = measure(reference, Session(Bundle(path, manifest, members, ""), provider="cpu"))
    require_parity(measured)
    parity = replace(manifest.parity, max_abs_error=max(measured.step_error, measured.encode_error))
    content = pack_bundle(replace(manifest, parity=parity), members, where=str(path))
    write_atomic(path, content)
    return ExportReport(
        path,
        VARIANTS[quantize],
        {name: len(member) for name, member in members.items()},
        len(content),
        fp32_total,
        measured,
        rounding_error(model, reference) if quantize == "w8" else None,
    )


def keep_classes(checkpoint: Checkpoint, classes: Sequence[str]) -> Checkpoint:
    """Give a checkpoint of some of the classes, in alphabetical order: the rows of the class embedding are chosen.

    Raises:
        InputError: a class that the model does not have.
    """
    known = checkpoint.about.classes
    for name in classes:
        if name not in known:
            raise InputError(f"classes: {name!r} is not in this model; it has {', '.join(known)}")
    kept = tuple(sorted(set(classes)))
    weights = copy.copy(checkpoint.weights)
    rows = torch.tensor([known.index(name) for name in kept])
    weights["embedding.weight"] = weights["embedding.weight"][rows].clone()
    counts = {name: count for name, count in checkpoint.about.counts.items() if name in kept}
    return replace(checkpoint, weights=weights, about=replace(checkpoint.about, classes=kept, counts=counts))


def _make_members(model: SketchVAE, quantize: str) -> tuple[dict[str, bytes], int]:
    """Make the checked graphs by name, and tell their size in float32."""
    graphs: dict[str, onnx.ModelProto] = {
        "start.onnx": trace_start(Start(model)),
        "step.onnx": trace_step(Step(model)),
        "encode.onnx": assemble_encode(model),
    }
    fp32_total = sum(len(to_bytes(graph)) for graph in graphs.values())
    for name, graph in graphs.items():
        if quantize == "w8":
            expected = weights_to_quantise(model)[name]
            quantise_weights(graph)
            check_quantised(graph, expected, name)
        check_graph(name, graph)
    return {name: to_bytes(graph) for name, graph in graphs.items()}, fp32_total


def _manifest(checkpoint: Checkpoint, name: str, variant: str, temperature: float) -> Manifest:
    """The manifest before its parity is known."""
    about, config = checkpoint.about, checkpoint.config.model
    made = f"{about.synthetic} of the training drawings were made by a model" if about.synthetic else None
    return Manifest(
        name=name,
        classes=about.classes,
        scale=about.scale,
        sizes=Sizes(config.latent, config.decoder_hidden, config.mixtures, about.max_points),
        variant=variant,
        defaults=Defaults(temperature),
        parity=Parity(STEPS, BATCHES, 0.0, f"torch {torch.__version__.split('+')[0]}"),
        data=Credit(about.credit, about.licence, made, about.drawings),
        checkpoint=Origin(checkpoint.sha256, about.step),
    )
