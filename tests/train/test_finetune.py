"""Fine-tuning: what is taken over from another model, and that training goes on from it."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sketch_edge.runtime.errors import CheckpointError, InputError  # noqa: E402
from sketch_edge.train.about import read_about, write_about  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint  # noqa: E402
from sketch_edge.train.config import Config, ModelConfig, TrainConfig  # noqa: E402
from sketch_edge.train.dataset import VALID  # noqa: E402
from sketch_edge.train.finetune import DEFAULTS, embed, known_classes, load_source  # noqa: E402
from sketch_edge.train.loop import Trainer  # noqa: E402

MODEL = ModelConfig(encoder_hidden=8, decoder_hidden=16, latent=4, class_embedding=4, mixtures=3)
FAST = TrainConfig(
    steps=12, batch=16, warmup=1, valid_every=4, save_every=3, sheet_every=0, learning_rate=5e-3, precision="fp32"
)
CPU = torch.device("cpu")
QUICK = {"batch": 16, "sheet_every": 0, "precision": "fp32"}


@pytest.fixture(scope="module")
def before(shapes, tmp_path_factory):
    """A trained model of circle, cross and square, in units of 0.8 of its drawings."""
    path = tmp_path_factory.mktemp("before") / "before.pt"
    trainer = Trainer(shapes, Config(model=MODEL, train=dataclasses.replace(FAST, steps=60)), path, CPU)
    assert trainer.run()
    return path


@pytest.fixture
def own(shapes):
    """Drawings of another scale, of a known class by another spelling and of a new one, drawn by somebody else."""
    names = ("Circle", "my star", "square")
    return dataclasses.replace(
        shapes, points=shapes.points // 2 * [1, 1, 2], class_names=names, credit="Ada", licence="CC0"
    )


def _finetuner(own, before, path, **changes):
    source = load_source(before)
    return Trainer(own, source.config({**QUICK, **changes}), path, CPU, source=source)


def test_weights_scale_and_credit_are_taken_over(own, before, shapes, tmp_path):
    """Only the embeddings differ; units are those of the weights, and both credits stand."""
    old = load_checkpoint(before)
    own = dataclasses.replace(own, points=own.points.astype(np.int16))
    trainer = _finetuner(own, before, tmp_path / "m.pt")
    now = trainer.model.state_dict()
    for name, tensor in old.weights.items():
        assert name == "embedding.weight" or torch.equal(now[name], tensor)
    rows, old_rows = now["embedding.weight"], old.weights["embedding.weight"]
    assert torch.equal(rows[0], old_rows[0])
    assert torch.equal(rows[2], old_rows[2])
    assert not torch.equal(rows[1], old_rows[1])
    about = trainer.about
    assert about.scale == old.about.scale == shapes.scale != own.scale
    assert about.credit == "Quick, Draw! drawings by Google's Quick, Draw! players; Ada"
    assert about.licence == "CC BY 4.0; CC0"
    assert (about.source, about.source_sha256) == ("before.pt", old.sha256)
    assert about.classes == own.class_names


def test_the_first_loss_is_that_of_the_old_model(shapes, before, tmp_path):
    """On the same drawings a fine-tuned model starts where the old one ended."""
    source = load_source(before)
    config = source.config(QUICK)
    started = Trainer(shapes, config, tmp_path / "a.pt", CPU, source=source).evaluate(VALID)
    told = load_checkpoint(before).about.losses
    assert started.offset == pytest.approx(told["offset"], rel=1e-4)
    assert started.pen == pytest.approx(told["pen"], rel=1e-4)


def test_new_classes_start_near_the_mean_and_apart(before):
    """Each with noise of its own; the same for the same seed."""
    old = torch.randn(200, 6) * torch.tensor([1.0, 2, 3, 4, 5, 6]) + 7
    names = tuple(f"c{i}" for i in range(200))
    rows = embed(old, names, [f"n{i}" for i in range(300)], seed=4)
    assert torch.allclose(rows.mean(dim=0), old.mean(dim=0), atol=1)
    assert torch.allclose(rows.std(dim=0) / old.std(dim=0), torch.full((6,), 0.5), atol=0.08)
    assert torch.equal(rows[:2], embed(old, names, ["x", "y"], seed=4))
    assert not torch.equal(rows[0], embed(old, names, ["x"], seed=5)[0])
    assert torch.isfinite(embed(old[:1], names[:1], ["x"], seed=0)).all()


def test_exact_names_go_before_like_ones():
    """A model may have "Cat" and "cat"."""
    assert known_classes(("Cat", "cat", "palm tree"), ["cat", "CAT", "palm_tree", "dog"]) == {
        "cat": 1,
        "CAT": 0,
        "palm_tree": 2,
    }


def test_settings_are_gentle_and_sizes_fixed(before):
    """Defaults may be changed, sizes may not, but may be named."""
    source = load_source(before)
    config = source.config({"latent": "4"})
    assert config.model == MODEL
    assert all(getattr(config.train, name) == value for name, value in DEFAULTS.items())
    assert source.config({"steps": 7, "dropout": 0.1}).train.steps == 7
    with pytest.raises(InputError, match=r"--set latent=9: before.pt has 4"):
        source.config({"latent": 9})


def test_cut_and_resumed_is_the_same_as_straight(own, before, tmp_path):
    """The source is not needed any more, and the scale stays that of the source."""
    own = dataclasses.replace(own, points=own.points.astype(np.int16))
    straight, cut = tmp_path / "straight.pt", tmp_path / "cut.pt"
    assert _finetuner(own, before, straight, steps=9, valid_every=3).run()
    trainer = _finetuner(own, before, cut, steps=9, valid_every=3)
    assert not trainer.run(lambda: trainer.state.step == 4)
    found = load_checkpoint(cut)
    again = Trainer(own, found.config, cut, CPU)
    assert again.resume(found) == []
    assert again.run()
    one, other = load_checkpoint(straight), load_checkpoint(cut)
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)
    assert one.about == other.about
    assert other.about.source == "before.pt"


def test_fine_tuning_learns(own, before, tmp_path):
    """A hundred steps bring the loss on the new drawings down."""
    own = dataclasses.replace(own, points=own.points.astype(np.int16))
    trainer = _finetuner(own, before, tmp_path / "m.pt", steps=100, learning_rate=5e-3)
    first = trainer.evaluate(VALID)
    assert trainer.run()
    assert trainer.evaluate(VALID).reconstruction < first.reconstruction - 0.1


def test_a_model_of_nothing_else_than_synthetic_drawings(shapes, tmp_path):
    """There is nothing to validate with: the newest running mean is what is exported."""
    made = dataclasses.replace(shapes, synthetic=np.ones(len(shapes), bool), split_ids=np.zeros(len(shapes), np.uint8))
    trainer = Trainer(made, Config(model=MODEL, train=FAST), tmp_path / "m.pt", CPU)
    assert trainer.run()
    found = load_checkpoint(tmp_path / "m.pt")
    assert found.about.step == 12
    assert found.about.losses == {}
    assert all(torch.equal(found.weights[name], found.resume["running"][name]) for name in found.weights)


def test_the_source_is_told_only_where_there_is_one(before):
    """Other checkpoints stay readable by older versions."""
    about = load_checkpoint(before).about
    assert "source" not in write_about(about)
    told = dataclasses.replace(about, source="a.pt", source_sha256="ab" * 32)
    assert read_about(write_about(told), "x") == told
    with pytest.raises(CheckpointError, match=r"\.source: is 7"):
        read_about(write_about(told).replace('"a.pt"', "7"), "x")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no model", b"PK\x03\x04" + b"x" * 26 + b"manifest.json"])
def test_what_is_no_model_is_refused(tmp_path, content):
    """Named, with what to give instead."""
    path = tmp_path / "m.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_source(path)
    assert str(caught.value).startswith(str(path))
