"""The graphs in onnxruntime: right ports, right provider, nothing broadcast in silence."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from sketch_edge.runtime import session as module
from sketch_edge.runtime.bundle import Bundle, read_bundle
from sketch_edge.runtime.errors import BundleError, InputError, UnfinishedError
from sketch_edge.runtime.session import Session, State

BUNDLE = read_bundle(Path(__file__).parents[1] / "data" / "tiny.sketch.zip")
HAS_CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(BUNDLE, "cpu")


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def with_members(**members: bytes) -> Bundle:
    """The tiny bundle with other graphs in it."""
    return replace(BUNDLE, members=dict(BUNDLE.members) | {f"{name}.onnx": each for name, each in members.items()})


def with_sizes(**sizes: int) -> Bundle:
    """The tiny bundle under a manifest that lies about its sizes."""
    return replace(BUNDLE, manifest=replace(BUNDLE.manifest, sizes=replace(BUNDLE.manifest.sizes, **sizes)))


def test_steps_equal_plain_calls(session):
    """Bound memory that takes turns gives what plain calls give, bit for bit, over 30 carried steps."""
    state = session.start(random(5, 4), [0, 1, 2, 0, 1])
    steps = session.steps(state)
    plain = onnxruntime.InferenceSession(BUNDLE.members["step.onnx"])
    h, c = state.h, state.c
    for x in random(30, 5, 5):
        steps.x[:] = x
        steps.run()
        y, h, c = plain.run(["y", "h_next", "c_next"], {"x": x, "gate": state.gate, "h": h, "c": c})
        np.testing.assert_array_equal(steps.y, y)
        np.testing.assert_array_equal(steps.state.h, h)
        np.testing.assert_array_equal(steps.state.c, c)


def test_two_runs_of_steps_do_not_disturb_each_other(session):
    """Each has its own state, and none writes into the state it began with."""
    state = session.start(random(2, 4), [0, 1])
    before = State(*(array.copy() for array in state))
    one, other = session.steps(state), session.steps(state)
    for _ in range(3):
        one.run()
    other.run()
    again = session.steps(before)
    again.run()
    np.testing.assert_array_equal(other.y, again.y)
    np.testing.assert_array_equal(state.h, before.h)


def test_threads_change_nothing():
    """Two threads give the bits of one."""
    outputs = []
    for threads in (1, 2):
        steps = Session(BUNDLE, "cpu", threads).steps(State(random(9, 32), random(9, 8), random(9, 8)))
        steps.run()
        outputs.append(steps.y)
    np.testing.assert_array_equal(outputs[0], outputs[1])


def test_encode_gives_mu_and_sigma(session):
    """Shapes (B, Z), sigma over 0; padding behind the length does not count."""
    strokes = random(2, 6, 5)
    mu, sigma = session.encode(strokes, [3, 6], [0, 2])
    assert mu.shape == sigma.shape == (2, 4)
    assert (sigma > 0).all()
    strokes[0, 3:] = 99
    np.testing.assert_array_equal(session.encode(strokes, [3, 6], [0, 2])[0], mu)


@pytest.mark.parametrize("ids", [[-1], [3], [0, 7], [], [[0]]])
def test_class_ids_out_of_range_are_refused(session, ids):
    """onnxruntime would take -1 as the last class."""
    with pytest.raises(ValueError, match="class ids must be 0 to 2"):
        session.start(random(1, 4), ids)


def test_shapes_that_do_not_fit_are_refused(session):
    """onnxruntime would broadcast a batch of one."""
    with pytest.raises(ValueError, match=r"z must have shape \(2, 4\) \(got \(1, 4\)\)"):
        session.start(random(1, 4), [0, 1])
    with pytest.raises(ValueError, match="strokes must have shape"):
        session.encode(random(1, 6, 4), [1], [0])
    with pytest.raises(ValueError, match="lengths must be 1 to 6"):
        session.encode(random(1, 6, 5), [7], [0])


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime has CUDA")
def test_auto_takes_the_cpu_where_there_is_no_cuda():
    """And says so."""
    assert Session(BUNDLE, "auto").provider == "cpu"


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime has CUDA")
def test_an_explicit_provider_is_refused_where_it_is_not():
    """The error names what was asked for, what there is, and the onnxruntime that is installed."""
    with pytest.raises(InputError) as caught:
        Session(BUNDLE, "cuda")
    for part in ("provider 'cuda'", "CPUExecutionProvider", "installed: onnxruntime", "--provider cpu"):
        assert part in str(caught.value)


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime has CUDA")
def test_a_provider_that_is_offered_but_does_not_start(monkeypatch):
    """auto goes on with the CPU; an explicit wish is refused."""
    offered = ["CUDAExecutionProvider", *onnxruntime.get_available_providers()]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    # Without CUDA in the library itself, onnxruntime makes a session on the CPU and only warns.
    monkeypatch.setattr(module, "check_ports", lambda *_: None)
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        assert Session(BUNDLE, "auto").provider == "cpu"
    with (
        pytest.warns(UserWarning, match="CUDAExecutionProvider"),
        pytest.raises(InputError, match="it could not be started"),
    ):
        Session(BUNDLE, "cuda")


@pytest.mark.parametrize("provider", ["CPU", "tpu", ""])
def test_unknown_providers_are_refused(provider):
    """A typing mistake must not run elsewhere in silence."""
    with pytest.raises(InputError, match=r"is unknown; choose one of auto, cpu, cuda"):
        Session(BUNDLE, provider)


@pytest.mark.parametrize("threads", [0, 65, 1.5, "2"])
def test_threads_out_of_range_are_refused(threads):
    """1 to 64."""
    with pytest.raises(InputError, match=r"threads .*: choose a whole number, 1 to 64"):
        Session(BUNDLE, "cpu", threads)


@pytest.mark.parametrize("graph", [b"", b"no graph at all", b"ORTM" + bytes(64), BUNDLE.members["step.onnx"][:-9]])
def test_what_is_no_graph_is_refused(graph, capfd):
    """With one error that names the member; onnxruntime never sees it."""
    with pytest.raises(BundleError, match=r"tiny\.sketch\.zip:step\.onnx: is no graph of a bundle \(") as caught:
        Session(with_members(step=graph), "cpu")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("bundle", "message"),
    [
        (
            with_sizes(hidden=9),
            r"start.onnx: output gate is tensor\(float\) \(any, 32\) .*\(any, 36\), as the manifest",
        ),
        (with_sizes(latent=5), r"start.onnx: input z is tensor\(float\) \(any, 4\) \(expected .*\(any, 5\)"),
        (with_sizes(mixtures=4), r"step.onnx: output y is tensor\(float\) \(any, 21\) \(expected .*\(any, 27\)"),
        (
            with_members(step=BUNDLE.members["start.onnx"]),
            r"step.onnx: has the inputs 'class_id, z' \(expected c, gate",
        ),
    ],
)
def test_graphs_must_be_as_the_manifest_says(bundle, message):
    """Names, types and shapes of inputs and outputs are compared."""
    with pytest.raises(BundleError, match=message):
        Session(bundle, "cpu")


def test_encode_is_checked_when_it_is_first_used():
    """Drawing needs no encoder, so it is loaded late."""
    session = Session(with_members(encode=BUNDLE.members["step.onnx"]), "cpu")
    with pytest.raises(BundleError, match=r"encode.onnx: has the inputs"):
        session.encode(random(1, 2, 5), [1], [0])


def frozen_batch() -> bytes:
    """The start graph with a batch of 2 written into it."""
    onnx = pytest.importorskip("onnx")
    graph = onnx.load_from_string(BUNDLE.members["start.onnx"])
    for port in (*graph.graph.input, *graph.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = 2
    return bytes(graph.SerializeToString())


def test_a_frozen_batch_is_refused():
    """A graph that was exported for one batch size cannot draw other batches."""
    with pytest.raises(BundleError, match=r"start.onnx: input z is tensor\(float\) \(2, 4\) \(expected .*\(any, 4\)"):
        Session(with_members(start=frozen_batch()), "cpu")


def test_a_graph_that_fails_when_run_is_refused():
    """An index that is out of range inside the graph becomes our error."""
    more_classes = replace(BUNDLE, manifest=replace(BUNDLE.manifest, classes=("a", "b", "c", "d")))
    with pytest.raises(BundleError, match=r"start.onnx: cannot be run \("):
        Session(more_classes, "cpu").start(random(1, 4), [3])


def test_a_start_that_is_not_finite_is_refused(session):
    """A first state with nan would draw nothing but errors later."""
    with pytest.raises(BundleError, match=r"start.onnx: gives numbers that are not finite \(gate\)"):
        session.start(np.full((1, 4), np.inf, np.float32), [0])


def changed(member: str, output: str, **made: Any) -> Bundle:
    """A tiny bundle with a node behind an output of a member, in its place: `operator`, and `constant` as its input."""
    onnx = pytest.importorskip("onnx")
    whole = read_bundle(BUNDLE.path.with_name("tiny-whole.sketch.zip"))
    model = onnx.load_from_string(whole.members[member])
    graph = model.graph
    if made.pop("inside", False):
        graph = next(each for each in graph.node if each.op_type == "Loop").attribute[0].g
    for each in graph.node:
        each.output[:] = [f"old_{name}" if name == output else name for name in each.output]
    graph.initializer.append(onnx.numpy_helper.from_array(made["constant"], "own_constant"))
    graph.node.append(onnx.helper.make_node(made["operator"], [f"old_{output}", "own_constant"], [output]))
    return replace(whole, members=dict(whole.members) | {member: model.SerializeToString()})


def padding(*widths: int) -> dict[str, Any]:
    return {"operator": "Pad", "constant": np.array(widths, np.int64)}


def test_a_start_of_another_shape_is_refused():
    """It is the largest batch that the walk looks at."""
    bundle = changed("start.onnx", "h", operator="Add", constant=np.zeros((64, 1), np.float32))
    with pytest.raises(BundleError, match=r"start\.onnx: gives h as \(64, 8\) \(expected \(1, 8\), a batch of 1\)"):
        Session(bundle, "cpu").start(random(1, 4), [0])


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (padding(0, 0, 0, 0, 5, 0), r"gives rows as \(4, 6, 5\) \(expected \(1, 5\), a batch of 1\)"),
        (padding(3, 0, 0, 0, 0, 0), r"gives 7 rows in 4 steps, though not every sketch has ended"),
    ],
    ids=["sketches", "rows"],
)
def test_rows_of_another_shape_are_refused(made, problem):
    """Nobody asked for them, and what reads them would take them for those of another sketch."""
    session = Session(changed("draw.onnx", "rows", **made), "cpu")
    state = session.start(random(1, 4), [0])
    with pytest.raises(BundleError, match=rf"draw\.onnx: {problem}; export it again"):
        session.draw(np.eye(1, 5, 2, dtype=np.float32), state, random(4, 1, 6), random(4, 1, 2), 0.4)


def test_a_sketch_without_a_point_is_refused():
    """The end of its first row was forbidden."""
    end = np.array([0, 0, 0, 0, 1], np.float32)
    session = Session(changed("draw.onnx", "row", operator="Add", constant=end, inside=True), "cpu")
    state, gumbels = session.start(random(1, 4), [0]), random(4, 1, 6)
    gumbels[0, :, 2] = -np.inf
    with pytest.raises(BundleError, match=r"draw\.onnx: ends a sketch before its first point; export it again"):
        session.draw(np.eye(1, 5, 2, dtype=np.float32), state, gumbels, random(4, 1, 2), 0.4)


def test_onnxruntime_that_cannot_be_loaded(monkeypatch):
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UnfinishedError, match="onnxruntime: cannot be loaded"):
        Session(BUNDLE, "cpu")
