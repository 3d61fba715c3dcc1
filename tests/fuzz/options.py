"""Every option of every command with values outside its range, as commands of their own under the limits of contract C.

    python -m tests.fuzz.options [--every 10]

Each is run in a new process that may take ten seconds of processor time and a gigabyte of memory, which the system
enforces, in a folder of old files. Wanted: exit 2, one line, no output, the folder as it was. The options come from
click's own account of them, and so do those that will be added. --every tries a part of them. Ends with 1 if one fails.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from sketch_edge.cli import data, draw, evaluate, export, train
from sketch_edge.train.config import Config

CPU_SECONDS = 10
MEMORY = 1 << 30
OLD_FILES = ("DATA", "MODEL", "OUT.svg", "OUT.npz", "OUT.pt", "OUT.sketch.zip")

FOREIGN = ("", " ", "\x1b[2J\n", "nan", "inf", "-inf", "1e999", "0x10", "1.5.2", "a" * 3000)
SENTINEL = b"an old file"


def commands() -> Iterator[tuple[str, click.Command, list[str]]]:
    """Name, command, and the arguments that make it go where its options are right."""
    yield "draw", draw.main, ["--class", "star", "--out", "OUT.svg"]
    yield "export", export.main, ["MODEL", "--out", "OUT.sketch.zip"]
    yield "train", train.main, ["DATA", "--out", "OUT.pt"]
    yield "evaluate", evaluate.main, ["MODEL", "DATA", "--out", "OUT"]
    group = data.main
    assert isinstance(group, click.Group)
    starts = {
        "fetch": ["fetch", "star", "--out", "OUT"],
        "prepare": ["prepare", "DATA", "--out", "OUT.npz"],
        "sample": ["sample", "DATA", "--out", "OUT.svg"],
        "check": ["check", "DATA"],
    }
    assert set(group.commands) == set(starts)
    for name, start in starts.items():
        yield f"data-{name}", group.commands[name], start


@dataclass(frozen=True)
class Case:
    """An option with a value that has to be refused, or at least understood."""

    name: str
    command: click.Command
    module: str
    arguments: tuple[str, ...]
    option: str

    def __str__(self) -> str:
        return f"{self.name} {' '.join(self.arguments[-1:])[:40]!a}"


def case_of(name: str, command: click.Command, start: list[str], option: click.Option, value: str) -> Case:
    """The command line; "name=value" keeps what starts with a dash from being taken for an option."""
    group = data.main if name.startswith("data-") else command
    long = max(option.opts, key=len)
    rest = [value] * (option.nargs - 1)
    return Case(name, group, name.split("-")[0], (*start, f"{long}={value}", *rest), long)


def numbers() -> list[tuple[str, click.Option]]:
    """Every option that takes a number, the hidden ones too, with the name of its command."""
    kinds = click.types.IntParamType | click.types.FloatParamType
    return [
        (name, option)
        for name, command, _ in commands()
        for option in command.params
        if isinstance(option, click.Option) and isinstance(option.type, kinds) and not option.is_flag
    ]


def outside_cases() -> list[Case]:
    """Every option of a number or a choice with values that it must refuse, and every setting of --set."""
    found = [
        case_of(name, command, start, option, value)
        for name, command, start in commands()
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag
        for value in outside(option.type)
    ]
    start = ["DATA", "--out", "OUT.pt"]
    for setting, (low, high) in Config.RANGES.items():
        for number in (low - 1, high + max(1, abs(high) * 1e-6), "nan", "", "x"):
            value = f"--set={setting}={number}"
            found.append(Case("train", train.main, "train", (*start, value), "--set"))
    return found


def outside(kind: click.ParamType) -> list[str]:  # type: ignore[type-arg]
    """Values that an option of this type must refuse."""
    if isinstance(kind, click.IntRange | click.FloatRange):
        step = 1 if isinstance(kind, click.IntRange) else 1e-6
        bounds = [(kind.min, -step, kind.min_open), (kind.max, step, kind.max_open)]
        edge = [repr(bound if is_open else bound + away) for bound, away, is_open in bounds if bound is not None]
        far = [repr(bound + away * 10**30) for bound, away, _ in bounds if bound is not None]
        return [*edge, *(far if isinstance(kind, click.IntRange) else []), *FOREIGN]
    if isinstance(kind, click.Choice):
        return ["", " ", "no such choice", "\x1b[2J\n", "a" * 3000]
    if kind is click.INT or kind is click.FLOAT or isinstance(kind, click.types.IntParamType):
        return list(FOREIGN)
    return []


def old_files(folder: Path) -> None:
    """Put files there that no refused command may touch."""
    for name in OLD_FILES:
        (folder / name).write_bytes(SENTINEL)


def fault_of_folder(folder: Path) -> str | None:
    """What a refused command did to the folder, or None."""
    if sorted(path.name for path in folder.iterdir()) != sorted(OLD_FILES):
        return "left something behind, or took something away"
    return None if all((folder / name).read_bytes() == SENTINEL for name in OLD_FILES) else "changed an old file"


def limited() -> None:
    """Let this process, which is about to become a command, have what contract C allows."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def run_limited(case: Case) -> tuple[str | None, float, int]:
    """Run one as a command: what is wrong, processor seconds, most bytes of memory."""
    with tempfile.TemporaryDirectory(prefix="sketch-options-") as name:
        folder = Path(name)
        old_files(folder)
        start = f"from sketch_edge.cli.{case.module} import main; main()"
        command = [sys.executable, "-c", start, *case.arguments]
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limited
        )
        assert process.stdout is not None
        assert process.stderr is not None
        errors, output = process.stderr.read(), process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        process.stderr.close()
        seconds, memory = used.ru_utime + used.ru_stime, used.ru_maxrss << 10
        one_line = errors.startswith(b"error: ") and errors.count(b"\n") == 1
        if process.returncode != 2 or not one_line or output:
            return f"exit {process.returncode}, {errors[-300:]!r}, {output[:100]!r}", seconds, memory
        if seconds > CPU_SECONDS or memory > MEMORY:
            return f"took {seconds:.1f} s and {memory >> 20} MiB", seconds, memory
        return fault_of_folder(folder), seconds, memory


def main() -> int:
    """Try all, or every nth."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--every", type=int, default=1)
    chosen = outside_cases()[:: options.parse_args().every]
    wrong, slowest, largest, began = 0, 0.0, 0, time.monotonic()
    for case in chosen:
        fault, seconds, memory = run_limited(case)
        slowest, largest = max(slowest, seconds), max(largest, memory)
        if fault is not None:
            wrong += 1
            print(f"{case}: {fault}", flush=True)
    print(f"{len(chosen)} commands, {len(chosen) - wrong} refused with exit 2 and one line, {wrong} not;", end=" ")
    print(f"at most {slowest:.1f} s of processor time and {largest >> 20} MiB; {time.monotonic() - began:.0f} s in all")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
