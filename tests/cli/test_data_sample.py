"""sketch-data sample, and what sketch-data prepare says of SVG files, as commands."""

import dataclasses
import os
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sketch_edge.cli.data import main
from sketch_edge.train import recognise
from sketch_edge.train.dataset import load_dataset
from tests.train.evaluate.toys import toy_data

TINY = Path(__file__).parents[1] / "data" / "tiny.sketch.zip"
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0 {0} 30 60 10 90 40"/><text>hi</text></svg>'


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def test_sample_writes_a_file_for_each_class(tmp_path):
    """The same command again keeps them; the seed that was drawn is told."""
    out = tmp_path / "teachers"
    result = run("sample", TINY, "--count", 5, "--classes", "cat,PALM TREE", "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    (seed,) = re.findall(r"\A--seed (\d+)\n", result.stderr)
    assert sorted(path.name for path in out.iterdir()) == ["cat.ndjson", "palm tree.ndjson"]
    again = run("sample", TINY, "--count", 5, "--classes", "cat,PALM TREE", "--out", out, "--seed", seed)
    assert again.stderr.count("5 drawings, was there already") == 2
    data = tmp_path / "data.npz"
    assert run("prepare", out, "--out", data).exit_code == 0
    assert load_dataset(data).synthetic.all()


def test_sample_keeps_what_a_judge_recognises(tmp_path, monkeypatch):
    """The report tells how many were not; classes that the judge cannot know are refused."""
    monkeypatch.setattr(recognise, "STEPS", 15)
    people = tmp_path / "people.npz"
    drawn = toy_data(train=12, test=2)
    dataclasses.replace(drawn, class_names=("cat", "moon", "star", "sun")).save(people)
    command = ["sample", TINY, "--count", 6, "--seed", 4, "--recognised-by", people, "--least", 0.3]
    command += ["--out", tmp_path / "x"]
    result = run(*command, "--classes", "cat,star")
    assert result.exit_code == 0, result.output
    assert len(re.findall(r"ndjson: .*not recognised|not written, no drawing was recognised", result.stderr)) == 2
    refused = run(*command, "--classes", "palm tree")
    assert refused.exit_code == 2
    assert "people.npz: has no real drawings to recognise 'palm tree' by" in refused.stderr


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--count", 5, "--out", "x"], "BUNDLE: missing"),
        ([TINY, "--out", "x"], "--count: missing"),
        ([TINY, "--count", 5], "--out: missing"),
        ([TINY, "--count", 0, "--out", "x"], "--count: 0 is not in the range"),
        ([TINY, "--count", 5, "--out", "x", "--temperature", "nan"], "--temperature: nan is no finite number"),
        ([TINY, "--count", 5, "--out", "x", "--least", 0.5], "--least: says how surely a judge"),
        ([TINY, "--count", 5, "--out", "x", "--recognised-by", "no.npz"], "no.npz: cannot be read"),
        (
            [TINY, "--count", 5, "--out", "x", "--recognised-by", "d.npz", "--least", 2],
            "--least: 2.0 is not in the range",
        ),
        ([TINY, "--count", 5, "--out", "x", "--classes", "cow"], "classes: 'cow' is in none of the bundles"),
        (["no.sketch.zip", "--count", 5, "--out", "x"], "no.sketch.zip: no such file"),
        (["file.txt", "--count", 5, "--out", "x"], "file.txt: is no bundle"),
        ([TINY, "--count", 5, "--out", "file.txt"], "--out: file.txt is a file"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, args, line):
    """Exit code 2."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("hello")
    result = run("sample", *args)
    assert result.exit_code == 2
    error = result.stderr.splitlines()[-1]
    assert error.startswith(f"error: {line}")
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_prepare_and_check_tell_of_svg_files(tmp_path):
    """Text that was passed over, in no more than ten lines, and the credit."""
    pytest.importorskip("svgelements")
    folder = tmp_path / "zigzag"
    folder.mkdir()
    for number in range(14):
        (folder / f"{number:02d}.svg").write_text(SVG.format(number))
    result = run("prepare", tmp_path, "--out", tmp_path / "data.npz", "--credit", "Ada", "--licence", "CC0")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("1 text passed over") == 10
    assert "... and in 4 more files" in result.stderr
    assert "credit: Ada (CC0)" in result.stderr
    assert "credit    Ada (CC0)" in run("check", tmp_path / "data.npz").stdout
    found = run("check", folder / "03.svg").stdout
    assert "03.svg: svg" in found
    assert "note      1 text passed over" in found
    assert "zigzag 1" in found


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--credit", "two\nlines"], r"error: credit: has 9 characters or some that do not print"),
        (["--licence", "x" * 401], "error: licence: has 401 characters"),
        (["--svg-class", " "], "error: svg_class: ' ' is no class name"),
    ],
)
def test_texts_that_no_bundle_could_carry(tmp_path, args, line):
    """Refused before anything is read."""
    (tmp_path / "a.svg").write_text(SVG.format(1))
    result = run("prepare", tmp_path / "a.svg", "--out", tmp_path / "data.npz", *args)
    assert result.exit_code == 2
    assert result.stderr.startswith(line)
    assert len(result.stderr.splitlines()) == 1


def test_without_svgelements_it_alone_is_to_be_installed(tmp_path):
    """Other drawings are read without; the extra that has it would bring torch, too."""
    (tmp_path / "a.svg").write_text(SVG.format(1))
    code = (
        "import sys; sys.modules['svgelements'] = None\n"
        "from sketch_edge.cli.data import main\n"
        "main(['prepare', 'a.svg', '--out', 'data.npz'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("needs svgelements; pip install svgelements\n")
    assert not (tmp_path / "data.npz").exists()


def test_a_terminal_gets_progress(tmp_path):
    """Drawings are counted while they are made."""
    pytest.importorskip("tqdm")
    pty = pytest.importorskip("pty")
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 80))
    command = [sys.executable, "-m", "sketch_edge.cli.data", "sample", str(TINY), "--count", "300", "--seed", "1"]
    with subprocess.Popen([*command, "--out", str(tmp_path / "x")], stderr=writer) as process:
        os.close(writer)
        text = b""
        try:
            while piece := os.read(reader, 65536):
                text += piece
        except OSError:  # Linux's way to say that the other end is closed
            pass
    os.close(reader)
    assert process.returncode == 0
    assert b"palm tree:" in text
    assert b"drawing" in text
