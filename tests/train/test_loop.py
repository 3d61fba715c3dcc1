"""The training loop: it learns, stops well, and goes on bit for bit."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from sketch_edge.runtime.errors import CheckpointError, InputError, UnfinishedError  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint  # noqa: E402
from sketch_edge.train.config import Config, ModelConfig, TrainConfig  # noqa: E402
from sketch_edge.train.dataset import TRAIN  # noqa: E402
from sketch_edge.train.loop import Trainer, clip_gradients, learning_rate_at  # noqa: E402

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
    trainer = _trainer(shapes, tmp_path / "m.pt", steps=120, valid_every=40)
    seen = Recorder()
    trainer.observers = (seen,)
    assert trainer.run()
    assert sum(seen.losses[-10:]) < 0.7 * sum(seen.losses[:10])
    assert seen.valid[-1][1].reconstruction < seen.valid[0][1].reconstruction


def _end_weights(path):
    found = load_checkpoint(path)
    return {**found.resume["model"], **{f"export.{name}": tensor for name, tensor in found.weights.items()}}


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop"])
def test_resumed_training_ends_with_the_same_bits(shapes, tmp_path, optimizer):
    """Stopped at an odd step and gone on in a new trainer, every weight equals that of a straight run."""
    straight, cut = tmp_path / "straight.pt", tmp_path / "cut.pt"
    _trainer(shapes, straight, optimizer=optimizer, schedule="plateau", plateau_patience=1).run()
    first = _trainer(shapes, cut, optimizer=optimizer, schedule="plateau", plateau_patience=1)
    assert not first.run(lambda: first.state.step == 5)
    second = _trainer(shapes, cut, optimizer=optimizer, schedule="plateau", plateau_patience=1)
    second.resume(load_checkpoint(cut))
    assert second.state.step == 5
    assert second.run()
    expected, found = _end_weights(straight), _end_weights(cut)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert load_checkpoint(straight).resume["state"] == load_checkpoint(cut).resume["state"]


def test_resume_refuses_other_data(shapes, tmp_path):
    """A checkpoint goes on with the drawings it began with."""
    trainer = _trainer(shapes, tmp_path / "m.pt", steps=2)
    trainer.run()
    splits = shapes.split_ids.copy()
    splits[1] = 1
    other = _trainer(dataclasses.replace(shapes, split_ids=splits), tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match="other data"):
        other.resume(load_checkpoint(tmp_path / "m.pt"))


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


def test_early_stopping(shapes, tmp_path):
    """Without progress on the validation split the training ends early and keeps the best weights."""
    trainer = _trainer(shapes, tmp_path / "m.pt", steps=100, valid_every=1, patience=3, learning_rate=0.0)
    trainer.state.best = -1e9
    assert trainer.run()
    assert trainer.state.step == 3
    assert load_checkpoint(tmp_path / "m.pt").resume["state"]["step"] == 3


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


def test_a_split_without_drawings_is_refused(shapes, tmp_path):
    """Without a validation split there is nothing to keep the best by."""
    data = dataclasses.replace(shapes, split_ids=shapes.split_ids * 0 + TRAIN)
    with pytest.raises(InputError, match="valid split is empty"):
        _trainer(data, tmp_path / "m.pt")
