"""Whole sketches from the draw graph: those of the step graph, whatever is drawn beside them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketch_edge.runtime import blocks
from sketch_edge.runtime.blocks import draw_blocks, draw_sketches
from sketch_edge.runtime.bundle import Bundle, open_bundle, read_bundle
from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.noise import Noise
from sketch_edge.runtime.sampler import BATCH, Job, Rows, draw_rows
from sketch_edge.runtime.session import Session, State
from sketch_edge.runtime.strokes import START_TOKEN

DATA = Path(__file__).parents[1] / "data"
BUNDLE = read_bundle(DATA / "tiny-whole.sketch.zip")
OLDER = read_bundle(DATA / "tiny.sketch.zip")
MANIFEST = BUNDLE.manifest
JOBS = [Job(number % 3, 9, number) for number in range(150)]


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(BUNDLE, "cpu")


def assert_same(found: list[Rows], expected: list[Rows]) -> None:
    """The same sketches, to the last whole number."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        assert one.complete == other.complete


def noise_of(jobs: list[Job], steps: int) -> tuple[Any, Any, Any]:
    """z (B, Z), Gumbels (T, B, 3 + M) and normals (T, B, 2), with no end at the first step."""
    noises = [Noise(job.seed, job.index, MANIFEST.sizes.latent, MANIFEST.sizes.mixtures) for job in jobs]
    gumbels, normals = (
        np.stack(parts, axis=1) for parts in zip(*(noise.steps(steps) for noise in noises), strict=True)
    )
    gumbels[0, :, 2] = -np.inf
    return np.stack([noise.z for noise in noises]), gumbels, normals


def begun(session: Session, jobs: list[Job], steps: int) -> tuple[Any, State, Any, Any]:
    """What `Session.draw` takes for the first steps of sketches, but for the temperature."""
    z, gumbels, normals = noise_of(jobs, steps)
    x = np.tile(np.array(START_TOKEN, np.float32), (len(jobs), 1))
    return x, session.start(z, [job.class_id for job in jobs]), gumbels, normals


@pytest.mark.parametrize("tau", [0.0, 0.1, 0.4, 1.0, 10.0])
def test_the_draw_graph_draws_what_the_step_graph_draws(session, tau):
    """150 seeds of all classes, from greedy to hottest: more than a batch, ended and cut ones among them."""
    assert_same(
        list(draw_blocks(session, MANIFEST, JOBS, tau, 120)), list(draw_rows(session, MANIFEST, JOBS, tau, 120))
    )


@pytest.mark.parametrize("tau", [0.0, 0.1, 1.0])
def test_the_shipped_model_draws_the_same_by_blocks_and_by_steps(tau):
    """Every class, trained weights, 1 and 2 threads, together and alone."""
    bundle = open_bundle()
    manifest = bundle.manifest
    jobs = [Job(number % len(manifest.classes), 21, number) for number in range(2 * len(manifest.classes))]
    one, two = Session(bundle, "cpu", 1), Session(bundle, "cpu", 2)
    assert one.draws
    expected = list(draw_rows(one, manifest, jobs, tau, 200))
    for session in (one, two):
        assert_same(list(draw_blocks(session, manifest, jobs, tau, 200)), expected)
    for job, rows in list(zip(jobs, expected, strict=True))[::11]:
        assert_same(list(draw_blocks(two, manifest, [job], tau, 200)), [rows])


@pytest.mark.parametrize("most", [1, 2, 15, 16, 17, 63, 64, 65, 100])
def test_sketches_are_cut_where_steps_cut_them(session, most):
    """Within a block, at its end and behind it; one that would end exactly there counts as cut."""
    expected = list(draw_rows(session, MANIFEST, JOBS[:70], 0.4, most))
    assert_same(list(draw_blocks(session, MANIFEST, JOBS[:70], 0.4, most)), expected)
    for job, rows in zip(JOBS[:5], expected, strict=False):
        assert_same(list(draw_blocks(session, MANIFEST, [job], 0.4, most)), [rows])
    lengths = {len(rows.rows): rows.complete for rows in expected}
    assert max(lengths) <= most
    assert lengths.get(most) in (False, None)


@pytest.mark.parametrize(("places", "block"), [(1, 16), (2, 16), (7, 4), (64, 64), (150, 32)])
def test_places_and_blocks_do_not_matter(session, monkeypatch, places, block):
    """Neither does how many are drawn side by side, nor how many steps a call takes."""
    expected = list(draw_rows(session, MANIFEST, JOBS, 0.4, 120))
    monkeypatch.setattr(blocks, "BATCH", places)
    monkeypatch.setattr(blocks, "SHORT_BLOCK", block)
    assert_same(list(draw_blocks(session, MANIFEST, JOBS, 0.4, 120)), expected)


