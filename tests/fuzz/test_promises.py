"""What SECURITY.md says of drawing, asked of Python's own audit events: no network, no other program, no record."""

import json
import os
import subprocess
import sys

import pytest

from tests.fuzz.parsers import TINY

WATCHED = """
import json, os, sys
seen = {"network": [], "programs": [], "written": []}
def hook(event, args):
    if event.startswith("socket.") or event.startswith("urllib.") or event.startswith("http."):
        seen["network"].append(event)
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn"):
        seen["programs"].append(event)
    elif event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        seen["written"] += [] if isinstance(args[0], int) else [os.fspath(args[0])]
    elif event in ("os.rename", "os.mkdir", "os.remove", "os.link", "os.symlink"):
        seen["written"].append(os.fspath(args[1 if event == "os.rename" else 0]))
sys.addaudithook(hook)
from sketch_edge.cli.draw import main
try:
    main(sys.argv[2:])
finally:
    with open(sys.argv[1], "w") as file:
        seen["written"] = seen["written"][:-1]
        json.dump(seen, file)
"""

DRAWINGS = {
    "picture": ["--class", "star", "--seed", "3", "--out", "star.svg"],
    "sheet": ["--class", "star", "--count", "6", "--layout", "grid", "--out", "star.png"],
    "program": ["--class", "star", "--machine", "grbl-servo", "--out", "star.gcode"],
    "finished": ["--class", "star", "--finish", "begun.svg", "--out", "star.svg"],
}


@pytest.mark.parametrize("kind", DRAWINGS)
def test_drawing_opens_nothing_but_its_output(tmp_path, kind):
    """No socket, no other program; all that is written is the output.

    Where it has to be tried whether onnxruntime can be imported (not on x86-64), a provider that is named saves that.
    """
    work = tmp_path / "work"
    work.mkdir()
    (work / "begun.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L90 90L0 90"/></svg>')
    command = [sys.executable, "-c", WATCHED, str(tmp_path / "seen.json"), "--model", str(TINY), *DRAWINGS[kind]]
    environment = {**os.environ, "SKETCH_PROVIDER": "cpu", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["network"] == []
    assert seen["programs"] == []
    out = DRAWINGS[kind][-1]
    assert seen["written"] != []
    assert [name for name in seen["written"] if out not in name] == []
    assert sorted(path.name for path in work.iterdir()) == sorted(["begun.svg", out])
