"""A head that gives the next offset itself, on a decoder of two layers: to who draws, a bundle like any other."""

import itertools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from sketch_edge.runtime.artist import Artist, Point, load
from sketch_edge.runtime.bundle import read_bundle, write_bundle
from sketch_edge.runtime.errors import BundleError, InputError
from sketch_edge.runtime.manifest import Sizes
from sketch_edge.runtime.noise import Noise
from sketch_edge.runtime.sampler import LONGEST_MOVE, Job, draw_rows
from sketch_edge.runtime.session import State
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.strokes import stroke3_to_lines
from sketch_edge.runtime.together.likelihood import log_likelihood
from sketch_edge.runtime.together.refine import Refinement

DATA = Path(__file__).parents[1] / "data"
PATH = DATA / "tiny-offset.sketch.zip"
BUNDLE = read_bundle(PATH)
MANIFEST = BUNDLE.manifest
UNIT = MANIFEST.scale * MANIFEST.grid
NAMES = [MANIFEST.classes[number % 3] for number in range(90)]
STROKES = (np.array([(0.0, 0), (40, 60), (90, 10)]), np.array([(120.0, 255), (121, 255)]))


@pytest.fixture(scope="module", params=["cpu", "numpy"])
def artist(request) -> Artist:
    return load(PATH, provider=request.param)


def content(sketch: Sketch) -> list[bytes]:
    return [line.tobytes() for line in sketch.lines]


def streamed(points: Iterable[Point]) -> list[bytes]:
    """The lines that points make up, one by one."""
    rows = [(here.x - before.x, here.y - before.y, here.lift) for before, here in itertools.pairwise(points)]
    return [line.tobytes() for line in stroke3_to_lines(np.array(rows, np.float64))]


def draw_by_the_document(class_id: int, seed: int, index: int, tau: float, most: int) -> list[tuple[int, int, int]]:
    """Draw one sketch as docs/FORMAT.md says it, with plain onnxruntime calls and no cleverness."""
    start, step = (onnxruntime.InferenceSession(BUNDLE.members[name]) for name in ("start.onnx", "step.onnx"))
    gate, h, c = start.run(
        ["gate", "h", "c"], {"z": np.zeros((1, 0), np.float32), "class_id": np.array([class_id], np.int64)}
    )
    noise = Noise(seed, index, 0, 0)
    x = np.array([[0, 0, 1, 0, 0]], np.float32)
    rows: list[tuple[int, int, int]] = []
    while len(rows) < most:
        y, h, c = step.run(["y", "h_next", "c_next"], {"x": x, "gate": gate, "h": h, "c": c})
        gumbels, _unused_normals = noise.steps(1)
        pen = y[0, :3] + np.float32(tau ** (1 / 5)) * gumbels[0]
        state = int(np.argmax(pen if rows else pen[:2]))
        if state == 2:
            break
        dx, dy = (round(float(number) * UNIT) for number in y[0, 3:])
        rows.append((dx, dy, state))
        x = np.array([[dx / UNIT, dy / UNIT, state == 0, state == 1, 0]], np.float32)
    return rows


def test_the_script_makes_the_committed_file(tmp_path):
    """tests/tiny_offset.py gives the bytes of tests/data/tiny-offset.sketch.zip."""
    pytest.importorskip("onnx")
    from tests import tiny_offset

    tiny_offset.main(tmp_path / "again.sketch.zip")
    assert (tmp_path / "again.sketch.zip").read_bytes() == PATH.read_bytes()


# --- the manifest -------------------------------------------------------------------------------------------------