def test_two_threads_draw_what_one_draws(session):
    """Bit for bit."""
    two = Session(BUNDLE, "cpu", 2)
    one_rows, one_state = session.draw(*begun(session, JOBS[:33], 40), 0.7)
    two_rows, two_state = two.draw(*begun(two, JOBS[:33], 40), 0.7)
    np.testing.assert_array_equal(one_rows, two_rows)
    np.testing.assert_array_equal(one_state.c, two_state.c)


def test_the_loop_stops_with_the_last_sketch(session):
    """No step is taken once all have ended; a batch goes on for its longest."""
    alone = [session.draw(*begun(session, [job], 120), 0.4)[0] for job in JOBS[:12]]
    lengths = [len(rows) for rows in alone]
    expected = [len(rows.rows) + rows.complete for rows in draw_rows(session, MANIFEST, JOBS[:12], 0.4, 120)]
    assert lengths == expected
    assert min(lengths) < max(lengths) < 120
    together, _ = session.draw(*begun(session, JOBS[:12], 120), 0.4)
    assert len(together) == max(lengths)
    for place, rows in enumerate(alone):
        np.testing.assert_array_equal(together[: len(rows), place], rows[:, 0])
        assert rows[-1, 0, 4] == 1
        assert not rows[:-1, 0, 4].any()


def test_a_block_goes_on_from_the_one_before(session):
    """Rows and state handed on give what one call gives."""
    x, state, gumbels, normals = begun(session, JOBS[:9], 48)
    gumbels[:, :, 2] = -np.inf
    whole, last = session.draw(x, state, gumbels, normals, 0.4)
    first, state = session.draw(x, state, gumbels[:20], normals[:20], 0.4)
    second, state = session.draw(first[-1], state, gumbels[20:], normals[20:], 0.4)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
    np.testing.assert_array_equal(state.h, last.h)
    np.testing.assert_array_equal(state.c, last.c)


@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_a_forbidden_end_is_never_chosen(session, tau):
    """-inf stays -inf at temperature 0 too, where it is multiplied with nothing."""
    x, state, gumbels, normals = begun(session, JOBS[:9], 60)
    gumbels[:, :, 2] = -np.inf
    rows, _ = session.draw(x, state, gumbels, normals, tau)
    assert len(rows) == 60
    assert not rows[:, :, 4].any()


def test_a_state_that_is_no_number_is_refused(session):
    """Wherever it is, in whichever sketch."""
    x, state, gumbels, normals = begun(session, JOBS[:3], 5)
    for array in state:
        spoilt = State(*(np.where(part is array, np.nan, part).astype(np.float32) for part in state))
        with pytest.raises(BundleError, match=r"draw\.onnx: gives numbers that are not finite"):
            session.draw(x, spoilt, gumbels, normals, 0.4)


def test_bundles_without_a_draw_graph_draw_by_steps(session):
    """Older ones: the same sketches."""
    older = Session(OLDER, "cpu")
    assert session.draws
    assert not older.draws
    expected = list(draw_rows(older, OLDER.manifest, JOBS[:20], 0.4, 120))
    for each in (session, older):
        assert_same(list(draw_sketches(each, MANIFEST, JOBS[:20], 0.4, 120)), expected)


def test_blocks_need_no_step_graph(session):
    """It is loaded when a stream asks for it, and refused then."""
    broken = replace(BUNDLE, members=dict(BUNDLE.members) | {"step.onnx": b"no graph"})
    spare = Session(broken, "cpu")
    assert_same(
        list(draw_sketches(spare, MANIFEST, JOBS[:3], 0.4, 120)),
        list(draw_sketches(session, MANIFEST, JOBS[:3], 0.4, 120)),
    )
    with pytest.raises(BundleError, match=r"step\.onnx: is no graph of a bundle"):
        spare.steps(spare.start(np.zeros((1, 4), np.float32), [0]))


def test_a_draw_graph_of_other_sizes_is_refused():
    """Its inputs and outputs are compared with the manifest."""
    for member, message in ((BUNDLE.members["step.onnx"], "has the inputs 'c, gate, h, x'"), (b"x", "is no graph")):
        with pytest.raises(BundleError, match=rf"draw\.onnx: .*{message}"):
            Session(replace(BUNDLE, members=dict(BUNDLE.members) | {"draw.onnx": member}), "cpu")


