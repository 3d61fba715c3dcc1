"""The graphs of a bundle, of the float32 ones that a model gives: rounded as the variant asks, checked, serialised."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from sketch_edge.export.coarse import check_whole_products, multiply_whole_numbers
from sketch_edge.export.compare import check_graph, to_bytes
from sketch_edge.export.quantise import check_quantised, quantise_weights
from sketch_edge.export.whole import assemble_draw
from sketch_edge.runtime.manifest import MIXTURE, Manifest


def make_members(
    graphs: Mapping[str, onnx.ModelProto], expected: Mapping[str, int], quantize: str, manifest: Manifest
) -> dict[str, bytes]:
    """Make the members of a variant.

    Args:
        graphs: float32 graphs by name, step.onnx among them; they stay as they are.
        expected: how many weights of each a rounded variant stores as int8.
        quantize: "none", "w8" or "int8".
        manifest: its sizes, scale and grid go into draw.onnx, which is made here where the head is a mixture.

    Raises:
        UnfinishedError: a graph that is not as it has to be, or whose weights were not rounded as they should be.
    """
    made = {name: _copy(graph) for name, graph in graphs.items()}
    if quantize != "none":
        for name, graph in made.items():
            quantise_weights(graph)
            check_quantised(graphs[name], graph, expected[name], name)
    if quantize == "int8":
        before = _copy(made["step.onnx"])
        multiply_whole_numbers(made["step.onnx"])
        check_whole_products(before, made["step.onnx"])
    if manifest.head == MIXTURE:
        made["draw.onnx"] = assemble_draw(made["step.onnx"], manifest.sizes, manifest.scale, manifest.grid)
    for name, graph in made.items():
        check_graph(name, graph)
    return {name: to_bytes(graph) for name, graph in made.items()}


def _copy(graph: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(graph)
    return copied
