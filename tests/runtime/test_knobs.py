"""Settings of the sampler beside the temperature: what they change, and that their defaults change nothing."""

from pathlib import Path

import numpy as np
import pytest

from sketch_edge.runtime.artist import Artist, load
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.knobs import PLAIN, Knobs
from sketch_edge.runtime.manifest import PEN_STATES
from sketch_edge.runtime.noise import Noise
from sketch_edge.runtime.sampler import Job, draw_rows, pen_temperature
from sketch_edge.runtime.session import State
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers import render

DATA = Path(__file__).parents[1] / "data"
M = 3


@pytest.fixture(scope="module", params=["tiny", "tiny-whole"])
def artist(request) -> Artist:
    return load(DATA / f"{request.param}.sketch.zip", provider="cpu")


def content(sketch: Sketch) -> list[bytes]:
    return [line.tobytes() for line in sketch.lines]


class Still:
    """A model that gives the same y at every step; one of its moves is as good as the next."""

    where = "still"

    def __init__(self, y: list[float]) -> None:
        self.output = np.array(y, np.float32)

    def start(self, z, class_ids):
        return State(*(np.zeros((len(z), 1), np.float32) for _ in range(3)))

    def steps(self, state):
        self.x = np.zeros((len(state.h), 5), np.float32)
        self.y = np.tile(self.output, (len(state.h), 1))
        return self

    def run(self) -> None:
        pass

    @property
    def state(self) -> State:
        return State(*(np.zeros((len(self.x), 1), np.float32) for _ in range(3)))


def still(pen: list[float], weights: list[float]) -> Still:
    """Component k moves by k + 1 to the right, without spread."""
    return Still([*pen, *weights, 1, 2, 3, 0, 0, 0, *[-40] * 6, 0, 0, 0])


def moves(artist: Artist, model: Still, tau: float, most: int, knobs: Knobs) -> list[np.ndarray]:
    """Rows of 100 sketches by `model`."""
    jobs = [Job(0, 1, index) for index in range(100)]
    return [rows.rows for rows in draw_rows(model, artist.manifest, jobs, tau, most, knobs)]


def test_defaults_change_nothing(artist):
    """Given as they are, they are not even written down."""
    plain = artist.draw("star", seed=12)
    same = artist.draw("star", seed=12, pen_temperature=None, top_k=None, end_bias=0)
    assert content(plain) == content(same)
    assert plain.how == same.how == ""


def test_a_pen_temperature_that_is_the_default_draws_the_same(artist):
    """The fifth root of the temperature, said aloud; here the step graph draws, there perhaps the whole one."""
    for seed in range(10):
        plain = artist.draw("star", seed=seed, temperature=0.3)
        assert content(artist.draw("star", seed=seed, temperature=0.3, pen_temperature=pen_temperature(0.3))) == (
            content(plain)
        )


def test_all_mixtures_are_the_default(artist):
    """As many as there are, or more, leave none out."""
    plain = artist.draw_many(["cat"] * 10, seed=4, temperature=1)
    for top in (M, 128):
        assert [content(each) for each in artist.draw_many(["cat"] * 10, seed=4, temperature=1, top_k=top)] == [
            content(each) for each in plain
        ]


def test_top_k_draws_from_the_likeliest(artist):
    """With the weights 1, 3, 2 the likeliest is the second component, then the third; of equals the first."""
    model = still([0, 0, -50], [1, 3, 2])
    unit = artist.manifest.scale * artist.manifest.grid
    for top, kept in ((1, {2}), (2, {2, 3}), (3, {1, 2, 3})):
        drawn = np.concatenate(moves(artist, model, 5, 20, Knobs(top_k=top)))[:, 0] / unit
        assert set(np.rint(drawn).astype(int).tolist()) == kept
    equal = np.concatenate(moves(artist, still([0, 0, -50], [2, 2, 2]), 5, 20, Knobs(top_k=2)))[:, 0] / unit
    assert set(np.rint(equal).astype(int).tolist()) == {1, 2}


def test_the_pen_has_a_temperature_of_its_own(artist):
    """With logits 1 apart, lifts are as frequent as softmax says at that temperature, whatever the other one is."""
    for pen_tau in (0.25, 1.0, 4.0):
        rows = np.concatenate(moves(artist, still([1, 0, -90], [0, 0, 0]), 0.1, 100, Knobs(pen_temperature=pen_tau)))
        expected = 1 / (1 + np.exp(1 / pen_tau))
        assert abs(rows[:, 2].mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / len(rows))


def test_a_greedy_pen_never_lifts(artist):
    """Pen temperature 0 takes the likeliest state; the lines stay free."""
    rows = moves(artist, still([1, 0, -1], [0, 0, 0]), 1, 50, Knobs(pen_temperature=0))
    assert all(len(each) == 50 and not each[:, 2].any() for each in rows)
    assert len({each.tobytes() for each in rows}) == 100