class Far:
    """A decoder whose sketches go as far as numbers go, without end."""

    draws = True

    def start(self, z: Any, class_ids: Any) -> State:
        nothing = np.zeros((len(z), 1), np.float32)
        return State(nothing, nothing, nothing)

    def steps(self, state: State) -> Any:
        raise AssertionError("blocks need no steps")

    def draw(self, x: Any, state: State, gumbels: Any, normals: Any, tau: Any) -> tuple[Any, State]:
        row = np.array([3e38, -3e38, 1, 0, 0], np.float32)
        return np.broadcast_to(row, (len(gumbels), len(x), 5)), state


def test_moves_are_cut(recwarn):
    """As those of steps are, to 1000 units; numbers that no whole number holds would come back with the other sign."""
    (drawn,) = draw_blocks(Far(), MANIFEST, JOBS[:1], 0.4, 100)
    longest = 1000 * MANIFEST.grid
    assert drawn.rows.tolist() == [[longest, -longest, 0]] * 100
    assert not recwarn.list


def test_no_jobs_no_sketches(session):
    """An empty list is drawn at once."""
    assert list(draw_blocks(session, MANIFEST, [], 0.4, 120)) == []


def test_sketches_come_as_soon_as_they_are_done(session):
    """The first of 3 batches is there before the last was begun."""
    begun_with: list[int] = []

    class Watched(Session):
        def start(self, z: Any, class_ids: Any) -> State:
            begun_with.append(len(class_ids))
            return super().start(z, class_ids)

    first = next(draw_blocks(Watched(BUNDLE, "cpu"), MANIFEST, JOBS, 0.4, 120))
    assert_same([first], list(draw_rows(session, MANIFEST, JOBS[:1], 0.4, 120)))
    assert begun_with[0] == BATCH
    assert sum(begun_with) < len(JOBS)


def constant(**given: Any) -> Bundle:
    """The tiny bundle with a step whose output is the same at every step, whatever it is told: one component."""
    onnx = pytest.importorskip("onnx")
    from sketch_edge.export.whole import assemble_draw
    from tests import tiny_bundle

    values: dict[str, Any] = {"pen": (1.0, 0.0, -9.0), "mu": (0.0, 0.0), "log_sigma": (-3.0, -3.0), "rho": 0.0} | given
    sizes = replace(MANIFEST.sizes, mixtures=1)
    say = replace(MANIFEST, sizes=sizes)
    made = tiny_bundle.members(sizes)
    step = onnx.load_from_string(made["step.onnx"])
    y = np.array([*values["pen"], 0.0, *values["mu"], *values["log_sigma"], values["rho"]], np.float32)
    for tensor in step.graph.initializer:
        if tensor.name in ("output_weight", "output_bias"):
            array = np.zeros(tensor.dims, np.float32) if tensor.name == "output_weight" else y
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    made |= {"step.onnx": step.SerializeToString()}
    made |= {"draw.onnx": assemble_draw(step, sizes, say.scale, say.grid).SerializeToString()}
    return Bundle(Path("constant"), say, made, "")


@pytest.mark.parametrize("tau", [0.0, 0.3, 10.0])
@pytest.mark.parametrize(
    "given",
    [
        {"mu": (3e38, -3e38), "log_sigma": (3e38, 3e38), "rho": 3e38},
        {"mu": (-1e9, 40.0), "log_sigma": (-3e38, -3e38), "rho": -3e38},
        {"log_sigma": (9.9999, 10.0001), "rho": 0.9},
        {"log_sigma": (-20.0, 2.0), "rho": -18.0},
        {"mu": (0.5 / 500, 1.5 / 500), "log_sigma": (-90.0, -90.0)},
        {"mu": (-2.5 / 500, 999.999)},
        {"pen": (0.0, 0.0, 0.0)},
        {"pen": (-3e38, 3e38, 3e38)},
        {"pen": (0.0, 1.0, 9.0)},
    ],
)
def test_the_rule_is_the_same_at_its_edges(given, tau):
    """Ties, cut moves, capped and vanishing sigmas, correlations of one: both graphs agree on every row."""
    bundle = constant(**given)
    session, jobs = Session(bundle, "cpu"), [Job(0, 3, number) for number in range(20)]
    assert_same(
        list(draw_blocks(session, bundle.manifest, jobs, tau, 40)),
        list(draw_rows(session, bundle.manifest, jobs, tau, 40)),
    )
