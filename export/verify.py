"""The gates that every bundle passes before it is kept: valid ONNX, loads, and computes what torch computes."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import torch

from sketch_edge.runtime.errors import UnfinishedError
from sketch_edge.runtime.session import Session
from sketch_edge.train.model import SketchVAE

STEPS = 250
BATCHES = (1, 2, 5)
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Measured:
    """How far the graphs are from torch, and how fast they are."""

    step_error: float
    """Largest difference in any output of the step over all carried steps and batches."""

    encode_error: float
    """Largest difference in mu or sigma."""

    step_us: float
    """Median time of a step at batch 1, microseconds, on this machine."""


def check_graph(name: str, model: onnx.ModelProto) -> None:
    """Run the onnx checker, with shapes inferred.

    Raises:
        UnfinishedError: the graph is not valid.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise UnfinishedError(f"{name}: is not valid ONNX ({error}); report this with your versions") from error


def measure(model: SketchVAE, session: Session) -> Measured:
    """Carry the graphs and the torch model over the same sketches and compare all that comes out.

    The graphs run in the run-time's own session. The torch side is the trained network itself (`SketchVAE.decode`
    over nn.LSTM), not the cut-up cell that was traced: a mistake in the cutting shows too. It computes in float64, so
    what is measured is the error of the graphs, not the sum of theirs and torch's.
    """
    model = copy.deepcopy(model).double()
    return Measured(
        max(_decoder_error(model, session, batch) for batch in BATCHES),
        max(_encoder_error(model, session, batch) for batch in BATCHES),
        _time_step(model, session),
    )


def require_parity(measured: Measured, tolerance: float = TOLERANCE) -> None:
    """Refuse a bundle that departs from torch.

    Raises:
        UnfinishedError: an error over `tolerance`.
    """
    for what, error in (("step", measured.step_error), ("encode", measured.encode_error)):
        if not error <= tolerance:
            raise UnfinishedError(
                f"{what}.onnx: differs from torch by {error:.2e} (at most {tolerance:.0e}); nothing was written; "
                "report this with the versions of torch, onnx and onnxruntime"
            )


def rounding_error(model: SketchVAE, rounded: SketchVAE) -> float:
    """What rounding the weights costs: the largest difference in y over the first 32 steps of 8 sketches, in torch."""
    rows, z, class_ids = _random_sketches(model, 8, 32, seed=5)
    exact, found = (_decode(each, rows, z, class_ids) for each in (model, rounded))
    return float(np.abs(exact - found).max())


def _decoder_error(model: SketchVAE, session: Session, batch: int) -> float:
    rows, z, class_ids = _random_sketches(model, batch, STEPS, seed=batch)
    expected = _decode(model, rows, z, class_ids)
    steps = session.steps(session.start(z.numpy(), class_ids.tolist()))
    worst = 0.0
    for row, y in zip(rows.numpy(), expected, strict=True):
        steps.x[:] = row
        steps.run()
        worst = max(worst, float(np.abs(steps.y - y).max()))
        if not np.isfinite(steps.y).all():
            return np.inf
    return worst


def _encoder_error(model: SketchVAE, session: Session, batch: int) -> float:
    rows, _, class_ids = _random_sketches(model, batch, 40, seed=100 + batch)
    lengths = torch.randint(1, 40, (batch,), generator=torch.Generator().manual_seed(batch))
    for i, length in enumerate(lengths):
        rows[length:, i] = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0])
    with torch.no_grad():
        mu, log_variance = model.encode(rows.double(), lengths, model.embedding(class_ids))
    found_mu, found_sigma = session.encode(rows.numpy().transpose(1, 0, 2), lengths.tolist(), class_ids.tolist())
    sigma = torch.exp(0.5 * log_variance).numpy()
    return float(max(np.abs(found_mu - mu.numpy()).max(), np.abs(found_sigma - sigma).max()))


def _time_step(model: SketchVAE, session: Session) -> float:
    rows, z, class_ids = _random_sketches(model, 1, 1, seed=0)
    steps = session.steps(session.start(z.numpy(), class_ids.tolist()))
    steps.x[:] = rows[0].numpy()
    times = []
    for _ in range(300):
        before = time.perf_counter()
        steps.run()
        times.append(time.perf_counter() - before)
    return float(np.median(times) * 1e6)


def _decode(
    model: SketchVAE, rows: torch.Tensor, z: torch.Tensor, class_ids: torch.Tensor
) -> npt.NDArray[np.float64]:
    """Outputs of the torch network, (steps, batch, 6M + 3), in its own precision."""
    precision = model.head.weight.dtype
    with torch.no_grad():
        counted = torch.ones(rows.shape[:2], dtype=torch.bool)
        rows, z = rows.to(precision), z.to(precision)
        return model.decode(rows, z, model.embedding(class_ids), counted).numpy().reshape(*rows.shape[:2], -1)


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
