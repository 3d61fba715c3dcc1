"""The reader of ONNX files against the onnx package, and against damage."""

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.bundle import open_bundle, read_bundle
from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.plain.onnx_reader import Port, read_graph

TINY = read_bundle(Path(__file__).parents[2] / "data" / "tiny.sketch.zip")
MEMBERS = ("start.onnx", "step.onnx", "encode.onnx")


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("bundle", [TINY, open_bundle()], ids=["tiny", "shipped"])
def test_reads_what_the_onnx_package_reads(bundle, member):
    """Nodes, attributes, weights, inputs and outputs."""
    onnx = pytest.importorskip("onnx")
    expected = onnx.load_from_string(bundle.members[member]).graph
    graph = read_graph(bundle.members[member], member)
    assert [(n.operator, n.inputs, n.outputs) for n in graph.nodes] == [
        (n.op_type, tuple(n.input), tuple(n.output)) for n in expected.node
    ]
    for node, other in zip(graph.nodes, expected.node, strict=True):
        values = {a.name: onnx.helper.get_attribute_value(a) for a in other.attribute}
        assert node.attributes == {
            name: value.decode() if isinstance(value, bytes) else tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
    assert list(graph.tensors) == [tensor.name for tensor in expected.initializer]
    for tensor in expected.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        assert graph.tensors[tensor.name].dtype == array.dtype
        np.testing.assert_array_equal(graph.tensors[tensor.name], array)
    assert [port.name for port in graph.outputs] == [port.name for port in expected.output]


def test_ports_are_as_onnxruntime_tells_them():
    """Name, type and shape, None for a free dimension."""
    graph = read_graph(TINY.members["encode.onnx"], "encode.onnx")
    assert graph.inputs == (
        Port("strokes", "tensor(float)", (None, None, 5)),
        Port("length", "tensor(int64)", (None,)),
        Port("class_id", "tensor(int64)", (None,)),
    )


def test_weights_cannot_be_written():
    """They belong to the file, and several sessions may share them."""
    for tensor in read_graph(open_bundle().members["step.onnx"], "step.onnx").tensors.values():
        assert not tensor.flags.writeable


def built(change) -> bytes:
    """The step graph of the tiny bundle after `change(model)`."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(TINY.members["step.onnx"])
    change(model, onnx)
    return bytes(model.SerializeToString())


def tensor_with(**fields):
    """Give a change that sets fields of the first weight."""

    def change(model, onnx):
        for name, value in fields.items():
            if name == "dims":
                del model.graph.initializer[0].dims[:]
                model.graph.initializer[0].dims.extend(value)
            else:
                setattr(model.graph.initializer[0], name, value)

    return change


def subgraph(model, onnx):
    inner = onnx.helper.make_graph([], "inner", [], [])
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("body", inner))


def external(model, onnx):
    model.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda m, o: m.graph.node[0].__setattr__("domain", "com.microsoft"), "domain 'com.microsoft'"),
        (lambda m, o: m.opset_import.add(domain="ai.onnx.ml", version=3), "operator sets"),
        (lambda m, o: m.opset_import[0].__setattr__("version", 99), "operator sets '' 99"),
        (lambda m, o: m.functions.add(name="f", domain="g"), "field 25"),
        (lambda m, o: m.training_info.add(), "field 20"),
        (lambda m, o: m.graph.sparse_initializer.add(), "field 15"),
        (subgraph, "'body' is of kind 5"),
        (external, "has the field 13"),
        (tensor_with(raw_data=bytes(4)), "has 4 bytes .its shape asks for 640"),
        (tensor_with(dims=[1 << 40, 1 << 40]), "has the shape"),
        (tensor_with(dims=[0, 5]), "has the shape"),
        (tensor_with(dims=[-1, 160]), "has the shape"),
        (tensor_with(dims=[1] * 9), "has the shape"),
        (tensor_with(data_type=8), "element type 8"),
        (tensor_with(raw_data=np.full(160, np.nan, np.float32).tobytes()), "not finite"),
        (lambda m, o: m.graph.initializer.append(m.graph.initializer[0]), "twice"),
        (lambda m, o: m.graph.node[-1].attribute.extend([o.helper.make_attribute("a", 1)] * 2), "'a' twice"),
        (lambda m, o: m.graph.input[0].type.sequence_type.SetInParent(), "has no tensor type"),
        (lambda m, o: m.graph.node.extend([m.graph.node[0]] * 600), "615 times"),
        (lambda m, o: m.ClearField("graph"), "has no graph"),
    ],
)
def test_more_than_a_plain_graph_is_refused(change, problem):
    """Each with one line that names the member and says what to do."""
    with pytest.raises(BundleError, match=problem) as caught:
        read_graph(built(change), "a.sketch.zip:step.onnx")
    assert re.fullmatch(
        r"a\.sketch\.zip:step\.onnx: is no graph of a bundle \(.*\); export it again .*", str(caught.value)
    )


def test_notes_are_skipped():
    """Doc strings and properties change nothing."""

    def annotate(model, onnx):
        model.doc_string = model.graph.doc_string = model.graph.node[0].doc_string = "a\n" * 1000
        model.metadata_props.add(key="k", value="v")

    content = built(annotate)
    assert read_graph(content, "x").nodes == read_graph(TINY.members["step.onnx"], "x").nodes


def test_every_cut_is_refused():
    """Whatever its length, a file that ends early lacks something."""
    content = TINY.members["step.onnx"]
    for length in range(len(content)):
        with pytest.raises(BundleError):
            read_graph(content[:length], "x")


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(MEMBERS), st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_damaged_bytes(member, changes):
    """A changed byte is read as another graph, or refused with the one error."""
    content = bytearray(TINY.members[member])
    for place, value in changes:
        content[place % len(content)] = value
    with contextlib.suppress(BundleError):
        read_graph(bytes(content), "x")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(content):
    """Nothing that is short and random is a graph."""
    with pytest.raises(BundleError):
        read_graph(content, "x")
