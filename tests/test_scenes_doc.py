"""docs/SCENES.md: every example works with the shipped model, every key is described."""

import re
from pathlib import Path

import pytest

from sketch_edge import load
from sketch_edge.runtime.scenes.compose import compose
from sketch_edge.runtime.scenes.scene_file import KEYS, OBJECT_KEYS, PAGE_KEYS, PEN_KEYS, parse_composition

DOCS = Path(__file__).parent.parent / "docs"
TEXT = (DOCS / "SCENES.md").read_text()


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL))
def test_scene_files(block):
    """Each is a whole scene file that is drawn within its page."""
    assert compose(parse_composition(block.encode()).seeded(), load()).objects


def test_python_example(tmp_path, monkeypatch):
    """It runs as it stands and writes what it says."""
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    exec(compile(code, "SCENES.md", "exec"), {})
    assert (tmp_path / "page.svg").exists()


def test_every_key_is_described():
    """What the reader takes stands in a table."""
    tables = "\n".join(line.split(" | ")[0] for line in TEXT.splitlines() if line.startswith("| "))
    described = set(re.findall(r"`\[*([a-z-]+)\]*`", tables))
    for key in {*KEYS, *OBJECT_KEYS, *PAGE_KEYS, *PEN_KEYS} - {"object"}:
        assert key in described, key


def test_pictures_are_there():
    """Each picture that the page shows is a file beside it."""
    for name in re.findall(r"\]\((scene-[a-z]+\.svg)\)", TEXT):
        assert (DOCS / name).read_text().startswith("<?xml"), name
