"""docs/MAGENTA.md: its commands are run, on small models in the place of the published ones."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("onnx")

from sketch_edge.cli import draw, export
from sketch_edge.export.magenta import PIXELS, TEMPERATURE
from sketch_edge.runtime.artist import load
from tests.magenta_files import GEN, make, write

TEXT = (Path(__file__).parent.parent / "docs" / "MAGENTA.md").read_text(encoding="utf-8")
MAINS = {"sketch-export": export.main, "sketch-draw": draw.main}


def test_its_commands_do_what_they_say(tmp_path, monkeypatch):
    """One after the other; the file of an address is taken from beside instead."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("dog", "bear")):
        write(tmp_path / f"{name}.gen.json", make(GEN, 2, seed=seed))
    commands = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
    commands += re.findall(r"`(sketch-export [^`]+)`", TEXT)
    assert len(commands) == 10
    for line in commands:
        program, *args = shlex.split(re.sub(r"https://\S+/", "", line))
        if program == "mkdir":
            Path(args[0]).mkdir()
        elif program == "cp":
            shutil.copy(*args)
        elif program in MAINS:
            result = CliRunner().invoke(MAINS[program], args, prog_name=program)
            assert result.exit_code == 0, f"{line}\n{result.output}"
    assert Path("dog.svg").exists()
    assert Path("row.svg").exists()
    assert load("shelf").classes == ("bear", "dog")


def test_its_numbers_are_those_of_the_code():
    """Default temperature and pixels in a unit."""
    assert f"imported bundles is {TEMPERATURE:g}" in TEXT
    assert f"1 / {PIXELS:g} of a unit" in TEXT
