"""Every command and every line of Python in the README does what it says."""

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

README = (Path(__file__).parent.parent / "README.md").read_text()
DRAW, TRAIN = (
    section.split("\n## ")[0] for section in re.split(r"## Draw in one minute|## Train your own", README)[1:]
)


def _commands(text):
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("sketch-")]


def _run(line, *more):
    program, *args = shlex.split(line)
    module = __import__(f"sketch_edge.cli.{program.removeprefix('sketch-')}", fromlist=["main"])
    result = CliRunner().invoke(module.main, [*args, *more], prog_name=program)
    assert result.exit_code == 0, f"{line}\n{result.output}"
    return args


def _out(args):
    return args[args.index("--out") + 1] if "--out" in args else "-"


@pytest.mark.parametrize("line", _commands(DRAW))
def test_drawing_commands(line, tmp_path, monkeypatch):
    """Each command of the first minute draws with the shipped model and writes the file it names."""
    monkeypatch.chdir(tmp_path)
    out = _out(_run(line))
    if out != "-":
        assert len(list(tmp_path.glob(out.replace("{i}", "*")))) >= 1


def test_drawing_together_commands(tmp_path, monkeypatch):
    """Typed one after the other, with the shipped model, each writes its file."""
    monkeypatch.chdir(tmp_path)
    (section,) = re.findall(r"## Draw together\n(.*?)\n## ", README, flags=re.DOTALL)
    outs = [_out(_run(line)) for line in _commands(section)]
    assert len(outs) >= 3
    assert all((tmp_path / out).exists() for out in outs)


def test_python_example(tmp_path, monkeypatch, capsys):
    """The example runs as it stands; what it streams is what it saved."""
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "star.svg").exists()
    assert len(capsys.readouterr().out.splitlines()) > 5


def _draw_files(folder, names):
    """Official-looking files of simple shapes, in place of the download."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for name in names:
        with (folder / f"{name}.ndjson").open("w") as file:
            for i in range(30):
                x, y = rng.integers(0, 256, (2, int(rng.integers(4, 12)))).tolist()
                record = {"word": name, "key_id": str(i), "recognized": True, "drawing": [[x, y]]}
                file.write(json.dumps(record) + "\n")


def test_training_commands(tmp_path, monkeypatch):
    """The walk-through from drawings to a drawing, with made-up drawings and two steps of a small model."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    fetch, prepare, train, export, draw = _commands(TRAIN)
    words = shlex.split(fetch)
    _draw_files(Path(_out(words)), words[2 : words.index("--out")])
    _run(prepare)
    small = ("encoder_hidden=8", "decoder_hidden=40", "latent=4", "class_embedding=4", "mixtures=3")
    _run(train, "--steps", "2", *(f"--set={setting}" for setting in small))
    _run(export)
    _run(draw)
    assert (tmp_path / "mine.svg").exists()


def test_make_targets_exist():
    """The README's make commands are in the Makefile."""
    makefile = (Path(__file__).parent.parent / "Makefile").read_text()
    for target in re.findall(r"`?make ([a-z.]+)", README):
        assert re.search(rf"^{re.escape(target)}:", makefile, flags=re.MULTILINE), target


@pytest.mark.skipif(sys.platform == "win32", reason="links in a checkout need a POSIX system")
def test_links_lead_somewhere():
    """Pictures and documents that the README names are there."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (Path(__file__).parent.parent / target).exists(), target
