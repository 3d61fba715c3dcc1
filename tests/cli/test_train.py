"""sketch-train as a command: a table of what it refuses, what it leaves behind, and a kill in the middle."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm")
pytest.importorskip("tensorboard")
pytest.importorskip("matplotlib")

from sketch_edge.cli.train import _memory_told, main  # noqa: E402
from sketch_edge.runtime.errors import UnfinishedError  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402

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
    """Run the command for two steps, where a test says nothing else: what is not refused must not train for hours."""
    words = [str(arg) for arg in args]
    few = [] if {"--steps", "--resume", "--settings"} & set(words) else ["--steps", "2"]
    return CliRunner().invoke(main, [*few, *words])


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
        (["--set", "latent=-1"], "from 0 to"),
        (["--set", "latent=2.5"], "whole number"),
        (["--set", "learning_rate=nan"], "from 0 to"),
        (["--set", "optimizer=sgd"], "choose one of adam"),
        (["--preset", "magic"], "choose one of vae-gmm"),
        (["--steps", "0"], "--steps"),
        (["--threads", "0"], "--threads"),
        (["--device", "tpu"], "--device"),
        (["--resume"], "model.pt: does not exist, so there is nothing to go on from"),
        (["--resume", "--overwrite"], "choose one of them"),
        (["--resume", "--preset", "magic"], "choose one of vae-gmm"),
        (["--set", "encoder_hidden=4096", "--set", "decoder_hidden=2048"], "make decoder_hidden"),
        (["--out", "{data}", "--overwrite"], "is the data set itself"),
        (["--out", "model.log"], "is where the log folder would be"),
        (["--out", "\x1b[2J/model.pt"], "\\x1b[2J does not exist"),
        (["--out", "no/such/folder/model.pt"], "does not exist"),
        (["--out", "."], "is a folder"),
    ],
)
def test_bad_options_are_refused_in_one_line(data, tmp_path, monkeypatch, args, what):
    """Each gives one error line that says what to do, exit code 2, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    before = data.read_bytes()
    _check_refused(_run(data, *(arg.format(data=data) for arg in args)), what)
    assert list(tmp_path.iterdir()) == []
    assert data.read_bytes() == before


def _check_refused(result, what):
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("error: ")
    assert what in result.stderr


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_log_folder_that_cannot_be_is_refused_before_training(data, tmp_path, kind):
    """What stands at model.log is a file, or a link to nothing."""
    log = tmp_path / "model.log"
    if kind == "file":
        log.write_text("notes")
    else:
        log.symlink_to(tmp_path / "nothing")
    _check_refused(_run(data, "--out", tmp_path / "model.pt", *SMALL), f"{log}: is no folder")
    assert not (tmp_path / "model.pt").exists()
    assert kind == "link" or log.read_text() == "notes"


