"""The whole ruler on generators of which the verdict is known."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from sketch_edge.runtime.errors import InputError  # noqa: E402
from sketch_edge.train.evaluate.classifier import ClassifierSettings  # noqa: E402
from sketch_edge.train.evaluate.evaluation import evaluate  # noqa: E402
from sketch_edge.train.evaluate.figures import Options  # noqa: E402
from sketch_edge.train.evaluate.grading import make_grading  # noqa: E402
from sketch_edge.train.evaluate.keep import _pack  # noqa: E402
from sketch_edge.train.evaluate.report import render  # noqa: E402
from tests.train.evaluate.toys import CLASSES, Toy, memoriser, one_trick, perfect, scribbler, toy_data  # noqa: E402

QUICK = Options(count=60, bootstrap=200, repeats=4, copies_from=100, classifier=ClassifierSettings(steps=150, batch=48))


@pytest.fixture(scope="module")
def data():
    return toy_data()


@pytest.fixture(scope="module")
def report(data):
    """Four generators, side by side."""
    return evaluate([perfect(), scribbler(), memoriser(data), one_trick()], data, QUICK)


def _bars(report, name):
    (model,) = [each for each in report.models if each.name == name]
    return [bar.passed for bar in model.bars]


def test_a_perfect_generator_reaches_ceiling_and_floor(report):
    """Fresh drawings from where the real ones come from pass every bar."""
    (model,) = [each for each in report.models if each.name == "perfect"]
    assert _bars(report, "perfect") == [True, True, True]
    ratio, recall, copies = (bar.found for bar in model.bars)
    assert ratio.low <= 1 <= ratio.high
    assert abs(recall.value - 1) < 0.1
    assert copies.value < 0.05
    floor = report.scopes["all"].floor
    assert model.scopes["all"].comparison.frechet.value < 3 * floor.frechet.value
    assert abs(model.scopes["all"].comparison.precision.value - floor.precision.value) < 0.15


def test_a_scribbler_fails(report):
    """It is not recognised, covers nothing, and is far off in every distance."""
    model = report.models[1]
    assert _bars(report, "scribbler") == [False, False, True]
    assert model.scopes["all"].top1.value < 0.5
    assert model.scopes["all"].comparison.frechet.value > 5 * report.scopes["all"].floor.frechet.value
    assert model.scopes["all"].comparison.recall.value < 0.1
    assert model.effects["points"] > 1


def test_a_memoriser_is_caught_by_copies_alone(report):
    """Recognised and varied, yet most of its drawings have an original."""
    model = report.models[2]
    assert _bars(report, "memoriser") == [True, True, False]
    assert model.copies["copies_many"].low > 0.5
    assert max(each.copies for each in model.classes) > 0.9


def test_one_trick_is_caught_by_recall(report):
    """One good drawing of each class, again and again."""
    model = report.models[3]
    assert model.scopes["all"].top1_ratio.value > 0.9
    assert model.bars[1].passed is False
    assert model.bars[1].found.high < 0.8


def test_real_drawings_are_near_each_other_as_seldom_as_is_said(report):
    """The threshold is the one that one real drawing in a hundred is below."""
    shares = [each.near for each in report.real]
    assert np.mean(shares) <= 0.02
    assert all(each.copies <= each.near for each in report.real)


def test_equal_seeds_make_equal_reports(data):
    """The classifier is trained anew, and every figure and byte is the same."""
    options = Options(count=8, bootstrap=20, repeats=2, classifier=ClassifierSettings(steps=5, batch=8))
    first, second = (evaluate([perfect()], data, options) for _ in range(2))
    assert first.to_dict() == second.to_dict()
    assert render(first) == render(second)


def test_figures_are_json(report):
    """No number that JSON does not know."""
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert json.loads(text)["models"][0]["bars"][0]["passed"] is True


def test_the_page_needs_no_network_and_names_every_class(report):
    """Nothing is loaded from anywhere, and what is shown is escaped."""
    page = render(report)
    assert "<script" not in page
    assert "http" not in page
    assert "url(" not in page
    for name in CLASSES:
        assert f"<h3>{name}</h3>" in page
    assert page.count('class="pass"') + page.count('class="fail"') == 12


def test_hostile_names_are_escaped():
    """Class and model names are text, whatever they hold."""
    names = ("<b>circle</b>", '"&<script>')
    data = toy_data(train=8, test=3)
    renamed = type(data)(**{**vars(data), "class_names": (*names, "square", "zigzag")})
    toy = Toy("<i>toy</i>", lambda name, count: perfect().draw("circle", count, 0, None), names)
    options = Options(count=4, bootstrap=20, repeats=2, classifier=ClassifierSettings(steps=2, batch=4))
    report = evaluate([toy], renamed, options)
    page = render(report)
    assert "<script" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    grading, _ = make_grading(report, 8)
    assert grading.count("</script>") == 2
    assert "<b>" not in grading


def test_few_drawings_are_said_and_not_measured():
    """Classes of a handful make no floor, and the first bars stay open."""
    options = Options(count=4, bootstrap=20, repeats=2, classifier=ClassifierSettings(steps=2, batch=4))
    report = evaluate([perfect()], toy_data(train=6, test=2), options)
    assert [bar.passed for bar in report.models[0].bars] == [None, None, None]
    assert any("not measured" in note for note in report.notes)
    assert report.scopes["all"].floor is None
    assert "not measured" in render(report)


def test_a_class_without_test_drawings_is_kept_out_of_means_only():
    """It is drawn and shown; means are over the others."""
    data = toy_data(train=30, test=10)
    splits = np.where((data.class_ids == 0) & (data.split_ids == 2), 0, data.split_ids).astype(np.uint8)
    options = Options(count=4, bootstrap=20, repeats=2, classifier=ClassifierSettings(steps=2, batch=4))
    report = evaluate([perfect()], type(data)(**{**vars(data), "split_ids": splits}), options)
    assert report.real[0].top1 is None
    assert report.scopes["all"].classes == CLASSES[1:]
    assert len(report.models[0].classes) == 4


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"classes": ("cat", "square")}, "--classes 'cat': is not among the 4 classes of perfect"),
        ({"classes": ("square",)}, "classes: 1 can be measured"),
        ({"temperature": 11.0}, "--temperature 11"),
        ({"count": 1}, "--count 1"),
        ({"against": "train"}, "--against train"),
    ],
)
def test_what_cannot_be_measured_is_refused(data, change, what):
    """Before anything is trained."""
    with pytest.raises(InputError) as error:
        evaluate([perfect()], data, Options(**change))
    assert what in str(error.value)


def test_only_classes_that_all_models_draw_are_measured(data):
    """And the report says which are left out."""
    options = Options(count=4, bootstrap=20, repeats=2, classifier=ClassifierSettings(steps=2, batch=4))
    some = Toy("some", lambda name, count: perfect().draw(name, count, 0, None), ("square", "circle", "moon"))
    report = evaluate([perfect(), some], data, options)
    assert [each.name for each in report.real] == ["circle", "square"]
    assert "ladder, moon, zigzag" in report.notes[0]


def test_kept_classifier_makes_the_second_report_quick_and_equal(tmp_path):
    """It lies beside the data set; a damaged one, or one that tells nothing, is trained again."""
    path = tmp_path / "data.npz"
    toy_data(train=30, test=10).save(path)
    options = Options(count=4, bootstrap=20, repeats=2, classifier=ClassifierSettings(steps=20, batch=16))
    trained = []

    def watch(what, done, total):
        trained.append(what)

    first = evaluate([perfect()], path, options, watch=watch).to_dict()
    (kept,) = tmp_path.glob("data.classifier-*.npz")
    assert trained.count("classifier") == 20
    assert evaluate([perfect()], path, options, watch=watch).to_dict() == first
    assert trained.count("classifier") == 20
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(bytes(content))
    assert evaluate([perfect()], path, options, watch=watch).to_dict() == first
    assert trained.count("classifier") == 40
    with np.load(kept) as file:
        arrays = {name: file[name] for name in file.files}
    key = str(arrays.pop("key"))
    del arrays["sha256"]
    arrays = {name: np.full_like(each, np.nan) if each.dtype.kind == "f" else each for name, each in arrays.items()}
    kept.write_bytes(_pack(arrays, key))
    assert evaluate([perfect()], path, options, watch=watch).to_dict() == first
    assert trained.count("classifier") == 60


def test_synthetic_drawings_are_measured_like_a_model():
    """A teacher's drawings beside its pupil's: only of classes that have some, and no copies of themselves."""
    data = toy_data(train=60, test=12)
    made = (data.split_ids == 0) & (data.class_ids < 2) & (np.arange(len(data)) % 72 < 30)
    data = type(data)(**{**vars(data), "synthetic": made})
    options = Options(
        count=20, bootstrap=20, repeats=2, synthetic=True, classifier=ClassifierSettings(steps=60, batch=32)
    )
    report = evaluate([perfect()], data, options)
    assert [each.name for each in report.real] == ["circle", "ladder"]
    assert [(each.training, each.learnt) for each in report.real] == [(30, 60)] * 2
    pupil, teacher = report.models
    assert teacher.name == "synthetic drawings"
    assert abs(teacher.scopes["all"].top1.value - pupil.scopes["all"].top1.value) < 0.15
    assert teacher.copies["copies_few"].value < 0.2
    with pytest.raises(InputError, match="--synthetic: no class"):
        evaluate([perfect()], toy_data(train=4, test=2), options)


def test_a_limit_is_kept_and_said():
    """Large data sets do not fill the memory, and the report says what was left out."""
    options = Options(count=4, bootstrap=20, repeats=2, limit=7, classifier=ClassifierSettings(steps=2, batch=4))
    report = evaluate([perfect()], toy_data(train=20, test=5), options)
    assert [(each.real, each.training, each.held) for each in report.real] == [(25, 7, 5)] * 4
    assert "7 drawings of each split were used of: circle, ladder" in report.notes[0]
