"""How graphs are held against what they should compute; `export/verify.py` says why so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from sketch_edge.runtime.errors import UnfinishedError

STEPS = 250
BATCHES = (1, 2, 5)
TOLERANCE = 1e-5
"""Absolute for numbers of magnitude up to 1, relative beyond."""

FLOAT32_TIMES = 10.0
"""How many times as far as torch's own float32 the graphs may drift; roundings differ by luck, errors by far more."""

ROUNDING_SHARE = 0.1
"""Most that rounding to int8 may change a step's output, as a share of the outputs' own spread, both root mean square.
Seen: about 0.01 with w8 and 0.02 with int8; a weight or scale that is simply wrong gives 0.5 and more."""

OPSET = 18
IR_VERSION = 8

Reals = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Difference:
    """How far numbers are from what they should be."""

    largest: float
    """Largest |x - y| / max(1, |y|)."""

    share: float
    """Largest share of what is allowed: up to 1 passes."""

    @classmethod
    def of(cls, found: Reals, expected: Reals, tolerance: float = TOLERANCE) -> Difference:
        """Compare two arrays of one shape; infinite where a number is not finite."""
        if not (np.isfinite(found).all() and np.isfinite(expected).all()):
            return cls(np.inf, np.inf)
        largest = float((np.abs(found - expected) / np.maximum(1.0, np.abs(expected))).max())
        return cls(largest, largest / tolerance)

    def __or__(self, other: Difference) -> Difference:
        """Give the larger of each."""
        return Difference(max(self.largest, other.largest), max(self.share, other.share))


def allowed(float32: Reals, expected: Reals) -> float:
    """What is allowed where rounding is carried on: the tolerance, or FLOAT32_TIMES what plain float32 departs."""
    departure = Difference.of(float32, expected).largest
    return max(TOLERANCE, FLOAT32_TIMES * departure) if np.isfinite(departure) else TOLERANCE


def require_within(
    step: Difference, drift: Difference, encode: Difference | None, *, reference: str, packages: str
) -> None:
    """Refuse graphs that depart from what they should compute by more than is allowed.

    Args:
        step: how far they are in a step.
        drift: likewise after STEPS carried ones.
        encode: likewise of the encoder, where there is one.
        reference: what they were compared with, for the message.
        packages: whose versions a report should name.

    Raises:
        UnfinishedError: a difference over what is allowed, or no number.
    """
    for member, what, found in (
        ("step.onnx", f"differs from {reference} in a step", step),
        ("step.onnx", f"drifts from {reference} over {STEPS} steps", drift),
        ("encode.onnx", f"differs from {reference}", encode),
    ):
        if found is not None and not found.share <= 1:
            raise UnfinishedError(
                f"{member}: {what} by {found.largest:.2e}, {found.share:.3g} times what is allowed; nothing was "
                f"written; report this with the versions of {packages}"
            )


def check_graph(name: str, model: onnx.ModelProto) -> None:
    """Run the onnx checker, with shapes inferred.

    Raises:
        UnfinishedError: the graph is not valid.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise UnfinishedError(f"{name}: is not valid ONNX ({error}); report this with your versions") from error


def to_bytes(model: onnx.ModelProto) -> bytes:
    """Serialise a graph; the same graph gives the same bytes."""
    return bytes(model.SerializeToString(deterministic=True))