def test_the_manifest_tells_widths_that_are_not_those_of_one_layer():
    """And a reader has them back; those of one layer are not written, so old bundles are made again bit for bit."""
    assert json.loads(MANIFEST.to_json())["sizes"] == {
        "latent": 0, "hidden": 6, "mixtures": 0, "max_points": 120, "state": 14, "constant": 48,
    }  # fmt: skip
    sizes = MANIFEST.sizes
    assert (sizes.state_width, sizes.constant_width, sizes.outputs) == (14, 48, 5)
    usual = Sizes(latent=0, hidden=6, mixtures=1, max_points=9, state=6, constant=24)
    assert usual == Sizes(latent=0, hidden=6, mixtures=1, max_points=9)
    assert "state" not in usual.to_dict()
    assert (usual.state_width, usual.constant_width) == (6, 24)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"head": "mixture"}, "sizes.mixtures: is 0 (expected a whole number, 1 to 128)"),
        ({"sizes": {"mixtures": 3}}, "sizes.mixtures: is 3 (expected 0, as head is 'offset')"),
        ({"sizes": {"mixtures": False}}, "sizes.mixtures: is False (expected 0, as head is 'offset')"),
        ({"sizes": {"state": 0}}, "sizes.state: is 0 (expected a whole number, 1 to 8192)"),
        ({"sizes": {"state": 8193}}, "sizes.state: is 8193 (expected a whole number, 1 to 8192)"),
        ({"sizes": {"state": None}}, "sizes.state: is None (expected a whole number, 1 to 8192)"),
        ({"sizes": {"constant": 1 << 17}}, "sizes.constant: is 131072 (expected a whole number, 1 to 65536)"),
        (
            {"members": {"draw.onnx": {"size": 1, "sha256": "0" * 64}}},
            "members.draw.onnx: is listed (expected none, as head is 'offset')",
        ),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(change, problem):
    """With the key and what it must be."""
    said = json.loads(MANIFEST.to_json())
    for key, value in change.items():
        said[key] = {**said[key], **value} if isinstance(value, dict) else value
    with pytest.raises(BundleError) as caught:
        type(MANIFEST).from_json(json.dumps(said), "m")
    assert str(caught.value).startswith(f"m:{problem}; ")


def test_a_draw_graph_cannot_be_packed_with_it(tmp_path):
    """draw.onnx holds the rule of the mixture."""
    with pytest.raises(BundleError, match=r"draw\.onnx: is listed"):
        write_bundle(tmp_path / "a.sketch.zip", MANIFEST, {**BUNDLE.members, "draw.onnx": b"draw"})


@pytest.mark.parametrize("provider", ["cpu", "numpy"])
@pytest.mark.parametrize(("key", "output"), [("state", "h"), ("constant", "gate")])
def test_graphs_must_have_the_widths_of_the_manifest(tmp_path, key, output, provider):
    """Else nothing is run."""
    path = tmp_path / "a.sketch.zip"
    write_bundle(path, replace(MANIFEST, sizes=replace(MANIFEST.sizes, **{key: 7})), BUNDLE.members)
    with pytest.raises(BundleError, match=rf"start\.onnx: output {output} is .* \(expected .*\(any, 7\), as the man"):
        load(path, provider=provider)


# --- drawing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [0.0, 0.4, 3.0])
@pytest.mark.parametrize("class_id", range(3))
def test_a_sketch_is_what_the_document_says(class_id, tau):
    """Offsets as the model gives them, rounded; the pen from its logits and Gumbels."""
    session = load(PATH, provider="cpu").session
    (drawn,) = draw_rows(session, MANIFEST, [Job(class_id, 9, 5)], tau, 120)
    assert [tuple(row) for row in drawn.rows.tolist()] == draw_by_the_document(class_id, 9, 5, tau, 120)


def test_alone_in_a_batch_and_streamed_are_the_same(artist):
    """90 sketches side by side, which end at different times, are those drawn alone and point by point."""
    together = artist.draw_many(NAMES, seed=2)
    assert len({each.point_count for each in together}) > 20
    for index in range(0, 90, 7):
        assert content(artist.draw(NAMES[index], seed=2, index=index)) == content(together[index])
        assert streamed(artist.stream(NAMES[index], seed=2, index=index)) == content(together[index])


