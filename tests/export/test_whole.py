"""The draw graph: the step graph in a loop, and what the export asks of it."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from sketch_edge.export import whole as whole_graph
from sketch_edge.export.coarse import multiply_whole_numbers
from sketch_edge.export.compare import IR_VERSION, OPSET, check_graph, to_bytes
from sketch_edge.export.drawings import require_same_drawings
from sketch_edge.export.rules import DRAW_EXTRA, check_sizes
from sketch_edge.export.whole import assemble_draw
from sketch_edge.runtime.bundle import open_bundle, read_bundle
from sketch_edge.runtime.errors import UnfinishedError
from sketch_edge.runtime.session import Session


@pytest.fixture
def bundle(exported):
    return read_bundle(exported.path)


@pytest.fixture
def graph(bundle):
    return onnx.load_from_string(bundle.members["draw.onnx"])


def body_of(graph):
    (loop,) = (node for node in graph.graph.node if node.op_type == "Loop")
    return next(attribute.g for attribute in loop.attribute if attribute.name == "body")


def assembled(bundle, **changes):
    """A session whose draw graph was made for other settings than its step graph."""
    say = bundle.manifest
    settings = {"sizes": say.sizes, "scale": say.scale, "grid": say.grid} | changes
    graph = assemble_draw(onnx.load_from_string(bundle.members["step.onnx"]), **settings)
    return Session(replace(bundle, members=dict(bundle.members) | {"draw.onnx": to_bytes(graph)}), "cpu")


def test_it_is_valid_and_of_the_promised_versions(graph):
    """Opset 18 of the default domain, in the body too; free batch; nothing about the machine."""
    check_graph("draw.onnx", graph)
    assert graph.ir_version == IR_VERSION
    assert [(each.domain, each.version) for each in graph.opset_import] == [("", OPSET)]
    assert not any(node.domain for node in (*graph.graph.node, *body_of(graph).node))
    assert b".py" not in to_bytes(graph)
    free = [port for port in graph.graph.input if port.name not in ("steps", "gumbels", "normals")]
    assert all(port.type.tensor_type.shape.dim[0].dim_param == "B" for port in free)


def test_the_body_holds_the_step_graph_as_it_is(graph, bundle):
    """Same operators in the same order, same weights; outside, small constants only."""
    step = onnx.load_from_string(bundle.members["step.onnx"]).graph
    body = body_of(graph)
    assert [node.op_type for node in body.node][: len(step.node)] == [node.op_type for node in step.node]
    assert_same_weights(step, body.initializer)
    assert all(np.prod(tensor.dims) < 100 for tensor in graph.graph.initializer)


def assert_same_weights(step, tensors):
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in tensors}
    for tensor in step.initializer:
        np.testing.assert_array_equal(stored[f"cell_{tensor.name}"], onnx.numpy_helper.to_array(tensor))


def test_large_float_matrices_lie_outside_the_body(bundle, monkeypatch):
    """With the DequantizeLinear that makes them; the drawings are the same."""
    monkeypatch.setattr(whole_graph, "LARGE", 9000)
    say, model = bundle.manifest, onnx.load_from_string(bundle.members["step.onnx"])
    graph = assemble_draw(model, say.sizes, say.scale, say.grid)
    check_graph("draw.onnx", graph)
    body = body_of(graph)
    outside = {tensor.name for tensor in graph.graph.initializer if tensor.name.startswith("cell_")}
    assert outside
    assert all(name.startswith("cell_hidden_weight") for name in outside)
    assert not any("hidden_weight" in tensor.name for tensor in body.initializer)
    assert_same_weights(model.graph, [*graph.graph.initializer, *body.initializer])
    require_same_drawings(assembled(bundle), say)


def test_whole_number_matrices_stay_in_the_body():
    """They are packed as they are."""
    graph = onnx.load_from_string(open_bundle().members["step.onnx"])
    multiply_whole_numbers(graph)
    sizes = open_bundle().manifest.sizes
    draw = assemble_draw(graph, sizes, 30.0, 16)
    assert all(np.prod(tensor.dims) < 100 for tensor in draw.graph.initializer)


def test_every_name_is_given_once(graph):
    """Over the graph and its body: a shadowed name is an error in some runtimes and a wrong value in others."""
    body = body_of(graph)
    given = [
        *(name for part in (graph.graph, body) for node in part.node for name in node.output if name),
        *(each.name for part in (graph.graph, body) for each in (*part.input, *part.initializer)),
    ]
    assert len(given) == len(set(given))


def test_the_sampler_costs_few_nodes(graph, bundle):
    """Behind the step graph; each costs every point about an eighth of a microsecond."""
    step = onnx.load_from_string(bundle.members["step.onnx"]).graph
    assert len(body_of(graph).node) - len(step.node) <= 35


def test_two_exports_are_equal(graph, bundle):
    """Byte for byte."""
    say = bundle.manifest
    step = onnx.load_from_string(bundle.members["step.onnx"])
    assert to_bytes(assemble_draw(step, say.sizes, say.scale, say.grid)) == bundle.members["draw.onnx"]


def test_a_draw_graph_that_draws_otherwise_is_refused(bundle):
    """Another scale, another grid, another weight: one sketch that differs is enough."""
    say = bundle.manifest
    require_same_drawings(assembled(bundle), say)
    for changes in ({"scale": say.scale * 1.01}, {"grid": say.grid * 2}):
        with pytest.raises(UnfinishedError, match=r"^draw\.onnx: sketch \d+ of seed 1 at temperature 0 differs"):
            require_same_drawings(assembled(bundle, **changes), say)


def test_one_constant_of_the_sampler_is_noticed(bundle):
    """The fifth root of the temperature, the zeros of the noise, the states of the pen, the places of parameters."""
    say = bundle.manifest
    for name, change in (
        ("pen_power", lambda a: a * 2),
        ("is_pen", np.logical_not),
        ("states", lambda a: a[[1, 0, 2]]),
        ("first_places", lambda a: a[[1, 0, 2, 3, 4]]),
        ("one", lambda a: a + 0.1),
    ):
        graph = onnx.load_from_string(bundle.members["draw.onnx"])
        (tensor,) = (t for p in (graph.graph, body_of(graph)) for t in p.initializer if t.name == name)
        array = onnx.numpy_helper.to_array(tensor)
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.asarray(change(array), array.dtype), name))
        session = Session(replace(bundle, members=dict(bundle.members) | {"draw.onnx": to_bytes(graph)}), "cpu")
        with pytest.raises(UnfinishedError, match=r"^draw\.onnx: sketch"):
            require_same_drawings(session, say)


def test_sizes_that_tell_of_weights_left_behind_are_refused():
    """Over 0.3 of float32, or a draw graph that holds more than the step."""
    good = {"start.onnx": bytes(100_000), "step.onnx": bytes(150_000), "draw.onnx": bytes(150_000 + DRAW_EXTRA)}
    check_sizes(good, 1_400_000, "w8")
    with pytest.raises(UnfinishedError, match=r"over 0\.3 of float32's 1300000"):
        check_sizes(good, 1_300_000, "int8")
    with pytest.raises(UnfinishedError, match=r"draw\.onnx: has \d+ bytes, too many"):
        check_sizes(good | {"draw.onnx": bytes(150_001 + DRAW_EXTRA)}, 1_400_000, "none")
