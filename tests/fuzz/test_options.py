"""Every option of every command with values just outside its range: exit 2, one line, before anything is made.

The values come from click's own account of the options. All are tried within this process, and some as commands under
the limits of time and memory; `python -m tests.fuzz.options` tries all of them so.
"""

from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("onnx")

from sketch_edge.train.config import Config
from tests.fuzz.options import (
    FOREIGN,
    SENTINEL,
    case_of,
    commands,
    fault_of_folder,
    numbers,
    old_files,
    outside,
    outside_cases,
    run_limited,
)

CASES = outside_cases()


@pytest.fixture(scope="module")
def runner():
    return CliRunner()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_outside_their_range(runner, tmp_path, monkeypatch, case):
    """Exit 2, one line that names the option, nothing written, the old files untouched."""
    monkeypatch.chdir(tmp_path)
    old_files(tmp_path)
    result = runner.invoke(case.command, list(case.arguments))
    lines = result.stderr.splitlines()
    assert (result.exit_code, len(lines), result.stdout) == (2, 1, ""), result.stderr
    assert lines[0].startswith("error: ")
    assert lines[0].isprintable()
    assert len(lines[0]) < 3000
    assert case.option.lstrip("-").split("-")[0] in lines[0] or "option" in lines[0]
    assert fault_of_folder(tmp_path) is None


@pytest.mark.parametrize("case", CASES[:: len(CASES) // 12], ids=str)
def test_refusals_take_less_than_ten_seconds_and_a_gigabyte(case):
    """As commands of their own, whose processes get no more."""
    fault, seconds, memory = run_limited(case)
    assert fault is None
    assert 0 < seconds < 10
    assert 1 << 20 < memory < 1 << 30


TEXTS = [
    pytest.param(case_of(name, command, start, option, value), id=f"{name} {option.opts[0]} {value[:12]!a}")
    for name, command, start in commands()
    for option in command.params
    if isinstance(option, click.Option) and not option.is_flag and not outside(option.type)
    if name != "data-fetch"  # with a folder and an address that will do, it asks the network
    for value in (*FOREIGN, "../..", "/dev/null", "-1", "0x0mm", "1e9mm", ",", "=", ":", "a:b:c:d", "%s", "{}", "0")
]


@pytest.mark.parametrize("case", TEXTS)
def test_texts_without_sense(runner, tmp_path, monkeypatch, case):
    """Options that take text: drawn with, or refused with one line; never a fault of the program."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATA", "MODEL"):
        Path(name).write_bytes(SENTINEL)
    result = runner.invoke(case.command, list(case.arguments))
    if result.exit_code:
        lines = result.stderr.splitlines()
        assert (result.exit_code, len(lines)) == (2, 1), result.stderr
        assert lines[0].startswith("error: ")
        assert lines[0].isprintable()
        assert result.stdout == ""


@pytest.mark.parametrize("value", ["", " ", "ftp://a/b", "http://", "a", "http://a/b?c", "http://a b/", "\n"])
def test_addresses_without_sense(runner, tmp_path, monkeypatch, value):
    """An empty --base-url is not the default, but a mistake; none of these is asked for."""
    monkeypatch.chdir(tmp_path)
    found = {name: command for name, command, _ in commands()}["data-fetch"]
    result = runner.invoke(found, ["star", "--out", "OUT", f"--base-url={value}"])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.stderr
    assert result.stderr.startswith("error: base-url: ")
    assert list(tmp_path.iterdir()) == []


def test_every_number_has_both_ends():
    """Hidden options too; one without would be missing from the cases above."""
    found = numbers()
    assert len(found) > 30
    assert [
        f"{name} {option.opts[0]}"
        for name, option in found
        if not isinstance(option.type, click.IntRange | click.FloatRange)
        or option.type.min is None
        or option.type.max is None
    ] == []


def test_every_setting_has_both_ends():
    """What --set changes: a range for each number, a choice of words for each text."""
    settings = [field for part in (Config().model, Config().train) for field in fields(part)]
    assert len(settings) > 30
    assert [
        field.name for field in settings if field.name not in Config.RANGES and field.name not in Config.CHOICES
    ] == []
