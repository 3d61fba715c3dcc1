"""sketch-export as a command."""

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from sketch_edge.cli.export import main  # noqa: E402
from sketch_edge.export import pack  # noqa: E402
from sketch_edge.export.graphs import trace  # noqa: E402
from sketch_edge.train.checkpoint import About, Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from sketch_edge.train.config import Config, ModelConfig  # noqa: E402
from sketch_edge.train.models.vae import SketchVAE  # noqa: E402
from tests.traces import remembered  # noqa: E402

TINY = Path(__file__).parents[1] / "data" / "tiny.sketch.zip"


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    torch.manual_seed(1)
    sizes = ModelConfig(encoder_hidden=12, decoder_hidden=32, latent=6, class_embedding=8, mixtures=3)
    about = About(classes=("cat", "star"), scale=30.0, max_points=50, counts={"cat": 2, "star": 3})
    path = tmp_path_factory.mktemp("model") / "model.pt"
    save_checkpoint(path, Checkpoint(Config(model=sizes), about, SketchVAE(sizes, 2).state_dict()))
    return path


REMEMBERED = remembered(trace)


@pytest.fixture(autouse=True)
def _traced_once(monkeypatch):
    """The command is tested here, and most of its time is torch's."""
    monkeypatch.setattr(pack, "trace", REMEMBERED)


def _run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def test_export_writes_beside_the_model_and_prints_a_table(model_file, tmp_path):
    """Size, parity and time, each on a line; the bundle stands beside model.pt."""
    model = tmp_path / "mine.pt"
    shutil.copy(model_file, model)
    result = _run(model)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "mine.sketch.zip").exists()
    for word in ("step.onnx", "w8", "step parity", "drift", "encode parity", "rounding", "time a step"):
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


def test_temperatures_of_classes_and_hidden_ones_are_written_and_shown(model_file, tmp_path):
    """As text or from a file; --inspect tells both, and neither where there is none."""
    (tmp_path / "own.json").write_text('{"STAR": 0.15}')
    for number, own in enumerate((" star = .15", str(tmp_path / "own.json"))):
        bundle = tmp_path / f"{number}.sketch.zip"
        given = ("--temperature", "0.3", "--temperatures", own, "--hide", "Cat")
        done = _run(model_file, "--out", bundle, "--quantize", "none", "--name", "mine", *given)
        assert done.exit_code == 0, done.output
        shown = _run("--inspect", bundle).stdout
        assert re.search(r"^temperature +0\.3; star 0\.15$", shown, re.MULTILINE)
        assert re.search(r"^hidden +1 of them: cat$", shown, re.MULTILINE)
    assert len({path.read_bytes() for path in tmp_path.glob("*.sketch.zip")}) == 1
    shown = _run("--inspect", TINY).stdout
    assert re.search(r"^temperature +0\.4$", shown, re.MULTILINE)
    assert "of them" not in shown


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is no proper JSON"),
        ("[]", "holds a list (expected an object, class to number)"),
        ("{}", "holds nothing (expected an object, class to number)"),
        ('{"star": 1, "star": 2}', "is no proper JSON (a key stands twice)"),
        ('{"star": NaN}', "is no proper JSON (NaN is no JSON number)"),
        ('{"star": "0.1"}', "temperatures: 'star' has '0.1' (expected a number, 0 to 10)"),
        ('{"star": true}', "temperatures: 'star' has True"),
        ('{"star": 1, "Star": 2}', "temperatures: name 'star' twice"),
        ('{"\udcff": 1}', "is no proper JSON"),
        ("[" * 100_000, "is no proper JSON"),
        ("x" * (1 << 20) + "y", "is larger than 1048576 bytes"),
    ],
)
def test_a_bad_file_of_temperatures_is_refused(model_file, tmp_path, content, what):
    """In one line that names it; nothing is written."""
    path = tmp_path / "own.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    done = _run(model_file, "--out", tmp_path / "x.sketch.zip", "--temperatures", path)
    assert done.exit_code == 2, done.output
    assert what in done.stderr.splitlines()[-1]
    assert done.stderr.count("error: ") == 1
    assert list(tmp_path.iterdir()) == [path]


def test_an_older_bundle_is_replaced_but_nothing_else(model_file, tmp_path):
    """Exporting again is usual; a data set or a picture under the name of --out is somebody's slip."""
    out = tmp_path / "m.sketch.zip"
    shutil.copy(TINY, out)
    assert _run(model_file, "--out", out, "--quantize", "none").exit_code == 0
    assert out.read_bytes() != TINY.read_bytes()
    out.write_bytes(b"PK\x03\x04 data.npz")
    refused = _run(model_file, "--out", out)
    assert refused.exit_code == 2
    assert refused.stderr == f"error: {out}: exists and is no bundle; choose another --out, or delete it first\n"
    assert out.read_bytes() == b"PK\x03\x04 data.npz"


