"""sketch-train under torchrun: two processes train what one trains, are killed, stopped, and go on."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
for package in ("tqdm", "tensorboard", "matplotlib"):
    pytest.importorskip(package)
if not sys.platform.startswith("linux"):
    pytest.skip("the processes are found in /proc", allow_module_level=True)

from sketch_edge.cli.train import main  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint  # noqa: E402
from tests.train.torchrun import PATIENCE_S, Two  # noqa: E402

STEPS = 40
SETTINGS = {
    "encoder_hidden": 8,
    "decoder_hidden": 16,
    "latent": 4,
    "class_embedding": 4,
    "mixtures": 3,
    "batch": 16,
    "warmup": 1,
    "schedule": "constant",
    "kl_min": 0.001,
    "valid_every": 10,
    "save_every": 2,
    "sheet_every": 0,
    "precision": "fp32",
}


def _arguments(data, out, *more, steps=STEPS, **changes):
    settings = (f"--set={name}={value}" for name, value in {**SETTINGS, **changes}.items())
    plain = ("--out", str(out), "--steps", str(steps), "--threads", "1", "--device", "cpu", "--quiet")
    return [str(data), *plain, *settings, *more]


def _two(data, out, *more, **changes):
    return Two("sketch_edge.cli.train", *_arguments(data, out, *more, **changes))


def _one(data, out, *more, **changes):
    result = CliRunner().invoke(main, _arguments(data, out, *more, **changes))
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def data(shapes, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data.npz"
    shapes.save(path)
    return path


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    """What two processes made without a stop, and said."""
    out = tmp_path_factory.mktemp("straight") / "model.pt"
    with _two(data, out) as two:
        assert two.end() == 0, two.errors
    return out, two.errors


def _weights(path):
    """All weights of a checkpoint: as the optimiser left them, their running mean, and those for export."""
    found = load_checkpoint(path)
    parts = {"model": found.resume["model"], "running": found.resume["running"], "weights": found.weights}
    return {(part, name): tensor for part, tensors in parts.items() for name, tensor in tensors.items()}


def _apart(one, other):
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def _history(path):
    return load_checkpoint(path).resume["state"]["history"]


def test_two_processes_train_what_one_trains(data, straight, tmp_path):
    """Losses of training and validation, and the weights after 40 steps, within 1e-5."""
    one, two = tmp_path / "one.pt", straight[0]
    _one(data, one)
    ours, theirs = _history(one), _history(two)
    assert len(ours) == len(theirs) == 4
    for one_entry, two_entry in zip(ours, theirs, strict=True):
        assert one_entry == pytest.approx(two_entry, abs=1e-5, rel=0)
    assert _apart(_weights(one), _weights(two)) < 1e-5


def test_one_process_writes_and_speaks(straight):
    """Not two that write over each other."""
    out, errors = straight
    assert errors.count("then: sketch-export") == 1
    assert load_checkpoint(out).resume["processes"] == 2
    assert {path.name for path in out.parent.iterdir()} == {"model.pt", "model.log"}
    assert sum(path.name.startswith("events.") for path in (out.parent / "model.log").iterdir()) == 1


def test_killed_processes_go_on_to_the_same_bits(data, straight, tmp_path):
    """kill -9 of both in the middle, then --resume: the end is bit for bit that of the straight two-process run."""
    out = tmp_path / "model.pt"
    with _two(data, out) as two:
        two.wait_for(out)
        for pid in (*two.workers().values(), two.pid):
            os.kill(pid, signal.SIGKILL)
        assert two.end() == -signal.SIGKILL
    assert 0 < load_checkpoint(out).resume["state"]["step"] < STEPS
    with _two(data, out, "--resume") as two:
        assert two.end() == 0, two.errors
    one, other = _weights(straight[0]), _weights(out)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert load_checkpoint(straight[0]).about == load_checkpoint(out).about
    assert _history(straight[0]) == _history(out)


def test_one_process_goes_on_with_what_two_began(data, straight, tmp_path):
    """With the notice that the bits will differ, and to where one process alone would have come."""
    out, alone = tmp_path / "model.pt", tmp_path / "alone.pt"
    out.write_bytes(straight[0].read_bytes())
    result = _one(data, out, "--resume", steps=STEPS + 3)
    assert "note: other processes than before" in result.stderr
    _one(data, alone, steps=STEPS + 3)
    assert _history(out)[-1] == pytest.approx(_history(alone)[-1], abs=1e-4)
    assert _apart(_weights(out), _weights(alone)) < 1e-4


def test_sigterm_to_torchrun_stops_both_and_saves_once(data, tmp_path):
    """The first process says so and where to go on; nothing else had saved before."""
    out = tmp_path / "model.pt"
    with _two(data, out, steps=5000, save_every=10**6, valid_every=4) as two:
        two.wait_for(tmp_path / "model.log" / "loss.png")
        os.kill(two.pid, signal.SIGTERM)
        assert two.end() == 1  # torchrun's own: it was told to stop, and says so
    said = re.findall(r"^stopped at step (\d+); .*model\.pt is saved, go on with --resume$", two.errors, re.MULTILINE)
    assert [int(step) for step in said] == [load_checkpoint(out).resume["state"]["step"]]
    assert "error:" not in two.errors


def test_a_signal_to_one_process_ends_both_with_its_code(data, tmp_path):
    """Ctrl-C to the second alone: both end with 130, twice told or once. Without torchrun, which hides their codes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    common = {"TORCHELASTIC_RUN_ID": "test", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    common |= {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, "-m", "sketch_edge.cli.train", *_arguments(data, tmp_path / "model.pt", steps=5000)]
    with contextlib.ExitStack() as stack:
        both = []
        for rank in ("0", "1"):
            environment = {**os.environ, **common, "RANK": rank, "LOCAL_RANK": rank}
            process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
            both.append(stack.enter_context(process))
            stack.callback(process.kill)  # before the wait of the context
        while not (tmp_path / "model.pt").exists():
            assert both[0].poll() is None, both[0].communicate()
            time.sleep(0.005)
        both[1].send_signal(signal.SIGINT)
        both[1].send_signal(signal.SIGINT)
        said = [process.communicate(timeout=PATIENCE_S)[1] for process in both]
    assert [process.returncode for process in both] == [130, 130], said
    assert "is saved, go on with --resume" in said[0]
    assert said[1] == ""


def test_a_process_that_dies_ends_the_others(data, tmp_path):
    """With one line that says so instead of a wait, and the last save stays."""
    out = tmp_path / "model.pt"
    with _two(data, out, steps=5000) as two:
        two.wait_for(out)
        os.kill(two.workers()[1], signal.SIGKILL)
        assert two.end() == 1
    said = [line for line in two.errors.splitlines() if line.startswith("error:")]
    assert len(said) == 1, two.errors
    assert said[0].startswith("error: process 0 of 2: another process is gone or does not answer")
    assert "--resume" in said[0]
    load_checkpoint(out)
