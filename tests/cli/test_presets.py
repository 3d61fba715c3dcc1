"""The presets that give offsets, each from drawings to a drawing by the commands of docs/SEEDS.md."""

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("matplotlib")
pytest.importorskip("tensorboard")

from sketch_edge.cli import draw, export, train  # noqa: E402
from sketch_edge.runtime.artist import load  # noqa: E402
from sketch_edge.runtime.errors import InputError  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint  # noqa: E402
from sketch_edge.train.config import PRESETS, Config, TrainConfig, count_steps  # noqa: E402
from sketch_edge.train.models import check_settings  # noqa: E402
from tests.train.conftest import make_shapes  # noqa: E402

SIZES = {
    "lstm": ("class_embedding=8", "decoder_hidden=32"),
    "lstm-xy": ("class_embedding=8", "decoder_hidden=32"),
    "attention": ("class_embedding=8", "encoder_hidden=8", "decoder_hidden=32"),
}
EPOCHS = 6


def _call(command, *words):
    result = CliRunner().invoke(command, [str(word) for word in words])
    assert result.exit_code == 0, result.stderr
    return result.output


def _train(data, out, preset, *words):
    sizes = [word for size in SIZES[preset] for word in ("--set", size)]
    settings = ["--set", "learning_rate=0.01", "--set", "sheet_every=0", "--threads", 1, "--quiet"]
    _call(train.main, data, "--out", out, "--preset", preset, *sizes, *settings, *words)
    return load_checkpoint(out)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data.npz"
    make_shapes(40).save(path)
    return path


@pytest.fixture(scope="module", params=SIZES)
def trained(request, data, tmp_path_factory):
    """The preset, and the file of a few epochs of training."""
    path = tmp_path_factory.mktemp("model") / "model.pt"
    _train(data, path, request.param, "--set", f"epochs={EPOCHS}")
    return request.param, path


@pytest.fixture(scope="module")
def bundle(trained):
    _, path = trained
    out = path.with_name("model.sketch.zip")
    said = _call(export.main, path, "--out", out, "--quantize", "none")
    assert "step parity" in said
    assert "drift" in said
    return out


def test_the_loss_is_told_in_its_own_terms(data, tmp_path):
    """There is no likelihood and no KL in what is said at the end."""
    words = [data, "--out", tmp_path / "x.pt", "--preset", "lstm-xy", "--steps", 1, "--set", "sheet_every=0", "--quiet"]
    result = CliRunner().invoke(train.main, [str(word) for word in words])
    assert "validation loss 0." in result.stderr
    assert "KL" not in result.stderr


def test_the_loss_falls(trained):
    """There is a validation after each epoch, and what is validated falls."""
    checkpoint = load_checkpoint(trained[1])
    history, epoch = checkpoint.resume["state"]["history"], -(-96 // checkpoint.config.train.batch)
    assert [entry["step"] for entry in history] == [epoch * number for number in range(1, len(history) + 1)]
    assert min(entry["valid_total"] for entry in history) < 0.95 * history[0]["valid_total"]


def test_resuming_ends_with_the_same_bits(trained, data, tmp_path):
    """A training that stopped half way, dropout and coins of the teacher and all, ends as the straight one."""
    preset, straight = trained
    path = tmp_path / "half.pt"
    half = _train(data, path, preset, "--steps", 3)
    assert half.about.step <= 3
    _call(train.main, data, "--out", path, "--resume", "--set", f"epochs={EPOCHS}", "--threads", 1, "--quiet")
    one, other = load_checkpoint(straight), load_checkpoint(path)
    assert one.resume["state"]["step"] == other.resume["state"]["step"]
    for name, weight in one.resume["model"].items():
        assert torch.equal(weight, other.resume["model"][name]), name


def test_it_exports_with_parity(bundle):
    """The manifest says that a step gives the offset itself, and how near the graphs are to the network."""
    manifest = load(bundle).manifest
    assert (manifest.head, manifest.sizes.latent, manifest.sizes.mixtures) == ("offset", 0, 0)
    assert 0 < manifest.parity.max_abs_error < 1e-4


def test_it_draws(bundle, tmp_path):
    """By the command that draws with every other model."""
    out = tmp_path / "drawn.svg"
    _call(draw.main, "--model", bundle, "--class", "circle", "--class", "square", "--seed", 3, "--out", out)
    assert out.read_text().count("<path") >= 2


def test_numpy_draws_the_same(bundle):
    """Without onnxruntime the strokes are those that it gives."""
    one, other = (load(bundle, provider=provider) for provider in ("cpu", "numpy"))
    for name in one.classes:
        found, expected = (artist.draw(name, seed=5, temperature=0.7) for artist in (other, one))
        assert len(found.lines) == len(expected.lines)
        for line, right in zip(found.lines, expected.lines, strict=True):
            np.testing.assert_allclose(line, right, atol=0.25)


def test_alone_as_beside_others(bundle):
    """A sketch of a row is the sketch of its number, drawn alone."""
    artist = load(bundle)
    row = list(artist.draw_each(["circle"] * 5, seed=8, temperature=1.0))
    alone = list(artist.draw_each(["circle"], seed=8, temperature=1.0, first_index=3))
    assert [line.tolist() for line in row[3].lines] == [line.tolist() for line in alone[0].lines]


def test_a_model_of_other_sizes_is_refused(data, tmp_path):
    """A size that the kind has no place for is not taken in silence."""
    words = [str(data), "--out", str(tmp_path / "x.pt"), "--preset", "lstm", "--set", "latent=7", "--steps", "1"]
    result = CliRunner().invoke(train.main, words)
    assert result.exit_code == 2
    assert "latent" in result.stderr


@pytest.mark.parametrize("preset", SIZES)
def test_steps_win_over_the_epochs_of_a_preset(preset):
    """Who says --steps means steps; who says both has both, as a checkpoint does."""
    config = PRESETS[preset].config
    assert config.train.epochs > 0
    assert config.replace({"steps": 7}).train.epochs == 0
    assert Config.from_dict(config.to_dict()) == config


def test_epochs_become_steps():
    """An epoch is as many mini-batches as the drawings fill, and ends with a validation."""
    found = count_steps(TrainConfig(epochs=3, batch=10), 41)
    assert (found.steps, found.valid_every) == (15, 5)
    assert count_steps(TrainConfig(steps=9), 41) == TrainConfig(steps=9)


def test_nothing_but_the_class_goes_in():
    """A model that is told neither class nor z cannot be asked for anything."""
    config = PRESETS["lstm"].config.replace({"class_embedding": 0})
    with pytest.raises(InputError, match="class_embedding"):
        check_settings(config)
