"""A training killed at random moments, and a fault at every call of a save: python -m tests.fuzz.kills [--kills 200]

Kills: a small training that saves at every step is started, killed with SIGKILL at a random moment of its processor
time (while it reads, learns or saves), its checkpoint loaded, and gone on with, again and again; in the end its weights
must be bit for bit those of a training that nobody killed.

Faults: one save of a training, run once for each of its calls to the system (open, link, write, fsync, rename) and each
way in which that call can go wrong: an error of the device or a full disk; the process killed before it, after it, or,
of a write, in the middle. What is there afterwards must load, as the checkpoint before or the new one.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from sketch_edge.cli.train import main as train
from sketch_edge.runtime.errors import SketchError, UnfinishedError
from sketch_edge.train.checkpoint import Checkpoint, load_checkpoint
from sketch_edge.train.config import Config
from sketch_edge.train.loop import Trainer
from tests.train.conftest import make_shapes

SETTINGS: dict[str, Any] = {
    "encoder_hidden": 8,
    "decoder_hidden": 16,
    "latent": 4,
    "class_embedding": 4,
    "mixtures": 3,
    "batch": 16,
    "warmup": 1,
    "valid_every": 5,
    "save_every": 1,
    "sheet_every": 0,
    "precision": "fp32",
    "schedule": "constant",
}
LONGEST_LIFE = 0.8
"""Processor seconds after which a training is killed at the latest."""


def same(one: object, other: object) -> bool:
    """Whether nests of dictionaries, lists, tensors and plain values are equal to the last bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def same_end(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether two trainings ended alike: weights, optimiser, counters, history, and what is told of them."""
    return same(one.weights, other.weights) and same(one.resume, other.resume) and one.about == other.about


def in_child(work: Callable[[], object]) -> int:
    """Start `work` in a process of its own, with everything imported already; gives its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    ending = 1
    try:
        work()
        ending = 0
    except SystemExit as error:
        ending = error.code if isinstance(error.code, int) else 1
    finally:
        os._exit(ending)


def ended(child: int) -> int:
    """Wait for a process; gives its exit code, below 0 for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def command(data: Path, out: Path, steps: int, *more: str) -> Callable[[], object]:
    """The training as its command."""
    settings = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    arguments = [str(data), "--out", str(out), "--steps", str(steps), "--threads", "1", "--device", "cpu", "--quiet"]
    return lambda: train([*arguments, *settings, *more])


def quiet(work: Callable[[], object]) -> Callable[[], object]:
    """The same without a word; for a process of its own."""

    def run() -> None:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        work()

    return run


def processor_time(process: int) -> float:
    """Seconds that another process has had, as far as the system's clock ticks tell."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kill_loop(folder: Path, kills: int, seed: int = 1) -> tuple[int, int, bool]:
    """Kill a training in an empty folder `kills` times.

    Gives how often it loaded, steps in all, and whether it ends as a straight run and leaves nothing else.
    """
    for name in ("tqdm", "matplotlib.figure", "torch.utils.tensorboard", "sketch_edge.train.watch"):
        importlib.import_module(name)  # else every child would import them
    rng, data = random.Random(seed), folder / "data.npz"
    make_shapes().save(data)
    cut, straight = folder / "cut.pt", folder / "straight.pt"
    loaded = 0
    for number in range(kills):
        more = ["--resume"] if number else []
        child, life = in_child(quiet(command(data, cut, 10**7, *more))), rng.uniform(0, LONGEST_LIFE)
        while processor_time(child) < life or not cut.exists():
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.02))  # between two ticks
        os.kill(child, signal.SIGKILL)
        assert ended(child) == -signal.SIGKILL
        with contextlib.suppress(SketchError):
            load_checkpoint(cut)
            loaded += 1
    steps = int(load_checkpoint(cut).resume["state"]["step"]) + 7
    assert ended(in_child(command(data, cut, steps, "--resume"))) == 0
    assert ended(in_child(command(data, straight, steps, "--set=save_every=100000"))) == 0
    one, other = load_checkpoint(cut), load_checkpoint(straight)
    left = {path.name for path in folder.iterdir()} - {"data.npz", "cut.pt", "cut.log", "straight.pt", "straight.log"}
    return loaded, steps, same_end(one, other) and not left


