"""Moves cut into frames by a clock that the test holds."""

import numpy as np
import pytest

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.live.pace import LONGEST_FRAME_S, checked_speed, frames
from sketch_edge.runtime.live.performance import Move, joined


class Clock:
    """Time that goes on only where somebody sleeps or works."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


def length(moves):
    return sum(float(np.hypot(*np.diff(move.line, axis=0).T).sum()) for move in moves)


def zigzag(count=7):
    return [Move(np.array([[10.0 * i, 0], [10.0 * i + 3, 4], [10.0 * i + 10, 4]]), True) for i in range(count)]


def test_the_pen_goes_at_its_speed():
    """100 units a second at 10 frames a second are 10 units a frame, and the ink is all there, in its order."""
    clock, times, shown = Clock(), [], []
    for frame in frames(zigzag(), 100.0, fps=10, clock=clock, sleep=clock.sleep):
        times.append(clock.now)
        shown.append(frame)
    assert np.allclose(times, np.arange(len(times)) / 10)
    assert all(length(frame) == pytest.approx(10) for frame in shown[:-1])
    assert sum(map(length, shown)) == pytest.approx(7 * 12)
    points = np.concatenate([move.line for frame in shown for move in frame])
    for corner in np.concatenate([move.line for move in zigzag()]):
        assert np.isclose(points, corner).all(axis=1).any()
    for whole, move in zip(joined(move for frame in shown for move in frame), zigzag(), strict=True):
        np.testing.assert_array_equal(whole.line, move.line)


def test_through_the_air_it_is_five_times_as_fast():
    """And leaves no ink: those frames are empty, but given."""
    air = Move(np.array([[0.0, 0], [100, 0]]), False)
    clock = Clock()
    shown = list(frames([air], 100.0, fps=10, clock=clock, sleep=clock.sleep))
    assert shown == [[], []]
    assert clock.now == pytest.approx(0.2)


def test_who_shows_slowly_gets_no_jump():
    """What came late is made up for in short waits, but not what took longer than a quarter of a second."""
    clock, shown = Clock(), []
    for number, frame in enumerate(frames(zigzag(40), 100.0, fps=10, clock=clock, sleep=clock.sleep)):
        shown.append(length(frame))
        clock.now += 60 if number == 3 else 0.12
    assert max(shown) <= 10 + 1e-9
    assert clock.now >= 60
    assert LONGEST_FRAME_S < 1


def test_speed_0_is_as_fast_as_it_comes():
    """Nobody sleeps; a frame holds what came while it lasted."""
    clock = Clock()

    def slow():
        for move in zigzag(10):
            clock.now += 0.03
            yield move

    shown = [len(frame) for frame in frames(slow(), 0.0, fps=10, clock=clock, sleep=clock.sleep)]
    assert clock.now == pytest.approx(0.3)
    assert sum(shown) == 10
    assert set(shown[:-1]) == {4}


def test_moves_are_asked_for_when_the_pen_comes_to_them():
    """One in advance at most."""
    asked = []

    def source():
        for number, move in enumerate(zigzag()):
            asked.append(number)
            yield move

    clock = Clock()
    shown = frames(source(), 120.0, fps=10, clock=clock, sleep=clock.sleep)
    for number in range(4):
        next(shown)
        assert len(asked) <= number + 2


def test_nothing_and_dots():
    """No moves are no frames; a dot takes no time."""
    assert list(frames([], 10.0)) == []
    clock = Clock()
    dots = [Move(np.array([[1.0, 2]]), True)] * 3
    assert [len(frame) for frame in frames(dots, 10.0, clock=clock, sleep=clock.sleep)] == [3]


@pytest.mark.parametrize("speed", [-1, 0.009, 101, float("nan"), float("inf")])
def test_speeds_out_of_range(speed):
    """0 and 0.01 to 100 are speeds."""
    with pytest.raises(InputError, match="speed: is"):
        checked_speed(speed)
    assert checked_speed(0) == 0
