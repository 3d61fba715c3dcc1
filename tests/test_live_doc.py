"""docs/LIVE.md: its commands and examples work with the shipped model, and the drawing that it shows is theirs."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from sketch_edge.cli.draw import main

TEXT = (Path(__file__).parent.parent / "docs" / "LIVE.md").read_text()
COMMANDS = re.findall(r"^ *sketch-draw (.*)$", TEXT, flags=re.MULTILINE)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(folder, command):
    """Each shows a drawing, and writes what it says."""
    words = shlex.split(command)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) > 8
    assert "--out" not in words or (folder / words[-1]).stat().st_size > 100


def test_the_drawing_on_the_page_is_that_of_the_command():
    """The second picture is what the first command leaves on a terminal of 80 by 24."""
    assert len(COMMANDS) == 2
    _, picture, *_ = re.findall(r"```text\n(.*?)\n```", TEXT, flags=re.DOTALL)
    assert CliRunner().invoke(main, shlex.split(COMMANDS[0])).stdout == f"{picture}\n"


def test_python_examples(capsys):
    """Both run as they stand, the second after the first."""
    examples = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(examples) == 2
    exec(compile("\n".join(examples), "LIVE.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "star 1 [[" in shown
