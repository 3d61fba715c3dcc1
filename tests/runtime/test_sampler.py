"""From the model's output to pen moves."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from sketch_edge.runtime import sampler
from sketch_edge.runtime.bundle import read_bundle
from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.manifest import Manifest, Sizes
from sketch_edge.runtime.noise import Noise
from sketch_edge.runtime.sampler import Job, Rows, draw_rows, stream_rows
from sketch_edge.runtime.session import Session, State

BUNDLE = read_bundle(Path(__file__).parents[1] / "data" / "tiny.sketch.zip")
MANIFEST = BUNDLE.manifest
Pair = tuple[float, ...]
Array = npt.NDArray[Any]
JOBS = [Job(number % 3, 9, number) for number in range(150)]


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(BUNDLE, "cpu")


def draw(
    session: Any, jobs: Sequence[Job], tau: float = 0.4, most: int = 120, manifest: Manifest = MANIFEST
) -> list[Rows]:
    """Draw and return the results as a list."""
    return list(draw_rows(session, manifest, jobs, tau, most))


def draw_by_the_document(job: Job, tau: float, most: int) -> list[tuple[int, int, int]]:
    """Draw one sketch as docs/FORMAT.md says it, with plain onnxruntime calls and no cleverness."""
    start, step = (onnxruntime.InferenceSession(BUNDLE.members[name]) for name in ("start.onnx", "step.onnx"))
    sizes, unit = MANIFEST.sizes, MANIFEST.scale * MANIFEST.grid
    M = sizes.mixtures
    noise = Noise(job.seed, job.index, sizes.latent, M)
    z = np.float32(math.sqrt(tau)) * noise.z[None]
    gate, h, c = start.run(["gate", "h", "c"], {"z": z, "class_id": np.array([job.class_id], np.int64)})
    x = np.array([[0, 0, 1, 0, 0]], np.float32)
    rows: list[tuple[int, int, int]] = []
    while len(rows) < most:
        y, h, c = step.run(["y", "h_next", "c_next"], {"x": x, "gate": gate, "h": h, "c": c})
        gumbels, normals = noise.steps(1)
        pen = y[0, :3] + np.float32(tau ** (1 / 5)) * gumbels[0, :3]
        k = int(np.argmax(y[0, 3 : 3 + M] + np.float32(tau) * gumbels[0, 3:]))
        state = int(np.argmax(pen if rows else pen[:2]))
        if state == 2:
            break
        mu_x, mu_y, log_x, log_y, rho = y[0, 3 + M :].reshape(5, M)[:, k].astype(np.float64)
        n1, n2 = normals[0].astype(np.float64) * math.sqrt(tau)
        rho = math.tanh(rho)
        dx = round((mu_x + math.exp(log_x) * n1) * unit)
        dy = round((mu_y + math.exp(log_y) * (rho * n1 + math.sqrt(1 - rho**2) * n2)) * unit)
        rows.append((dx, dy, state))
        x = np.array([[dx / unit, dy / unit, state == 0, state == 1, 0]], np.float32)
    return rows


class Scripted:
    """Stands in for the graphs where an output is wanted that no sane model gives; remembers what it was told."""

    where = "scripted"

    def __init__(self, outputs: Sequence[Array], mixtures: int = 1) -> None:
        self.outputs = [np.asarray(output, np.float32) for output in outputs]
        self.manifest = replace(MANIFEST, sizes=Sizes(latent=2, hidden=1, mixtures=mixtures, max_points=100))
        self.told: list[list[float]] = []
        self.batches: list[int] = []

    def start(self, z: Array, class_ids: Sequence[int]) -> State:
        self.batches.append(len(z))
        return State(*(np.zeros((len(z), width), np.float32) for width in (4, 1, 1)))

    def steps(self, state: State) -> "Scripted":
        self.x = np.zeros((len(state.h), 5), np.float32)
        self.y = np.zeros((len(state.h), len(self.outputs[0])), np.float32)
        return self

    def run(self) -> None:
        self.y[:] = self.outputs[min(len(self.told), len(self.outputs) - 1)]
        self.told.append(self.x[0].tolist())

    def draw(self, tau: float = 0.0, most: int = 100, jobs: Sequence[Job] = JOBS[:1]) -> list[Rows]:
        """Draw with this in the place of the graphs."""
        return draw(self, jobs, tau, most, self.manifest)

    def moves(self, tau: float, most: int) -> Array:
        """Offsets of one long sketch in model units, shape (most, 2)."""
        return self.draw(tau, most)[0].rows[:, :2] / (MANIFEST.scale * MANIFEST.grid)


def output(pen: Pair = (1, 0, -9), mu: Pair = (0.0, 0.0), log_sigma: Pair = (-3.0, -3.0), rho: float = 0.0) -> Array:
    """A y with one component."""
    return np.array([*pen, 0.0, *mu, *log_sigma, rho])


@pytest.mark.parametrize("tau", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("number", range(4))
def test_a_sketch_is_what_the_document_says(session, number, tau):
    """Tables, bindings and blocks of noise change nothing about a sketch."""
    (drawn,) = draw(session, [JOBS[number]], tau)
    assert [tuple(row) for row in drawn.rows.tolist()] == draw_by_the_document(JOBS[number], tau, 120)


def test_a_batch_is_as_if_each_were_drawn_alone(session):
    """150 sketches, which end one after the other and make place for others, are those drawn alone."""
    together = draw(session, JOBS)
    assert len({len(drawn.rows) for drawn in together}) > 30
    for job, drawn in zip(JOBS, together, strict=True):
        (alone,) = draw(session, [job])
        np.testing.assert_array_equal(drawn.rows, alone.rows)
        assert drawn.complete == alone.complete


def test_order_of_jobs_does_not_matter(session):
    """Sketches keep their key when they are drawn in another order."""
    forward, backward = draw(session, JOBS[:20]), draw(session, JOBS[:20][::-1])
    for one, other in zip(forward, backward[::-1], strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)


@pytest.mark.parametrize("places", [1, 2, 7])
def test_size_of_the_batch_does_not_matter(session, monkeypatch, places):
    """So does the number of sketches side by side."""
    expected = draw(session, JOBS[:20])
    monkeypatch.setattr(sampler, "BATCH", places)
    for one, other in zip(draw(session, JOBS[:20]), expected, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)


def test_streamed_rows_are_the_drawn_rows(session):
    """A stream gives the rows of the sketch, one by one."""
    for job in JOBS[:10]:
        (drawn,) = draw(session, [job])
        assert list(stream_rows(session, MANIFEST, job, 0.4, 120)) == [tuple(row) for row in drawn.rows.tolist()]


def test_no_jobs_no_sketches(session):
    """An empty list is drawn at once."""
    assert draw(session, []) == []


def test_a_sketch_is_never_empty():
    """A model that wants to end at once still draws one point."""
    (drawn,) = Scripted([output(pen=(0, 1, 9))]).draw()
    assert drawn.rows[:, 2].tolist() == [1]
    assert drawn.complete


def test_the_point_of_the_end_is_not_drawn():
    """The offset that comes with the end is left out."""
    (drawn,) = Scripted([output(mu=(1, 0)), output(mu=(0, 1)), output(pen=(0, 0, 9), mu=(5, 5))]).draw()
    assert drawn.rows.tolist() == [[500, 0, 0], [0, 500, 0]]
    assert drawn.complete


def test_cut_at_the_most_points():
    """A sketch that does not end is cut, and says so."""
    (drawn,) = Scripted([output()]).draw(most=7)
    assert len(drawn.rows) == 7
    assert not drawn.complete


def test_temperature_zero_takes_the_likeliest():
    """tau = 0: the largest logits win and the offset is their mean, whatever the seed."""
    y = [1, 2, 0, 0.1, 0.9, -2.0, 3.0, -1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 0.5, 0.5]
    for seed in range(5):
        (drawn,) = Scripted([np.array(y)], mixtures=2).draw(0.0, 3, [Job(0, seed, 0)])
        assert drawn.rows.tolist() == [[1500, 1000, 1]] * 3


def test_ties_take_the_first():
    """Equal logits at tau = 0: pen down, first component."""
    (drawn,) = Scripted([np.array([0, 0, 0, 5, 5, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0.0])], mixtures=2).draw(most=2)
    assert drawn.rows.tolist() == [[500, 0, 0]] * 2


def test_offsets_round_to_the_grid_ties_to_even():
    """0.5, 1.5 and 2.5 grid steps become 0, 2 and 2."""
    scripted = Scripted([output(mu=(steps / 512, -steps / 512)) for steps in (0.5, 1.5, 2.5)])
    scripted.manifest = replace(scripted.manifest, scale=32.0, grid=16)
    (drawn,) = scripted.draw(most=3)
    assert drawn.rows[:, :2].tolist() == [[0, 0], [2, -2], [2, -2]]


def test_the_model_is_told_the_rounded_offset():
    """First the start token, then stroke-5 rows of rounded offsets in model units, float32."""
    scripted = Scripted([output(mu=(0.1234567, 1)), output(pen=(0, 1, 0), mu=(-0.0101, 0)), output(pen=(0, 0, 1))])
    scripted.draw()
    assert scripted.told == [
        [0, 0, 1, 0, 0],
        [float(np.float32(62 / 500)), 1, 1, 0, 0],
        [float(np.float32(-5 / 500)), 0, 0, 1, 0],
    ]


@pytest.mark.parametrize("tau", [0.25, 1.0, 4.0])
def test_variance_grows_with_temperature(tau):
    """Equation 8: sigma^2 is multiplied by tau; sigma = exp(log sigma), here 0.1 and 0.2."""
    moves = Scripted([output(pen=(99, 0, -99), log_sigma=(math.log(0.1), math.log(0.2)))]).moves(tau, 10_000)
    np.testing.assert_allclose(moves.std(axis=0), np.array([0.1, 0.2]) * math.sqrt(tau), rtol=0.03)


@pytest.mark.parametrize("rho", [-0.8, 0.0, 0.5])
def test_offsets_are_correlated(rho):
    """rho = tanh(rho-hat) is the correlation of dx and dy."""
    scripted = Scripted([output(pen=(99, 0, -99), log_sigma=(-1, -1), rho=math.atanh(rho))])
    assert abs(np.corrcoef(scripted.moves(1.0, 10_000).T)[0, 1] - rho) < 0.03


@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_components_and_pen_states_follow_their_softmax(tau):
    """Components follow softmax(logits / tau) (eq. 8), pen states the milder softmax(logits / tau^(1/5))."""
    logits, pen = np.array([0.2, 1.0, -0.5]), np.array([0.3, -0.4, -99])
    y = np.concatenate([pen, logits, [1, 2, 3], [0] * 3, [-20] * 6, [0] * 3])
    (drawn,) = Scripted([y], mixtures=3).draw(tau, 10_000)
    for got, wanted in (
        (np.bincount(drawn.rows[:, 0] // 500)[1:], np.exp(logits / tau)),
        (np.bincount(drawn.rows[:, 2]), np.exp(pen[:2] / tau ** (1 / 5))),
    ):
        np.testing.assert_allclose(got / got.sum(), wanted / wanted.sum(), atol=0.015)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 3, 5, 8])
def test_numbers_that_are_not_finite_are_refused(bad, place):
    """One nan or infinity anywhere in y ends the drawing with an error."""
    y = output()
    y[place] = bad
    with pytest.raises(BundleError, match="scripted: gives numbers that are not finite"):
        Scripted([y]).draw()


def test_huge_but_finite_numbers_are_cut():
    """Moves are at most 1000 units; 3e38 is a number as any other."""
    (drawn,) = Scripted([output(mu=(3e38, -3e38), log_sigma=(3e38, -3e38), rho=3e38)]).draw(1.0, 4)
    assert drawn.rows[:, :2].tolist() == [[16000, -16000]] * 4


def test_huge_log_sigmas_stay_finite():
    """exp of a huge log sigma is cut before it overflows."""
    (drawn,) = Scripted([output(log_sigma=(3e38, 3e38))]).draw(10.0, 50)
    assert (np.abs(drawn.rows[:, :2]) <= 16000).all()
