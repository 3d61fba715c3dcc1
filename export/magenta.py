"""From one of Google Magenta's published Sketch-RNN models to a bundle; needs numpy and onnx, not torch.

The weights carry no statement of a licence, so they are converted on the user's own machine and never shipped.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sketch_edge.export.compare import BATCHES, STEPS, Difference, to_bytes
from sketch_edge.export.drawings import require_same_drawings
from sketch_edge.export.magenta_file import MagentaModel
from sketch_edge.export.magenta_graphs import assemble_graphs, weights_to_quantise
from sketch_edge.export.magenta_parity import measure, require_parity, rounding_share
from sketch_edge.export.magenta_reading import Reading, rounded
from sketch_edge.export.members import make_members
from sketch_edge.export.quantise import SMALLEST
from sketch_edge.export.rules import VARIANTS, check_sizes, check_texts, name_of, round_up
from sketch_edge.runtime.bundle import (
    MAX_BYTES,
    MAX_MANIFEST_BYTES,
    Bundle,
    Credit,
    Defaults,
    Imported,
    Manifest,
    Origin,
    Parity,
    Sizes,
    pack_bundle,
)
from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.files import check_writable, write_atomic
from sketch_edge.runtime.session import Session

PIXELS = 3.5
"""Units of the files in one of ours. Drawings of the published models are some 840 to 910 of theirs across (medians of
64 bears, dogs and bicycles each); a bundle promises about 255."""

TEMPERATURE = 0.25
"""What an imported bundle draws with where nobody says another."""

SAME, ALONE = 12, 2
"""Sketches that draw.onnx must draw as step.onnx does. The graph around the step is the same for every model, and the
exporter's own tests try it longer; an import is to be done within seconds."""

SOURCE = "Google Magenta's published Sketch-RNN models"
NOTE = (
    "converted on the user's own machine; no licence of the weights is stated by their publisher, so do not pass this "
    "file on"
)
CREDIT = "Quick, Draw! drawings by Google's Quick, Draw! players, on which Google Magenta trained the model"
LICENCE = "weights: not stated (Magenta's code: Apache-2.0); drawings: CC BY 4.0"


@dataclass(frozen=True)
class ImportReport:
    """What an import measured."""

    path: Path
    label: str
    variant: str
    sizes: Mapping[str, int]
    """Bytes of each graph."""

    total: int
    """Bytes of the bundle."""

    step: Difference
    """Outputs and states of single steps, from the float64 reading of the file."""

    drift: Difference
    """Outputs over 250 steps that both went by themselves."""

    encode: Difference | None
    """mu and sigma; None for a decoder alone."""

    rounding: float
    """What int8 changes in a step's output, as a share of its spread; 0 for float32."""


def import_model(
    model: MagentaModel,
    out: str | os.PathLike[str],
    *,
    quantize: str = "w8",
    name: str | None = None,
    temperature: float = TEMPERATURE,
) -> ImportReport:
    """Make graphs of a model, quantise, verify and write a bundle.

    Args:
        model: as `read_magenta` gave it.
        out: usually ends in .sketch.zip.
        quantize: "none" (float32), "w8" (weights in int8) or "int8" (the products in int8 too).
        name: of the bundle, 1 to 100 printable letters; the file's name up to the first dot where not given.
        temperature: what drawing uses where nobody says another, 0 to 10.

    Raises:
        InputError: an unknown variant, a name or temperature that no manifest takes, a path that cannot be written, or
            weights that give numbers that are not finite.
        UnfinishedError: a gate was not passed; nothing was written.
    """
    path = Path(out)
    check_writable(path)
    if quantize not in VARIANTS:
        raise InputError(f"quantize {quantize!r}: is unknown; choose one of {', '.join(VARIANTS)}")
    name = name_of(path) if name is None else name
    check_texts(name, temperature)
    if quantize == "int8" and model.hidden * min(4 * model.hidden, 6 * model.mixtures + 3) < SMALLEST:
        raise InputError("quantize 'int8': this decoder is too small for it; choose w8 or none")
    manifest = _manifest(model, name, VARIANTS[quantize], temperature)
    graphs = assemble_graphs(model)
    fp32_total = sum(len(to_bytes(graph)) for graph in graphs.values()) + len(to_bytes(graphs["step.onnx"]))
    members = make_members(graphs, weights_to_quantise(model), quantize, manifest)
    check_sizes(members, fp32_total, quantize)
    total = sum(map(len, members.values())) + MAX_MANIFEST_BYTES
    if total > MAX_BYTES:
        raise UnfinishedError(
            f"{path}: would have up to {total} bytes (at most {MAX_BYTES}); nothing was written; choose --quantize w8"
        )
    session = Session(Bundle(path, manifest, members, ""), provider="cpu")
    reference = model if quantize == "none" else rounded(model)
    measured = measure(reference, session, manifest, coarse=quantize == "int8")
    require_parity(measured)
    require_same_drawings(session, manifest, same=SAME, alone=ALONE)
    rounding = 0.0 if quantize == "none" else rounding_share(model, Reading(reference, coarse=quantize == "int8"))
    largest = max(found.largest for found in (measured.step, measured.encode) if found is not None)
    content = pack_bundle(
        replace(manifest, parity=replace(manifest.parity, max_abs_error=round_up(largest))), members, where=str(path)
    )
    write_atomic(path, content)
    return ImportReport(
        path,
        model.label,
        VARIANTS[quantize],
        {member: len(graph) for member, graph in members.items()},
        len(content),
        measured.step,
        measured.drift,
        measured.encode,
        rounding,
    )


def _manifest(model: MagentaModel, name: str, variant: str, temperature: float) -> Manifest:
    """The manifest before its parity is known."""
    title = ", ".join(part for part in (model.name, f"version {model.version}" if model.version else "") if part)
    file = "".join(char if char.isprintable() else "?" for char in model.file)[:255]
    return Manifest(
        name=name,
        classes=(model.label,),
        scale=model.scale_factor / PIXELS,
        sizes=Sizes(model.latent, model.hidden, model.mixtures, model.max_points),
        variant=variant,
        defaults=Defaults(temperature),
        parity=Parity(STEPS, BATCHES, 0.0, "the file, read in float64"),
        data=Credit(CREDIT, LICENCE, None, max(0, int(model.stated.get("training_size", 0)))),
        checkpoint=Origin(model.sha256, 0),
        imported=Imported(file, title or "without a name", SOURCE, NOTE),
    )
