"""How long moves take: by hand, against a simulation in small steps, and quickly."""

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.plot.check import check_program
from sketch_edge.runtime.plot.estimate import move_time_s, trace_time_s
from sketch_edge.runtime.plot.machine import load_machine

ACCELERATION = 400.0
DEVIATION = 0.01


def time_of(points, feeds, halt=None, acceleration=ACCELERATION, deviation=DEVIATION):
    """Seconds along points, shape (n + 1, d), at feeds in mm/min."""
    points = np.asarray(points, float)
    count = len(points) - 1
    return move_time_s(
        np.diff(points, axis=0),
        np.broadcast_to(np.asarray(feeds, float), (count,)),
        np.zeros(count, bool) if halt is None else np.asarray(halt, bool),
        acceleration_mm_s2=acceleration,
        junction_deviation_mm=deviation,
    )


def test_a_long_move():
    """One that reaches its speed takes d / v + v / a."""
    assert time_of([[0, 0], [100, 0]], 3000) == pytest.approx(100 / 50 + 50 / ACCELERATION)
    assert time_of([[0, 0], [60, 80]], 3000) == pytest.approx(100 / 50 + 50 / ACCELERATION)


def test_a_short_move():
    """One that never reaches its speed takes 2 sqrt(d / a)."""
    assert time_of([[0, 0], [0, 1]], 60_000) == pytest.approx(2 * math.sqrt(1 / ACCELERATION))


def test_nothing_takes_no_time():
    """No moves, and moves of no length."""
    assert time_of(np.zeros((1, 2)), 100) == 0
    assert time_of(np.ones((4, 2)), 100) == 0


def test_straight_on_is_one_move():
    """A move in pieces takes as long as in one piece, a repeated point in it too."""
    pieces = [[0, 0], [1, 0], [1, 0], [30, 0], [99.9, 0], [100, 0]]
    assert time_of(pieces, 3000) == pytest.approx(time_of([[0, 0], [100, 0]], 3000))


def test_back_is_a_stop():
    """Turning round takes as long as stopping."""
    there = time_of([[0, 0], [100, 0]], 3000)
    assert time_of([[0, 0], [100, 0], [0, 0]], 3000) == pytest.approx(2 * there)


def test_a_halt_is_a_stop():
    """Standing still before a move, and before one of no length, takes its time."""
    there = time_of([[0, 0], [50, 0]], 3000)
    assert time_of([[0, 0], [50, 0], [100, 0]], 3000, [True, True]) == pytest.approx(2 * there)
    points = [[0, 0], [50, 0], [50, 0], [100, 0]]
    assert time_of(points, 3000, [False, True, False]) == pytest.approx(2 * there)
    assert time_of(points, 3000, [True, False, False]) < 1.95 * there


def test_a_right_angle():
    """The speed there is sqrt(a * deviation * s / (1 - s)) with s = sin 45 degrees; the rest is ramps."""
    half = math.sin(math.pi / 4)
    corner = math.sqrt(ACCELERATION * DEVIATION * half / (1 - half))
    speed, side = 50.0, 100.0
    ramp = (speed**2 / 2 + (speed**2 - corner**2) / 2) / ACCELERATION
    leg = speed / ACCELERATION + (speed - corner) / ACCELERATION + (side - ramp) / speed
    assert time_of([[0, 0], [side, 0], [side, side]], 3000) == pytest.approx(2 * leg)
    assert time_of([[0, 0], [side, 0], [side, side]], 3000, deviation=0.0) == pytest.approx(
        2 * time_of([[0, 0], [side, 0]], 3000)
    )


def test_another_feed_begins_slowly_enough():
    """Straight on into a slower move: the faster one slows down to its speed before it ends."""
    fast, slow, length = 50.0, 10.0, 100.0
    first = fast / ACCELERATION + (fast - slow) / ACCELERATION
    first += (length - (fast**2 / 2 + (fast**2 - slow**2) / 2) / ACCELERATION) / fast
    second = length / slow + slow / ACCELERATION / 2
    assert time_of([[0, 0], [length, 0], [2 * length, 0]], [3000, 600]) == pytest.approx(first + second)


def test_a_round_curve_is_gone_along_steadily():
    """A circle of many short moves is limited by its turns: v^2 = a * deviation * s / (1 - s) at each of them."""
    count, radius = 360, 20.0
    angles = np.linspace(0, 2 * np.pi, count + 1)
    points = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    turn = 2 * math.pi / count
    half = math.cos(turn / 2)
    limit = math.sqrt(2000.0 * 0.001 * half / (1 - half))
    length = count * 2 * radius * math.sin(turn / 2)
    taken = time_of(points, 1e6, acceleration=2000.0, deviation=0.001)
    # Between the turns it speeds up a little and slows down again; at the two ends it starts and stops.
    peak = math.sqrt(limit**2 + 2000.0 * length / count)
    assert length / peak < taken < length / limit + 2 * limit / 2000.0