def test_providers_draw_the_same():
    """onnxruntime and numpy."""
    drawn = [load(PATH, provider=provider).draw_many(NAMES[:30], seed=4) for provider in ("cpu", "numpy")]
    for one, other in zip(*drawn, strict=True):
        assert content(one) == content(other)


def test_temperature_moves_the_pen_alone(artist):
    """At equal pen temperature no temperature changes anything; through the pen it does."""
    cold, hot = (artist.draw("cat", seed=3, temperature=tau, pen_temperature=0.8) for tau in (0.0, 10.0))
    assert content(cold) == content(hot)
    assert len({tuple(content(artist.draw("cat", seed=3, temperature=tau))) for tau in (0.0, 0.3, 1.0)}) > 1


class Told:
    """Stands in for the graphs where an output is wanted that no sane model gives."""

    where = "told"

    def __init__(self, *y: Sequence[float]) -> None:
        self._outputs, self._at = y, 0

    def start(self, z: Any, class_ids: Sequence[int]) -> State:
        assert z.shape == (len(class_ids), 0)
        return State(*(np.zeros((len(z), width), np.float32) for width in (48, 14, 14)))

    def steps(self, state: State) -> "Told":
        self.x, self.y = (np.zeros((len(state.h), 5), np.float32) for _ in range(2))
        return self

    def run(self) -> None:
        self.y[:] = self._outputs[min(self._at, len(self._outputs) - 1)]
        self._at += 1

    @property
    def state(self) -> State:
        return State(*(np.zeros((len(self.x), width), np.float32) for width in (48, 14, 14)))

    def rows(self, most: int = 20) -> list[tuple[int, ...]]:
        (drawn,) = draw_rows(self, MANIFEST, [Job(0, 1, 0)], 0.0, most)
        return [tuple(row) for row in drawn.rows.tolist()]


def test_a_sketch_is_never_empty():
    """The end cannot be chosen before a first point."""
    assert Told((0, 5, 90, 1 / UNIT, 0)).rows() == [(1, 0, 1)]


def test_long_moves_are_cut():
    """To the longest move, whatever the model says."""
    longest = LONGEST_MOVE * MANIFEST.grid
    assert Told((9, 0, 0, 3e38, -1e9), (0, 0, 9, 0, 0)).rows() == [(longest, -longest, 0)]


def test_offsets_are_rounded_to_even_steps_of_the_grid():
    """As those of a mixture are."""
    half = 0.5 / UNIT
    assert Told((9, 0, 0, half * 0.999, -half * 1.001), (0, 0, 9, 0, 0)).rows() == [(0, -1, 0)]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_an_error(value):
    """In an offset too."""
    with np.errstate(all="ignore"), pytest.raises(BundleError, match="told: gives numbers that are not finite"):
        Told((9, 0, 0, value, 0)).rows()


# --- drawing together, and what needs a density -------------------------------------------------------------------


def test_endings_keep_the_given_strokes(artist):
    """Bit for bit, and each ending is another."""
    endings = artist.finish(Sketch(STROKES, "cat"), count=4, seed=1)
    for ending in endings:
        assert content(ending)[:2] == [line.tobytes() for line in STROKES]
        assert ending.how == "finished, latent prior"
    assert len({tuple(content(ending)) for ending in endings}) == 4


def test_a_joined_ending_goes_on_from_where_the_strokes_are(artist):
    """The given rows are what the model is told, so its own place of the pen is that of the last point."""
    given = Sketch(STROKES[:1], "star")
    joined = artist.finish(given, seed=1, joined=True, temperature=0)[0]
    np.testing.assert_array_equal(joined.lines[0][:3], STROKES[0])
    assert len(joined.lines[0]) > 3
    apart = artist.finish(Sketch((STROKES[0] / 4,), "star"), seed=1, joined=True, temperature=0, size=255)[0]
    assert len(joined.lines[0]) != len(apart.lines[0]) or not np.allclose(joined.lines[0][3:], apart.lines[0][3:])


