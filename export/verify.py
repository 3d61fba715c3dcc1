"""The gates that every bundle passes before it is kept: valid ONNX, loads, and computes what torch computes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import torch

from sketch_edge.runtime.errors import UnfinishedError
from sketch_edge.train.model import SketchVAE

STEPS = 250
BATCHES = (1, 2, 5)
TOLERANCE = 1e-5

Run = Callable[[Mapping[str, npt.NDArray[np.generic]]], Sequence[npt.NDArray[np.float32]]]
"""One graph, ready to run: inputs by name in, outputs in order out."""


@dataclass(frozen=True)
class Graphs:
    """The runnable graphs of a bundle under test."""

    start: Run
    step: Run
    encode: Run


@dataclass(frozen=True)
class Parity:
    """How far the graphs are from torch."""

    max_abs_error: float
    """Largest difference in any output of the step over all carried steps and batches."""

    encode_error: float
    """Largest difference in mu or sigma."""

    step_us: float
    """Median time of a step at batch 1, microseconds."""


def check_graph(name: str, model: onnx.ModelProto) -> None:
    """Run the onnx checker, with shapes inferred.

    Raises:
        UnfinishedError: the graph is not valid.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise UnfinishedError(f"{name}: is not valid ONNX ({error}); report this with your versions") from error


def measure_parity(model: SketchVAE, graphs: Graphs) -> Parity:
    """Carry the graphs and the torch model over the same sketches and compare all that comes out.

    The torch side is the trained network itself (`SketchVAE.decode` over nn.LSTM), not the cut-up cell that was
    traced: a mistake in the cutting shows too.
    """
    worst = max(_decoder_error(model, graphs, batch) for batch in BATCHES)
    encode = max(_encoder_error(model, graphs, batch) for batch in BATCHES)
    return Parity(worst, encode, _time_step(model, graphs))


def require_parity(parity: Parity, tolerance: float = TOLERANCE) -> None:
    """Refuse a bundle that departs from torch.

    Raises:
        UnfinishedError: an error over `tolerance`.
    """
    for what, error in (("step", parity.max_abs_error), ("encode", parity.encode_error)):
        if not error <= tolerance:
            raise UnfinishedError(
                f"{what}.onnx: differs from torch by {error:.2e} (at most {tolerance:.0e}); nothing was written; "
                "report this with the versions of torch, onnx and onnxruntime"
            )


def one_step_error(model: SketchVAE, reference: SketchVAE) -> float:
    """Largest difference in the output of the first 32 steps between two torch models, what rounding weights costs."""
    rows, z, class_ids = _random_sketches(model, 8, 32, seed=5)
    with torch.no_grad():
        outputs = [
            m.decode(rows, z, m.embedding(class_ids), torch.ones(rows.shape[:2], dtype=torch.bool))
            for m in (model, reference)
        ]
    return float((outputs[0] - outputs[1]).abs().max())


def _decoder_error(model: SketchVAE, graphs: Graphs, batch: int) -> float:
    rows, z, class_ids = _random_sketches(model, batch, STEPS, seed=batch)
    with torch.no_grad():
        counted = torch.ones(rows.shape[:2], dtype=torch.bool)
        expected = model.decode(rows, z, model.embedding(class_ids), counted).numpy().reshape(STEPS, batch, -1)
    gate, h, c = graphs.start({"z": z.numpy(), "class_id": class_ids.numpy()})
    worst = 0.0
    for t in range(STEPS):
        y, h, c = graphs.step({"x": rows[t].numpy(), "gate": gate, "h": h, "c": c})
        worst = max(worst, float(np.abs(y - expected[t]).max()))
    return worst if np.isfinite(worst) else np.inf


def _encoder_error(model: SketchVAE, graphs: Graphs, batch: int) -> float:
    rows, _, class_ids = _random_sketches(model, batch, 40, seed=100 + batch)
    lengths = torch.randint(1, 40, (batch,), generator=torch.Generator().manual_seed(batch))
    for i, length in enumerate(lengths):
        rows[length:, i] = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0])
    with torch.no_grad():
        mu, log_variance = model.encode(rows, lengths, model.embedding(class_ids))
    inputs = {
        "strokes": np.ascontiguousarray(rows.numpy().transpose(1, 0, 2)),
        "length": lengths.numpy(),
        "class_id": class_ids.numpy(),
    }
    found_mu, found_sigma = graphs.encode(inputs)
    sigma = torch.exp(0.5 * log_variance).numpy()
    return float(max(np.abs(found_mu - mu.numpy()).max(), np.abs(found_sigma - sigma).max()))


def _time_step(model: SketchVAE, graphs: Graphs) -> float:
    rows, z, class_ids = _random_sketches(model, 1, 1, seed=0)
    gate, h, c = graphs.start({"z": z.numpy(), "class_id": class_ids.numpy()})
    inputs = {"x": rows[0].numpy(), "gate": gate, "h": h, "c": c}
    times = []
    for _ in range(300):
        before = time.perf_counter()
        graphs.step(inputs)
        times.append(time.perf_counter() - before)
    return float(np.median(times) * 1e6)


def _random_sketches(
    model: SketchVAE, batch: int, steps: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Stroke-5 rows (steps, batch, 5) with offsets about as large as real ones, z (batch, Z), class ids (batch,)."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.zeros(steps, batch, 5)
    rows[:, :, :2] = torch.randn(steps, batch, 2, generator=generator)
    lift = torch.rand(steps, batch, generator=generator) < 0.15
    rows[:, :, 2], rows[:, :, 3] = (~lift).float(), lift.float()
    z = torch.randn(batch, model.config.latent, generator=generator)
    return rows, z, torch.randint(0, model.classes, (batch,), generator=generator)
