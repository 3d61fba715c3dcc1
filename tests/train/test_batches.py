"""Batches: reproducible, balanced, of like length; augmentation that keeps a drawing a drawing."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sketch_edge.train.augment import ENOUGH, FEW, Padded, augment, strength_of_class  # noqa: E402
from sketch_edge.train.batches import POOL, TrainBatches, pad, to_batch, valid_batches  # noqa: E402
from sketch_edge.train.config import TrainConfig  # noqa: E402
from sketch_edge.train.dataset import TEST, TRAIN, VALID  # noqa: E402

PLAIN = TrainConfig(batch=16, scale_jitter=0.0, point_drop=0.0, few_shot=0.0)


def test_batch_is_the_stroke5_of_its_drawings(shapes):
    """Start token, scaled offsets, pen states, end rows: row for row what stroke3_to_stroke5 gives."""
    from sketch_edge.runtime.strokes import START_TOKEN, stroke3_to_stroke5

    chosen = np.array([0, 50, 100])
    batch = to_batch(pad(shapes, chosen), shapes.class_ids[chosen], shapes.scale)
    for i, index in enumerate(chosen):
        stroke3 = shapes.drawing(index).astype(np.float64)
        stroke3[:, :2] /= shapes.scale
        expected = stroke3_to_stroke5(stroke3, len(batch.rows) - 1)
        np.testing.assert_allclose(batch.rows[1:, i].numpy(), expected, atol=1e-6)
        assert tuple(batch.rows[0, i].tolist()) == START_TOKEN
    assert batch.points == sum(len(shapes.drawing(i)) for i in chosen)


def test_batches_depend_on_seed_and_number_alone(shapes):
    """Any batch can be had again without those before it; another seed gives others."""
    first, second = TrainBatches(shapes, PLAIN), TrainBatches(shapes, PLAIN)
    for number in (POOL + 3, 0, 2):
        assert torch.equal(first[number].rows, second[number].rows)
    other = TrainBatches(shapes, dataclasses.replace(PLAIN, seed=1))
    assert not torch.equal(first[0].class_ids, other[0].class_ids)


def test_batches_hold_sketches_of_like_length(shapes):
    """Padding stays low although lengths run from 3 to 15."""
    batches = TrainBatches(shapes, PLAIN)
    share = [batches[i].points / (len(batches[i].rows) - 1) / PLAIN.batch for i in range(POOL)]
    assert np.mean(share) > 0.7


@pytest.mark.parametrize(("balance", "low", "high"), [(0.0, 0.4, 0.6), (1.0, 0.0, 0.2)])
def test_balance_decides_how_often_a_small_class_is_seen(shapes, balance, low, high):
    """With 0 a class of 4 drawings is seen as often as one of 64; with 1 as rarely as the data has it."""
    keep = np.flatnonzero((shapes.class_ids == 0) | ((shapes.class_ids == 1) & (np.arange(len(shapes)) % 40 < 4)))
    few = _subset(shapes, keep)
    batches = TrainBatches(few, dataclasses.replace(PLAIN, balance=balance))
    share = np.mean([(batches[i].class_ids == 1).float().mean() for i in range(POOL)])
    assert low < share < high


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0.0, 0.0), (1.0, 0.4, 0.6), (3.0, 0.65, 0.85)])
def test_synthetic_share_weighs_drawings_inside_a_class(shapes, share, low, high):
    """In a class that is half synthetic: none of them, half, three of four; how often the class comes is as before."""
    data = dataclasses.replace(shapes, synthetic=(shapes.split_ids == TRAIN) & (np.arange(len(shapes)) % 2 == 0))
    batches = TrainBatches(data, dataclasses.replace(PLAIN, synthetic_share=share, balance=0.0))
    chosen = np.concatenate([*batches._choose(0), *batches._choose(1), *batches._choose(2)])
    assert low <= data.synthetic[chosen].mean() <= high
    assert np.allclose(np.bincount(data.class_ids[chosen], minlength=3) / len(chosen), 1 / 3, atol=0.06)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_a_class_that_models_drew_alone_is_seen_all_the_same(shapes, share):
    """synthetic_share weighs against drawings by people; where there are none it changes nothing."""
    data = dataclasses.replace(shapes, synthetic=(shapes.class_ids == 1) & (shapes.split_ids == TRAIN))
    plain, weighed = (TrainBatches(data, dataclasses.replace(PLAIN, synthetic_share=each)) for each in (1.0, share))
    assert all(np.array_equal(a, b) for a, b in zip(plain._choose(0), weighed._choose(0), strict=True))


def test_with_pen_rows_all_every_row_up_to_nmax_counts(shapes):
    """The batch is padded to the longest drawing of all with end rows, and they count."""
    nmax = int(shapes.lengths.max())
    batches = TrainBatches(shapes, PLAIN)
    number = min(range(POOL), key=lambda each: len(batches[each].rows))
    plain = batches[number]
    assert len(plain.rows) < nmax + 2
    padded = TrainBatches(shapes, dataclasses.replace(PLAIN, pen_rows="all"))[number]
    assert padded.rows.shape == (nmax + 2, PLAIN.batch, 5)
    assert padded.counted.shape == (nmax + 1, PLAIN.batch)
    assert bool(padded.counted.all())
    assert torch.equal(padded.rows[: len(plain.rows)], plain.rows)
    assert torch.equal(padded.rows[len(plain.rows) :, :, 4], torch.ones(nmax + 2 - len(plain.rows), PLAIN.batch))
    assert torch.equal(plain.counted.sum(dim=0), plain.lengths + 1)


def test_training_batches_leave_valid_and_test_out(shapes):
    """Only drawings of the train split are seen."""
    batches = TrainBatches(shapes, PLAIN)
    seen = np.unique(np.concatenate(batches._choose(0) + batches._choose(1)))
    assert set(shapes.split_ids[seen]) == {TRAIN}


def test_valid_batches_give_each_drawing_once(shapes):
    """The splits for measuring come whole."""
    for split in (VALID, TEST):
        assert sum(len(batch.lengths) for batch in valid_batches(shapes, split, 5)) == len(shapes.indices(split))


def test_strength_falls_with_the_number_of_drawings():
    """Few drawings are changed most, a thousand not at all."""
    found = strength_of_class(np.array([1, FEW, 200, ENOUGH, 10**6]))
    assert found[0] == found[1] == 1.0
    assert 0.0 < found[2] < 1.0
    assert found[3] == found[4] == 0.0


def _padded(shapes):
    return pad(shapes, np.arange(len(shapes)))


def test_augmentation_off_changes_nothing(shapes):
    """With all strengths zero the batch comes back as it was."""
    padded = _padded(shapes)
    found = augment(padded, np.ones(len(shapes)), PLAIN, np.random.default_rng(0))
    np.testing.assert_allclose(found.points[padded.valid], padded.points[padded.valid], atol=1e-9)
    assert np.array_equal(found.lengths, padded.lengths)


def test_augmentation_changes_copies_not_the_batch(shapes):
    """The batch that went in is as before."""
    padded = _padded(shapes)
    before = padded.points.copy()
    augment(padded, np.ones(len(shapes)), TrainConfig(), np.random.default_rng(0))
    assert np.array_equal(padded.points, before)


def test_scales_stay_in_their_range(shapes):
    """x and y are scaled independently, within 1 +- scale_jitter."""
    padded = _padded(shapes)
    config = dataclasses.replace(PLAIN, scale_jitter=0.15)
    found = augment(padded, np.zeros(len(shapes)), config, np.random.default_rng(0))
    moved = np.abs(padded.points) > 1
    ratio = found.points[moved] / padded.points[moved]
    assert 0.85 <= ratio.min() < 0.9
    assert 1.1 < ratio.max() <= 1.15


def test_dropping_points_keeps_lines_and_their_ends(shapes):
    """A point left out is inside a line; the number of lines and the last points stay."""
    padded = _padded(shapes)
    config = dataclasses.replace(PLAIN, point_drop=0.5)
    found = augment(padded, np.zeros(len(shapes)), config, np.random.default_rng(0))
    assert (found.lengths < padded.lengths).any()
    assert np.array_equal((found.lift & found.valid).sum(axis=1), (padded.lift & padded.valid).sum(axis=1))
    rows = np.arange(len(shapes))
    np.testing.assert_allclose(
        found.points[rows, found.lengths - 1], padded.points[rows, padded.lengths - 1], atol=1e-9
    )


def test_first_points_of_a_line_are_never_dropped():
    """The first three points and the last stay, as a line of four shows."""
    points = np.arange(10.0).reshape(1, 5, 2)
    lift = np.array([[False, False, False, False, True]])
    padded = Padded(points, lift, np.array([5]))
    config = dataclasses.replace(PLAIN, point_drop=0.9)
    lengths = {int(augment(padded, np.zeros(1), config, np.random.default_rng(s)).lengths[0]) for s in range(40)}
    assert lengths == {4, 5}


def _subset(data, keep):
    pieces = [data.drawing(i) for i in keep]
    return dataclasses.replace(
        data,
        points=np.concatenate(pieces),
        offsets=np.concatenate([[0], np.cumsum([len(p) for p in pieces])]),
        class_ids=data.class_ids[keep],
        split_ids=data.split_ids[keep],
        synthetic=data.synthetic[keep],
    )