class Faulty:
    """The system's calls that a save makes, each counted, of which one goes wrong."""

    def __init__(self, at: int = -1, how: str = "", folder: Path | None = None) -> None:
        self.at, self.how, self.folder = at, how, folder
        self.calls: list[str] = []

    @contextlib.contextmanager
    def injected(self) -> Iterator[None]:
        """Stand between the writers and the system."""
        saved = (os.open, os.fsync, os.link, os.fdopen, Path.replace)
        open_, fsync, link, fdopen, replace = saved
        outer = self

        class File:
            def __init__(self, file: Any) -> None:
                self.file = file

            def __enter__(self) -> File:
                return self

            def __exit__(self, *_: object) -> None:
                self.file.close()

            def write(self, data: bytes) -> None:
                outer.call("write", lambda: self.half(data, len(data)), lambda: self.half(data, len(data) // 2))

            def half(self, data: bytes, most: int) -> None:
                self.file.write(data[:most])
                self.file.flush()

            def flush(self) -> None:
                self.file.flush()

        def opened(path: Any, flags: int, *more: Any, **named: Any) -> int:
            own = outer.folder is not None and str(path).startswith(str(outer.folder))
            run = lambda: open_(path, flags, *more, **named)  # noqa: E731
            return int(outer.call("open", run) if own else run())

        os.open = opened
        os.fsync = lambda descriptor: self.call("fsync", lambda: fsync(descriptor))  # type: ignore[assignment]
        os.link = lambda *names: self.call("link", lambda: link(*names))  # type: ignore[assignment]
        os.fdopen = lambda *how: File(fdopen(*how)) if how[1:2] == ("wb",) else fdopen(*how)  # type: ignore[assignment]
        Path.replace = lambda path, target: self.call("rename", lambda: replace(path, target))  # type: ignore
        try:
            yield
        finally:
            os.open, os.fsync, os.link, os.fdopen, Path.replace = saved  # type: ignore[method-assign]

    def call(self, name: str, run: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        """Make a call, or let it go wrong."""
        number = len(self.calls)
        self.calls.append(name)
        if number != self.at:
            return run()
        if self.how in ("EIO", "ENOSPC"):
            if half is not None:
                half()
            raise OSError(getattr(errno, self.how), os.strerror(getattr(errno, self.how)))
        if self.how == "killed in the middle" and half is not None:
            half()
        if self.how == "killed after":
            run()
        os.kill(os.getpid(), signal.SIGKILL)
        return None


WAYS = ("EIO", "ENOSPC", "killed before", "killed in the middle", "killed after")


def fault_matrix(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Let each call of a save go wrong in each way; yields the call, the way, and what is wrong then (or nothing)."""
    out = folder / "model.pt"
    (folder / "model.log").mkdir()
    trainer = Trainer(make_shapes(), Config().replace(SETTINGS | {"steps": 8}), out, torch.device("cpu"))
    trainer.run(lambda: trainer.state.step == 2)  # two saves: there is one before the newest
    counting = Faulty(folder=folder)
    with counting.injected():
        trainer.save()
    calls = counting.calls
    for number, name in enumerate(calls):
        for how in WAYS:
            if how == "killed in the middle" and name != "write":
                continue
            faulty, before = Faulty(number, how, folder), out.read_bytes()

            def work(faulty: Faulty = faulty) -> None:
                with faulty.injected():
                    trainer.save()

            code = ended(in_child(lambda work=work: _as_exit_code(work)))  # type: ignore[misc]
            yield name, how, _wrong_after(out, before, code, how)


def _as_exit_code(work: Callable[[], None]) -> None:
    try:
        work()
    except UnfinishedError as error:
        sys.exit(error.exit_code)


def _wrong_after(out: Path, before: bytes, code: int, how: str) -> str:
    expected = (-signal.SIGKILL,) if how.startswith("killed") else (0, 1)  # 0: of what a save can do without
    try:
        load_checkpoint(out)
    except SketchError as error:
        return f"no loadable checkpoint: {error}"
    if code not in expected:
        return f"ended with {code}"
    if code == 1 and out.read_bytes() != before:
        return "said that it failed, and changed the file"
    if not how.startswith("killed") and any(".sketch-tmp" in path.name for path in out.parent.rglob("*")):
        return "left a temporary file"
    for stale in out.parent.rglob("*.sketch-tmp"):
        stale.unlink()
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Print both figures; ends with 1 if a checkpoint was lost."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sketch-kills-") as name:
        faults, killed = Path(name) / "faults", Path(name) / "kills"
        faults.mkdir()
        killed.mkdir()
        rows = list(fault_matrix(faults))
        wrong = [row for row in rows if row[2]]
        calls = {call: sum(1 for row in rows if row[0] == call) for call in dict.fromkeys(row[0] for row in rows)}
        print(f"{len(rows)} faults of one save ({', '.join(f'{n} at {call}' for call, n in calls.items())}):", end=" ")
        print(f"{len(rows) - len(wrong)} left a loadable checkpoint", flush=True)
        loaded, steps, alike = kill_loop(killed, given.kills, given.seed)
    end = "is" if alike else "is NOT"
    print(f"{given.kills} kills, {loaded} loadable; {steps} steps, the end {end} that of a straight run")
    print(f"{time.monotonic() - began:.0f} s")
    print("\n".join(map(str, wrong)))
    return bool(wrong) or loaded < given.kills or not alike


if __name__ == "__main__":
    sys.exit(main())