@pytest.mark.parametrize(
    ("args", "what"),
    [
        ([], "MODEL: missing"),
        (["nothing.pt"], "nothing.pt: cannot be read"),
        (["{model}", "--quantize", "int3"], "--quantize"),
        (["{model}", "--classes", "dog"], "'dog' is not in this model"),
        (["{model}", "--temperatures", "star"], "--temperatures: 'star' is no class and number"),
        (["{model}", "--temperatures", ""], "--temperatures: '' is no class and number"),
        (["{model}", "--temperatures", "star=0.1,"], "--temperatures: '' is no class and number"),
        (["{model}", "--temperatures", "=0.1"], "--temperatures: '=0.1' is no class and number"),
        (["{model}", "--temperatures", "star=nan"], "--temperatures: 'star=nan' is no class and number"),
        (["{model}", "--temperatures", "star=1,star=2"], "--temperatures: 'star' stands there twice"),
        (["{model}", "--temperatures", "star=11"], "temperatures: 'star' has 11.0 (expected a number, 0 to 10)"),
        (["{model}", "--temperatures", "stra=1"], "temperatures: 'stra' is not in this model of 2; the nearest: star"),
        (["{model}", "--temperatures", "no.json"], "--temperatures no.json: is no file"),
        (["{model}", "--hide", "dog"], "hide: 'dog' is not in this model"),
        (["{model}", "--hide", "cat,Cat"], "hide: names 'cat' twice"),
        (["{model}", "--hide", "cat,star"], "hide: names all 2 classes"),
        (["{model}", "--hide", ","], "--hide ',': names no class"),
        (["{model}", "--temperature", "nan"], "--temperature"),
        (["{model}", "--temperature", "11"], "--temperature"),
        (["{model}", "--out", "no/folder/x.sketch.zip"], "does not exist"),
        (["{model}", "--out", "{model}"], "is the model itself"),
        (["{model}", "--inspect", "{model}"], "--inspect: writes nothing"),
        (["--inspect", "{model}", "--out", "x.zip"], "--inspect: writes nothing"),
        (["{model}", "--out", "model.sketch.zip/.."], "is a folder"),
        (["{model}", "--out", "{loop}"], "is a symbolic link that leads to itself"),
        (["{loop}"], "loop.pt: cannot be read"),
        (["."], ".: is a folder"),
        (["no/model.pt"], "no/model.pt: cannot be read"),
        (["/dev/zero", "--out", "x.zip"], "/dev/zero: is no plain file"),
        (["{model}", "--name", "a\x1bb"], "name 'a\\x1bb'"),
        (["{model}", "--name", ""], "name ''"),
        (["{model}", "--classes", " , "], "names no class"),
        (["{model}", "--classes", "cat,sta"], "the nearest: star"),
        (["{cut}"], "cut.pt: is a torch file, but not one of sketch-train (or was cut short)"),
        (["--inspect", "{cut}"], "cut.pt: is a torch file, but not one of sketch-train (or was cut short)"),
        (["{flipped}"], "flipped.pt: is damaged"),
        (["--inspect", "{flipped}"], "flipped.pt: is damaged"),
        (["{lying}"], "lying.pt:about.classes: a name stands twice"),
        (["--inspect", "{lying}"], "lying.pt:about.classes: a name stands twice"),
        (["--inspect", "nothing.zip"], "nothing.zip: "),
        (["{junk}"], "junk.pt: "),
        (["--inspect", "{junk}"], "junk.pt: "),
    ],
)
def test_bad_input_is_refused_in_one_line(model_file, tmp_path, monkeypatch, args, what):
    """One error line that names what is wrong, exit code 2, nothing left behind."""
    monkeypatch.chdir(tmp_path)
    content = model_file.read_bytes()
    files = {name: tmp_path / f"{name}.pt" for name in ("model", "junk", "cut", "flipped", "lying", "loop")}
    files["model"].write_bytes(content)
    files["junk"].write_bytes(b"<html>not found</html>")
    files["cut"].write_bytes(content[:-500])
    files["flipped"].write_bytes(content[:2000] + bytes([content[2000] ^ 1]) + content[2001:])
    found = load_checkpoint(model_file)
    twice = dataclasses.replace(found.about, classes=("cat", "cat"), counts={})
    save_checkpoint(files["lying"], dataclasses.replace(found, about=twice))
    files["loop"].symlink_to(files["loop"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    result = _run(*(arg.format(**files) for arg in args))
    assert result.exit_code == 2, result.output
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert sum(line.startswith("error: ") for line in result.stderr.splitlines()) == 1
    assert what in result.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert len(list(tmp_path.iterdir())) == len(before) + 1


def test_hard_links_to_the_checkpoint_are_the_checkpoint(model_file, tmp_path):
    """Another name of the same file is not written over either."""
    model, other = tmp_path / "model.pt", tmp_path / "other.zip"
    shutil.copy(model_file, model)
    other.hardlink_to(model)
    result = _run(model, "--out", other)
    assert result.exit_code == 2
    assert "is the model itself" in result.stderr
    assert model.read_bytes() == model_file.read_bytes()


def test_a_bundle_is_inspected_without_torch():
    """On the small computer that draws with it; the shipped one is at hand."""
    import sketch_edge.models

    bundle = next(Path(sketch_edge.models.__path__[0]).glob("*.sketch.zip"))
    code = (
        "import sys; sys.modules.update(torch=None, onnx=None); from sketch_edge.cli.export import main; "
        "main(['--inspect', sys.argv[1]])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(bundle)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "classes" in done.stdout


def test_a_checkpoint_without_torch_asks_for_torch(model_file):
    """Not for another file."""
    code = "import sys; sys.modules['torch'] = None; from sketch_edge.cli.export import main; main(sys.argv[1:])"
    for arguments in ([model_file], ["--inspect", model_file]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert "torch" in done.stderr
        assert done.stderr.startswith("error: ")


def test_weights_that_overflow_are_refused(model_file, tmp_path):
    """Every number of the file is finite, what comes of them is not: the file's fault, exit code 2."""
    found = load_checkpoint(model_file)
    model = tmp_path / "huge.pt"
    huge = {name: weight + 3e38 if name.startswith("head") else weight for name, weight in found.weights.items()}
    save_checkpoint(model, dataclasses.replace(found, weights=huge))
    result = _run(model)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"error: {model}:weights: give numbers that are not finite; train")
    assert list(tmp_path.iterdir()) == [model]
