"""Parts of a model taken over alone."""

import dataclasses
import itertools
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from sketch_edge.runtime.errors import InputError  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint  # noqa: E402
from sketch_edge.train.config import PRESETS, Config, ModelConfig, TrainConfig  # noqa: E402
from sketch_edge.train.finetune import SHIPPED, load_source  # noqa: E402
from sketch_edge.train.loop import Trainer  # noqa: E402
from sketch_edge.train.models import make_model, weight_shapes  # noqa: E402
from sketch_edge.train.models.vae import SketchVAE  # noqa: E402
from sketch_edge.train.parts import PARTS, part_of  # noqa: E402

MODEL = ModelConfig(encoder_hidden=8, decoder_hidden=16, latent=4, class_embedding=4, mixtures=3)
FAST = TrainConfig(steps=8, batch=16, warmup=1, valid_every=4, save_every=4, sheet_every=0, precision="fp32")
CPU = torch.device("cpu")
QUICK = {"batch": 16, "sheet_every": 0, "precision": "fp32", "steps": 4}


@pytest.fixture(scope="module")
def before(shapes, tmp_path_factory):
    """A model that learnt a little."""
    path = tmp_path_factory.mktemp("before") / "before.pt"
    assert Trainer(shapes, Config(model=MODEL, train=FAST), path, CPU).run()
    return path


def start(before, shapes, path, parts, **changes):
    """A trainer that takes parts over."""
    source = dataclasses.replace(load_source(before), parts=parts)
    return Trainer(shapes, source.config({**QUICK, **changes}), path, CPU, source=source)


@pytest.mark.parametrize("parts", [each for n in (1, 2) for each in itertools.combinations(PARTS, n)])
def test_these_weights_are_equal_and_no_others(shapes, before, tmp_path, parts):
    """Bit for bit; the rest is as in a training from nothing, and the scale is that of what was taken."""
    shapes = dataclasses.replace(shapes, points=shapes.points // 2 * [1, 1, 2])
    old = load_checkpoint(before)
    trainer = start(before, shapes, tmp_path / "m.pt", parts)
    torch.manual_seed(trainer.settings.seed)
    new = make_model(trainer.config, 3).state_dict()
    now = trainer.model.state_dict()
    assert now.keys() == old.weights.keys()
    for name, weight in now.items():
        taken = part_of(name) in parts
        assert torch.equal(weight, old.weights[name] if taken else new[name]), name
        assert not torch.equal(weight, new[name] if taken else old.weights[name]), name
    assert trainer.about.scale == old.about.scale != shapes.scale
    assert trainer.settings.learning_rate == Config().train.learning_rate  # no gentle fine-tuning


def test_it_trains_and_resumes(shapes, before, tmp_path):
    """The source is not needed again."""
    trainer = start(before, shapes, tmp_path / "m.pt", ("decoder", "embedding"))
    assert trainer.run()
    found = load_checkpoint(tmp_path / "m.pt")
    again = Trainer(shapes, found.config.replace({"steps": 6}), tmp_path / "m.pt", CPU)
    again.resume(found)
    assert again.run()
    assert load_checkpoint(tmp_path / "m.pt").about.source == "before.pt"


def test_what_is_not_taken_may_have_another_size(shapes, before, tmp_path):
    """An encoder of another width before the old decoder."""
    trainer = start(before, shapes, tmp_path / "m.pt", ("decoder", "embedding"), encoder_hidden=5)
    assert trainer.run()
    assert trainer.model.state_dict()["encoder_forward.weight_hh_l0"].shape == (20, 5)


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        (
            "encoder",
            {"encoder_hidden": 5},
            r"--parts encoder: encoder_\S+ is \S+ in before.pt \(these settings ask for",
        ),
        ("encoder", {"latent": 5}, r"--parts encoder: posterior.bias is 8 in before.pt \(these settings ask for 10\)"),
        ("decoder", {"mixtures": 2}, r"--parts decoder: head.bias is 21 in before.pt \(these settings ask for 15\)"),
        ("embedding", {"class_embedding": 3}, r"--parts embedding: embedding.weight is 3x4 in .* ask for 3x3\)"),
    ],
)
def test_a_part_that_does_not_fit_is_refused(before, part, changes, message):
    """With the weight and both shapes."""
    source = dataclasses.replace(load_source(before), parts=(part,))
    with pytest.raises(InputError, match=message):
        source.config(changes)


def test_a_part_that_is_not_there_is_refused(shapes, tmp_path):
    """Not every kind of model has an encoder."""
    kind = next(name for name, preset in PRESETS.items() if preset.kind == "lstm")
    config = PRESETS[kind].config.replace({"decoder_hidden": 8, "class_embedding": 4, **QUICK})
    assert Trainer(shapes, config, tmp_path / "lstm.pt", CPU).run()
    source = dataclasses.replace(load_source(tmp_path / "lstm.pt"), parts=("encoder",))
    with pytest.raises(InputError, match=r"--parts encoder: lstm\.pt has no encoder"):
        source.config({})


def test_parts_of_a_bundle(shapes, tmp_path):
    """The shipped one's decoder draws on behind a new encoder."""
    source = dataclasses.replace(load_source(Path(SHIPPED)), parts=("decoder",))
    trainer = Trainer(shapes, source.config({**QUICK, "encoder_hidden": 4}), tmp_path / "m.pt", CPU, source=source)
    assert torch.equal(trainer.model.state_dict()["head.weight"], source.checkpoint.weights["head.weight"])


@pytest.mark.parametrize("preset", PRESETS)
def test_the_encoder_is_what_gives_z(preset):
    """In every kind of model: weights of one part each, and other decoders leave z as it is."""
    config = PRESETS[preset].config
    found = {part_of(name) for name in weight_shapes(config, 3)}
    assert "decoder" in found
    model = make_model(config, 3).eval()
    if not isinstance(model, SketchVAE) or model.latent == 0:
        return
    rows, lengths = torch.randn(7, 2, 5), torch.tensor([7, 4])
    label = model.embedding(torch.tensor([0, 2])) if hasattr(model, "embedding") else torch.zeros(2, 0)
    with torch.no_grad():
        first = model.encode(rows, lengths, label)
        for name, weight in model.state_dict().items():
            if part_of(name) == "decoder":
                weight.normal_()
        assert all(map(torch.equal, first, model.encode(rows, lengths, label)))
        for name, weight in model.state_dict().items():
            if part_of(name) == "encoder":
                before = weight.clone()
                weight.normal_()
                assert not torch.equal(first[0], model.encode(rows, lengths, label)[0]), name
                weight.copy_(before)
