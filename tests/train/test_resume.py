"""Going on from a checkpoint: the same bits from any save on, and nothing taken on trust."""

import copy
import dataclasses
import io
import zipfile
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sketch_edge.runtime.errors import CheckpointError, InputError  # noqa: E402
from sketch_edge.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from sketch_edge.train.config import Config, ModelConfig, TrainConfig  # noqa: E402
from sketch_edge.train.loop import Trainer  # noqa: E402
from sketch_edge.train.pickled import check_pickle  # noqa: E402
from sketch_edge.train.resume import HISTORY, MOST_HISTORY, Machine, State, read_state  # noqa: E402

MODEL = ModelConfig(encoder_hidden=8, decoder_hidden=16, latent=4, class_embedding=4, mixtures=3, dropout=0.2)
SETTINGS = TrainConfig(
    steps=8,
    batch=16,
    warmup=1,
    valid_every=2,
    save_every=1,
    sheet_every=0,
    learning_rate=5e-3,
    schedule="plateau",
    plateau_patience=1,
    precision="fp32",
)
CPU = torch.device("cpu")


def _trainer(shapes, path, model=MODEL, **changes):
    return Trainer(shapes, Config(model=model, train=dataclasses.replace(SETTINGS, **changes)), path, CPU)


def _same(one, other):
    """Whether two nests of dictionaries, lists, tensors and numbers are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam"},
        {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "cosine", "keep": "last"},
        {"optimizer": "rmsprop", "pen_rows": "all", "patience": 2, "learning_rate": 0.0, "learning_rate_end": 0.0},
    ],
)
def test_whatever_save_it_goes_on_from_the_end_has_the_same_bits(shapes, tmp_path, changes):
    """Every checkpoint of a training - between validations, on one, the last - leads to that training's last file.

    Weights, running mean, moments, best weights, losses, counters and history, with dropout on; the third stops early.
    """
    path = tmp_path / "m.pt"
    trainer = _trainer(shapes, path, **changes)
    saves = {}

    class Keeper:
        def on_step(self, step, *_):
            if path.exists():
                saves[step - 1] = path.read_bytes()

        def on_valid(self, *_):
            pass

    trainer.observers = (Keeper(),)
    assert trainer.run()
    straight = load_checkpoint(path)
    ended = trainer.state.step
    assert ended == (8 if "patience" not in changes else 6)
    assert set(saves) == set(range(1, ended))
    for step, content in {**saves, ended: path.read_bytes()}.items():
        path.write_bytes(content)
        again = _trainer(shapes, path, **changes)
        assert again.resume(load_checkpoint(path)) == []
        assert again.state.step == step
        assert again.run()
        found = load_checkpoint(path)
        assert found.about == straight.about
        assert _same(found.weights, straight.weights)
        assert _same(found.resume, straight.resume)


@pytest.fixture
def begun(shapes, tmp_path):
    """A checkpoint of three steps, one validation."""
    path = tmp_path / "m.pt"
    trainer = _trainer(shapes, path, steps=3)
    trainer.run()
    return path


def test_a_stopped_training_saves_where_it_stopped(shapes, tmp_path):
    """At any step, not only at those of save_every; on a step of a validation with what it found."""
    for stop in (3, 4):
        trainer = _trainer(shapes, tmp_path / f"{stop}.pt", save_every=100)
        assert not trainer.run(lambda stop=stop, state=trainer.state: state.step == stop)
        found = load_checkpoint(tmp_path / f"{stop}.pt")
        assert found.resume["state"]["step"] == stop
        assert len(found.resume["state"]["history"]) == stop // 2


@pytest.mark.parametrize("change", ["drawings", "order"])
def test_other_data_is_refused(shapes, begun, change):
    """Another split, or the same drawings with classes in another order."""
    if change == "drawings":
        splits = shapes.split_ids.copy()
        splits[1] = 1
        other = dataclasses.replace(shapes, split_ids=splits)
    else:
        other = dataclasses.replace(
            shapes, class_names=shapes.class_names[::-1], class_ids=(2 - shapes.class_ids).astype(np.int32)
        )
    with pytest.raises(CheckpointError, match=r"m\.pt: was trained on other data; give the same data\.npz"):
        _trainer(other, begun).resume(load_checkpoint(begun))


def test_a_checkpoint_that_claims_the_data_but_not_its_classes_is_refused(shapes, begun):
    """The hash of the data is only what the file says."""
    found = load_checkpoint(begun)
    lying = dataclasses.replace(found, about=dataclasses.replace(found.about, classes=("a", "b", "c"), counts={}))
    with pytest.raises(CheckpointError, match="was trained on other data"):
        _trainer(shapes, begun).resume(lying)


@pytest.mark.parametrize("name", ["encoder_hidden", "decoder_hidden", "latent", "class_embedding", "mixtures"])
def test_sizes_cannot_change(shapes, begun, name):
    """Refused by the option's name, with both values."""
    sizes: dict[str, Any] = {name: 7}
    other = dataclasses.replace(MODEL, **sizes)
    with pytest.raises(InputError, match=rf"^--set {name}=7: cannot change in a training under way \(it has \d+\)"):
        _trainer(shapes, begun, model=other).resume(load_checkpoint(begun))


