"""The three ONNX graphs of a bundle: start and step traced from torch, encode assembled around ONNX's own LSTM.

Opset 18 and IR version 8 load on onnxruntime 1.15 and all that came after; the exporter as it stands would write IR 10.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from sketch_edge.export.compare import IR_VERSION, OPSET
from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.models.base import SketchModel, weight_of
from sketch_edge.train.models.vae import SketchVAE

EXAMPLE_BATCH = 2  # an example batch of 1 would freeze the batch dimension


def trace(model: SketchModel) -> dict[str, onnx.ModelProto]:
    """Make the graphs of a model in float32, without draw.onnx, which is made of step.onnx.

    start.onnx: z (B, Z), class_id int64 (B,) -> gate (B, K), h, c (B, S); step.onnx: x (B, 5), gate, h, c -> y (B, O),
    h_next, c_next; and encode.onnx where the model has a latent vector.
    """
    start, step = model.cut()
    chosen = (torch.zeros(EXAMPLE_BATCH, model.latent), torch.zeros(EXAMPLE_BATCH, dtype=torch.int64))
    widths = (STROKE, model.constant, model.state, model.state)
    carried = tuple(torch.zeros(EXAMPLE_BATCH, width) for width in widths)
    graphs = {
        "start.onnx": _trace(start, "start", chosen, ("z", "class_id"), ("gate", "h", "c")),
        "step.onnx": _trace(step, "step", carried, ("x", "gate", "h", "c"), ("y", "h_next", "c_next")),
    }
    if isinstance(model, SketchVAE) and model.latent:
        graphs["encode.onnx"] = assemble_encode(model)
    return graphs


def assemble_encode(model: SketchVAE) -> onnx.ModelProto:
    """Assemble encode.onnx: strokes (B, T, 5), length int64 (B,), class_id int64 (B,) -> mu, sigma (B, Z).

    ONNX's LSTM takes the lengths itself and runs backward within each, so the graph needs no reversing.
    """
    real, whole = TensorProto.FLOAT, TensorProto.INT64
    graph = helper.make_graph(
        _encode_nodes(model.config.encoder_hidden, bool(model.config.class_embedding)),
        "encode",
        [
            helper.make_tensor_value_info("strokes", real, ["batch", "rows", STROKE]),
            helper.make_tensor_value_info("length", whole, ["batch"]),
            helper.make_tensor_value_info("class_id", whole, ["batch"]),
        ],
        [helper.make_tensor_value_info(name, real, ["batch", model.config.latent]) for name in ("mu", "sigma")],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in _encode_tensors(model).items()],
    )
    return _finish(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)]), "encode")


def _encode_tensors(model: SketchVAE) -> dict[str, npt.NDArray[Any]]:
    """Weights and constants of encode.onnx; those of the LSTM with a first axis of two, forward and backward."""
    encoders = (model.encoder_forward, model.encoder_backward)

    def both(*names: str) -> npt.NDArray[np.float32]:
        return np.stack([np.concatenate([_onnx_gates(weight_of(lstm, name)) for name in names]) for lstm in encoders])

    of_class: dict[str, npt.NDArray[Any]] = {}
    if model.config.class_embedding:
        of_class = {
            "embedding": _array(model.embedding.weight),
            "start_weight": _array(model.encoder_start.weight).T,
            "start_bias": _array(model.encoder_start.bias),
        }
    return {
        **of_class,
        "lstm_w": both("weight_ih_l0"),
        "lstm_r": both("weight_hh_l0"),
        "lstm_b": both("bias_ih_l0", "bias_hh_l0"),
        "posterior_weight": _array(model.posterior.weight).T,
        "posterior_bias": _array(model.posterior.bias),
        "flat": np.array([-1, 2 * model.config.encoder_hidden], np.int64),
        **({"direction": np.array([0], np.int64)} if of_class else {}),
        "half": np.array(0.5, np.float32),
    }


def _encode_nodes(units: int, of_class: bool) -> list[onnx.NodeProto]:
    """The operators of encode.onnx: the class sets the states that both directions start from, else they are zeros."""
    node = helper.make_node
    return [
        node("Transpose", ["strokes"], ["by_row"], perm=[1, 0, 2]),
        node("Cast", ["length"], ["length_32"], to=TensorProto.INT32),
        *(_encode_start() if of_class else []),
        node(
            "LSTM",
            ["by_row", "lstm_w", "lstm_r", "lstm_b", "length_32", *(["h_start", "c_start"] if of_class else [])],
            ["", "h_last"],
            hidden_size=units,
            direction="bidirectional",
        ),
        node("Transpose", ["h_last"], ["h_by_sketch"], perm=[1, 0, 2]),
        node("Reshape", ["h_by_sketch", "flat"], ["ends"]),
        node("MatMul", ["ends", "posterior_weight"], ["posterior_product"]),
        node("Add", ["posterior_product", "posterior_bias"], ["posterior"]),
        node("Split", ["posterior"], ["mu", "log_variance"], axis=1, num_outputs=2),
        node("Mul", ["log_variance", "half"], ["log_sigma"]),
        node("Exp", ["log_sigma"], ["sigma"]),
    ]


def _encode_start() -> list[onnx.NodeProto]:
    """The first states of both directions, of the class."""
    node = helper.make_node
    starts = ["h_forward", "c_forward", "h_backward", "c_backward"]
    return [
        node("Gather", ["embedding", "class_id"], ["label"], axis=0),
        node("MatMul", ["label", "start_weight"], ["start_product"]),
        node("Add", ["start_product", "start_bias"], ["start_sum"]),
        node("Tanh", ["start_sum"], ["start"]),
        node("Split", ["start"], starts, axis=1, num_outputs=4),
        *(node("Unsqueeze", [name, "direction"], [f"{name}_3d"]) for name in starts),
        node("Concat", ["h_forward_3d", "h_backward_3d"], ["h_start"], axis=0),
        node("Concat", ["c_forward_3d", "c_backward_3d"], ["c_start"], axis=0),
    ]


def _trace(
    module: nn.Module, name: str, example: tuple[Tensor, ...], inputs: Sequence[str], outputs: Sequence[str]
) -> onnx.ModelProto:
    batch = torch.export.Dim("batch")
    shapes: dict[str, dict[int, object]] = {each: {0: batch} for each in inputs}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _quiet():
        warnings.simplefilter("ignore")  # the exporter's notices about its own future
        program = torch.onnx.export(
            module.eval(),
            example,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            external_data=False,
            verbose=False,
        )
    if program is None:  # pragma: no cover - the exporter promises a program when dynamo=True
        raise AssertionError("torch.onnx.export gave nothing")
    return _finish(program.model_proto, name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's loggers for a moment."""
    names = ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _finish(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Set the versions, and strip what the exporter leaves of this machine: paths, stack traces, its own name."""
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "sketch-edge", ""
    model.doc_string = ""
    del model.metadata_props[:]
    graph = model.graph
    graph.name = name
    graph.doc_string = ""
    for part in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.doc_string = ""
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]
    for i, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{i}"
    del graph.value_info[:]
    return model


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    return tensor.detach().cpu().float().numpy()


def _onnx_gates(tensor: Tensor) -> npt.NDArray[np.float32]:
    """Bring four blocks of rows from torch's order (i, f, candidate, o) to ONNX's (i, o, f, candidate)."""
    i, f, candidate, o = np.split(_array(tensor), 4, axis=0)
    return np.concatenate([i, o, f, candidate], axis=0)
