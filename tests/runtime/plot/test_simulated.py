"""Programs on a simulated plotter: random scenes for every machine do no harm and draw what they show."""

import pytest

SCENES = 30
"""For each machine; `soak.py` tries thousands."""


@pytest.fixture(scope="module")
def machines(random_scenes):
    return random_scenes.machines()


@pytest.mark.parametrize("block", range(3))
def test_random_scenes_do_no_harm_and_are_drawn(random_scenes, simulate, machines, block):
    """No move out of the area, no travel with the pen down, pen up first and last, and the strokes of the scene."""
    for name, machine in machines.items():
        for number in range(block * SCENES // 3, (block + 1) * SCENES // 3):
            found = random_scenes.faults(random_scenes.make(number, machine), simulate)
            assert not found, f"scene {number} on {name}: {found}"
