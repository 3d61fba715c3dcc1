"""Processes that live long: forks after loading, clocks that are set, other locales and time zones. Same bytes."""

import itertools
import locale
import os
import subprocess
import sys
import time

import pytest

from sketch_edge import load
from tests.fuzz.parsers import TINY


def drawing(artist, folder, name):
    """The bytes of one sketch in every format that holds numbers as text, or times."""
    sketch = artist.draw("star", seed=3)
    found = []
    for format, options in (("svg", {}), ("json", {}), ("gif", {}), ("gcode", {"machine": "grbl-servo"})):
        path = folder / f"{name}.{format}"
        sketch.save(path, **options)
        found.append(path.read_bytes())
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forks_of_a_process_that_has_loaded_draw_the_same(tmp_path):
    """As servers do it: one loads, then some workers draw at once; the parent goes on as well."""
    artist = load(TINY, provider="cpu")
    expected = drawing(artist, tmp_path, "parent")
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            ending = 1
            try:
                ending = 0 if drawing(artist, tmp_path, f"child{number}") == expected else 3
            finally:
                os._exit(ending)
        children.append(child)
    assert drawing(artist, tmp_path, "parent") == expected
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]


def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    """Back by years with every look at it, or before 1980, when zip's dates begin."""
    artist = load(TINY, provider="cpu")
    expected = drawing(artist, tmp_path, "before")
    years = itertools.count(2e9, -3e7)
    monkeypatch.setattr(time, "time", lambda: next(years))
    monkeypatch.setattr(time, "time_ns", lambda: int(next(years) * 1e9))
    assert drawing(artist, tmp_path, "after") == expected


def test_another_locale_within_the_process_changes_nothing(tmp_path):
    """A host program may write its decimals with a comma."""
    artist = load(TINY, provider="cpu")
    expected = drawing(artist, tmp_path, "before")
    was = locale.setlocale(locale.LC_ALL)
    chosen = [name for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "tr_TR.UTF-8", "C.UTF-8") if _takes(name)]
    try:
        for name in chosen or ["C"]:
            locale.setlocale(locale.LC_ALL, name)
            assert drawing(artist, tmp_path, "after") == expected
    finally:
        locale.setlocale(locale.LC_ALL, was)


def _takes(name):
    was = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_ALL, was)
    return True


@pytest.mark.parametrize(
    "changes",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "7"},
    ],
    ids=["ASCII", "Turkish"],
)
def test_the_command_writes_the_same_bytes_everywhere(tmp_path, changes):
    """Whatever the environment says of language, encoding, place and hashes."""
    expected = drawing(load(TINY, provider="cpu"), tmp_path, "here")
    command = [sys.executable, "-c", "from sketch_edge.cli.draw import main; main()", "--model", str(TINY)]
    command += ["--class", "star", "--seed", "3", "--out", str(tmp_path / "there.json")]
    done = subprocess.run(command, env=os.environ | changes, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there.json").read_bytes() == expected[1]