def test_the_optimiser_cannot_change(shapes, begun):
    """Its moments mean something else to another."""
    with pytest.raises(InputError, match=r"^--set optimizer=rmsprop: cannot change .* \(it has adam\)"):
        _trainer(shapes, begun, optimizer="rmsprop").resume(load_checkpoint(begun))


def test_changed_settings_take_effect(shapes, tmp_path):
    """Also those that torch keeps in the optimiser's own state."""
    path = tmp_path / "m.pt"
    _trainer(shapes, path, steps=2, optimizer="adamw").run()
    again = _trainer(shapes, path, optimizer="adamw", weight_decay=0.25, learning_rate=1e-4)
    again.resume(load_checkpoint(path))
    assert again.optimizer.param_groups[0]["weight_decay"] == 0.25
    again.run()
    assert again.optimizer.param_groups[0]["lr"] <= 1e-4


def test_another_kl_weight_rates_the_best_anew(shapes, begun):
    """Totals of before and after are then of one kind, so that the best stays the best."""
    before = load_checkpoint(begun)
    again = _trainer(shapes, begun, steps=3, kl_weight=8.0, kl_min=0.0)
    again.resume(before)
    losses = before.about.losses
    assert again.state.best == pytest.approx(losses["offset"] + losses["pen"] + 8.0 * losses["kl"])
    assert again.about.losses["total"] == again.state.best != before.resume["state"]["best"]
    same = _trainer(shapes, begun)
    same.resume(before)
    assert same.state.best == before.resume["state"]["best"]


def test_what_changes_the_bits_is_named(begun):
    """Threads, processes, device, precision; what an older file does not tell is no difference."""
    resume = load_checkpoint(begun).resume
    here = Machine(resume["threads"], 1, "cpu", False)
    assert here.differs_from(resume) == []
    assert Machine(resume["threads"] + 1, 2, "cuda", True).differs_from(resume) == [
        *("threads", "processes", "device", "bf16")
    ]
    assert Machine(resume["threads"], 1, "cuda", True).differs_from({"threads": resume["threads"]}) == []
    assert here.differs_from(resume | {"threads": torch.ones(2)}) == ["threads"]


