"""The README's and docs/PLOTTER.md's commands for plotters do what they say, with the shipped model."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from sketch_edge.cli.draw import main
from sketch_edge.runtime.plot.machine import load_machine, machine_names

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "PLOTTER.md").read_text()
README = (ROOT / "README.md").read_text().split("## Plot it")[1].split("\n## ")[0]


def _commands(text):
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = "\n".join(re.sub(r"^ {3}", "", block, flags=re.MULTILINE) for block in blocks).replace("\\\n", " ")
    return [line for line in lines.splitlines() if line.strip().startswith("sketch-draw")]


@pytest.mark.parametrize("text", [TEXT, README], ids=["PLOTTER.md", "README.md"])
def test_commands(text, tmp_path, monkeypatch):
    """Typed one after the other they make a profile, programs and a preview."""
    monkeypatch.chdir(tmp_path)
    commands = _commands(text)
    assert len(commands) >= 3
    for line in commands:
        command, _, target = line.partition(" > ")
        result = CliRunner().invoke(main, shlex.split(command)[1:], prog_name="sketch-draw")
        assert result.exit_code == 0, f"{line}\n{result.output}"
        if target:
            Path(target.strip()).write_text(result.stdout)
    written = {path.name for path in tmp_path.iterdir()}
    assert {"my-plotter.toml", "scene.gcode", "scene.svg"} <= written
    if text is TEXT:
        assert {"frame.gcode", "scene-1-orange.gcode", "scene-4-black.gcode"} <= written


def test_the_report_is_the_one_that_is_printed(tmp_path, monkeypatch):
    """The three lines in the text are what the command says."""
    monkeypatch.chdir(tmp_path)
    (report,) = re.findall(r"```\n(scene\.gcode: .*?)```", TEXT, flags=re.DOTALL)
    command = next(line for line in _commands(TEXT) if "--preview" in line)
    args = shlex.split(command.replace("my-plotter.toml", "grbl-servo"))[1:]
    assert report in CliRunner().invoke(main, args).stderr


def test_settings_that_are_named_exist():
    """Each KEY=VALUE of the text can be set."""
    for key, value in re.findall(r"`--set ([a-z_.]+)=(\S+?)`", TEXT):
        load_machine("grbl-servo", {key: value})


def test_every_profile_is_in_the_table():
    """Each shipped profile has a line."""
    for name in machine_names():
        assert f"`{name}`" in TEXT, name


def test_python_example(tmp_path, monkeypatch):
    """It runs as it stands."""
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    exec(compile(code, "PLOTTER.md", "exec"), {})
    assert (tmp_path / "house.gcode").exists()
