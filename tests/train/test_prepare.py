"""From files to a data set: what is dropped and counted, what goes where, and that nothing depends on the order."""

import io
import json
import random
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import DataError, InputError
from sketch_edge.train.dataset import TEST, TRAIN, VALID, DataSet, file_sha256
from sketch_edge.train.prepare import ClassCounts, Prepared, PrepareOptions, prepare, share_out, total_bytes
from sketch_edge.train.readers.search import find_files


def record(word: str, number: int, **more: object) -> dict[str, object]:
    """Make a record whose drawing is different for each number."""
    return {"word": word, "drawing": [[[0, 255, number % 256], [0, number // 256, 100]]], **more}


def write(path: Path, records: list[dict[str, object]]) -> Path:
    """Write records as ndjson."""
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def write_sketchrnn(path: Path, **members: list[np.ndarray]) -> Path:
    """Write a sketch-rnn file."""
    arrays = {}
    for name, drawings in members.items():
        arrays[name] = np.empty(len(drawings), object)
        arrays[name][:] = drawings
    np.savez(path, allow_pickle=True, **arrays)
    return path


def rows(number: int) -> np.ndarray:
    """Return the stroke-3 rows of `record(_, number)`."""
    x, y = number % 256, number // 256
    return np.array([[255, y, 0], [x - 255, 100 - y, 1]], np.int16)


def content(data: DataSet) -> set[tuple[str, int, bytes]]:
    """Return the drawings of a data set as (class, split, rows)."""
    return {
        (data.class_names[data.class_ids[i]], int(data.split_ids[i]), data.drawing(i).tobytes())
        for i in range(len(data))
    }


def saved(prepared: Prepared, path: Path) -> bytes:
    """Save and return the bytes."""
    prepared.data.save(path)
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path):
    """A folder of three classes: 40 cats, 20 dogs, 3 palm trees."""
    folder = tmp_path / "drawings"
    folder.mkdir()
    for word, count in (("cat", 40), ("dog", 20), ("palm tree", 3)):
        write(folder / f"{word}.ndjson", [record(word, i) for i in range(count)])
    return folder


def test_a_folder_becomes_a_data_set(folder):
    """Every drawing once, under its class, in its rows."""
    prepared = prepare([folder])
    data = prepared.data
    assert data.class_names == ("cat", "dog", "palm tree")
    assert {(word, content) for word, _, content in content(data)} == {
        (word, rows(i).tobytes()) for word, count in (("cat", 40), ("dog", 20), ("palm tree", 3)) for i in range(count)
    }
    assert {name: one.read for name, one in prepared.counts.items()} == {"cat": 40, "dog": 20, "palm tree": 3}


def test_the_split_is_70_15_15_in_each_class(folder):
    """A class of three has one in each part."""
    assert prepare([folder]).data.counts().tolist() == [[28, 6, 6], [14, 3, 3], [1, 1, 1]]


def test_the_counts_say_where_every_drawing_went(tmp_path):
    """Read is the sum of all that was kept and dropped."""
    records = [record("cat", i) for i in range(10)]
    records += [record("cat", 50, recognized=False), record("cat", 0), record("cat", 3)]
    records += [{"word": "cat", "drawing": []}, {"word": "cat", "drawing": [[list(range(30)), [0, 9] * 15]]}]
    prepared = prepare([write(tmp_path / "cat.ndjson", records)], PrepareOptions(max_points=20, limit_per_class=8))
    expected = ClassCounts(
        read=15, train=6, valid=1, test=1, unrecognised=1, too_long=1, empty=1, duplicate=2, over_limit=2
    )
    assert prepared.counts == {"cat": expected}
    assert expected.read == sum(astuple(expected)) - expected.read - expected.synthetic
    assert len(prepared.data) == 8


def test_a_drawing_of_max_points_is_kept(tmp_path):
    """Only more than that are dropped: 21 points on a line are 20 rows."""
    path = write(tmp_path / "cat.ndjson", [{"word": "cat", "drawing": [[list(range(21)), [0, 9, 0] * 7]]}])
    assert len(prepare([path], PrepareOptions(max_points=20)).data) == 1


def test_equal_drawings_of_different_classes_both_stay(tmp_path):
    """A circle may be a ball or a clock."""
    path = write(tmp_path / "x.ndjson", [record("ball", 1), record("clock", 1)])
    assert len(prepare([path]).data) == 2


@pytest.mark.parametrize("limit", [None, 10])
def test_the_bytes_do_not_depend_on_the_order_of_paths(folder, tmp_path, limit):
    """Nor on the order of records in a file, its duplicates aside."""
    options = PrepareOptions(limit_per_class=limit, seed=5)
    copy = write(tmp_path / "cat copy.ndjson", [record("cat", i) for i in range(30, 50)])
    paths = [copy, *sorted(folder.iterdir())]
    first = saved(prepare(paths, options), tmp_path / "one.npz")
    assert saved(prepare(paths[::-1], options), tmp_path / "two.npz") == first
    assert saved(prepare([folder, copy], options), tmp_path / "three.npz") == first


def test_another_seed_gives_another_split(folder):
    """And the same seed the same."""
    one, two, three = (content(prepare([folder], PrepareOptions(seed=seed)).data) for seed in (1, 2, 1))
    assert one == three
    assert one != two


def test_the_limit_is_a_choice_by_seed_among_all(folder):
    """Not the first ones of the file."""
    chosen = [
        {
            rows
            for _, _, rows in content(
                prepare([folder / "cat.ndjson"], PrepareOptions(limit_per_class=10, seed=seed)).data
            )
        }
        for seed in range(20)
    ]
    assert all(len(some) == 10 for some in chosen)
    assert len({frozenset(some) for some in chosen}) == 20
    assert len(set().union(*chosen)) == 40


def test_the_limit_chooses_alike_when_a_class_is_large(tmp_path):
    """Pruning while reading leaves the drawings that one choice at the end would leave."""
    records = [record("cat", i) for i in range(4000)]
    random.Random(0).shuffle(records)
    prepared = prepare([write(tmp_path / "a.ndjson", records)], PrepareOptions(limit_per_class=50))
    again = prepare([write(tmp_path / "b.ndjson", records[::-1])], PrepareOptions(limit_per_class=50))
    assert content(prepared.data) == content(again.data)
    assert prepared.counts["cat"].over_limit == 3950


def test_given_splits_are_kept(tmp_path):
    """A sketch-rnn file says itself what is held out."""
    path = write_sketchrnn(
        tmp_path / "cat.npz", train=[rows(i) for i in range(3)], valid=[rows(3)], test=[rows(4), rows(5)]
    )
    data = prepare([path]).data
    assert content(data) == {("cat", split, rows(i).tobytes()) for i, split in enumerate([0, 0, 0, 1, 2, 2])}


def test_a_drawing_held_out_by_one_file_is_not_trained_on_from_another(tmp_path):
    """Of equal drawings the one of test stays, then valid, then train, then those without a split."""
    given_file = write_sketchrnn(
        tmp_path / "cat.npz", train=[rows(0)], valid=[rows(1), rows(2)], test=[rows(2), rows(3)]
    )
    free = write(tmp_path / "cat.ndjson", [record("cat", i) for i in range(4)])
    for paths in ([given_file, free], [free, given_file]):
        prepared = prepare(paths)
        assert content(prepared.data) == {("cat", split, rows(i).tobytes()) for i, split in enumerate([0, 1, 2, 2])}
        assert prepared.counts["cat"].duplicate == 5


def test_synthetic_drawings_only_go_to_train(folder, tmp_path):
    """Those of --synthetic files, whatever split they give, and those whose record says so."""
    made = write_sketchrnn(tmp_path / "cat.npz", valid=[rows(i) for i in range(100, 110)], test=[rows(110)])
    flagged = write(tmp_path / "x.ndjson", [record("dog", i, synthetic=True) for i in range(200, 205)])
    data = prepare([folder, flagged], synthetic=[made]).data
    assert data.synthetic.sum() == 16
    assert set(data.split_ids[data.synthetic]) == {TRAIN}
    assert data.counts()[0].tolist() == [39, 6, 6]
    assert [(source.name, source.synthetic, source.drawings) for source in data.sources if source.synthetic] == [
        ("cat.npz", True, 11),
        ("x.ndjson", True, 5),
    ]


def test_a_real_drawing_wins_over_an_equal_synthetic_one(folder, tmp_path):
    """Whichever is read first."""
    made = write(tmp_path / "cat.ndjson", [record("cat", i, synthetic=True) for i in range(40)])
    for paths in ([folder, made], [made, folder]):
        assert not prepare(paths).data.synthetic.any()


def test_limits_take_real_drawings_first(folder, tmp_path):
    """Synthetic ones fill what is left, and have a limit of their own."""
    made = write(tmp_path / "cat.ndjson", [record("cat", i) for i in range(100, 200)])

    def counts(**limits: int) -> tuple[int, int]:
        one = prepare([folder], PrepareOptions(**limits), [made]).counts["cat"]  # type: ignore[arg-type]
        return one.train + one.valid + one.test, one.synthetic

    assert counts() == (140, 100)
    assert counts(limit_per_class=60) == (60, 20)
    assert counts(limit_per_class=30) == (30, 0)
    assert counts(limit_synthetic=7) == (47, 7)
    assert counts(limit_synthetic=0) == (40, 0)
    assert counts(limit_per_class=60, limit_synthetic=7) == (47, 7)


def test_a_file_named_as_drawings_and_as_synthetic_is_synthetic(folder):
    """It is read once."""
    prepared = prepare([folder], synthetic=[folder / "cat.ndjson"])
    assert prepared.counts["cat"].synthetic == 40
    assert prepared.counts["cat"].duplicate == 0


def test_a_file_named_twice_is_read_once(folder):
    """Also through its folder and through a link."""
    link = folder.parent / "link.ndjson"
    link.symlink_to(folder / "cat.ndjson")
    assert prepare([folder, folder / "cat.ndjson", link]).counts["cat"].read == 40


def test_the_sources_name_and_hash_the_files(folder):
    """With how many drawings of each are in the data set."""
    sources = prepare([folder], PrepareOptions(limit_per_class=10)).data.sources
    assert [(source.name, source.drawings) for source in sources] == [
        ("cat.ndjson", 10),
        ("dog.ndjson", 10),
        ("palm tree.ndjson", 3),
    ]
    assert sources[0].sha256 == file_sha256(folder / "cat.ndjson")


def test_only_the_wanted_classes_are_read(folder):
    """The other files are no sources."""
    prepared = prepare([folder], PrepareOptions(classes=("dog", "palm tree")))
    assert prepared.data.class_names == ("dog", "palm tree")
    assert [source.name for source in prepared.data.sources] == ["dog.ndjson", "palm tree.ndjson"]
    assert list(prepared.counts) == ["dog", "palm tree"]


def test_an_unknown_class_is_refused_with_the_nearest(folder):
    """From what the files hold."""
    with pytest.raises(DataError, match=r"classes: 'plam tree' is in no file \(the nearest: palm tree\); correct"):
        prepare([folder], PrepareOptions(classes=("cat", "plam tree")))


def test_a_folder_passes_over_what_holds_no_drawings(folder):
    """Notes, counts, hidden files, parts of downloads, our own data sets, other folders."""
    (folder / "README.md").write_text("# hello")
    (folder / "counts.json").write_text('{"cat": 40}')
    (folder / ".hidden.ndjson").write_text("no json")
    (folder / "eye.ndjson.part").write_text("no json")
    (folder / "inner").mkdir()
    prepare([folder]).data.save(folder / "data.npz")
    prepared = prepare([folder])
    assert {path.name for path in prepared.ignored} == {"counts.json", "data.npz"}
    assert len(prepared.data) == 63


def test_a_folder_reads_json_with_drawings(tmp_path):
    """What `sketch-draw` wrote."""
    (tmp_path / "x.json").write_text(json.dumps([record("cat", 1), record("cat", 2)], indent=1))
    assert len(prepare([tmp_path]).data) == 2


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_path_without_drawings_is_refused(tmp_path, name):
    """A folder that has none, or no such path."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"does not exist; check the name|holds no drawings \(expected .ndjson"):
        prepare([tmp_path / name])


BAD_LINES = {
    "no key": b"{}",
    "no object": b"[]",
    "no text": b"\xff\xfe\x00",
    "no JSON": b'{"word": "cat", "drawing": ',
    "twice": b'{"word": "cat", "word": "cat", "drawing": [[[0, 9], [0, 9]]]}',
    "nan": b'{"word": "cat", "drawing": [[[0, NaN], [0, 9]]]}',
    "too deep": b"[" * 5000,
    "too large": b'{"word": "cat", "drawing": [[[0, 1e300], [0, 9]]]}',
    "uneven": b'{"word": "cat", "drawing": [[[0, 9, 8], [0, 9]]]}',
}


def test_bad_records_stop_by_default(folder):
    """The message names the line."""
    (folder / "eye.ndjson").write_text(json.dumps(record("eye", 1)) + "\n{}\n")
    with pytest.raises(DataError, match=r"eye.ndjson:2: has no 'word'"):
        prepare([folder])


def test_bad_records_and_files_are_counted_with_skip_bad(folder):
    """What can be read is kept, and what was bad is told with its first error."""
    (folder / "eye.ndjson").write_text(json.dumps(record("eye", 1)) + "\n{}\n[]\n")
    (folder / "fan.ndjson").write_text("<html>")
    prepared = prepare([folder], PrepareOptions(skip_bad=True))
    assert len(prepared.data) == 64
    found = {
        Path(name).name: (count, "is a web page" in first, ":2:" in first)
        for name, (count, first) in prepared.bad.items()
    }
    assert found == {"eye.ndjson": (2, False, True), "fan.ndjson": (0, True, False)}


@given(st.lists(st.sampled_from(["good", *BAD_LINES]), max_size=30))
@settings(max_examples=25, deadline=None)
def test_every_bad_record_is_counted_once(tmp_path_factory, kinds):
    """Wherever it stands and whatever is bad about it; every good one is kept."""
    path = tmp_path_factory.mktemp("mixed") / "cat.ndjson"
    lines = [json.dumps(record("cat", number)).encode() for number in range(len(kinds) + 1)]
    lines[1:] = [BAD_LINES.get(kind, line) for kind, line in zip(kinds, lines[1:], strict=True)]
    path.write_bytes(b"\n".join(lines))
    prepared = prepare([path], PrepareOptions(skip_bad=True))
    assert len(prepared.data) == 1 + kinds.count("good")
    assert sum(count for count, _ in prepared.bad.values()) == len(kinds) - kinds.count("good")


def test_nothing_left_is_refused_with_the_reasons(tmp_path):
    """So that the user knows which option to change."""
    path = write(tmp_path / "cat.ndjson", [record("cat", 1), record("cat", 2, recognized=False)])
    with pytest.raises(DataError, match=r"none of 2 drawings remains \(1 unrecognised, 1 too long\)"):
        prepare([path], PrepareOptions(max_points=1))


def test_progress_adds_up_to_all_bytes(folder):
    """Files that are passed over after their first record count whole."""
    done: list[int] = []
    prepare([folder], PrepareOptions(classes=("dog",)), progress=done.append)
    assert sum(done) == total_bytes([folder]) == sum(path.stat().st_size for path in folder.iterdir())


def test_files_of_folders_are_sorted(folder):
    """The order of the disk does not show."""
    files, _ = find_files([folder])
    assert [path.name for path, _ in files] == ["cat.ndjson", "dog.ndjson", "palm tree.ndjson"]


@pytest.mark.parametrize(
    "settings",
    [
        {"max_points": 0},
        {"limit_per_class": 0},
        {"limit_synthetic": -1},
        {"split": (0, 0, 0)},
        {"split": (1, -1, 1)},
        {"split": (float("nan"), 1, 1)},
        {"split": (1, 1)},
    ],
)
def test_options_without_sense_are_refused(settings):
    """Before anything is read."""
    with pytest.raises(InputError):
        PrepareOptions(**settings)


@pytest.mark.parametrize(
    ("count", "shares", "parts"),
    [
        (100, (70, 15, 15), [70, 15, 15]),
        (3, (70, 15, 15), [1, 1, 1]),
        (4, (70, 15, 15), [2, 1, 1]),
        (2, (70, 15, 15), [2, 0, 0]),
        (1, (70, 15, 15), [1, 0, 0]),
        (0, (70, 15, 15), [0, 0, 0]),
        (10, (1, 0, 1), [5, 0, 5]),
        (2, (90, 0, 10), [1, 0, 1]),
        (5, (0, 0, 1), [0, 0, 5]),
        (7, (1, 1, 1), [3, 2, 2]),
    ],
)
def test_shares(count, shares, parts):
    """Largest remainder, and at least one for each part with a share where there is enough."""
    assert share_out(count, shares) == parts


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 500), st.tuples(*[st.integers(0, 100)] * 3).filter(any))
def test_shares_add_up(count, shares):
    """Nothing is lost, nothing is less than 0, no part without a share gets any, none is off by more than one or so."""
    parts = share_out(count, shares)
    wanting = sum(share > 0 for share in shares)
    assert sum(parts) == count
    assert min(parts) >= 0
    assert all(part == 0 for part, share in zip(parts, shares, strict=True) if share == 0)
    assert count < wanting or all(part >= 1 for part, share in zip(parts, shares, strict=True) if share > 0)
    assert all(abs(part - count * share / sum(shares)) < 3 for part, share in zip(parts, shares, strict=True))


def test_the_last_row_of_every_drawing_lifts_the_pen(folder):
    """Training relies on it."""
    data = prepare([folder]).data
    assert (data.points[data.offsets[1:] - 1, 2] == 1).all()


def test_the_data_set_can_be_saved_to_any_buffer_size(folder, tmp_path):
    """The saved bytes load with nothing but numpy, pickles refused."""
    stored = saved(prepare([folder]), tmp_path / "data.npz")
    with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
        assert arrays["class_names"].tolist() == ["cat", "dog", "palm tree"]
        assert arrays["split_ids"].tolist().count(VALID) == 10
        assert arrays["split_ids"].tolist().count(TEST) == 10


def test_every_count_has_a_column():
    """The table of the command shows all of them."""
    from sketch_edge.cli.data import COLUMNS

    assert [key for _, key in COLUMNS] == [one.name for one in fields(ClassCounts)]
