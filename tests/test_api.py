"""What `import sketch_edge` offers, and what it costs."""

import subprocess
import sys
from pathlib import Path

import pytest

import sketch_edge

TINY = Path(__file__).parent / "data" / "tiny.sketch.zip"


def run(code: str) -> str:
    """Run Python code in a process of its own and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.strip()


def test_all_is_sorted_and_there():
    """Every promised name can be had; the list is in order."""
    assert list(sketch_edge.__all__) == sorted(sketch_edge.__all__)
    for name in sketch_edge.__all__:
        assert getattr(sketch_edge, name).__module__.startswith("sketch_edge.runtime.")
    assert {name for name in dir(sketch_edge) if not name.startswith("__")} == set(sketch_edge.__all__)


def test_nothing_else_is_offered():
    """The names that are loaded late are those of __all__."""
    assert set(sketch_edge._HOMES) == set(sketch_edge.__all__)
    with pytest.raises(AttributeError, match="no attribute 'drawing'"):
        sketch_edge.drawing  # noqa: B018


def test_the_version_is_that_of_the_package():
    """One number in one place."""
    from sketch_edge.runtime.version import VERSION

    assert sketch_edge.__version__ == VERSION


def test_errors_form_a_tree():
    """Catching SketchError catches all of them; a refused input is a ValueError too."""
    for name in ("InputError", "BundleError", "UnfinishedError"):
        assert issubclass(getattr(sketch_edge, name), sketch_edge.SketchError)
    assert issubclass(sketch_edge.BundleError, ValueError)


def test_importing_does_no_work():
    """Neither numpy nor onnxruntime is loaded before a name is used."""
    code = "import sys, sketch_edge; print([m for m in ('numpy', 'onnxruntime', 'click') if m in sys.modules])"
    assert run(code) == "[]"


def test_drawing_and_saving_loads_no_training_framework(tmp_path):
    """From a bundle to a file without torch, onnx or click; pillow stays out where it is not needed."""
    code = f"""
import sys
from sketch_edge import load
load({str(TINY)!r}).draw("star", seed=12).save({str(tmp_path / "star.svg")!r})
print([m for m in ("torch", "onnx", "click", "PIL", "sketch_edge.train", "sketch_edge.cli") if m in sys.modules])
"""
    assert run(code) == "[]"
    assert (tmp_path / "star.svg").read_bytes().startswith(b"<?xml")


def test_the_lines_of_the_readme_work(tmp_path, monkeypatch):
    """Load, draw, save, stream."""
    monkeypatch.chdir(tmp_path)
    from sketch_edge import load, save

    artist = load(TINY)
    star = artist.draw("star", seed=7, temperature=0.4)
    star.save("star.svg")
    save([star, artist.draw("cat", seed=7)], "two.png")
    points = list(artist.stream("star", seed=7))
    assert len(points) >= star.point_count
    assert sorted(path.name for path in tmp_path.iterdir()) == ["star.svg", "two.png"]


def test_the_shipped_model_draws():
    """The bundle that comes with the package is there, whole, and draws each of its classes."""
    if not (Path(sketch_edge.__path__[0]) / "models" / "quickdraw.sketch.zip").exists():
        pytest.skip("this tree ships no model")
    artist = sketch_edge.load()
    sketches = artist.draw_many(list(artist.classes), seed=1)
    assert [sketch.label for sketch in sketches] == list(artist.classes)
    assert all(sketch.point_count > 1 for sketch in sketches)
