"""Drawing in plain numpy: onnxruntime's numbers and drawings, without onnxruntime."""

import contextlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.artist import Artist, load
from sketch_edge.runtime.bundle import Bundle, open_bundle, read_bundle
from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.plain.session import PlainSession
from sketch_edge.runtime.session import Session, State

TINY = read_bundle(Path(__file__).parents[2] / "data" / "tiny.sketch.zip")
SHIPPED = open_bundle()
BUNDLES = pytest.mark.parametrize("bundle", [TINY, SHIPPED], ids=["tiny", "shipped"])


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def with_members(**members: bytes) -> Bundle:
    """The tiny bundle with other graphs in it."""
    return replace(TINY, members=dict(TINY.members) | {f"{name}.onnx": each for name, each in members.items()})


@BUNDLES
@pytest.mark.parametrize("batch", [1, 5])
def test_steps_as_in_onnxruntime(bundle, batch):
    """Start and 100 carried steps, to a few last bits."""
    latent = bundle.manifest.sizes.latent
    sessions = PlainSession(bundle), Session(bundle, "cpu")
    states = [each.start(random(batch, latent), [0, 2, 1, 0, 2][:batch]) for each in sessions]
    for ours, theirs in zip(*states, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=3e-6)
    one, other = (session.steps(state) for session, state in zip(sessions, states, strict=True))
    for x in random(100, batch, 5):
        one.x[:] = other.x[:] = x
        one.run()
        other.run()
        np.testing.assert_allclose(one.y, other.y, atol=1e-4)
    np.testing.assert_allclose(one.state.h, other.state.h, atol=1e-5)
    np.testing.assert_allclose(one.state.c, other.state.c, atol=1e-4)


@BUNDLES
def test_encode_as_in_onnxruntime(bundle):
    """mu and sigma of drawings of several lengths."""
    strokes, lengths, ids = random(3, 20, 5), [20, 1, 7], [0, 1, 2]
    ours = PlainSession(bundle).encode(strokes, lengths, ids)
    for one, other in zip(ours, Session(bundle, "cpu").encode(strokes, lengths, ids), strict=True):
        np.testing.assert_allclose(one, other, atol=3e-6)


def test_two_runs_of_steps_do_not_disturb_each_other():
    """Each has its own state, and none writes into the state it began with."""
    session = PlainSession(TINY)
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


def drawn(artist: Artist, count: int) -> list[bytes]:
    sketches = artist.draw_many([artist.classes[number % 3] for number in range(count)], seed=11)
    return [b"|".join(line.tobytes() for line in sketch.lines) for sketch in sketches]


def test_the_drawings_of_onnxruntime():
    """The shipped model: 60 of 60 sketches have the same bytes (498 of 500 in a longer run, see docs/DECISIONS.md).

    Where two differ, a coordinate lay on the edge between two places of the grid; on another kind of processor that
    may be one of these 60.
    """
    ours, theirs = drawn(load(provider="numpy"), 60), drawn(load(provider="cpu"), 60)
    assert sum(one == other for one, other in zip(ours, theirs, strict=True)) >= 57


def test_a_sketch_does_not_depend_on_those_beside_it():
    """Drawn alone, among others and point by point: the same bytes."""
    artist = load(provider="numpy")
    many = artist.draw_many([artist.classes[number] for number in range(12)], seed=5)
    for number, sketch in enumerate(many):
        alone = artist.draw(sketch.label, seed=5, index=number)
        assert [line.tobytes() for line in alone.lines] == [line.tobytes() for line in sketch.lines]
    streamed = [(point.x, point.y) for point in artist.stream(many[0].label, seed=5)]
    points = np.concatenate(many[0].lines)
    assert {tuple(point) for point in (points - points[0]).tolist()} <= {
        (x - streamed[0][0], y - streamed[0][1]) for x, y in streamed
    }


def test_refusals_are_those_of_the_session():
    """Class ids, shapes, and numbers that are not finite."""
    session = PlainSession(TINY)
    with pytest.raises(ValueError, match="class ids must be 0 to 2"):
        session.start(random(1, 4), [3])
    with pytest.raises(ValueError, match="z must have shape"):
        session.start(random(1, 5), [0])
    with pytest.raises(BundleError, match=r"start.onnx: gives numbers that are not finite \(gate\)"):
        session.start(np.full((1, 4), np.inf, np.float32), [0])


@pytest.mark.parametrize(
    ("bundle", "message"),
    [
        (with_members(step=b""), r"step\.onnx: is no graph of a bundle \(model: has the operator sets none"),
        (with_members(step=b"no graph at all"), r"step\.onnx: is no graph of a bundle"),
        (with_members(step=TINY.members["start.onnx"]), r"step.onnx: has the inputs 'class_id, z' \(expected c, gate"),
        (
            replace(TINY, manifest=replace(TINY.manifest, sizes=replace(TINY.manifest.sizes, hidden=9))),
            r"start.onnx: output gate is tensor\(float\) \(any, 32\) .*\(any, 36\), as the manifest",
        ),
    ],
)
def test_what_is_no_graph_is_refused(bundle, message):
    """With one line that names the member."""
    with pytest.raises(BundleError, match=r"tiny\.sketch\.zip:" + message) as caught:
        PlainSession(bundle)
    assert "\n" not in str(caught.value)


def test_a_graph_that_fails_when_run_is_refused():
    """A class that the table inside the graph does not have becomes our error."""
    more_classes = replace(TINY, manifest=replace(TINY.manifest, classes=("a", "b", "c", "d")))
    with pytest.raises(BundleError, match=r"start.onnx: cannot be run \(index 3 is out of bounds"):
        PlainSession(more_classes).start(random(1, 4), [3])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["start.onnx", "step.onnx"]),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_damaged_graphs_draw_or_are_refused(member, changes):
    """Whatever a graph has become, drawing ends with a sketch or with the one error."""
    content = bytearray(TINY.members[member])
    for place, value in changes:
        content[place % len(content)] = value
    with contextlib.suppress(BundleError):
        Artist(replace(TINY, members=dict(TINY.members) | {member: bytes(content)}), provider="numpy").draw(
            "star", seed=1, max_points=20
        )


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")
sys.meta_path.insert(0, Block())
import sketch_edge
artist = sketch_edge.load(PROVIDER)
sketch = artist.draw("star", seed=7)
sketch.save(sys.argv[1])
print(artist.provider, "|", artist.fallback)
"""


@pytest.mark.parametrize("provider", ["numpy", "auto"])
def test_draws_where_onnxruntime_is_absent(tmp_path, provider):
    """The library imports, loads and draws; with auto it says why it took numpy, and prints nothing itself."""
    script = BLOCKED.replace("PROVIDER", f"provider={provider!r}")
    command = [sys.executable, "-W", "error", "-c", script, str(tmp_path / "star.svg")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    reason = "None"
    if provider == "auto":
        reason = "onnxruntime cannot be used (No module named 'onnxruntime'); drawing with numpy, which is slower"
    assert (done.stdout, done.stderr) == (f"numpy | {reason}\n", "")
    assert (tmp_path / "star.svg").read_bytes().startswith(b"<?xml")
