"""sketch-train where something went wrong before: a damaged checkpoint, and a training that is still under way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm")
pytest.importorskip("tensorboard")
pytest.importorskip("matplotlib")

from sketch_edge.cli.train import main  # noqa: E402
from sketch_edge.runtime.errors import InputError  # noqa: E402
from sketch_edge.train.alone import only_training  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint  # noqa: E402
from tests.fuzz.kills import SETTINGS, same_end  # noqa: E402
from tests.train.conftest import make_shapes  # noqa: E402

QUIET = ["--quiet", "--threads", "1", *(f"--set={name}={value}" for name, value in SETTINGS.items())]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data.npz"
    make_shapes().save(path)
    return path


def run(data, out, steps, *more):
    return CliRunner().invoke(main, [str(data), "--out", str(out), "--steps", str(steps), *QUIET, *more])


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (
            lambda content: content[: len(content) // 2],
            "is a torch file, but not one of sketch-train (or was cut short)",
        ),
        (lambda content: content[:4096] + bytes(4096) + content[8192:], "is damaged (its sha256 does not match)"),
        (lambda content: b"", "is empty"),
        (lambda content: bytes(len(content)), "is no checkpoint (or was cut short)"),
    ],
    ids=["cut", "zeroed page", "empty", "zeroed"],
)
def test_after_damage_the_one_before_is_gone_on_with(data, tmp_path, damage, what):
    """One warning, which tells what was wrong; the end is that of a training without damage; the damaged is kept."""
    out, straight = tmp_path / "m.pt", tmp_path / "straight.pt"
    assert run(data, straight, 5, "--set=valid_every=5").exit_code == 0
    assert run(data, out, 4, "--set=valid_every=100", "--set=keep=last").exit_code == 0
    assert load_checkpoint(tmp_path / "m.log" / "previous.pt").resume["state"]["step"] == 3
    out.write_bytes(damage(out.read_bytes()))
    damaged = out.read_bytes()
    result = run(data, out, 5, "--resume", "--set=valid_every=5", "--set=keep=best")
    assert result.exit_code == 0, result.output
    (warning,) = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert warning == f"warning: {out}: {what}; goes on from the one before, {tmp_path}/m.log/previous.pt of step 3"
    assert same_end(load_checkpoint(out), load_checkpoint(straight))
    assert (tmp_path / "m.log" / "damaged.pt").read_bytes() == damaged
    assert load_checkpoint(tmp_path / "m.log" / "previous.pt").resume["state"]["step"] == 4


def test_where_the_one_before_is_no_better_the_newest_is_refused(data, tmp_path):
    """With the sentence about the file that was named; both are left as they are."""
    out = tmp_path / "m.pt"
    assert run(data, out, 2).exit_code == 0
    for path in (out, tmp_path / "m.log" / "previous.pt"):
        path.write_bytes(b"x")
    result = run(data, out, 3, "--resume")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith(f"error: {out}: is no checkpoint")
    assert (out.read_bytes(), (tmp_path / "m.log" / "previous.pt").read_bytes()) == (b"x", b"x")


def test_a_new_training_forgets_the_one_before(data, tmp_path):
    """Else, after damage, it would be gone on with as another training's."""
    out = tmp_path / "m.pt"
    assert run(data, out, 2).exit_code == 0
    assert (tmp_path / "m.log" / "previous.pt").exists()
    assert run(data, out, 1, "--overwrite").exit_code == 0
    assert not (tmp_path / "m.log" / "previous.pt").exists()


HOLDER = """
import sys
from pathlib import Path
from sketch_edge.train.alone import only_training
with only_training(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_training_of_one_checkpoint_is_refused(data, tmp_path):
    """With one line that names the process; nothing is changed, and when the first was killed the next one runs."""
    out = tmp_path / "m.pt"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, out], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    result = run(data, out, 1)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"{out}: another training is writing it, process {holder.pid}; wait" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".m.pt.lock"]
    holder.kill()
    holder.communicate()
    assert run(data, out, 1).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.log", "m.pt"]


def test_trainings_of_different_checkpoints_do_not_mind_each_other(tmp_path):
    """The lock is a checkpoint's, not a folder's; it is gone in the end, whatever the end."""
    with only_training(tmp_path / "a.pt"), only_training(tmp_path / "b.pt"):
        assert len(list(tmp_path.iterdir())) == 2
        with pytest.raises(InputError, match=rf"a\.pt: another training is writing it, process {os.getpid()}"):
            only_training(tmp_path / "a.pt").__enter__()
    assert list(Path(tmp_path).iterdir()) == []