def test_a_missing_package_is_missed_before_training(data, tmp_path, monkeypatch):
    """Not at the first validation, after an hour."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = _run(data, "--out", tmp_path / "model.pt", "--steps", 1, *SMALL)
    assert result.exit_code == 1
    assert result.stderr == "error: sketch-train: needs matplotlib; pip install 'sketch-edge[train]'\n"
    assert list(tmp_path.iterdir()) == []


def test_without_data_only_settings_are_shown():
    """DATA.NPZ is asked for where it is needed."""
    assert _run("--settings").exit_code == 0
    _check_refused(_run(), "DATA.NPZ: missing")


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


@pytest.fixture(scope="module")
def trained(shapes_file, tmp_path_factory):
    """A checkpoint of two steps, and its log."""
    out = tmp_path_factory.mktemp("trained") / "model.pt"
    result = _run(shapes_file, "--out", out, "--steps", 2, "--set", "sheet_every=0", "--quiet", *SMALL)
    assert result.exit_code == 0, result.output
    return out


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["--set", "latent=9"], "--set latent=9: cannot change in a training under way (it has 4)"),
        (["--set", "optimizer=adamw"], "--set optimizer=adamw: cannot change"),
        (["--set", "latnt=9"], "no such setting"),
    ],
)
def test_changes_that_a_training_cannot_take_are_refused(data, trained, args, what):
    """The checkpoint stays as it was."""
    before = trained.read_bytes()
    _check_refused(_run(data, "--out", trained, "--resume", *args), what)
    assert trained.read_bytes() == before


def test_resume_keeps_the_settings_of_before_and_takes_new_ones(data, trained, tmp_path):
    """What is not named stays; steps and rates may change; a finished training says that it is."""
    out = shutil.copy(trained, tmp_path / "model.pt")
    stale = tmp_path / f".model.pt.{'0' * 16}.sketch-tmp"
    stale.write_bytes(b"what a killed writer left")
    result = _run(data, "--out", out, "--resume", "--quiet")
    assert result.exit_code == 0
    assert "all 2 steps are done already; give more --steps" in result.stderr
    assert not stale.exists()
    result = _run(data, "--out", out, "--resume", "--quiet", "--steps", 3, "--set", "learning_rate=0.01")
    assert result.exit_code == 0, result.output
    before, after = load_checkpoint(trained), load_checkpoint(out)
    assert after.resume["state"]["step"] == 3
    assert after.config == before.config.replace({"steps": 3, "learning_rate": 0.01})


def test_another_thread_count_is_said_on_resume(data, trained, tmp_path):
    """The bits will differ, and the user knows."""
    out = tmp_path / "model.pt"
    found = load_checkpoint(trained)
    save_checkpoint(out, dataclasses.replace(found, resume={**found.resume, "threads": 64}))
    result = _run(data, "--out", out, "--resume", "--quiet", "--steps", 3)
    assert result.exit_code == 0
    assert "note: other threads than before" in result.stderr


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda content: content[:-1], "(or was cut short)"),
        (lambda content: content[:99] + b"?" + content[100:], "is damaged"),
        (lambda content: b"", "is empty"),
    ],
)
def test_a_damaged_checkpoint_is_refused_on_resume(data, trained, tmp_path, change, what):
    """In one line, and left as it is."""
    out = tmp_path / "model.pt"
    out.write_bytes(change(trained.read_bytes()))
    before = out.read_bytes()
    _check_refused(_run(data, "--out", out, "--resume"), what)
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_memory_that_torch_does_not_get_is_told_as_such():
    """No fault of the program, and what to lower; other errors pass."""
    with (
        pytest.raises(UnfinishedError, match=r"m\.pt: not enough memory .* lower --set batch"),
        _memory_told(Path("m.pt")),
    ):
        torch.empty(10**14)
    with pytest.raises(RuntimeError, match="size of tensor"), _memory_told(Path("m.pt")):
        torch.ones(2) + torch.ones(3)


ENDLESS = ["--steps", "1000000", "--set", "schedule=constant", "--set", "sheet_every=0", "--threads", "1", "--quiet"]


def _start(data, out, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "sketch_edge.cli.train", str(data), "--out", str(out), *SMALL, *ENDLESS, *more],
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    )


def _wait_for(path, process):
    for _ in range(1200):
        if path.exists() or process.poll() is not None:
            return
        time.sleep(0.05)
    process.kill()
    raise AssertionError("no checkpoint after a minute")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_training_resumes_to_the_same_weights(data, tmp_path, number, code):
    """SIGTERM or Ctrl-C in the middle, then --resume: the end is bit for bit that of a straight run.

    For kill -9, again and again, see tests/fuzz/test_kills.py.
    """
    straight, cut = tmp_path / "straight.pt", tmp_path / "cut.pt"
    process = _start(data, cut)
    _wait_for(cut, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "go on with --resume" in errors
    steps = load_checkpoint(cut).resume["state"]["step"] + 7
    for path, more in ((straight, SMALL), (cut, ["--resume"])):
        done = _run(data, "--out", path, *more, *ENDLESS, "--steps", steps)
        assert done.exit_code == 0, done.output
    one, other = load_checkpoint(straight), load_checkpoint(cut)
    for part in ("model", "running"):
        assert all(torch.equal(one.resume[part][name], other.resume[part][name]) for name in one.resume[part])
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)
    assert one.about == other.about
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.log", "cut.pt", "straight.log", "straight.pt"]


def test_more_processes_than_gpus_are_refused(data, tmp_path, monkeypatch):
    """Each needs one of its own."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "2")
    _check_refused(_run(data, "--out", tmp_path / "m.pt"), "--device auto: 2 CUDA devices are too few for process 2")


def test_a_batch_systems_variables_do_not_make_several_processes(data, tmp_path, monkeypatch):
    """WORLD_SIZE without torchrun is another program's."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = _run(data, "--out", tmp_path / "m.pt", "--steps", 1, "--quiet", "--set", "sheet_every=0", *SMALL)
    assert result.exit_code == 0, result.output
    assert load_checkpoint(tmp_path / "m.pt").resume["processes"] == 1
