"""docs/TOGETHER.md: every command and the Python example work with the shipped model, every option is described."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from sketch_edge.cli.command import SectionOption
from sketch_edge.cli.draw import main

DOCS = Path(__file__).parent.parent / "docs"
TEXT = (DOCS / "TOGETHER.md").read_text()
COMMANDS = re.findall(r"^sketch-draw (.*)$", TEXT, flags=re.MULTILINE)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a folder that holds the drawings of the page."""
    for name in ("by-hand.ndjson", "by-hand.svg"):
        shutil.copy(DOCS / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(folder, command):
    """Each makes the picture that the page shows below it."""
    if "by-hand.svg" in command:
        pytest.importorskip("svgelements")
    words = shlex.split(command)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.stderr
    assert (folder / words[-1]).read_text().startswith("<?xml")
    assert f"]({words[-1]})" in TEXT
    assert (DOCS / words[-1]).is_file()


def test_python_example(folder):
    """It runs as it stands and writes what it says."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    exec(compile(code, "TOGETHER.md", "exec"), {})
    assert (folder / "half-a-clock.svg").exists()


@pytest.mark.parametrize("heading", ["Sampling", "Drawing together"])
def test_every_option_is_described(heading):
    """What the help lists under these headings stands on the page."""
    listed = [option for option in main.params if isinstance(option, SectionOption) and option.section == heading]
    assert listed
    for option in listed:
        assert f"`{option.opts[0]}" in TEXT or f" {option.opts[0]} " in TEXT, option.opts
