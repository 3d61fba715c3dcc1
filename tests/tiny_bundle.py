"""Make a small bundle with random weights: run-time tests need neither torch, onnx nor a trained model.

Run as a script it writes tests/data/tiny.sketch.zip again, and tiny-whole.sketch.zip, the same with a draw.onnx; the
same bytes each time:

    python tests/tiny_bundle.py
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, load_from_string, numpy_helper

from sketch_edge.export.whole import assemble_draw
from sketch_edge.runtime.bundle import Credit, Defaults, Manifest, Origin, Parity, Sizes, read_bundle, write_bundle

TINY = Path(__file__).parent / "data" / "tiny.sketch.zip"
WHOLE = TINY.with_name("tiny-whole.sketch.zip")
CLASSES = ("cat", "palm tree", "star")
EMBEDDING = 4
ENCODER = 4
STROKE = 5
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def manifest(sizes: Sizes, classes: Sequence[str] = CLASSES) -> Manifest:
    """Say what the tiny bundle is."""
    return Manifest(
        name="tiny",
        producer="sketch-edge tests",
        classes=tuple(classes),
        scale=31.25,
        sizes=sizes,
        variant="fp32",
        defaults=Defaults(temperature=0.4),
        parity=Parity(steps=0, batches=(1,), max_abs_error=0.0, reference="nothing: the weights are random"),
        data=Credit(credit="nobody", licence="MIT", synthetic=None, drawings=0),
        checkpoint=Origin(sha256="0" * 64, step=0),
    )


def members(sizes: Sizes, classes: int = len(CLASSES), seed: int = 1) -> dict[str, bytes]:
    """Make the three graphs with seeded random weights."""
    weights = Weights(seed)
    graphs = {
        "start.onnx": start(sizes, classes, weights),
        "step.onnx": step(sizes, weights),
        "encode.onnx": encode(sizes, classes, weights),
    }
    return {name: graph.SerializeToString(deterministic=True) for name, graph in graphs.items()}


class Weights:
    """Seeded weights whose bits depend on nothing but whole numbers."""

    def __init__(self, seed: int) -> None:
        self._words = np.random.Philox(key=np.array([seed, 0], np.uint64)).random_raw

    def __call__(self, *shape: int, limit: float = 1.0) -> npt.NDArray[np.float32]:
        """Uniform multiples of 2**-20 in [-1, 1), times `limit`."""
        words = self._words(int(np.prod(shape))) >> np.uint64(43)
        uniform: npt.NDArray[np.float32] = words.astype(np.float32) * np.float32(2.0**-20) - np.float32(1)
        return uniform.reshape(shape) * np.float32(limit)


def start(sizes: Sizes, classes: int, weights: Weights) -> ModelProto:
    """z (B, Z), class_id (B,) -> gate (B, 4H), h (B, H), c (B, H)."""
    hidden, width = sizes.hidden, sizes.latent + EMBEDDING
    tensors: dict[str, npt.NDArray[Any]] = {
        "embedding": weights(classes, EMBEDDING, limit=2),
        "state_weight": weights(width, 2 * hidden, limit=width**-0.5),
        "gate_weight": weights(width, 4 * hidden, limit=width**-0.5),
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["embedding", "class_id"], ["label"]),
        node("Concat", ["z", "label"], ["condition"], axis=1),
        node("MatMul", ["condition", "gate_weight"], ["gate"]),
        node("MatMul", ["condition", "state_weight"], ["state_sum"]),
        node("Tanh", ["state_sum"], ["state"]),
        node("Split", ["state"], ["h", "c"], axis=1, num_outputs=2),
    ]
    inputs = [_info("z", FLOAT, "batch", sizes.latent), _info("class_id", INT64, "batch")]
    widths = {"gate": 4 * hidden, "h": hidden, "c": hidden}
    return _model("start", nodes, inputs, [_info(name, FLOAT, "batch", w) for name, w in widths.items()], tensors)


def step(sizes: Sizes, weights: Weights) -> ModelProto:
    """x (B, 5), gate (B, 4H), h, c (B, H) -> y (B, 6M + 3), h_next, c_next (B, H)."""
    hidden, mixtures = sizes.hidden, sizes.mixtures
    log_sigma = slice(3 + 3 * mixtures, 3 + 5 * mixtures)
    bias = np.zeros(sizes.outputs, np.float32)
    bias[:3] = (0.6, 0.2, -0.9)  # some thirty points a sketch at temperature 0.4, some four a line
    bias[log_sigma] = 0.0
    spread = np.ones(sizes.outputs, np.float32)
    spread[:3] = 0.2
    spread[3 + mixtures : 3 + 3 * mixtures] = 0.3  # mu
    spread[log_sigma] = 0.25
    tensors: dict[str, npt.NDArray[Any]] = {
        "row_weight": weights(STROKE, 4 * hidden),
        "hidden_weight": weights(hidden, 4 * hidden, limit=2 * hidden**-0.5),
        "output_weight": weights(hidden, sizes.outputs, limit=3 * hidden**-0.5) * spread,
        "output_bias": bias,
        "gate_sizes": np.array([3 * hidden, hidden], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("MatMul", ["h", "hidden_weight"], ["from_h"]),
        node("MatMul", ["x", "row_weight"], ["from_x"]),
        node("Add", ["from_h", "from_x"], ["from_both"]),
        node("Add", ["from_both", "gate"], ["gates"]),
        node("Split", ["gates", "gate_sizes"], ["opened_sum", "candidate_sum"], axis=1),
        node("Sigmoid", ["opened_sum"], ["opened"]),
        node("Tanh", ["candidate_sum"], ["candidate"]),
        node("Split", ["opened"], ["i", "f", "o"], axis=1, num_outputs=3),
        node("Mul", ["f", "c"], ["kept"]),
        node("Mul", ["i", "candidate"], ["added"]),
        node("Add", ["kept", "added"], ["c_next"]),
        node("Tanh", ["c_next"], ["c_shown"]),
        node("Mul", ["o", "c_shown"], ["h_next"]),
        node("MatMul", ["h_next", "output_weight"], ["y_sum"]),
        node("Add", ["y_sum", "output_bias"], ["y"]),
    ]
    widths = {"x": STROKE, "gate": 4 * hidden, "h": hidden, "c": hidden}
    inputs = [_info(name, FLOAT, "batch", width) for name, width in widths.items()]
    outputs = [_info("y", FLOAT, "batch", sizes.outputs)]
    outputs += [_info(name, FLOAT, "batch", hidden) for name in ("h_next", "c_next")]
    return _model("step", nodes, inputs, outputs, tensors)


def encode(sizes: Sizes, classes: int, weights: Weights) -> ModelProto:
    """strokes (B, T, 5), length (B,), class_id (B,) -> mu, sigma (B, Z)."""
    tensors: dict[str, npt.NDArray[Any]] = {
        "embedding": weights(classes, 2 * ENCODER),
        "lstm_w": weights(2, 4 * ENCODER, STROKE),
        "lstm_r": weights(2, 4 * ENCODER, ENCODER),
        "flat": np.array([-1, 2 * ENCODER], np.int64),
        "posterior_weight": weights(2 * ENCODER, 2 * sizes.latent, limit=0.5),
    }
    node = helper.make_node
    nodes = [
        node("Transpose", ["strokes"], ["by_row"], perm=[1, 0, 2]),
        node("Cast", ["length"], ["length_32"], to=TensorProto.INT32),
        node(
            "LSTM",
            ["by_row", "lstm_w", "lstm_r", "", "length_32"],
            ["", "h_last"],
            hidden_size=ENCODER,
            direction="bidirectional",
        ),
        node("Transpose", ["h_last"], ["h_by_sketch"], perm=[1, 0, 2]),
        node("Reshape", ["h_by_sketch", "flat"], ["ends"]),
        node("Gather", ["embedding", "class_id"], ["label"]),
        node("Add", ["ends", "label"], ["labelled"]),
        node("MatMul", ["labelled", "posterior_weight"], ["posterior"]),
        node("Split", ["posterior"], ["mu", "log_sigma"], axis=1, num_outputs=2),
        node("Exp", ["log_sigma"], ["sigma"]),
    ]
    inputs = [
        _info("strokes", FLOAT, "batch", "rows", STROKE),
        _info("length", INT64, "batch"),
        _info("class_id", INT64, "batch"),
    ]
    outputs = [_info(name, FLOAT, "batch", sizes.latent) for name in ("mu", "sigma")]
    return _model("encode", nodes, inputs, outputs, tensors)


def _info(name: str, kind: int, *shape: int | str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _model(
    name: str,
    nodes: list[NodeProto],
    inputs: list[ValueInfoProto],
    outputs: list[ValueInfoProto],
    tensors: Mapping[str, npt.NDArray[Any]],
) -> ModelProto:
    weights = [numpy_helper.from_array(array, key) for key, array in tensors.items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="sketch-edge tests")
    model.ir_version = 8
    return model


def main(path: Path = TINY, hidden: int = 8, mixtures: int = 3, latent: int = 4, max_points: int = 120) -> None:
    """Write the bundle."""
    sizes = Sizes(latent=latent, hidden=hidden, mixtures=mixtures, max_points=max_points)
    path.parent.mkdir(exist_ok=True)
    write_bundle(path, manifest(sizes), members(sizes))


def add_draw(path: Path = TINY, out: Path = WHOLE) -> None:
    """Write a bundle again, with the draw graph that the exporter makes of its step graph."""
    bundle = read_bundle(path)
    say = bundle.manifest
    graph = assemble_draw(load_from_string(bundle.members["step.onnx"]), say.sizes, say.scale, say.grid)
    write_bundle(out, say, dict(bundle.members) | {"draw.onnx": graph.SerializeToString(deterministic=True)})


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
        add_draw()
    else:  # PATH HIDDEN MIXTURES LATENT MAX_POINTS: another size, for measuring
        main(Path(sys.argv[1]), *(int(argument) for argument in sys.argv[2:]))