@pytest.mark.parametrize("bias", [-1.5, 0.5, 2.0])
def test_the_end_bias_is_added_to_the_logit(artist, bias):
    """A model with the bias in its logits draws the same; the odds of ending are exp(bias / pen temperature) times."""
    plain = moves(artist, still([1, 0, -1 + bias], [0, 0, 0]), 0.5, 60, PLAIN)
    biased = moves(artist, still([1, 0, -1], [0, 0, 0]), 0.5, 60, Knobs(end_bias=bias))
    lengths = [[len(each) for each in drawn] for drawn in (plain, biased)]
    assert lengths[0] == lengths[1]


def test_the_end_bias_makes_sketches_shorter_or_longer(artist):
    """By the tiny model, too; one is never empty."""
    short, plain, long = (
        np.mean([each.point_count for each in artist.draw_many(["star"] * 40, seed=1, end_bias=bias)])
        for bias in (100, 0, -1)
    )
    assert short == 2
    assert short < plain < long


def test_a_sketch_does_not_depend_on_its_neighbours(artist):
    """With knobs too: alone, among many, and point by point."""
    knobs = {"pen_temperature": 0.5, "top_k": 2, "end_bias": 0.25}
    many = artist.draw_many(["star"] * 80, seed=5, **knobs)
    assert many[0].how == "pen temperature 0.5, top 2, end bias 0.25"
    for index in (0, 79):
        alone = artist.draw("star", seed=5, index=index, **knobs)
        assert content(alone) == content(many[index])
        points = list(artist.stream("star", seed=5, index=index, **knobs))
        drawn = {(point.x, point.y) for point in points}
        assert {tuple(point) for line in alone.lines for point in line.tolist()} <= drawn


def test_files_say_what_was_set(artist):
    """In the description of an svg, and as "how" in json; a plain drawing says nothing of it."""
    plain, tuned = artist.draw("star", seed=12), artist.draw("star", seed=12, top_k=1)
    assert b"temperature 0.4, top 1, drawn by tiny" in render(tuned, "svg")
    assert b'"how": "top 1"' in render(tuned, "json")
    assert b"how" not in render(plain, "json")


def test_given_rows_take_no_noise():
    """What the model is told before it draws leaves the numbers of its own steps as they are."""
    artist = load(DATA / "tiny.sketch.zip", provider="cpu")
    model = still([0, 0, -50], [0, 0, 0])
    told = np.tile(np.array([[0.5, 0.5, 1, 0, 0]], np.float32), (5, 1))
    plain, given = (
        next(draw_rows(model, artist.manifest, [Job(0, 1, 0, given=rows)], 1.0, 30)).rows for rows in (None, told)
    )
    assert len(given) == 30
    np.testing.assert_array_equal(plain, given)


def test_the_first_pen_state_is_that_of_the_noise(artist):
    """Pen temperature 1 adds the noise's own Gumbels to the logits."""
    gumbels, _ = Noise(1, 0, artist.manifest.sizes.latent, M).steps(1)
    rows = moves(artist, still([0, 0, -90], [0, 0, 0]), 0, 1, Knobs(pen_temperature=1))[0]
    assert rows[0, 2] == gumbels[0, :PEN_STATES].argmax()


@pytest.mark.parametrize(
    ("knob", "value", "message"),
    [
        ("pen_temperature", -0.1, "pen_temperature -0.1: choose a number, 0 to 10"),
        ("pen_temperature", float("nan"), "pen_temperature nan: choose"),
        ("pen_temperature", "warm", "pen_temperature 'warm': choose"),
        ("pen_temperature", True, "pen_temperature True: choose"),
        ("top_k", 0, "top_k 0: choose a whole number, 1 to 128"),
        ("top_k", 1.0, "top_k 1.0: choose"),
        ("top_k", True, "top_k True: choose"),
        ("top_k", 129, "top_k 129: choose"),
        ("end_bias", 101, "end_bias 101: choose a number, -100 to 100"),
        ("end_bias", float("inf"), "end_bias inf: choose"),
        ("end_bias", None, "end_bias None: choose"),
    ],
)
def test_bad_knobs_are_refused(artist, knob, value, message):
    """Before anything is drawn."""
    with pytest.raises(InputError, match=message):
        artist.draw("star", **{knob: value})


@pytest.mark.parametrize("method", ["draw", "stream", "vary"])
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("sed", r"unknown option 'sed'; did you mean seed\?"),
        ("colour", "unknown option 'colour'; there are seed, index,"),
    ],
)
def test_options_of_other_names_are_refused(artist, method, option, message):
    """As any function refuses them, with the nearest."""
    thing = artist.draw("star", seed=1) if method == "vary" else "star"
    with pytest.raises(TypeError, match=message):
        getattr(artist, method)(thing, **{option: 1})
