"""A bundle whose head is "offset" on the command line: shown and drawn like any other, refused where it must be."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sketch_edge.cli.draw import main as draw_main
from sketch_edge.cli.export import main as export_main

OFFSET = Path(__file__).parents[1] / "data" / "tiny-offset.sketch.zip"
SHIPPED = Path(__file__).parents[2] / "models" / "quickdraw.sketch.zip"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a folder that holds a drawing in Quick, Draw! units, and one that is larger."""
    monkeypatch.chdir(tmp_path)
    for name, width in (("part", 200), ("large", 420)):
        drawing = [[[0, width, 85], [85, 0, 85]]]
        (tmp_path / f"{name}.json").write_text(json.dumps({"word": "cat", "drawing": drawing}))
    return tmp_path


def draw(*args: str) -> Result:
    return CliRunner().invoke(draw_main, [*args, "--model", str(OFFSET)], prog_name="sketch-draw")


def test_it_is_listed():
    """By its classes, as every model."""
    assert draw("--list").stdout.splitlines() == ["cat", "palm tree", "star"]


@pytest.mark.parametrize(
    ("path", "model", "sizes"),
    [
        (OFFSET, "tiny-offset, head offset", "hidden 6, state 14, constant 48, latent 0, no mixture, 120 points"),
        (SHIPPED, "quickdraw, head mixture", "hidden 512, latent 64, 20 normals, 200 points"),
    ],
)
def test_a_look_into_it_tells_its_head_and_widths(path, model, sizes):
    """Those that follow from the others are left out."""
    result = CliRunner().invoke(export_main, ["--inspect", str(path)])
    lines = {line[:13].strip(): line[13:] for line in result.stdout.splitlines()}
    assert lines["model"].startswith(model)
    assert lines["sizes"] == sizes


@pytest.mark.parametrize("provider", ["cpu", "numpy"])
def test_it_draws_for_a_machine(provider):
    """From the model to G-code, the same with either provider."""
    result = draw(
        "--class", "star", "--seed", "3", "--out", "a.gcode", "--machine", "grbl-servo", "--provider", provider
    )
    assert result.exit_code == 0, result.stderr
    assert "1 stroke for grbl-servo" in result.stderr
    assert Path("a.gcode").read_text().count("\nG1") > 5


def test_it_finishes_a_drawing():
    """Given a part in Quick, Draw! units, or how large the whole is."""
    for args in (["--finish", "part.json"], ["--finish", "large.json", "--whole-size", "900"]):
        result = draw(*args, "--class", "cat", "--count", "3", "--seed", "1", "--out", "a.svg")
        assert result.exit_code == 0, result.stderr
        assert "3 sketches by tiny-offset" in result.stderr


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--class", "cat", "--top-k", "3"], "top_k 3: tiny-offset has no mixture to choose from"),
        (["--finish", "large.json", "--class", "cat"], "tiny-offset: cannot say how likely strokes are"),
        (["--reconstruct", "part.json", "--class", "cat"], "tiny-offset: has no encoder"),
    ],
)
def test_what_it_cannot_do_is_refused_in_one_line(args, problem):
    """With exit code 2, and nothing written."""
    result = draw(*args, "--out", "a.svg")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert problem in line
    assert not Path("a.svg").exists()
