"""The training loop: it learns, measures what it says, and stops well."""

import contextlib
import dataclasses
import re
import signal

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sketch_edge.runtime.errors import InputError, UnfinishedError  # noqa: E402
from sketch_edge.runtime.manifest import MAX_POINTS  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint  # noqa: E402
from sketch_edge.train.config import Config, ModelConfig, TrainConfig  # noqa: E402
from sketch_edge.train.dataset import TEST, TRAIN, VALID  # noqa: E402
from sketch_edge.train.loop import (  # noqa: E402
    Trainer,
    clip_gradients,
    describe,
    learning_rate_at,
)
from sketch_edge.train.losses import offset_nll, pen_nll  # noqa: E402
from sketch_edge.train.mixture import split_output  # noqa: E402
from sketch_edge.train.models.vae import reconstruction  # noqa: E402

MODEL = ModelConfig(encoder_hidden=8, decoder_hidden=16, latent=4, class_embedding=4, mixtures=3)
FAST = TrainConfig(
    steps=12, batch=16, warmup=1, valid_every=4, save_every=3, sheet_every=0, learning_rate=5e-3, precision="fp32"
)
CPU = torch.device("cpu")


def _trainer(shapes, path, **changes):
    return Trainer(shapes, Config(model=MODEL, train=dataclasses.replace(FAST, **changes)), path, CPU)


class Recorder:
    """Notes what an observer is told."""

    def __init__(self):
        self.losses, self.valid, self.sheets = [], [], []

    def on_step(self, step, losses, points, rates):
        self.losses.append(losses.total)

    def on_valid(self, step, losses, best):
        self.valid.append((step, losses, best))

    def on_sheet(self, step, model):
        self.sheets.append(step)


def test_training_learns(shapes, tmp_path):
    """Losses of training and validation fall."""
    trainer = _trainer(shapes, tmp_path / "m.pt", steps=60, valid_every=20, save_every=60, learning_rate=1e-2)
    seen = Recorder()
    trainer.observers = (seen,)
    assert trainer.run()
    assert sum(seen.losses[-10:]) < 0.7 * sum(seen.losses[:10])
    assert seen.valid[-1][1].reconstruction < seen.valid[0][1].reconstruction


def test_losses_are_sums_over_points_divided_by_nmax_and_sketches(shapes, tmp_path):
    """L_s over the points alone, L_p over points and one end row, or every row up to Nmax; row by row, by hand."""
    for pen_rows in ("sketch", "all"):
        trainer = _trainer(shapes, tmp_path / "m.pt", pen_rows=pen_rows)
        batch = trainer.batches[0]
        noise = torch.zeros(len(batch.lengths), MODEL.latent)
        forward = trainer.model(batch.rows, batch.lengths, batch.class_ids, noise, batch.counted)
        nmax = int(shapes.lengths.max())
        output = torch.full((*batch.counted.shape, forward.output.shape[1]), float("nan"))
        output[batch.counted] = forward.output
        offset = pen = 0.0
        for place, length in enumerate(batch.lengths.tolist()):
            rows = batch.rows[1:, place]
            last = nmax if pen_rows == "all" else length
            offset += offset_nll(split_output(output[:length, place]), rows[:length, :2]).sum().item()
            pen += pen_nll(output[: last + 1, place, :3], rows[: last + 1, 2:].argmax(dim=1)).sum().item()
        found = reconstruction(forward, batch, batch.counted, nmax * len(batch.lengths))
        assert [part.item() for part in found] == pytest.approx([part / nmax / 16 for part in (offset, pen)], rel=1e-5)


def test_validation_does_not_depend_on_how_the_split_is_cut(shapes, tmp_path):
    """Means over sketches, the floor of the KL applied to the mean, z at its posterior mean: no noise, no batches."""
    found = []
    for size in (3, 12):
        trainer = _trainer(shapes, tmp_path / "m.pt", batch=size, kl_min=0.02, kl_weight=2.0)
        torch.nn.init.normal_(trainer.running.posterior.weight, generator=torch.Generator().manual_seed(1))
        found.append(dataclasses.asdict(trainer.evaluate(VALID)))
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    one = found[0]
    assert one["total"] == pytest.approx(one["offset"] + one["pen"] + 2.0 * max(one["kl"], 0.02))
    assert one["kl"] > 0.1


def test_nan_stops_and_keeps_the_last_good_checkpoint(shapes, tmp_path):
    """A weight that became NaN ends the training with advice; the checkpoint before stays loadable."""
    path = tmp_path / "m.pt"
    trainer = _trainer(shapes, path)
    trainer.run(lambda: trainer.state.step == 3)
    good = path.read_bytes()
    trainer.model.head.weight.data[0, 0] = float("nan")
    with pytest.raises(UnfinishedError, match=r"m\.pt: the loss is nan at step 3; .*--resume"):
        trainer.run()
    assert path.read_bytes() == good
    load_checkpoint(path).model()


