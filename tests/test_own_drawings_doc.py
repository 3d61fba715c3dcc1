"""docs/OWN-DRAWINGS.md: its commands, one after the other, lead from thirty SVG files to a program for a plotter."""

import re
import runpy
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from sketch_edge.runtime.bundle import read_bundle

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "OWN-DRAWINGS.md").read_text(encoding="utf-8")
SMALL = ("encoder_hidden=8", "decoder_hidden=40", "latent=4", "class_embedding=4", "mixtures=3")
write_rockets = runpy.run_path(str(ROOT / "tests" / "own_drawings.py"))["write_rockets"]


def _commands():
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip().startswith("sketch-")]


def _run(line, *more):
    program, *args = shlex.split(line)
    module = __import__(f"sketch_edge.cli.{program.removeprefix('sketch-')}", fromlist=["main"])
    result = CliRunner().invoke(module.main, [*args, *more], prog_name=program)
    assert result.exit_code == 0, f"{line}\n{result.output}"
    return result


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Thirty rockets, a bundle of cats, and a small model in place of the shipped one, which takes long."""
    for package in ("torch", "onnxscript", "tensorboard", "matplotlib", "svgelements"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    assert len(write_rockets(tmp_path / "drawings" / "rocket")) == 30
    shutil.copy(ROOT / "tests" / "data" / "tiny.sketch.zip", tmp_path / "cat.sketch.zip")
    write_rockets(tmp_path / "first" / "arrow", count=10, seed=9)
    _run("sketch-data prepare first --out first.npz")
    _run("sketch-train first.npz --out first.pt --steps 2 --quiet", *(f"--set={setting}" for setting in SMALL))
    _run("sketch-export first.pt --out small.sketch.zip")
    return tmp_path


def test_the_walk_through(workplace):
    """Every command works on what those before it wrote, and credits reach the last bundle."""
    for line in _commands():
        steps = ("--steps", "2", "--set=batch=8", "--quiet") if line.startswith("sketch-train") else ()
        _run(line.replace("--from shipped", "--from small.sketch.zip"), *steps)
    written = {path.name for path in workplace.iterdir()}
    assert {"rockets.png", "rocket.svg", "rocket.gcode", "plot.svg", "both.svg"} <= written
    manifest = read_bundle(workplace / "mine.sketch.zip").manifest
    assert manifest.classes == ("rocket",)
    assert manifest.data.credit == "own drawings; drawn by Ada Example"
    assert manifest.data.licence == "not stated; CC0"
    assert manifest.data.drawings == 21
    both = read_bundle(workplace / "both.sketch.zip").manifest
    assert both.classes == ("cat", "rocket")
    assert both.data.drawings == 400
    assert "drawn by Ada Example" in both.data.credit
    assert "Quick, Draw!" not in both.data.credit
    assert both.data.synthetic == "400 of the training drawings were made by a model"
    assert len((workplace / "teachers" / "rocket.ndjson").read_bytes().splitlines()) == 200
    _check_options(workplace)


def _check_options(workplace):
    """What the text says beside its commands: a form of ndjson, a look into a file."""
    (record,) = re.findall(r'`(\{"word".*?)`', TEXT)
    record = record.replace("x, x, ...", "0, 9").replace("y, y, ...", "5, 7")
    (workplace / "own.ndjson").write_text(record.replace(", ...", "") + "\n")
    assert "rocket 1" in _run("sketch-data check own.ndjson").stdout
    found = _run("sketch-data check drawings/rocket/rocket-04.svg").stdout
    assert "rocket-04.svg: svg" in found
    assert "1 text passed over" in found


def test_links_lead_somewhere():
    """Pictures and documents that the text names are there."""
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (ROOT / "docs" / target).exists(), target
