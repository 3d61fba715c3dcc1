"""Shares of a mini-batch: two processes compute what one does, agree on how it goes on, and stop together."""

import sys

import pytest

torch = pytest.importorskip("torch")
if not sys.platform.startswith("linux"):
    pytest.skip("the processes are found in /proc", allow_module_level=True)

from sketch_edge.train.distributed import Workers  # noqa: E402
from tests.train import shares  # noqa: E402
from tests.train.torchrun import Two  # noqa: E402


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A folder with the checkpoint of one process that was stopped after ten steps."""
    folder = tmp_path_factory.mktemp("one")
    trainer = shares.make_trainer(folder)
    trainer.run(lambda: trainer.state.step == 10)
    return folder


@pytest.fixture(scope="module")
def found(one, tmp_path_factory):
    """What the first and the second of two processes found."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "one.pt").write_bytes((one / "model.pt").read_bytes())
    with Two("tests.train.shares", folder) as two:
        assert two.end() == 0, two.errors
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]


def test_every_second_sketch_is_a_share(found):
    """Sizes differ by one at most, and the shares together are the batch."""
    assert [each["sizes"] for each in found] == [[8, 9, 1], [8, 8, 1]]
    assert [each["share"].tolist() for each in found] == [[[0, 2, 4], [5, 7, 9]], [[1, 3], [6, 8]]]


@pytest.mark.parametrize(
    ("name", "settings"),
    [("even", {"batch": 16, "kl_min": 0.001}), ("uneven", {"batch": 17, "kl_min": 0.001}), ("coins", shares.COINS)],
)
def test_two_processes_compute_what_one_does(found, tmp_path, name, settings):
    """Losses of 20 steps, in training and validation, and the weights after them; 17 sketches are shared as 9 and 8."""
    history, weights = shares.trained(tmp_path, **settings)
    for each in found:
        theirs, their_weights = each[name]
        assert len(history) == len(theirs) == settings.get("steps", 20)
        for entry, other in zip(history, theirs, strict=True):
            assert entry == pytest.approx(other, abs=1e-5, rel=0)
        assert max(float((weights[name] - their_weights[name]).abs().max()) for name in weights) < 1e-5


def test_the_floor_of_the_kl_is_under_the_whole_batch(found, tmp_path):
    """Not under each share: the gradient of the KL term passes where the mean of the whole is above the floor."""
    expected, without = (shares.straddling_gradient(tmp_path, weight) for weight in (3.0, 0.0))
    assert (expected["posterior.weight"] - without["posterior.weight"]).abs().max() > 0.01
    for each in found:
        for name, gradient in expected.items():
            other = each["straddling"][name]
            assert torch.allclose(gradient, other, rtol=1e-4, atol=1e-6), name


def test_two_processes_go_on_with_what_one_began(found, tmp_path):
    """From step 10 on as one process would have gone on; the difference is noted."""
    history, _ = shares.trained(tmp_path)
    for each in found:
        notes, theirs = each["gone on"]
        assert notes == ["processes"]
        assert theirs[:10] == history[:10]
        for entry, other in zip(history[10:], theirs[10:], strict=True):
            assert entry == pytest.approx(other, abs=1e-5, rel=0)


def test_masks_of_dropout_are_each_processs_own(found):
    """The random numbers of the batch are common, those of dropout are not; the weights stay equal to the bit."""
    (first, weights), (second, other) = (each["random"] for each in found)
    assert not torch.equal(first, second)
    assert all(torch.equal(weights[name], other[name]) for name in weights)


def test_a_signal_to_one_stops_both(found):
    """After the same step, for the same signal."""
    assert [each["stopped"] for each in found] == [(3, 15), (3, 15)]


def test_nan_in_one_stops_both(found):
    """At the same step, before a weight of the other is lost."""
    for each in found:
        assert each["nan"][0] == "UnfinishedError"
        assert "the loss is nan at step 2; nothing was saved yet" in each["nan"][1]


def test_other_settings_in_one_are_refused_by_both(found):
    """What differs is named, before the first step."""
    for each in found:
        assert each["seed"][0] == "InputError"
        assert "process 1 of 2: has seed 1 (process 0: 0)" in each["seed"][1]


def test_weights_that_have_come_apart_are_not_saved(found):
    """To the bit: what one process holds is what all hold."""
    for each in found:
        assert each["apart"][0] == "UnfinishedError"
        assert "process 1 of 2: has weights" in each["apart"][1]
        assert "at step 3" in each["apart"][1]


def test_a_save_that_fails_stops_both(found):
    """The first says why, the second that another could not go on."""
    first, second = (each["unwritable"] for each in found)
    assert "nowhere" in first[1]
    assert second == (
        "UnfinishedError",
        "process 1 of 2: another process could not go on and says why; mend that first",
    )


def test_more_processes_than_sketches_are_refused(found):
    """A process without a sketch would have nothing to learn from."""
    for each in found:
        assert each["too many"][0] == "InputError"
        assert "--set batch=1: is fewer than the 2 processes" in each["too many"][1]


def test_a_process_that_hangs_is_not_waited_for_without_end(found):
    """After the timeout the other says so."""
    (kind, text), waited = found[0]["silence"]
    assert kind == "UnfinishedError"
    assert "process 0 of 2: another process is gone or does not answer" in text
    assert 2 <= waited < 30


def test_one_process_alone_shares_nothing():
    """And changes no bit."""
    workers, numbers = Workers(), torch.rand(5)
    assert workers.mine(numbers) is numbers
    assert workers.sum(numbers) is numbers
    assert workers.add({"a": 0.1}) == {"a": 0.1}
    assert workers.difference({"weights": "a"}) == ""
