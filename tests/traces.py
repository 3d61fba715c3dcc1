"""Traces that are remembered: the graphs of equal weights are equal, and making them takes torch seconds."""

import hashlib
from collections.abc import Callable

import onnx

from sketch_edge.train.models.base import SketchModel

Trace = Callable[[SketchModel], dict[str, onnx.ModelProto]]


def remembered(trace: Trace) -> Trace:
    """`trace`, which makes the graphs of a model once; every call gets a copy of its own.

    For tests of what comes after tracing. That two traces of one model are equal is tested where it is not remembered,
    and by every export outside the tests.
    """
    known: dict[str, dict[str, bytes]] = {}

    def remember(model: SketchModel) -> dict[str, onnx.ModelProto]:
        weights = hashlib.sha256(f"{type(model)} {model.config}".encode())
        for name, tensor in model.state_dict().items():
            weights.update(f"{name} {tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
        key = weights.hexdigest()
        if key not in known:
            known[key] = {name: graph.SerializeToString() for name, graph in trace(model).items()}
        return {name: onnx.ModelProto.FromString(content) for name, content in known[key].items()}

    return remember
