"""From a checkpoint to a bundle that passed every gate."""

from __future__ import annotations

import copy
import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
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
from sketch_edge.runtime.bundle import (
    MAX_BYTES,
    MAX_MANIFEST_BYTES,
    Bundle,
    Credit,
    Defaults,
    Manifest,
    Origin,
    Parity,
    Sizes,
    pack_bundle,
)
from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.files import check_writable, write_atomic
from sketch_edge.runtime.manifest import MAX_NAME_LENGTH, MAX_TEMPERATURE, TEMPERATURE, short
from sketch_edge.runtime.session import Session
from sketch_edge.train.cell import Start, Step
from sketch_edge.train.checkpoint import Checkpoint
from sketch_edge.train.model import SketchVAE

VARIANTS = {"none": "fp32", "w8": "w8"}
"""What `--quantize` says, and the variant that the manifest names."""


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
        name: of the model, 1 to 100 printable letters; the file's name up to the first dot where not given.
        classes: the classes to keep, all where empty.
        temperature: what drawing uses where nobody says another, 0 to 10.

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
    name = _name_of(path) if name is None else name
    _check_texts(name, temperature)
    model = checkpoint.model()
    reference = quantised_copy(model) if quantize == "w8" else model
    members, fp32_total = _make_members(model, quantize)
    total = sum(map(len, members.values())) + MAX_MANIFEST_BYTES
    if total > MAX_BYTES:
        raise UnfinishedError(
            f"{path}: would have up to {total} bytes (at most {MAX_BYTES}); nothing was written; "
            "choose --quantize w8, or train a smaller model"
        )
    if members != _make_members(model, quantize)[0]:
        raise UnfinishedError(f"{path}: two exports of one checkpoint differ; nothing was written; report this")
    manifest = _manifest(checkpoint, name, VARIANTS[quantize], temperature)
    measured = measure(reference, Session(Bundle(path, manifest, members, ""), provider="cpu"), manifest)
    require_parity(measured)
    parity = replace(manifest.parity, max_abs_error=_round_up(max(measured.step.largest, measured.encode.largest)))
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


def _check_texts(name: str, temperature: float) -> None:
    """Refuse what a manifest cannot say, before the work begins."""
    if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise InputError(f"name {short(name)}: expected 1 to {MAX_NAME_LENGTH} printable letters")
    if not 0 <= temperature <= MAX_TEMPERATURE:  # false for nan too
        raise InputError(f"temperature {temperature}: expected a number, 0 to {MAX_TEMPERATURE:g}")


def _name_of(path: Path) -> str:
    """Name a model as its file, up to the first dot, as far as a manifest can say it."""
    name = "".join(char for char in path.name.split(".")[0] if char.isprintable())
    return name[:MAX_NAME_LENGTH] or "model"


def _round_up(number: float) -> float:
    """Round up to two digits: further ones depend on the machine, and two exports shall be equal."""
    if number == 0:
        return 0.0
    unit = Decimal(1).scaleb(Decimal(number).adjusted() - 1)
    return float(Decimal(number).quantize(unit, ROUND_UP))


def keep_classes(checkpoint: Checkpoint, classes: Sequence[str]) -> Checkpoint:
    """Give a checkpoint of some of the classes, in alphabetical order: the rows of the class embedding are chosen.

    Raises:
        InputError: a class that the model does not have; the message names the nearest.
    """
    known = checkpoint.about.classes
    for name in classes:
        if name not in known:
            near = difflib.get_close_matches(name[:MAX_NAME_LENGTH], known, n=3)
            some = ", ".join(known[:5]) + (" ..." if len(known) > 5 else "")
            hint = f"the nearest: {', '.join(near)}" if near else f"it has {some}"
            raise InputError(f"classes: {short(name)} is not in this model of {len(known)}; {hint}")
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
            before = onnx.ModelProto()
            before.CopyFrom(graph)
            quantise_weights(graph)
            check_quantised(before, graph, weights_to_quantise(model)[name], name)
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
