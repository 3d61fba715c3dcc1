"""sketch-draw as a test runs it: in this process, by default with the tiny bundle."""

from pathlib import Path

from click.testing import CliRunner, Result

from sketch_edge.cli.draw import main

TINY = Path(__file__).parents[1] / "data" / "tiny.sketch.zip"


def draw(*args: str, model: Path | str = TINY, text: str = "") -> Result:
    """Run sketch-draw with a bundle, and `text` on standard input."""
    return CliRunner().invoke(main, [*args, "--model", str(model)], prog_name="sketch-draw", input=text)


def drawn(*args: str, model: Path | str = TINY, text: str = "") -> Result:
    """Run sketch-draw and expect success."""
    result = draw(*args, model=model, text=text)
    assert result.exit_code == 0, result.stderr
    return result