def test_a_drawing_is_refined_stroke_by_stroke(artist):
    """What is kept stays, whichever the head."""
    work = Refinement(artist, "cat", seed=5)
    work.draw()
    before = work.now.sketch
    assert before is not None
    work.keep(1)
    after = work.now.sketch
    assert after is not None
    assert content(after)[0] == content(before)[0]


def test_it_stands_on_a_shelf_beside_a_mixture(tmp_path):
    """Each model draws its own classes; what one of them cannot do is refused for its classes alone."""
    mixture = read_bundle(DATA / "tiny.sketch.zip")
    renamed = replace(mixture.manifest, classes=("owl", "sun", "tree"))
    write_bundle(tmp_path / "mixture.sketch.zip", renamed, mixture.members)
    (tmp_path / "offset.sketch.zip").write_bytes(PATH.read_bytes())
    shelf = load(tmp_path, provider="cpu")
    cat, owl = shelf.draw_many(["cat", "owl"], seed=4)
    assert content(cat) == content(load(PATH, provider="cpu").draw("cat", seed=4))
    assert owl.source.startswith("tiny ")
    assert shelf.draw("owl", seed=4, top_k=1).point_count
    with pytest.raises(InputError, match="top_k 1: tiny-offset has no mixture"):
        shelf.draw("cat", seed=4, top_k=1)


def test_the_size_of_a_whole_cannot_be_guessed(artist):
    """It is the likeliest one, and this head has no likelihood; given, all goes on."""
    given = Sketch((STROKES[0] * 3.3,), "star")
    with pytest.raises(InputError, match=r"^tiny-offset: cannot say how likely strokes are \(its head is 'offset'"):
        artist.finish(given)
    (ending,) = artist.finish(given, size=900, seed=1)
    assert content(ending)[0] == given.lines[0].tobytes()


def test_a_likelihood_is_refused(artist):
    """Wherever it is asked for."""
    states = artist.session.start(np.zeros((2, 0), np.float32), [0, 1])
    with pytest.raises(InputError, match=r"step\.onnx: gives offsets, no density"):
        log_likelihood(artist.session, states, np.array([[0.1, 0, 1, 0, 0]], np.float32))


def test_what_needs_an_encoder_says_so(artist):
    """As of any decoder alone."""
    given = Sketch(STROKES, "cat")
    for way in (artist.reconstruct, artist.vary, lambda each: artist.between(each, each)):
        with pytest.raises(InputError, match="has no encoder"):
            way(given)


def test_top_k_is_refused_as_there_is_nothing_to_choose_from(artist):
    """By everything that draws, before the first point."""
    for way in (
        lambda: artist.draw("cat", top_k=3),
        lambda: artist.draw_each(["cat"], top_k=3),
        lambda: artist.stream("cat", top_k=3),
        lambda: artist.finish(Sketch(STROKES, "cat"), top_k=3),
    ):
        with pytest.raises(InputError, match=r"^top_k 3: tiny-offset has no mixture to choose from"):
            way()


def test_the_end_bias_works_as_with_any_model(artist):
    """Above 0 sketches end earlier."""
    lengths = [
        sum(sketch.point_count for sketch in artist.draw_many(NAMES[:30], seed=6, end_bias=bias))
        for bias in (-1.0, 0.0, 1.0)
    ]
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) == 3


# --- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["svg", "gif", "png", "gcode", "json"])
def test_it_is_saved_like_any_sketch(tmp_path, suffix):
    """In every kind of file, the same whichever provider drew it."""
    machine = {"machine": "grbl-servo"} if suffix == "gcode" else {}
    files = []
    for provider in ("cpu", "numpy"):
        path = tmp_path / f"{provider}.{suffix}"
        load(PATH, provider=provider).draw("cat", seed=7).save(path, **machine)
        files.append(path.read_bytes())
    assert files[0] == files[1]
    assert len(files[0]) > 100
