"""Blind grading: the page does not tell, and the table does."""

import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from sketch_edge.runtime.errors import InputError  # noqa: E402
from sketch_edge.train.evaluate.classifier import ClassifierSettings  # noqa: E402
from sketch_edge.train.evaluate.evaluation import evaluate  # noqa: E402
from sketch_edge.train.evaluate.figures import Options  # noqa: E402
from sketch_edge.train.evaluate.grading import REAL, make_grading, tabulate  # noqa: E402
from tests.train.evaluate.toys import perfect, scribbler, toy_data  # noqa: E402


@pytest.fixture(scope="module")
def report():
    options = Options(count=6, bootstrap=20, repeats=2, classifier=ClassifierSettings(steps=2, batch=4))
    return evaluate([perfect(), scribbler()], toy_data(train=20, test=6), options)


@pytest.fixture
def folder(report, tmp_path):
    page, key = make_grading(report, 40)
    (tmp_path / "grading.html").write_text(page)
    (tmp_path / "grading-key.json").write_text(key)
    return tmp_path


def _items(folder):
    page = (folder / "grading.html").read_text()
    start = page.index('id="data">') + len('id="data">')
    return json.loads(page[start : page.index("</script>", start)])


def _answer(folder, answers, name="grades.json", change=()):
    path = folder / name
    path.write_text(json.dumps({"format": 1, "page": _items(folder)["page"], "answers": answers} | dict(change)))
    return path


def test_the_page_shows_all_and_tells_nothing(folder):
    """Half of the drawings are real; neither sources nor the form of the numbers tells which."""
    data, key = _items(folder), json.loads((folder / "grading-key.json").read_text())
    page = (folder / "grading.html").read_text()
    assert len(data["items"]) == len(key["items"]) == 40
    sources = [item["source"] for item in key["items"]]
    assert {name: sources.count(name) for name in set(sources)} == {REAL: 20, "perfect": 10, "scribbler": 10}
    assert "scribbler" not in page
    assert "http" not in page
    assert all(set(item) == {"label", "path"} for item in data["items"])
    assert not any("." in item["path"] for item in data["items"])
    assert sources[:20] != sorted(sources[:20])


def test_equal_reports_make_equal_pages(report):
    """The mixture is that of the seed."""
    assert make_grading(report, 10) == make_grading(report, 10)


def test_answers_become_a_table(folder):
    """Of two graders together, real drawings first, with an interval."""
    sources = [item["source"] for item in json.loads((folder / "grading-key.json").read_text())["items"]]
    verdicts = {REAL: "real", "perfect": "possibly real", "scribbler": "fake"}
    answers = {str(number): verdicts[source] for number, source in enumerate(sources)}
    second = dict.fromkeys(list(answers)[:20], "fake")
    real, good, bad = tabulate(
        [_answer(folder, answers), _answer(folder, second, "two.json")], folder / "grading-key.json"
    )
    assert (real.source, good.source, bad.source) == (REAL, "perfect", "scribbler")
    assert (real.counts[0], good.counts[1], bad.counts[:2]) == (20, 10, (0, 0))
    assert real.counts[2] + good.counts[2] + bad.counts[2] == 20 + 10
    assert 0 == bad.low < bad.high < 0.35
    assert real.low < real.passed < real.high


def test_no_answers_are_a_wide_interval(folder):
    """And no division by zero."""
    for row in tabulate([_answer(folder, {})], folder / "grading-key.json"):
        assert (row.total, row.passed, row.low, row.high) == (0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"page": "0" * 64}, "answers another page"),
        ({"format": 2}, "is no JSON of format 1"),
        ({"answers": []}, "is no JSON of format 1 with answers"),
        ({"answers": {"40": "real"}}, "'40' is no drawing of the page (0 to 39)"),
        ({"answers": {"-1": "real"}}, "'-1' is no drawing"),
        ({"answers": {"7": "real", "07": "real"}}, "'07' is no drawing"),
        ({"answers": {"\u0663": "real"}}, "is no drawing"),
        ({"answers": {"²": "real"}}, "is no drawing"),
        ({"answers": {"1": "perhaps"}}, "answers.1: is 'perhaps'"),
        ({"answers": {"1": ["real"]}}, "answers.1: is a list"),
    ],
)
def test_wrong_answers_are_refused(folder, change, what):
    """Each with what is wrong."""
    with pytest.raises(InputError) as error:
        tabulate([_answer(folder, {}, change=change)], folder / "grading-key.json")
    assert what in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[1]",
        b'{"format": 1, "page": "", "items": [], "answers": {"1": "real", "1": "fake"}}',
        b'{"format": 1, "page": NaN, "items": [], "answers": {}}',
    ],
)
def test_foreign_files_are_refused(folder, content):
    """Missing, empty, no text, too deep, no object, an answer that is given twice, no number."""
    path = folder / "other.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="name the"):
        tabulate([path], folder / "grading-key.json")
    with pytest.raises(InputError, match="name the"):
        tabulate([_answer(folder, {})], path)


def test_chosen_drawings_are_those_of_the_report(report, folder):
    """Every path of the page is that of a drawing that the report holds."""
    from sketch_edge.train.evaluate.pictures import drawing_path

    known = {
        drawing_path(drawing)
        for shown in report.shown.values()
        for group in (shown.real, *shown.drawn)
        for drawing in group
    }
    assert {item["path"] for item in _items(folder)["items"]} <= known
    assert np.mean([item["path"].count("M") for item in _items(folder)["items"]]) >= 1


PRESSED = """<script>
const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", { key: key }));
let saved = null;
URL.createObjectURL = (blob) => { saved = blob; return "#"; };
for (const key of ["1", "3", "ArrowLeft", "2", "x", "3"]) press(key);
document.querySelector("button[data-grade=fake]").click();
press("s");
saved.text().then((text) => { document.documentElement.dataset.saved = btoa(text); });
</script></body>"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_the_page_takes_keys_and_clicks_and_saves_answers(folder):
    """In a browser: grades by key, one changed after going back, one by mouse; what is saved is a file of answers."""
    page = folder / "pressed.html"
    page.write_text((folder / "grading.html").read_text().replace("</body>", PRESSED))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command += ["--virtual-time-budget=3000", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    (found,) = re.findall(r'data-saved="([^"]+)"', done.stdout)
    answers = folder / "grades.json"
    answers.write_bytes(base64.b64decode(found))
    graded = {"0": "real", "1": "possibly real", "2": "fake", "3": "fake"}
    assert json.loads(answers.read_text())["answers"] == graded
    assert "Drawing 5 of 40; 4 graded" in done.stdout
    assert sum(row.total for row in tabulate([answers], folder / "grading-key.json")) == 4
