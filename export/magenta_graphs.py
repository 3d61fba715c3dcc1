"""The graphs of one of Magenta's models, without a training framework: what `export/graphs.py` makes of ours.

Two things of the original are folded into the weights: the order of its gates (i, g, f, o; our step has i, f, o, g, so
that one Sigmoid serves three of them) and the 1 that it adds to the forget gate. Offsets and outputs stay in the
model's own units; `scale` in the manifest says how large these are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from sketch_edge.export.compare import IR_VERSION, OPSET
from sketch_edge.export.magenta_file import MagentaModel, Reals
from sketch_edge.export.quantise import SMALLEST
from sketch_edge.runtime.manifest import PEN_STATES
from sketch_edge.runtime.strokes import STROKE

FORGET_BIAS = 1.0
"""Added to the forget gate by the published code; it is not in the stored bias."""

REAL, WHOLE = TensorProto.FLOAT, TensorProto.INT64
Arrays = Mapping[str, npt.NDArray[Any]]


def assemble_graphs(model: MagentaModel) -> dict[str, onnx.ModelProto]:
    """Make start.onnx, step.onnx and, where the model has an encoder, encode.onnx, in float32."""
    graphs = {"start.onnx": _start(model), "step.onnx": _step(model)}
    if model.kind == "vae":
        graphs["encode.onnx"] = _encode(model)
    return graphs


def weights_to_quantise(model: MagentaModel) -> dict[str, int]:
    """How many weights of each graph a rounded bundle stores as int8, told from the sizes alone."""
    H, He, Z = model.hidden, model.encoder_hidden, model.latent
    sizes = {
        "start.onnx": (Z * 2 * H, Z * 4 * H),
        "step.onnx": (STROKE * 4 * H, H * 4 * H, H * (6 * model.mixtures + PEN_STATES)),
    }
    if model.kind == "vae":
        sizes["encode.onnx"] = (2 * 4 * He * STROKE, 2 * 4 * He * He, 2 * He * 2 * Z)
    return {name: sum(size >= SMALLEST for size in weights) for name, weights in sizes.items()}


def _start(model: MagentaModel) -> onnx.ModelProto:
    """Make z (B, Z), class_id (B,) -> gate (B, 4H), h, c (B, H); the same for all sketches where Z is 0."""
    hidden, node = model.hidden, helper.make_node
    gate = _ifog(_with_forget_bias(model.tensors["decoder_b"]))
    if model.kind == "gen":
        first = {"gate": gate, "h": np.zeros(hidden), "c": np.zeros(hidden)}
        tensors: Arrays = {f"first_{name}": value[None] for name, value in first.items()}
        nodes = [node("Gather", [f"first_{name}", "class_id"], [name], axis=0) for name in first]
    else:
        tensors = {
            "state_weight": model.tensors["start_w"],
            "state_bias": model.tensors["start_b"],
            "gate_weight": _ifog(model.tensors["decoder_wx"][STROKE:]),
            "gate_bias": gate,
        }
        nodes = [
            node("MatMul", ["z", "state_weight"], ["state_product"]),
            node("Add", ["state_product", "state_bias"], ["state_sum"]),
            node("Tanh", ["state_sum"], ["state"]),
            node("Split", ["state"], ["c", "h"], axis=1, num_outputs=2),  # c first
            node("MatMul", ["z", "gate_weight"], ["gate_product"]),
            node("Add", ["gate_product", "gate_bias"], ["gate"]),
        ]
    inputs = [_info("z", REAL, "batch", model.latent), _info("class_id", WHOLE, "batch")]
    widths = {"gate": 4 * hidden, "h": hidden, "c": hidden}
    return _model(
        "start", nodes, inputs, [_info(name, REAL, "batch", width) for name, width in widths.items()], tensors
    )


def _step(model: MagentaModel) -> onnx.ModelProto:
    """Make x (B, 5), gate (B, 4H), h, c (B, H) -> y (B, 6M + 3), h_next, c_next (B, H); see `train/models/cut.py`."""
    hidden, node = model.hidden, helper.make_node
    tensors: Arrays = {
        "row_weight": _ifog(model.tensors["decoder_wx"][:STROKE]),
        "hidden_weight": _ifog(model.tensors["decoder_wh"]),
        "output_weight": model.tensors["output_w"],
        "output_bias": model.tensors["output_b"],
        "gate_sizes": np.array([3 * hidden, hidden], np.int64),
    }
    nodes = [
        node("MatMul", ["h", "hidden_weight"], ["from_h"]),
        node("MatMul", ["x", "row_weight"], ["from_x"]),
        node("Add", ["from_h", "from_x"], ["from_both"]),
        node("Add", ["from_both", "gate"], ["gates"]),
        node("Split", ["gates", "gate_sizes"], ["to_open", "to_write"], axis=1),
        node("Sigmoid", ["to_open"], ["opened"]),
        node("Split", ["opened"], ["i", "f", "o"], axis=1, num_outputs=3),
        node("Mul", ["f", "c"], ["kept"]),
        node("Tanh", ["to_write"], ["written"]),
        node("Mul", ["i", "written"], ["added"]),
        node("Add", ["kept", "added"], ["c_next"]),
        node("Tanh", ["c_next"], ["c_shown"]),
        node("Mul", ["o", "c_shown"], ["h_next"]),
        node("MatMul", ["h_next", "output_weight"], ["y_product"]),
        node("Add", ["y_product", "output_bias"], ["y"]),
    ]
    widths = {"x": STROKE, "gate": 4 * hidden, "h": hidden, "c": hidden}
    inputs = [_info(name, REAL, "batch", width) for name, width in widths.items()]
    outputs = [_info("y", REAL, "batch", 6 * model.mixtures + 3)]
    outputs += [_info(name, REAL, "batch", hidden) for name in ("h_next", "c_next")]
    return _model("step", nodes, inputs, outputs, tensors)


def _encode(model: MagentaModel) -> onnx.ModelProto:
    """Make strokes (B, T, 5), length (B,), class_id (B,) -> mu, sigma (B, Z); the class changes nothing."""
    units, node, tensors = model.encoder_hidden, helper.make_node, model.tensors
    directions = ("forward", "backward")

    def both(part: str) -> Reals:
        return np.stack([_onnx_gates(tensors[f"{direction}_{part}"]).T for direction in directions])

    biases = [_onnx_gates(_with_forget_bias(tensors[f"{direction}_b"])) for direction in directions]
    stored: Arrays = {
        "lstm_w": both("wx"),
        "lstm_r": both("wh"),
        "lstm_b": np.stack([np.concatenate([bias, np.zeros(4 * units)]) for bias in biases]),
        "posterior_weight": np.concatenate([tensors["mu_w"], tensors["sigma_w"]], axis=1),
        "posterior_bias": np.concatenate([tensors["mu_b"], tensors["sigma_b"]]),
        "flat": np.array([-1, 2 * units], np.int64),
        "half": np.array(0.5),
    }
    states = ["by_row", "lstm_w", "lstm_r", "lstm_b", "length_32"]
    nodes = [
        node("Transpose", ["strokes"], ["by_row"], perm=[1, 0, 2]),
        node("Cast", ["length"], ["length_32"], to=TensorProto.INT32),
        node("LSTM", states, ["", "h_last"], hidden_size=units, direction="bidirectional"),
        node("Transpose", ["h_last"], ["h_by_sketch"], perm=[1, 0, 2]),
        node("Reshape", ["h_by_sketch", "flat"], ["ends"]),
        node("MatMul", ["ends", "posterior_weight"], ["posterior_product"]),
        node("Add", ["posterior_product", "posterior_bias"], ["posterior"]),
        node("Split", ["posterior"], ["mu", "log_variance"], axis=1, num_outputs=2),
        node("Mul", ["log_variance", "half"], ["log_sigma"]),
        node("Exp", ["log_sigma"], ["sigma"]),
    ]
    inputs = [
        _info("strokes", REAL, "batch", "rows", STROKE),
        _info("length", WHOLE, "batch"),
        _info("class_id", WHOLE, "batch"),
    ]
    outputs = [_info(name, REAL, "batch", model.latent) for name in ("mu", "sigma")]
    return _model("encode", nodes, inputs, outputs, stored)


def _with_forget_bias(bias: Reals) -> Reals:
    i, g, f, o = np.split(bias, 4)
    return np.concatenate([i, g, f + FORGET_BIAS, o])


def _ifog(weight: Reals) -> Reals:
    """Bring four blocks of the last axis from Magenta's order (i, g, f, o) to that of our step (i, f, o, g)."""
    i, g, f, o = np.split(weight, 4, axis=-1)
    return np.concatenate([i, f, o, g], axis=-1)


def _onnx_gates(weight: Reals) -> Reals:
    """Bring four blocks of the last axis from Magenta's order (i, g, f, o) to ONNX's (i, o, f, g)."""
    i, g, f, o = np.split(weight, 4, axis=-1)
    return np.concatenate([i, o, f, g], axis=-1)


def _info(name: str, kind: int, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _model(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    tensors: Arrays,
) -> onnx.ModelProto:
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}"
    stored = [
        numpy_helper.from_array(np.ascontiguousarray(array, np.float32 if array.dtype.kind == "f" else None), key)
        for key, array in tensors.items()
    ]
    graph = helper.make_graph(nodes, name, inputs, outputs, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="sketch-edge")
    model.ir_version = IR_VERSION
    return model
