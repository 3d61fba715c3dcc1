"""Make a small bundle whose head is "offset", with random weights: two layers one on the other, and absolute positions.

Run as a module it writes tests/data/tiny-offset.sketch.zip again; the same bytes each time:

    python -m tests.tiny_offset

Its step is built as those of other decoders than the one LSTM are: h holds both layers and the place of the pen, what
it gives are probabilities of the pen states and the next place, and y is made of these in the graph.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, helper

from sketch_edge.runtime.bundle import Sizes, write_bundle
from tests.tiny_bundle import CLASSES, FLOAT, INT64, STROKE, TINY, Weights, _info, _model, manifest

OFFSET = TINY.with_name("tiny-offset.sketch.zip")
HIDDEN = 6
PLACE = 2
"""x and y of the pen, behind the two layers in h."""

WIDE = 16
"""Outputs, of which five are used: a logarithm taken sixteen abreast gives a sketch the same bits in any batch."""

SIZES = Sizes(latent=0, hidden=HIDDEN, mixtures=0, max_points=120, state=2 * HIDDEN + PLACE, constant=2 * 4 * HIDDEN)

Tensors = dict[str, npt.NDArray[Any]]
node = helper.make_node


def start(weights: Weights) -> ModelProto:
    """z (B, 0), class_id (B,) -> gate (B, 8H), h, c (B, 2H + 2), each a table by class."""
    still = np.zeros((len(CLASSES), PLACE), np.float32)
    layers = {name: weights(len(CLASSES), 2 * HIDDEN) for name in ("h", "c")}
    tables: Tensors = {name: np.concatenate([table, still], axis=1) for name, table in layers.items()}
    tables["gate"] = weights(len(CLASSES), SIZES.constant_width)
    nodes = [node("Gather", [f"{name}_table", "class_id"], [name], axis=0) for name in tables]
    outputs = [_info(name, FLOAT, "batch", table.shape[1]) for name, table in tables.items()]
    inputs = [_info("z", FLOAT, "batch", 0), _info("class_id", INT64, "batch")]
    return _model("start", nodes, inputs, outputs, {f"{name}_table": table for name, table in tables.items()})


def step(weights: Weights) -> ModelProto:
    """x (B, 5), gate (B, 8H), h, c (B, 2H + 2) -> y (B, 5), h_next, c_next (B, 2H + 2)."""
    below, above = PLACE + STROKE + HIDDEN, 2 * HIDDEN
    bias = np.zeros(WIDE, np.float32)
    bias[:3] = (0.7, 0.15, 0.07)  # the chances of down, up and end
    spread = np.zeros(WIDE, np.float32)
    spread[:3], spread[3:5] = (0.1, 0.1, 0.03), 1.5
    tensors: Tensors = {
        "below_weight": weights(below, 4 * HIDDEN, limit=1.5 * below**-0.5),
        "above_weight": weights(above, 4 * HIDDEN, limit=3 * above**-0.5),
        "output_weight": weights(HIDDEN, WIDE, limit=2.0) * spread,
        "output_bias": bias,
        "parts": np.array([HIDDEN, HIDDEN, PLACE], np.int64),
        "gates": np.array([4 * HIDDEN, 4 * HIDDEN], np.int64),
        "row": np.array([PLACE, 3], np.int64),
        "cell": np.array([3 * HIDDEN, HIDDEN], np.int64),
        "outputs": np.array([3, PLACE, WIDE - 5], np.int64),
        "least": np.array(1e-4, np.float32),
        "most": np.array(1.0, np.float32),
    }
    nodes = [
        node("Split", ["h", "parts"], ["h_below", "h_above", "place"], axis=1),
        node("Split", ["c", "parts"], ["c_below", "c_above", "nothing"], axis=1),
        node("Split", ["gate", "gates"], ["gate_below", "gate_above"], axis=1),
        node("Split", ["x", "row"], ["move", "pen"], axis=1),
        node("Add", ["place", "move"], ["here"]),
        node("Concat", ["here", "x", "h_below"], ["below_in"], axis=1),
        *_layer("below"),
        node("Concat", ["below_h_next", "h_above"], ["above_in"], axis=1),
        *_layer("above"),
        node("MatMul", ["above_h_next", "output_weight"], ["output_sum"]),
        node("Add", ["output_sum", "output_bias"], ["output"]),
        node("Clip", ["output", "least", "most"], ["chances"]),
        node("Log", ["chances"], ["logits_wide"]),
        node("Split", ["logits_wide", "outputs"], ["logits", "log_place", "log_rest"], axis=1),
        node("Split", ["output", "outputs"], ["pen_out", "there", "rest"], axis=1),
        node("Sub", ["there", "here"], ["offset"]),
        node("Concat", ["logits", "offset"], ["y"], axis=1),
        node("Concat", ["below_h_next", "above_h_next", "here"], ["h_next"], axis=1),
        node("Concat", ["below_c_next", "above_c_next", "nothing"], ["c_next"], axis=1),
    ]
    widths = {"x": STROKE, "gate": SIZES.constant_width, "h": SIZES.state_width, "c": SIZES.state_width}
    inputs = [_info(name, FLOAT, "batch", width) for name, width in widths.items()]
    outputs = [_info("y", FLOAT, "batch", SIZES.outputs)]
    outputs += [_info(name, FLOAT, "batch", SIZES.state_width) for name in ("h_next", "c_next")]
    return _model("step", nodes, inputs, outputs, tensors)


def _layer(name: str) -> list[NodeProto]:
    """One LSTM: NAME_in, gate_NAME, c_NAME -> NAME_h_next, NAME_c_next."""
    made = f"{name}_".__add__
    return [
        node("MatMul", [made("in"), made("weight")], [made("from_in")]),
        node("Add", [made("from_in"), f"gate_{name}"], [made("gates")]),
        node("Split", [made("gates"), "cell"], [made("open_sum"), made("write_sum")], axis=1),
        node("Sigmoid", [made("open_sum")], [made("open")]),
        node("Tanh", [made("write_sum")], [made("write")]),
        node("Split", [made("open")], [made("i"), made("f"), made("o")], axis=1, num_outputs=3),
        node("Mul", [made("f"), f"c_{name}"], [made("kept")]),
        node("Mul", [made("i"), made("write")], [made("added")]),
        node("Add", [made("kept"), made("added")], [made("c_next")]),
        node("Tanh", [made("c_next")], [made("seen")]),
        node("Mul", [made("o"), made("seen")], [made("h_next")]),
    ]


def main(path: Path = OFFSET) -> None:
    """Write the bundle."""
    weights = Weights(seed=3)
    graphs = {"start.onnx": start(weights), "step.onnx": step(weights)}
    members = {name: graph.SerializeToString(deterministic=True) for name, graph in graphs.items()}
    write_bundle(path, replace(manifest(SIZES), name="tiny-offset", head="offset"), members)


if __name__ == "__main__":
    main()