def test_nan_before_the_first_save_says_that_nothing_was_saved(shapes, tmp_path):
    """There is nothing to resume; an older file of that name is of another training."""
    trainer = _trainer(shapes, tmp_path / "m.pt")
    trainer.model.head.weight.data[0, 0] = float("nan")
    with pytest.raises(UnfinishedError, match="nothing was saved yet"):
        trainer.run()
    assert not (tmp_path / "m.pt").exists()


def test_a_validation_that_is_not_finite_stops_before_anything_is_saved(shapes, tmp_path):
    """NaN compares as no progress: it must neither be kept by keep=last nor be waited through."""
    path = tmp_path / "m.pt"
    trainer = _trainer(shapes, path, keep="last")
    trainer.run(lambda: trainer.state.step == 3)
    good = path.read_bytes()
    trainer.running.head.weight.data[0, 0] = float("nan")
    with pytest.raises(UnfinishedError, match="the validation loss is nan at step 4"):
        trainer.run()
    assert path.read_bytes() == good


@pytest.mark.parametrize("which", ["model", "running"])
def test_weights_that_are_not_finite_are_never_saved(shapes, tmp_path, which):
    """Between two steps no loss tells of them."""
    trainer = _trainer(shapes, tmp_path / "m.pt")
    trainer.run(lambda: trainer.state.step == 1)
    good = (tmp_path / "m.pt").read_bytes()
    getattr(trainer, which).head.bias.data[0] = float("inf")
    with pytest.raises(UnfinishedError, match="a weight is not finite at step 1"):
        trainer.save()
    assert (tmp_path / "m.pt").read_bytes() == good


def test_what_watches_cannot_cost_the_checkpoint(shapes, tmp_path):
    """A plot or a sheet that fails, on a full disk say, comes after the save of its step."""

    class Full(Recorder):
        def on_valid(self, step, losses, best):
            raise OSError(28, "No space left on device")

    trainer = _trainer(shapes, tmp_path / "m.pt", valid_every=3, save_every=3)
    trainer.observers = (Full(),)
    with pytest.raises(OSError, match="No space"):
        trainer.run()
    assert load_checkpoint(tmp_path / "m.pt").resume["state"]["step"] == 3


def test_a_full_disk_keeps_the_checkpoint_before(shapes, tmp_path):
    """The save fails with the name of the file; what stood there is whole."""
    import resource

    path = tmp_path / "m.pt"
    trainer = _trainer(shapes, path)
    trainer.run(lambda: trainer.state.step == 3)
    good = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(UnfinishedError, match=r"m\.pt: could not be written"):
            trainer.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_bytes() == good
    assert [each.name for each in tmp_path.iterdir()] == ["m.pt"]


def test_the_largest_seed_trains(shapes, tmp_path):
    """Seeds of steps stay below what torch takes."""
    assert _trainer(shapes, tmp_path / "m.pt", seed=2**63 - 1, steps=2).run()


def test_early_stopping(shapes, tmp_path):
    """Without progress on the validation split the training ends early and keeps the best weights."""
    trainer = _trainer(shapes, tmp_path / "m.pt", steps=100, valid_every=1, patience=3, learning_rate=0.0)
    trainer.state.best = -1e9
    assert trainer.run()
    assert trainer.state.step == 3
    assert load_checkpoint(tmp_path / "m.pt").resume["state"]["step"] == 3


def test_before_the_first_validation_the_running_mean_is_exported(shapes, tmp_path):
    """Not the random weights of the start."""
    trainer = _trainer(shapes, tmp_path / "m.pt", valid_every=100)
    trainer.run(lambda: trainer.state.step == 3)
    found = load_checkpoint(tmp_path / "m.pt")
    assert (found.about.step, found.about.losses) == (3, {})
    assert all(torch.equal(found.weights[name], found.resume["running"][name]) for name in found.weights)


def test_a_stop_at_the_last_step_is_the_end(shapes, tmp_path):
    """There is nothing left to stop."""
    trainer = _trainer(shapes, tmp_path / "m.pt", steps=2)
    assert trainer.run(lambda: trainer.state.step == 2)


def test_keep_last_exports_the_newest_running_mean(shapes, tmp_path):
    """With keep=last a validation that got worse does not hold the weights back."""
    trainer = _trainer(shapes, tmp_path / "m.pt", keep="last")
    trainer.state.best = -1e9
    trainer.run()
    found = load_checkpoint(tmp_path / "m.pt")
    assert found.about.step == 12
    assert all(torch.equal(found.weights[name], found.resume["running"][name]) for name in found.weights)


def test_plateau_halves_the_learning_rate(shapes, tmp_path):
    """After plateau_patience validations without progress the rate is halved."""
    trainer = _trainer(shapes, tmp_path / "m.pt", steps=6, valid_every=1, schedule="plateau", plateau_patience=3)
    trainer.state.best = -1e9
    trainer.run()
    assert trainer.state.rate_factor == 0.25


