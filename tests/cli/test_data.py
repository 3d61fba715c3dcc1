"""sketch-data: its three commands, end to end, with good and bad input."""

import functools
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from sketch_edge.cli.data import COLUMNS, format_counts, main
from sketch_edge.train.classes import OFFICIAL_CLASSES
from sketch_edge.train.dataset import load_dataset
from sketch_edge.train.prepare import ClassCounts


def run(*args: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args])


def record(word: str, number: int) -> str:
    return json.dumps({"word": word, "drawing": [[[0, 255, number], [0, 9, 100]]]}) + "\n"


@pytest.fixture
def folder(tmp_path):
    """A folder of two classes."""
    folder = tmp_path / "drawings"
    folder.mkdir()
    for word, count in (("cat", 20), ("palm tree", 10)):
        (folder / f"{word}.ndjson").write_text("".join(record(word, i) for i in range(count)))
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "data.npz"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def base_url(tmp_path, monkeypatch) -> Iterator[str]:
    """The address of a bucket on this machine, with a cat and a palm tree."""
    monkeypatch.setenv("no_proxy", "*")
    for kind, suffix in (("full/simplified", "ndjson"), ("full/raw", "ndjson"), ("sketchrnn", "npz")):
        (tmp_path / "bucket" / kind).mkdir(parents=True)
        for name in ("cat", "palm tree"):
            content = record(name, 1) * 3 if suffix == "ndjson" else "PK"
            (tmp_path / "bucket" / kind / f"{name}.{suffix}").write_text(content)
    handler = functools.partial(Quiet, directory=str(tmp_path / "bucket"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/full"
        server.shutdown()
        thread.join()


def test_prepare_writes_a_data_set_and_prints_a_table(folder, out):
    """The table on standard output, the rest on standard error."""
    result = run("prepare", folder, "--out", out)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    heads = "class read train valid test synthetic unrecognised too-long empty duplicate over-limit"
    assert " ".join(lines[0].split()) == heads.replace("-", " ")
    assert lines[1].split() == ["cat", "20", "14", "3", "3", "0", "0", "0", "0", "0", "0"]
    assert lines[2].startswith("palm tree    10      7      2     1 ")
    assert lines[3].startswith("2 classes    30     21      5     4 ")
    assert len({len(line) for line in lines}) == 1
    assert re.fullmatch(
        r".*data.npz: 30 drawings of 2 classes, 60 points, scale \d+\.\d{3}, .* s\ncredit: Quick.*\n", result.stderr
    )
    assert load_dataset(out).class_names == ("cat", "palm tree")


def test_prepare_is_silent_when_asked(folder, out):
    """--quiet leaves errors only."""
    result = run("prepare", folder, "--out", out, "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert out.is_file()


def test_prepare_gives_the_same_bytes_again(folder, out, tmp_path):
    """In another process too."""
    run("prepare", folder, "--out", out, "--limit-per-class", 9, "--seed", 4)
    again = tmp_path / "again.npz"
    argv = [sys.executable, "-m", "sketch_edge.cli.data", "prepare", str(folder), "--out", str(again)]
    subprocess.run([*argv, "--limit-per-class", "9", "--seed", "4"], check=True, capture_output=True)
    assert again.read_bytes() == out.read_bytes()


def test_prepare_takes_its_options(folder, out, tmp_path):
    """Classes by comma and repeated, split, limits, synthetic files."""
    made = tmp_path / "made.ndjson"
    made.write_text("".join(record("cat", i) for i in range(100, 130)))
    result = run(
        *("prepare", folder, "--out", out, "--classes", "cat, palm tree", "--classes", "cat", "--split", "0:1:1"),
        *("--synthetic", made, "--limit-synthetic", 5, "--limit-per-class", 24),
    )
    assert result.exit_code == 0, result.stderr
    assert load_dataset(out).counts().tolist() == [[4, 10, 10], [0, 5, 5]]


def test_prepare_tells_what_it_passed_over(folder, out):
    """With --skip-bad, and files of a folder that hold no drawings."""
    (folder / "counts.json").write_text("{}")
    (folder / "eye.ndjson").write_text("{}\n" + record("eye", 1))
    (folder / "fan.ndjson").write_text("<html>")
    result = run("prepare", folder, "--out", out, "--skip-bad")
    assert result.exit_code == 0
    assert "counts.json: holds no drawings, passed over\n" in result.stderr
    assert "eye.ndjson: 1 bad records, passed over; the first: " in result.stderr
    assert "fan.ndjson: bad from here on, passed over; the first: " in result.stderr


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["prepare", "--out", "d.npz"], "PATH: missing (expected files or folders of drawings); try"),
        (["prepare", "drawings"], "--out: missing; try 'sketch-data prepare --help'"),
        (["prepare", "nowhere", "--out", "d.npz"], "nowhere: does not exist; check the name"),
        (["prepare", "drawings", "--out", "no/d.npz"], "no/d.npz: "),
        (["prepare", "drawings", "--out", "."], ".: is a folder"),
        (
            ["prepare", "drawings", "--out", "drawings/cat.ndjson"],
            "--out: drawings/cat.ndjson is one of the files to read",
        ),
        (["prepare", "drawings", "--out", "d.npz", "--split", "70:30"], "--split: '70:30' is no split (expected three"),
        (["prepare", "drawings", "--out", "d.npz", "--split", "0:0:0"], "--split: '0:0:0' is no split"),
        (["prepare", "drawings", "--out", "d.npz", "--split", "nan:1:1"], "--split: 'nan:1:1' is no split"),
        (["prepare", "drawings", "--out", "d.npz", "--split", "1:-1:1"], "--split: '1:-1:1' is no split"),
        (["prepare", "drawings", "--out", "d.npz", "--classes", "cat,,"], "--classes: 'cat,,' has an empty name"),
        (
            ["prepare", "drawings", "--out", "d.npz", "--classes", "cta"],
            "classes: 'cta' is in no file (the nearest: cat)",
        ),
        (
            ["prepare", "drawings", "--out", "d.npz", "--max-points", "0"],
            "--max-points: 0 is not in the range 1<=x<=",
        ),
        (
            ["prepare", "drawings", "--out", "d.npz", "--max-points", "1"],
            "prepare: none of 30 drawings remains (30 too long)",
        ),
        (
            ["prepare", "drawings", "--out", "d.npz", "--limit-per-class", "x"],
            "--limit-per-class: 'x' is no whole number",
        ),
        (["prepare", "drawings", "--out", "d.npz", "--seed", "-1"], "--seed: -1 is not in the range 0<=x<=9"),
        (["prepare", "bad.ndjson", "--out", "d.npz"], "bad.ndjson:2: is no JSON (Expecting"),
        (["prepare", "drawings", "--synthetic", "no", "--out", "d.npz"], "no: does not exist"),
        (["prepare", "old.npz", "--out", "d.npz"], "old.npz: is a data set already"),
        (["fetch", "--out", "x"], "CLASS: missing"),
        (["fetch", "cat"], "--out: missing"),
        (["fetch", "cta", "--out", "x"], "cta: is none of the 345 official classes (the nearest: "),
        (["fetch", "../cat", "--out", "x", "--base-url", "http://x"], "../cat: is no class name"),
        (
            ["fetch", "cat", "--out", "x", "--kind", "raw,png"],
            "--kind: is 'png' (expected some of simplified, raw, sketchrnn)",
        ),
        (
            ["fetch", "cat", "--out", "x", "--base-url", "file:///etc"],
            "base-url: is 'file:///etc' (expected http:// or",
        ),
        (
            ["fetch", "cat", "--out", "bad.ndjson", "--base-url", "http://x"],
            "--out: bad.ndjson is a file (expected a folder)",
        ),
        (["check", "nowhere"], "nowhere: does not exist; check the name"),
        (["check", "drawings"], "drawings: is no plain file"),
        (["check", "bad.ndjson"], "bad.ndjson:2: is no JSON"),
        (["check"], "FILE: missing; try 'sketch-data check --help'"),
        ([], "sketch-data: missing command; try 'sketch-data --help'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(folder, monkeypatch, args, line):
    """Contract: exit code 2, one error line, no file made, none changed."""
    monkeypatch.chdir(folder.parent)
    Path("bad.ndjson").write_text(record("cat", 1) + "{,}\n")
    run("prepare", folder, "--out", "old.npz")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    result = run(*args)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {line}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_refused_file_leaves_the_output_as_it_was(folder, out, old):
    """Also where there was one."""
    if old is not None:
        out.write_bytes(old)
    (folder / "eye.ndjson").write_text("<html>")
    assert run("prepare", folder, "--out", out).exit_code == 2
    assert (out.read_bytes() if out.exists() else None) == old
    assert sorted(path.name for path in out.parent.iterdir() if path != out) == ["drawings"]


def test_fetch_downloads_every_class_and_kind(base_url, tmp_path):
    """Into one folder, made on the way."""
    args = ("fetch", "cat", "palm tree", "--out", tmp_path / "a" / "b", "--base-url", base_url)
    result = run(*args, "--kind", "simplified,raw", "--kind", "sketchrnn")
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [
        *("cat.ndjson", "cat.npz", "cat.raw.ndjson", "palm tree.ndjson", "palm tree.npz", "palm tree.raw.ndjson"),
    ]
    assert result.stdout == ""
    assert result.stderr.count("fetched\n") == 6
    again = run(*args)
    assert again.stderr.count("was there already\n") == 2


def test_fetched_files_can_be_prepared(base_url, tmp_path, out):
    """The two commands of the README, one after the other."""
    assert run("fetch", "cat", "--out", tmp_path / "drawings", "--base-url", base_url, "-q").exit_code == 0
    result = run("prepare", tmp_path / "drawings", "--out", out)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split()[:2] == ["cat", "3"]


def test_fetch_names_class_and_address_of_a_missing_file(base_url, tmp_path):
    """A custom base address may have classes of its own, or not."""
    result = run("fetch", "my cat", "--out", tmp_path / "x", "--base-url", base_url)
    assert result.exit_code == 2
    assert result.stderr.startswith(
        f"error: my cat: has no simplified file at {base_url}/simplified/my%20cat.ndjson (the"
    )
    assert list((tmp_path / "x").iterdir()) == []


def test_fetch_without_a_link_ends_with_1(tmp_path, monkeypatch):
    """Nobody listens at the port."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("sketch_edge.train.fetch.time.sleep", lambda _: None)
    result = run("fetch", "cat", "--out", tmp_path, "--base-url", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert re.match(r"error: http://127.0.0.1:9/simplified/cat.ndjson: cannot be reached .*run again", result.stderr)


def test_fetch_lists_the_official_classes():
    """345 lines on standard output."""
    assert tuple(run("fetch", "--list").stdout.splitlines()) == OFFICIAL_CLASSES


def test_check_prints_what_a_file_holds(folder):
    """Kind, counts, points, sides, splits, hash."""
    result = run("check", folder / "cat.ndjson")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"{folder / 'cat.ndjson'}: simplified"
    assert lines[1:6] == [
        "  drawings  20",
        "  classes   1: cat 20",
        "  points    min 2, median 2, max 2 a drawing",
        "  side      min 255, median 255, max 255 in the file's units",
        "  splits    none (sketch-data prepare makes them)",
    ]


def test_check_prints_what_a_data_set_holds(folder, out):
    """With its scale and sources."""
    run("prepare", folder, "--out", out)
    text = run("check", out).stdout
    assert f"{out}: data set\n  drawings  30\n  classes   2: cat 20, palm tree 10\n" in text
    assert "  splits    train 21, valid 5, test 4\n" in text
    assert f"  scale     {load_dataset(out).scale:.6f}\n" in text
    assert "  source    palm tree.ndjson: 10 drawings, sha256 " in text


def test_check_counts_bad_records_where_asked(folder):
    """And shows the first."""
    path = folder / "cat.ndjson"
    path.write_text(path.read_text() + "{}\n")
    text = run("check", path, "--skip-bad").stdout
    assert "  drawings  20, 1 bad\n" in text
    assert f"  first bad {path}:21: has no 'word'" in text


def test_check_escapes_what_a_file_says(tmp_path):
    """A class name drives no terminal: it is refused; a file name is shown escaped."""
    path = tmp_path / "a\x1b[1m.ndjson"
    path.write_text(record("cat", 1))
    assert "a\\x1b[1m.ndjson: simplified" in run("check", path).stdout


def test_the_table_fits_its_widest_cell():
    """Names and numbers of any length stay in their columns."""
    lines = format_counts({"x" * 30: ClassCounts(read=10**7), "y": ClassCounts(train=5)})
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].split()[:4] == ["2", "classes", "10000000", "5"]
    assert len(COLUMNS) == 10


@pytest.mark.parametrize("command", [None, *main.commands])
def test_every_command_has_help_with_examples(command):
    """That can be copied and pasted."""
    result = run(*([command] if command else []), "--help")
    assert result.exit_code == 0
    examples = result.stdout.split("Examples:")[1].split("Options:")[0].strip().splitlines()
    assert all(line.strip().startswith("sketch-data ") for line in examples)


def test_the_examples_of_the_help_parse():
    """Every option in them exists."""
    for command in (main, *main.commands.values()):
        assert command.help is not None
        for line in re.findall(r"^ *sketch-data (.*)$", command.help, re.MULTILINE):
            name, *args = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)]
            with click.Context(main):
                assert main.commands[name].make_context(name, args).params


def run_on_terminal(argv: list[str]) -> tuple[int, str]:
    """Run a command whose standard error is a terminal; exit code and what stood on it."""
    pty = pytest.importorskip("pty")
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 80))
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=writer) as process:
        os.close(writer)
        text = b""
        while True:
            try:
                piece = os.read(reader, 65536)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not piece:
                break
            text += piece
    os.close(reader)
    return process.returncode, text.decode()


@pytest.mark.parametrize("tqdm", [True, False])
def test_a_terminal_gets_progress(folder, out, tqdm):
    """tqdm's bar, or a plain counter where tqdm is not installed."""
    if tqdm:
        pytest.importorskip("tqdm")
    block = "" if tqdm else "sys.modules['tqdm'] = None; "
    code = f"import sys; {block}from sketch_edge.cli.data import main; main()"
    status, text = run_on_terminal([sys.executable, "-c", code, "prepare", str(folder), "--out", str(out)])
    assert status == 0
    assert re.search(r"reading: .*%", text)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_fetch_can_be_resumed(tmp_path, number, monkeypatch):
    """The part stays; the same command goes on from there."""
    body = b"{" + bytes(2_000_000)
    half, go = threading.Event(), threading.Event()
    asked: list[str | None] = []

    class Handler(Quiet):
        def do_GET(self) -> None:
            start = int((self.headers["Range"] or "bytes=0-")[6:-1])
            asked.append(self.headers["Range"])
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.send_header("ETag", '"1"')
            self.end_headers()
            if not start:
                self.wfile.write(body[:1_000_000])
                self.wfile.flush()
                half.set()
                go.wait(20)
            else:
                self.wfile.write(body[start:])

    env = {**os.environ, "no_proxy": "*"}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        argv = [sys.executable, "-m", "sketch_edge.cli.data", "fetch", "cat", "--out", str(tmp_path), "--base-url", url]
        with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE) as process:
            assert half.wait(20)
            part = tmp_path / "cat.ndjson.part"
            while not (part.is_file() and part.stat().st_size > 500_000):
                assert process.poll() is None
            process.send_signal(number)
            stderr = process.communicate(timeout=20)[1]
        go.set()
        assert process.returncode == 128 + number
        assert b"Traceback" not in stderr
        done = subprocess.run(argv, env=env, capture_output=True, timeout=60)
        server.shutdown()
        thread.join()
    assert done.returncode == 0
    assert b"resumed" in done.stderr
    assert asked[1] is not None
    assert (tmp_path / "cat.ndjson").read_bytes() == body
    assert [path.name for path in tmp_path.iterdir()] == ["cat.ndjson"]


def test_preparing_needs_no_training_packages(folder, out):
    """A Pi owner can do it: neither torch nor onnx nor onnxruntime is loaded."""
    code = (
        "import sys; from sketch_edge.cli.data import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'onnx', 'onnxruntime', 'PIL'} & set(sys.modules)))"
    )
    argv = [sys.executable, "-c", code, "prepare", str(folder), "--out", str(out)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_sketchrnn_file_is_prepared_without_unpickling(tmp_path, out):
    """The splits of the file are kept."""
    arrays = np.empty(3, object)
    arrays[:] = [np.array([[250, i, 1]], np.int16) for i in range(3)]
    np.savez(tmp_path / "cat.npz", allow_pickle=True, train=arrays, valid=arrays[:0], test=arrays[:0])
    result = run("prepare", tmp_path / "cat.npz", "--out", out)
    assert result.exit_code == 0
    assert load_dataset(out).counts().tolist() == [[3, 0, 0]]
