"""sketch-eval as a command: what it writes, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm")
pytest.importorskip("PIL")

from sketch_edge.cli.evaluate import main  # noqa: E402
from tests.train.evaluate.toys import toy_data  # noqa: E402

TINY = Path(__file__).parent.parent / "data" / "tiny.sketch.zip"
QUICK = ("--count", 3, "--classifier-steps", 3, "--bootstrap", 20, "--grading", 6, "--threads", 1, "--device", "cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Toy drawings under the names of the tiny bundle."""
    path = tmp_path_factory.mktemp("data") / "data.npz"
    toys = toy_data(train=12, test=8)
    type(toys)(**{**vars(toys), "class_names": ("cat", "palm_tree", "star", "zigzag")}).save(path)
    return path


def _run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def _check_refused(result, what):
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert what in line


@pytest.fixture(scope="module")
def report(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "report"
    return out, _run(TINY, data, "--out", out, *QUICK)


def test_a_report_is_written(report):
    """Page, figures, grading page and key; the summary on standard output."""
    out, result = report
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "grading-key.json",
        "grading.html",
        "report.html",
        "report.json",
    ]
    figures = json.loads((out / "report.json").read_text())
    assert [each["name"] for each in figures["real"]] == ["cat", "palm_tree", "star"]
    assert figures["models"][0]["losses"]["kl"]["value"] >= 0
    assert result.stdout.startswith("tiny:\n")
    assert ">= 0.95): top-1 of generated drawings" in result.stdout or "not measured (>= 0.95)" in result.stdout
    assert "classifier: 100%" in result.stderr
    assert "report.html" in result.stderr


def test_figures_go_to_standard_output_for_other_programs(report, data, tmp_path):
    """The same as in the file, and as in the run before, without a bar."""
    out, _ = report
    result = _run(TINY, data, "--out", tmp_path / "again", "--json", "--quiet", *QUICK)
    assert json.loads(result.stdout) == json.loads((out / "report.json").read_text())
    assert len(result.stderr.splitlines()) == 1
    for name in ("report.html", "report.json", "grading.html", "grading-key.json"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


def test_answers_become_a_table(report, tmp_path):
    """With the key in the report's folder."""
    out, _ = report
    key = json.loads((out / "grading-key.json").read_text())
    answers = tmp_path / "grades.json"
    answers.write_text(json.dumps({"format": 1, "page": key["page"], "answers": {"0": "real", "1": "fake"}}))
    result = _run("--grades", answers, "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1].startswith("real drawings")
    _check_refused(_run("--grades", answers, "--out", tmp_path), "grading-key.json: cannot be read")


def test_grading_needs_no_torch(report, tmp_path):
    """A table of answers is made on any machine."""
    out, _ = report
    key = json.loads((out / "grading-key.json").read_text())
    answers = tmp_path / "grades.json"
    answers.write_text(json.dumps({"format": 1, "page": key["page"], "answers": {}}))
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from sketch_edge.cli.evaluate import main\n"
        f"main(['--grades', {str(answers)!r}, '--out', {str(out)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 3


@pytest.mark.parametrize(
    ("args", "what"),
    [
        ([], "MODEL... DATA.NPZ: missing"),
        (["DATA"], "MODEL... DATA.NPZ: missing"),
        (["DATA", "MODEL"], "data.npz"),
        (["MODEL", "MODEL"], "tiny.sketch.zip: is a bundle, not drawings"),
        (["MODEL", "nowhere.npz"], "nowhere.npz: cannot be read"),
        (["nowhere.pt", "DATA"], "nowhere.pt: "),
        (["MODEL", "DATA", "--classes", "dog,cat"], "--classes 'dog': is not among the 3 classes of tiny"),
        (["MODEL", "DATA", "--classes", ","], "--classes ,: names no class"),
        (["MODEL", "DATA", "--classes", "cat"], "classes: 1 can be measured"),
        (["MODEL", "DATA", "--temperature", "nan"], "--temperature"),
        (["MODEL", "DATA", "--count", "1"], "--count"),
        (["MODEL", "DATA", "--out", "DATA"], "is no folder"),
        (["MODEL", "DATA", "--out", "no/such/folder"], "cannot be made"),
        (["MODEL", "DATA", "--grades", "x.json"], "--grades: reads answers"),
        (["--grades", "x.json"], "cannot be read"),
    ],
)
def test_refused(data, tmp_path, monkeypatch, args, what):
    """In one line, before anything is trained, and nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    names = {"MODEL": TINY, "DATA": data}
    before = sorted(data.parent.iterdir())
    _check_refused(_run(*(names.get(arg, arg) for arg in args)), what)
    assert sorted(data.parent.iterdir()) == before
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_read_is_written_over(data, tmp_path):
    """Not even where it is called like a file of the report."""
    stolen = tmp_path / "report.json"
    stolen.write_bytes(TINY.read_bytes())
    _check_refused(_run(stolen, data, "--out", tmp_path), "report.json: is a file that is read itself")
    assert stolen.read_bytes() == TINY.read_bytes()


def test_help_has_examples():
    """And fits the options to what they do."""
    result = _run("--help")
    assert result.exit_code == 0
    assert "sketch-eval model.sketch.zip data.npz" in result.output