def test_plateau_does_not_go_below_the_last_rate():
    """learning_rate_end is the floor of this schedule too."""
    settings = TrainConfig(schedule="plateau", warmup=0, learning_rate=1e-3, learning_rate_end=1e-4)
    assert learning_rate_at(5, settings, 0.25) == 2.5e-4
    assert learning_rate_at(5, settings, 2**-9) == 1e-4


def test_schedules():
    """Warm-up from zero; cosine and exponential come down to the end rate, constant stays."""
    settings = TrainConfig(steps=1000, warmup=10, learning_rate=1e-3, learning_rate_end=1e-5, learning_rate_decay=0.9)
    for schedule, end in (("cosine", 1e-5), ("exponential", 1e-5), ("constant", 1e-3)):
        chosen = dataclasses.replace(settings, schedule=schedule)
        assert learning_rate_at(0, chosen) < 2e-4
        assert learning_rate_at(1000, chosen) == pytest.approx(end, rel=1e-3)


@pytest.mark.parametrize("clip", ["value", "norm", "none"])
def test_clipping(shapes, tmp_path, clip):
    """By value no entry, by norm not the whole is over the bound."""
    trainer = _trainer(shapes, tmp_path / "m.pt", clip=clip, clip_at=0.5)
    for parameter in trainer.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = clip_gradients(trainer.model, trainer.settings)
    entries = torch.cat([p.grad.flatten() for p in trainer.model.parameters()])
    largest, norm = float(entries.abs().max()), float(entries.norm())
    assert before > 10
    assert largest == pytest.approx({"value": 0.5, "none": 1.0}.get(clip, largest))
    assert (norm == pytest.approx(0.5, rel=1e-3)) == (clip == "norm")


def test_bf16_computes_losses_near_fp32(shapes, tmp_path):
    """Half precision in the products, single in the losses: the first loss is nearly the same."""
    totals = []
    for precision in ("fp32", "bf16"):
        seen = Recorder()
        trainer = _trainer(shapes, tmp_path / "m.pt", steps=1, precision=precision)
        trainer.observers = (seen,)
        trainer.run()
        totals.append(seen.losses[0])
    assert totals[1] == pytest.approx(totals[0], rel=0.02)


def _without_train(shapes):
    splits = shapes.split_ids.copy()
    splits[(shapes.class_ids == 1) & (splits == TRAIN)] = TEST
    return dataclasses.replace(shapes, split_ids=splits)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda data: dataclasses.replace(data, split_ids=data.split_ids * 0), "d.npz: the valid split is empty"),
        (lambda data: dataclasses.replace(data, split_ids=data.split_ids * 0 + 1), "d.npz: the train split is empty"),
        (_without_train, "d.npz: class 'cross' has no drawing in the train split"),
        (lambda data: dataclasses.replace(data, points=data.points * [0, 0, 1]), "d.npz:scale: is 0.0"),
        (lambda data: dataclasses.replace(data, class_names=("a", "b", "c" * 101)), "d.npz:classes[2]: is 'ccc"),
    ],
)
def test_data_that_no_bundle_can_come_of_is_refused_before_training(shapes, tmp_path, change, what):
    """Not after a night, when the model is to be exported."""
    with pytest.raises(InputError, match="^" + re.escape(what)):
        Trainer(change(shapes), Config(model=MODEL, train=FAST), tmp_path / "m.pt", CPU, data_name="d.npz")


def test_drawings_longer_than_a_bundle_draws_are_refused(shapes):
    """10,000 rows are the most."""
    ids = np.array([0, 0], np.int32)
    for rows, fits in ((MAX_POINTS, True), (MAX_POINTS + 1, False)):
        points = np.ones((rows + 1, 3), np.int16) * [[1, 0, 0]] * (np.arange(rows + 1) % 3)[:, None]
        data = dataclasses.replace(
            shapes,
            points=points.astype(np.int16),
            offsets=np.array([0, rows, rows + 1]),
            class_ids=ids,
            split_ids=np.array([TRAIN, VALID], np.uint8),
            synthetic=np.zeros(2, bool),
            class_names=("one",),
        )
        with contextlib.nullcontext() if fits else pytest.raises(InputError, match="max_points: is 10001"):
            assert describe(data).max_points == rows


def test_a_model_too_large_to_be_saved_is_refused_at_once(shapes, tmp_path):
    """Before any memory is taken for it."""
    largest = ModelConfig(encoder_hidden=4096, decoder_hidden=2048, latent=1024, class_embedding=1024)
    with pytest.raises(InputError, match=r"the model has \d+ weights \(at most \d+\); make decoder_hidden"):
        Trainer(shapes, Config(model=largest), tmp_path / "m.pt", CPU)