def _put(*path_and_value):
    """A change deep in the resume part."""
    *path, last, value = path_and_value

    def change(resume):
        for key in path:
            resume = resume[key]
        resume[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda resume: resume.clear(), "model: is missing, so there is nothing to go on from"),
        (lambda resume: resume.pop("optimizer"), "optimizer: is missing"),
        (_put("model", []), "model: is list"),
        (_put("model", "head.bias", torch.ones(3)), r"model\.head\.bias: has shape \(3,\)"),
        (_put("model", "head.bias", torch.full((21,), torch.nan)), r"model\.head\.bias: holds NaN"),
        (_put("running", "more", torch.ones(3)), r"running\.'more': is unknown"),
        (_put("optimizer", None), "optimizer: is not the state of an optimiser"),
        (_put("optimizer", {"state": {}}), "optimizer: is not the state of an optimiser"),
        (_put("optimizer", "state", 3, {}), r"optimizer\.state\.3\.exp_avg: is missing"),
        (_put("optimizer", "state", 3, "exp_avg", torch.ones(2)), r"optimizer\.state\.3\.exp_avg: has shape"),
        (_put("optimizer", "state", 3, "step", 4), r"optimizer\.state\.3\.step: is no dense tensor"),
        (_put("optimizer", "state", 99, {}), "optimizer: is not the state of an optimiser"),
        (_put("state", 5), "state: has other names"),
        (lambda resume: resume["state"].pop("best"), "state: has other names"),
        (_put("state", "step", -1), r"state\.step: is -1"),
        (_put("state", "step", "3"), r"state\.step: is '3'"),
        (_put("state", "plateau", True), r"state\.plateau: is True"),
        (_put("state", "best", float("nan")), r"state\.best: is nan"),
        (_put("state", "rate_factor", 2.0), r"state\.rate_factor: is 2\.0"),
        (_put("state", "history", {}), r"state\.history: is an object"),
        (_put("state", "history", [{"step": 1.0}]), r"state\.history: is a list"),
        (_put("state", "history", [dict.fromkeys(HISTORY, 1e300)]), r"state\.history: is a list"),
    ],
)
def test_a_part_that_is_missing_or_of_another_kind_is_refused_by_name(shapes, begun, change, what):
    """The file, the part, what is wrong; not an error from deep in torch after the first step."""
    found = load_checkpoint(begun)
    resume = copy.deepcopy(found.resume)
    change(resume)
    save_checkpoint(begun, Checkpoint(found.config, found.about, found.weights, resume))
    with pytest.raises(CheckpointError, match=rf"^{begun}:resume\.{what}"):
        _trainer(shapes, begun).resume(load_checkpoint(begun))


def test_the_optimisers_own_settings_are_not_read(shapes, begun):
    """A checkpoint cannot bring in a setting that no option shows."""
    found = load_checkpoint(begun)
    found.resume["optimizer"]["param_groups"] = [{"lr": "much", "maximize": True}]
    again = _trainer(shapes, begun)
    again.resume(found)
    assert again.optimizer.param_groups[0]["maximize"] is False
    assert again.run()


def test_a_state_survives():
    """What asdict writes is read, infinity included."""
    state = State(step=3, rate_factor=0.5)
    assert read_state(dataclasses.asdict(state), "state") == state


def entry(step: int) -> dict[str, float]:
    return dict.fromkeys(HISTORY, 0.5) | {"step": float(step)}


def test_a_history_that_grows_too_long_is_thinned_where_it_is_old():
    """First, last, order and all of the newer half stay."""
    state = State(history=[entry(step) for step in range(MOST_HISTORY)])
    state.note(entry(MOST_HISTORY))
    steps = np.array([each["step"] for each in state.history])
    assert len(steps) == 0.75 * MOST_HISTORY + 1
    assert (np.diff(steps) > 0).all()
    assert steps[0] == 0
    assert (steps[MOST_HISTORY // 4 :] == np.arange(MOST_HISTORY // 2, MOST_HISTORY + 1)).all()


def test_the_longest_history_is_read_again():
    """What a training writes, however long it was, passes the walk over the pickle."""
    buffer = io.BytesIO()
    torch.save([entry(step) for step in range(MOST_HISTORY)], buffer)
    with zipfile.ZipFile(buffer) as archive:
        check_pickle(archive.read("archive/data.pkl"))
