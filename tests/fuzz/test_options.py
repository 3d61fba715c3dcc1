"""Every option of every command with values just outside its range: exit 2, one line, before anything is made.

The values come from click's own account of the options.
"""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sketch_edge.cli import data, draw, export, train

evaluate = pytest.importorskip("sketch_edge.cli.evaluate")

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


CASES = [
    pytest.param(command, start, option, value, id=f"{name} {option.opts[0]} {value[:12]!a}")
    for name, command, start in commands()
    for option in command.params
    if isinstance(option, click.Option) and not option.is_flag
    for value in outside(option.type)
]


@pytest.fixture(scope="module")
def runner():
    return CliRunner()


@pytest.mark.parametrize(("command", "start", "option", "value"), CASES)
def test_values_outside_their_range(runner, tmp_path, monkeypatch, command, start, option, value):
    """Exit 2, one line that names the option, nothing written, the old file untouched."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATA", "MODEL", "OUT.svg", "OUT.npz", "OUT.pt", "OUT.sketch.zip"):
        Path(name).write_bytes(SENTINEL)
    before = sorted(tmp_path.rglob("*"))
    name = max(option.opts, key=len)
    # "name=value" keeps what starts with a dash from being taken for an option
    top, arguments = (data.main, start) if start[0] in getattr(data.main, "commands", {}) else (command, start)
    rest = [value] * (option.nargs - 1) if option.nargs > 1 else []
    result = runner.invoke(top, [*arguments, f"{name}={value}", *rest])
    lines = result.stderr.splitlines()
    assert (result.exit_code, len(lines), result.stdout) == (2, 1, ""), result.stderr
    assert lines[0].startswith("error: ")
    assert lines[0].isprintable()
    assert len(lines[0]) < 3000
    assert name.lstrip("-").split("-")[0] in lines[0] or "option" in lines[0]
    assert sorted(tmp_path.rglob("*")) == before
    assert all(path.read_bytes() == SENTINEL for path in before)


TEXTS = [
    pytest.param(command, start, option, value, id=f"{name} {option.opts[0]} {value[:12]!a}")
    for name, command, start in commands()
    for option in command.params
    if isinstance(option, click.Option) and not option.is_flag and not outside(option.type)
    if name != "data-fetch"  # with a folder and an address that will do, it asks the network
    for value in (*FOREIGN, "../..", "/dev/null", "-1", "0x0mm", "1e9mm", ",", "=", ":", "a:b:c:d", "%s", "{}", "0")
]


@pytest.mark.parametrize(("command", "start", "option", "value"), TEXTS)
def test_texts_without_sense(runner, tmp_path, monkeypatch, command, start, option, value):
    """Options that take text: drawn with, or refused with one line; never a fault of the program."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATA", "MODEL"):
        Path(name).write_bytes(SENTINEL)
    top, arguments = (data.main, start) if start[0] in getattr(data.main, "commands", {}) else (command, start)
    name = max(option.opts, key=len)
    result = runner.invoke(top, [*arguments, f"{name}={value}", *[value] * (option.nargs - 1)])
    if result.exit_code:
        lines = result.stderr.splitlines()
        assert (result.exit_code, len(lines)) == (2, 1), result.stderr
        assert lines[0].startswith("error: ")
        assert lines[0].isprintable()
        assert result.stdout == ""


def test_the_list_is_long():
    """Numbers without a range would be missing from it; limits that bound nothing but what is there have no end."""
    numbers = [
        (name, option)
        for name, command, _ in commands()
        for option in command.params
        if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
    ]
    unbounded = [
        f"{name} {option.opts[0]}"
        for name, option in numbers
        if not isinstance(option.type, click.IntRange | click.FloatRange)
        or option.type.min is None
        or option.type.max is None
    ]
    assert len(numbers) > 20
    assert set(unbounded) <= {
        *("data-prepare --limit-per-class", "data-prepare --limit-synthetic", "data-prepare --max-points"),
        *("data-prepare --seed", "evaluate --limit", "draw --start-at-stroke"),
    }
