"""Variant int8: whole-number products, the same in any batch, and a gate for each way in which it could fail."""

import copy

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from sketch_edge.export.coarse import LEVELS, ZERO, check_whole_products, multiply_whole_numbers
from sketch_edge.export.graphs import trace
from sketch_edge.export.pack import export_bundle
from sketch_edge.export.quantise import quantise_weights
from sketch_edge.export.rounded import CoarseVAE, coarse_copy, quantised_copy, seen
from sketch_edge.export.verify import measure, require_parity, rounding_error
from sketch_edge.runtime.blocks import draw_blocks
from sketch_edge.runtime.bundle import read_bundle
from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.sampler import Job
from sketch_edge.runtime.session import Session, State
from sketch_edge.train.checkpoint import About, Checkpoint
from sketch_edge.train.config import Config, ModelConfig
from sketch_edge.train.models.base import weight_of
from sketch_edge.train.models.vae import SketchVAE


@pytest.fixture(scope="module")
def w8(model):
    graph = trace(model)["step.onnx"]
    quantise_weights(graph)
    return graph


@pytest.fixture(scope="module")
def session(coarse):
    return Session(read_bundle(coarse.path), "cpu")


def whole(w8):
    graph = onnx.ModelProto()
    graph.CopyFrom(w8)
    return graph, multiply_whole_numbers(graph)


def test_both_products_of_the_state_are_of_whole_numbers(w8):
    """Two products of whole numbers, one of floats with the row of five, here too small a matrix to be rounded."""
    graph, count = whole(w8)
    check_whole_products(w8, graph)
    operators = [node.op_type for node in graph.graph.node]
    assert count == operators.count("MatMulInteger") == 2
    assert operators.count("MatMul") == 1
    assert "DequantizeLinear" not in operators


def test_pairs_of_products_fit_into_sixteen_bits():
    """Old x86 processors add up two products before they widen them; nothing may be cut there."""
    largest_state = ZERO + LEVELS
    assert largest_state <= 255
    assert ZERO - LEVELS >= 0
    assert 2 * largest_state * 127 <= 2**15 - 1


def test_the_manifest_says_int8_and_the_gates_were_passed(coarse):
    """Parity, rounding and likeness are reported."""
    assert read_bundle(coarse.path).manifest.variant == coarse.variant == "int8"
    assert coarse.measured.step.share < 0.5
    assert 0 < coarse.rounding.share < 0.1
    assert coarse.likeness.length < 0.12


def test_a_sketch_does_not_depend_on_those_beside_it(session, coarse):
    """Alone, among others, with states many times as large beside it: bit for bit the same."""
    manifest = read_bundle(coarse.path).manifest
    jobs = [Job(number % 3, 4, number) for number in range(80)]
    together = list(draw_blocks(session, manifest, jobs, 0.5, 60))
    for job, rows in zip(jobs[:10], together, strict=False):
        np.testing.assert_array_equal(next(draw_blocks(session, manifest, [job], 0.5, 60)).rows, rows.rows)
    state = session.start(np.zeros((2, 10), np.float32), [0, 1])
    extreme = State(state.gate, np.stack([state.h[0], np.ones_like(state.h[1])]), state.c)
    outputs = []
    for each in (state, extreme, State(*(part[:1] for part in state))):
        steps = session.steps(each)
        steps.run()
        outputs.append(steps.y[0])
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[0], outputs[2])


def test_threads_change_nothing(coarse):
    """Two threads draw what one draws."""
    bundle = read_bundle(coarse.path)
    jobs = [Job(0, 8, number) for number in range(40)]
    one, two = (list(draw_blocks(Session(bundle, "cpu", n), bundle.manifest, jobs, 1.0, 60)) for n in (1, 2))
    assert all(np.array_equal(a.rows, b.rows) for a, b in zip(one, two, strict=True))


