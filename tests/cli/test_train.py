"""sketch-train as a command: a table of what it refuses, what it leaves behind, and a kill in the middle."""

import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm")
pytest.importorskip("tensorboard")
pytest.importorskip("matplotlib")

from sketch_edge.cli.train import main  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint  # noqa: E402

SMALL = [
    f"--set={setting}"
    for setting in (
        "encoder_hidden=8",
        "decoder_hidden=16",
        "latent=4",
        "class_embedding=4",
        "mixtures=3",
        "batch=16",
        "warmup=1",
        "valid_every=4",
        "save_every=2",
        "precision=fp32",
    )
]


@pytest.fixture
def data(shapes_file, tmp_path):
    return shapes_file


@pytest.fixture(scope="session")
def shapes_file(tmp_path_factory):
    """data.npz of two easy shapes."""
    import numpy as np

    from sketch_edge.runtime.strokes import lines_to_stroke3
    from sketch_edge.train.dataset import DataSet

    rng = np.random.default_rng(0)
    pieces = []
    for _ in range(60):
        side = int(rng.integers(100, 255))
        pieces.append(lines_to_stroke3([np.array([[0, 0], [side, 0], [side, side], [0, side], [0, 0]])]))
        pieces.append(lines_to_stroke3([np.array([[0, 0], [side, side]]), np.array([[side, 0], [0, side]])]))
    ids = np.arange(len(pieces))
    path = tmp_path_factory.mktemp("data") / "data.npz"
    DataSet(
        points=np.concatenate(pieces).astype(np.int16),
        offsets=np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]),
        class_ids=(ids % 2).astype(np.int32),
        split_ids=np.where(ids % 10 < 8, 0, ids % 10 - 7).astype(np.uint8),
        synthetic=np.zeros(len(ids), bool),
        class_names=("square", "cross"),
    ).save(path)
    return path


def _run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def test_training_leaves_checkpoint_plot_log_and_sheet(data, tmp_path):
    """One short training gives everything a user looks at."""
    out = tmp_path / "model.pt"
    result = _run(data, "--out", out, "--steps", 8, "--set", "sheet_every=4", "--threads", 1, *SMALL)
    assert result.exit_code == 0, result.output
    assert load_checkpoint(out).about.classes == ("square", "cross")
    log = tmp_path / "model.log"
    assert {"loss.png", "sheet-000004.png", "sheet-000008.png"} <= {path.name for path in log.iterdir()}
    assert any(path.name.startswith("events.") for path in log.iterdir())
    assert "validation L_R" in result.stderr


def test_existing_checkpoint_is_not_overwritten_by_accident(data, tmp_path):
    """A training that took a night is not lost to a repeated command."""
    out = tmp_path / "model.pt"
    out.write_bytes(b"precious")
    result = _run(data, "--out", out, "--steps", 1, *SMALL)
    assert result.exit_code == 2
    assert "--resume" in result.stderr
    assert out.read_bytes() == b"precious"


def test_settings_are_listed_with_their_meaning(data):
    """--settings prints every key, its value and what it does."""
    result = _run(data, "--settings", "--set", "latent=7")
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert lines["latent"].split()[1] == "7"
    assert all(len(line.split()) > 3 for line in lines.values())


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["--set", "latent"], "KEY=VALUE"),
        (["--set", "latnt=3"], "no such setting"),
        (["--set", "latent=0"], "from 1 to"),
        (["--set", "latent=2.5"], "whole number"),
        (["--set", "learning_rate=nan"], "from 0 to"),
        (["--set", "optimizer=sgd"], "choose one of adam"),
        (["--preset", "magic"], "choose one of vae-gmm"),
        (["--steps", "0"], "--steps"),
        (["--threads", "0"], "--threads"),
        (["--device", "tpu"], "--device"),
        (["--resume"], "cannot be read"),
        (["--out", "no/such/folder/model.pt"], "does not exist"),
        (["--out", "."], "is a folder"),
    ],
)
def test_bad_options_are_refused_in_one_line(data, tmp_path, monkeypatch, args, what):
    """Each gives one error line that says what to do, exit code 2, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    result = _run(data, *args)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    assert what in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 not really", b"{}"])
def test_bad_data_is_refused_in_one_line(tmp_path, monkeypatch, content):
    """A missing or foreign data set is an error with advice."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data.npz"
    if content is not None:
        path.write_bytes(content)
    result = _run(path, "--out", tmp_path / "m.pt")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {path}: ")
    assert "sketch-data prepare" in result.stderr
    assert not (tmp_path / "m.pt").exists()


def _start(data, out, *more):
    command = [sys.executable, "-m", "sketch_edge.cli.train", str(data), "--out", str(out), "--threads", "1"]
    return subprocess.Popen(
        [*command, "--steps", "60", "--set", "sheet_every=0", "--quiet", *SMALL, *more],
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    )


def _wait_for(path, process):
    for _ in range(1200):
        if path.exists() or process.poll() is not None:
            return
        time.sleep(0.05)
    raise AssertionError("no checkpoint after a minute")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_killed_training_resumes_to_the_same_weights(data, tmp_path, number, code):
    """kill -9, SIGTERM or Ctrl-C in the middle, then --resume: the end is bit for bit that of a straight run."""
    straight, cut = tmp_path / "straight.pt", tmp_path / "cut.pt"
    process = _start(data, cut)
    _wait_for(cut, process)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode in (code, 0)  # 0: it was done before the signal came
    assert load_checkpoint(cut).resume["state"]["step"] <= 60
    for path, more in ((straight, ()), (cut, ("--resume",))):
        again = _start(data, path, *more)
        _, errors = again.communicate(timeout=120)
        assert again.returncode == 0, errors
    one, other = load_checkpoint(straight), load_checkpoint(cut)
    for part in ("model", "running"):
        assert all(torch.equal(one.resume[part][name], other.resume[part][name]) for name in one.resume[part])
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_two_processes_train_one_model(data, tmp_path):
    """torchrun's two processes end with one checkpoint, written by the first."""
    out = tmp_path / "model.pt"
    command = [
        sys.executable,
        *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "sketch_edge.cli.train", str(data), "--out", str(out), "--steps", "4", "--quiet", "--threads", "1"),
        *("--device", "cpu", "--set", "sheet_every=0", *SMALL),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = load_checkpoint(out)
    assert found.resume["processes"] == 2
    assert found.about.step == 4
