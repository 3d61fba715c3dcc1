"""sketch-train --from, as a command."""

import dataclasses
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm")
pytest.importorskip("tensorboard")
pytest.importorskip("matplotlib")

from sketch_edge.cli.train import main  # noqa: E402
from sketch_edge.runtime.strokes import lines_to_stroke3  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint  # noqa: E402
from sketch_edge.train.dataset import DataSet, load_dataset  # noqa: E402

SMALL = [
    f"--set={setting}"
    for setting in (
        *("encoder_hidden=8", "decoder_hidden=16", "latent=4", "class_embedding=4", "mixtures=3"),
        *("batch=16", "sheet_every=0", "precision=fp32"),
    )
]
QUICK = ["--set=batch=8", "--set=sheet_every=0", "--set=precision=fp32", "--quiet"]


def _run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="sketch-train")


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """Squares in data.npz, and before.pt of two steps on them."""
    folder = tmp_path_factory.mktemp("before")
    sides = np.random.default_rng(0).integers(100, 255, 30)
    pieces = [lines_to_stroke3([np.array([[0, 0], [s, 0], [s, s], [0, s], [0, 0]])]).astype(np.int16) for s in sides]
    data = DataSet(
        points=np.concatenate(pieces),
        offsets=np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]),
        class_ids=np.zeros(30, np.int32),
        split_ids=np.array([0] * 24 + [1] * 6, np.uint8),
        synthetic=np.zeros(30, bool),
        class_names=("square",),
        credit="Ada",
        licence="CC0",
    )
    data.save(folder / "data.npz")
    result = _run(folder / "data.npz", "--out", folder / "before.pt", "--steps", 2, "--quiet", *SMALL)
    assert result.exit_code == 0, result.output
    return folder


def test_a_model_is_gone_on_from(before, tmp_path):
    """It is said what from and in which units; the source is not needed any more to resume."""
    source = shutil.copy(before / "before.pt", tmp_path / "before.pt")
    out = tmp_path / "mine.pt"
    result = _run(before / "data.npz", "--from", source, "--out", out, "--steps", 3, *QUICK)
    assert result.exit_code == 0, result.output
    assert "starts from before.pt (sha256 " in result.stderr
    assert "3 steps of 8, learning rate 0.0003" in result.stderr
    source.unlink()
    assert _run(before / "data.npz", "--out", out, "--resume", "--steps", 5, "--quiet").exit_code == 0
    found = load_checkpoint(out)
    assert found.resume["state"]["step"] == 5
    assert found.about.source == "before.pt"
    assert found.about.credit == "Ada"


def test_parts_are_taken_over_alone(before, tmp_path):
    """It is said which; sizes that they do not have may be chosen."""
    args = ["--parts", "decoder", "--parts", "embedding", "--set", "encoder_hidden=5", "--steps", 2, *QUICK]
    result = _run(before / "data.npz", "--from", before / "before.pt", "--out", tmp_path / "new.pt", *args)
    assert result.exit_code == 0, result.output
    assert "starts from the decoder and embedding of before.pt (sha256 " in result.stderr
    assert load_checkpoint(tmp_path / "new.pt").config.model.encoder_hidden == 5


def test_settings_are_shown_as_they_will_be(before):
    """Sizes of the model, gentle defaults, changes of one's own."""
    shown = _run("--settings", "--from", before / "before.pt", "--set", "steps=77").stdout
    assert "decoder_hidden               16" in shown
    assert "learning_rate            0.0003" in shown
    assert "steps                        77" in shown


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--from", "before.pt", "--set", "latent=5"], "--set latent=5: before.pt has 4"),
        (["--from", "before.pt", "--resume"], "--from: starts a training, --resume goes on"),
        (["--from", "none.pt"], "none.pt: cannot be read"),
        (["--from", "data.npz"], "data.npz: is no checkpoint"),
        (["--from", "out.pt", "--overwrite"], "out.pt: is the model to start from itself"),
        (["--from", "before.pt"], "out.pt: exists"),
        (["--parts", "encoder"], "--parts: are those of another model; name it with --from"),
        (["--from", "before.pt", "--parts", "encoder", "--set", "latent=5"], "--parts encoder: posterior.bias is 8 in"),
    ],
)
def test_what_cannot_be_gone_on_from(before, tmp_path, monkeypatch, args, line):
    """One line, and what was there stays."""
    monkeypatch.chdir(tmp_path)
    for name in ("before.pt", "data.npz"):
        shutil.copy(before / name, name)
    if "out.pt" in line:
        shutil.copy("before.pt", "out.pt")
    result = _run("data.npz", "--out", "out.pt", "--steps", 1, *args)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {line}")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out.log").exists()


def test_synthetic_drawings_alone_can_be_learnt_from(before, tmp_path):
    """It is said that nothing is validated."""
    data = load_dataset(before / "data.npz")
    made = dataclasses.replace(data, synthetic=np.ones(30, bool), split_ids=np.zeros(30, np.uint8))
    made.save(tmp_path / "made.npz")
    result = _run(
        tmp_path / "made.npz", "--from", before / "before.pt", "--out", tmp_path / "m.pt", "--steps", 2, *QUICK
    )
    assert result.exit_code == 0, result.output
    assert "note: no drawing is a person's, so there is no validation" in result.stderr
    assert "weights of step 2, no validation" in result.stderr
