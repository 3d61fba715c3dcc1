"""sketch-export as a command."""

import shutil

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from sketch_edge.cli.export import main  # noqa: E402
from sketch_edge.train.checkpoint import About, Checkpoint, save_checkpoint  # noqa: E402
from sketch_edge.train.config import Config, ModelConfig  # noqa: E402
from sketch_edge.train.model import SketchVAE  # noqa: E402


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    torch.manual_seed(1)
    sizes = ModelConfig(encoder_hidden=12, decoder_hidden=32, latent=6, class_embedding=8, mixtures=3)
    about = About(classes=("cat", "star"), scale=30.0, max_points=50, counts={"cat": 2, "star": 3})
    path = tmp_path_factory.mktemp("model") / "model.pt"
    save_checkpoint(path, Checkpoint(Config(model=sizes), about, SketchVAE(sizes, 2).state_dict()))
    return path


def _run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def test_export_writes_beside_the_model_and_prints_a_table(model_file, tmp_path):
    """Size, parity and time, each on a line; the bundle stands beside model.pt."""
    model = tmp_path / "mine.pt"
    shutil.copy(model_file, model)
    result = _run(model)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "mine.sketch.zip").exists()
    for word in ("step.onnx", "w8", "step parity", "encode parity", "rounding", "time a step"):
        assert word in result.stdout


def test_inspect_tells_bundle_and_checkpoint_apart(model_file, tmp_path):
    """Both kinds of file are shown with their classes."""
    bundle = tmp_path / "m.sketch.zip"
    assert _run(model_file, "--out", bundle, "--quantize", "none").exit_code == 0
    shown = _run("--inspect", bundle)
    assert shown.exit_code == 0, shown.output
    assert "variant fp32" in shown.stdout
    assert "cat, star" in shown.stdout
    shown = _run("--inspect", model_file)
    assert shown.exit_code == 0, shown.output
    assert "decoder_hidden=32" in shown.stdout
    assert "cat 2, star 3" in shown.stdout


@pytest.mark.parametrize(
    ("args", "what"),
    [
        ([], "MODEL.PT: missing"),
        (["nothing.pt"], "nothing.pt: cannot be read"),
        (["{model}", "--quantize", "int3"], "--quantize"),
        (["{model}", "--classes", "dog"], "'dog' is not in this model"),
        (["{model}", "--temperature", "nan"], "--temperature"),
        (["{model}", "--temperature", "11"], "--temperature"),
        (["{model}", "--out", "no/folder/x.sketch.zip"], "does not exist"),
        (["{model}", "--out", "{model}"], "is the checkpoint itself"),
        (["{model}", "--inspect", "{model}"], "--inspect"),
        (["--inspect", "nothing.zip"], "nothing.zip: "),
        (["{junk}"], "junk.pt: "),
        (["--inspect", "{junk}"], "junk.pt: "),
    ],
)
def test_bad_input_is_refused_in_one_line(model_file, tmp_path, monkeypatch, args, what):
    """One error line that names what is wrong, exit code 2, nothing left behind."""
    monkeypatch.chdir(tmp_path)
    model, junk = tmp_path / "model.pt", tmp_path / "junk.pt"
    shutil.copy(model_file, model)
    junk.write_bytes(b"<html>not found</html>")
    result = _run(*(arg.format(model=model, junk=junk) for arg in args))
    assert result.exit_code == 2, result.output
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert sum(line.startswith("error: ") for line in result.stderr.splitlines()) == 1
    assert what in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junk.pt", "model.pt"]