def test_the_reference_rounds_as_the_graph_does(w8, model):
    """Ties, ends and everything between: the torch model sees the very numbers that QuantizeLinear gives."""
    h = np.concatenate([np.linspace(-1, 1, 40_001), (np.arange(-63, 63) + 0.5) / 63]).astype(np.float32)
    node = onnx.helper.make_node("QuantizeLinear", ["h", "state_scale", "state_zero"], ["q"])
    graph, _ = whole(w8)
    constants = [tensor for tensor in graph.graph.initializer if tensor.name in node.input]
    ports = [
        onnx.helper.make_tensor_value_info(name, kind, [None])
        for name, kind in (("h", onnx.TensorProto.FLOAT), ("q", onnx.TensorProto.UINT8))
    ]
    alone = onnx.helper.make_model(
        onnx.helper.make_graph([node], "alone", ports[:1], ports[1:], constants),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=8,
    )
    import onnxruntime

    (q,) = onnxruntime.InferenceSession(alone.SerializeToString()).run(None, {"h": h})
    expected = (q.astype(np.float64) - ZERO) / LEVELS
    np.testing.assert_array_equal(seen(coarse_copy(model), torch.from_numpy(h).double()).numpy(), expected)


def test_only_the_coarse_model_sees_a_rounded_state(model):
    """For the others it is the state itself."""
    h = torch.linspace(-1, 1, 7)
    assert seen(model, h) is h
    assert isinstance(coarse_copy(model), CoarseVAE)
    assert not torch.equal(seen(coarse_copy(model), h), h)


def test_parity_is_asked_of_the_rounded_network(session, coarse, model):
    """The network with the rounded weights alone does not pass, nor one with a weight that differs a little."""
    manifest = read_bundle(coarse.path).manifest
    require_parity(measure(coarse_copy(model), session, manifest))
    nudged = coarse_copy(model)
    assert isinstance(nudged.decoder, torch.nn.LSTM)
    weight_of(nudged.decoder, "weight_hh_l0").data[100, 7] += 1e-2
    for other in (quantised_copy(model), nudged):
        with pytest.raises(UnfinishedError, match=r"^step\.onnx: differs from torch in a step"):
            require_parity(measure(other, session, manifest))


def test_a_graph_that_was_left_as_it_was_is_noticed(w8):
    """The gate counts the products."""
    with pytest.raises(UnfinishedError, match=r"step\.onnx: 0 of 2 products are of whole numbers"):
        check_whole_products(w8, w8)


@pytest.mark.parametrize("part", ["_int8", "_scale"])
def test_a_weight_or_scale_that_differs_is_noticed(w8, part):
    """One number of many."""
    graph, _ = whole(w8)
    tensor = next(t for t in graph.graph.initializer if t.name == f"hidden_weight{part}")
    values = numpy_helper.to_array(tensor).copy()
    values.flat[3] = values.flat[3] * 1.01 if part == "_scale" else values.flat[3] ^ 1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    with pytest.raises(UnfinishedError, match="hidden_weight_int8 is not the weight of w8"):
        check_whole_products(w8, graph)


def test_rounding_that_shows_in_a_step_is_refused(model):
    """A model whose weights were rounded wrongly is over the bound."""
    wrong = copy.deepcopy(model)
    wrong.decoder.weight_hh_l0.data.mul_(1.5)
    with pytest.raises(UnfinishedError, match=r"^step\.onnx: rounding changes a step's output by 0\.\d+ of its spread"):
        rounding_error(model, wrong)


def test_a_decoder_too_small_to_round_is_refused(tmp_path):
    """Its matrices stay float32, so int8 would be an empty word; nothing is written."""
    torch.manual_seed(0)
    sizes = ModelConfig(encoder_hidden=4, decoder_hidden=12, latent=4, class_embedding=4, mixtures=2)
    made = Checkpoint(Config(model=sizes), About(("cat",), 30.0, 60), SketchVAE(sizes, 1).state_dict(), sha256="0" * 64)
    with pytest.raises(InputError, match="quantize 'int8': this decoder is too small for it"):
        export_bundle(made, tmp_path / "x.sketch.zip", quantize="int8")
    assert list(tmp_path.iterdir()) == []