def test_more_acceleration_is_never_slower():
    """And neither is more speed, nor a larger deviation."""
    rng = np.random.default_rng(2)
    points = rng.uniform(0, 50, (200, 2))
    for one, two in itertools.pairwise((100.0, 500.0, 5000.0)):
        assert time_of(points, 3000, acceleration=two) < time_of(points, 3000, acceleration=one)
        assert time_of(points, two) < time_of(points, one)
        assert time_of(points, 3000, deviation=two / 1e4) < time_of(points, 3000, deviation=one / 1e4)


def simulated(points, feeds, halts, acceleration, deviation, step=2e-4):
    """Seconds along points by brute force: at each small step of time as fast as the way ahead still lets it stop.

    Written from the rules, not from the formulas: no passes, no ramps, only "can it still slow down in time?".
    """
    points = [np.asarray(p, float) for p in points]
    moves = [
        (float(np.linalg.norm(b - a)), (b - a), f / 60, h)
        for a, b, f, h in zip(points[:-1], points[1:], feeds, halts, strict=True)
        if np.linalg.norm(b - a) > 0
    ]
    # (place along the way, largest speed there)
    gates, place = [], 0.0
    for number, (length, offset, speed, halt) in enumerate(moves):
        if number:
            length_before, offset_before, speed_before, _ = moves[number - 1]
            cosine = float(offset @ offset_before) / length / length_before
            s = math.sqrt(max(0.0, (1 + cosine) / 2))
            limit = math.inf if cosine > 0.999999 else math.sqrt(acceleration * deviation * s / (1 - s))
            gates.append((place, 0.0 if halt else min(limit, speed, speed_before)))
        place += length
    gates.append((place, 0.0))
    ends = np.cumsum([length for length, *_ in moves])
    at, speed, seconds, current = 0.0, 0.0, 0.0, 0
    while at < place - 1e-9:
        while current < len(moves) - 1 and at >= ends[current] - 1e-12:
            current += 1
        top = moves[current][2]
        ahead = [(g, v) for g, v in gates if g > at + 1e-12]
        wish = min(top, speed + acceleration * step)
        for gate, v in ahead:
            wish = min(wish, math.sqrt(v * v + 2 * acceleration * (gate - at)))
        moved = max((speed + wish) / 2 * step, 1e-9)
        at += moved
        speed = wish
        seconds += step
    return seconds


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.floats(0, 20), st.integers(600, 4000), st.booleans()), min_size=2, max_size=6
    )
)
def test_agrees_with_a_simulation(rows):
    """Random ways take as long as in a simulation of small steps, within 2 % and a few hundredths of a second."""
    points = [[round(x, 2), round(y, 2)] for x, y, _, _ in rows]
    feeds, halts = [f for _, _, f, _ in rows[1:]], [h for *_, h in rows[1:]]
    exact = time_of(points, feeds, halts, 1000.0, 0.05)
    assert simulated(points, feeds, halts, 1000.0, 0.05) == pytest.approx(exact, rel=0.02, abs=0.02)


def test_a_program_takes_its_waits_and_its_lifts_too():
    """Waits count, pauses do not; a z axis takes its way up and down."""
    machine = load_machine("grbl-z", {"speed.acceleration_mm_s2": "100", "speed.junction_deviation_mm": "0"})
    text = (
        "G21\nG90\nG0 Z3 F300\nG0 X10 Y0 F600\nG1 Z0 F300\nG4 P0.5\nG1 X20 Y0 F600\nG0 Z3 F300\nM0\nG0 X0 Y0 F600\nM2\n"
    )
    trace = check_program(text, machine)
    speed, z_speed = 10.0, 5.0
    across = (10 + 10 + 20) / speed + 3 * speed / 100
    up_down = 2 * (3 / z_speed + z_speed / 100)
    assert trace_time_s(trace, machine) == pytest.approx(across + up_down + 0.5)


def test_200_000_moves_take_a_moment():
    """The whole way is planned in arrays."""
    rng = np.random.default_rng(4)
    points = np.cumsum(rng.normal(0, 1, (200_001, 2)), axis=0)
    began = time.process_time()
    assert time_of(points, 3000) > 0
    assert time.process_time() - began < 3


def test_long_ways_lose_no_digits():
    """A hundred copies of a way, each from standstill, take a hundred times as long, 10 km further on too."""
    rng = np.random.default_rng(6)
    way = rng.uniform(0, 100, (1000, 2))
    one = time_of(way, 6000)
    offsets = np.tile(np.diff(way, axis=0), (100, 1))
    halt = np.tile(np.arange(999) == 0, 100)
    many = move_time_s(
        offsets, np.full(len(offsets), 6000.0), halt, acceleration_mm_s2=ACCELERATION, junction_deviation_mm=DEVIATION
    )
    assert many == pytest.approx(100 * one, rel=1e-9)
