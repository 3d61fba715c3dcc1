"""How large the whole is of which a part is given."""

import numpy as np
import pytest

from sketch_edge.runtime.artist import load
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.together.given import bring
from sketch_edge.runtime.together.guess import SHARES, guess_share


def test_the_shipped_model_knows_how_large_wheels_are():
    """The first stroke of its own bicycles, blown up, is small again; the outline of its own clocks is not."""
    artist = load(provider="cpu")
    found = {}
    for name in ("bicycle", "clock"):
        states = artist.session.start(np.zeros((1, artist.manifest.sizes.latent), np.float32), [artist.class_id(name)])
        true, guessed = [], []
        for sketch in artist.draw_many([name] * 12, seed=3):
            part = Sketch((sketch.lines[0],), name)
            true.append(
                max(part.bounds.width, part.bounds.height) / max(sketch.bounds.width, sketch.bounds.height, 200)
            )
            blown_up = Sketch((sketch.lines[0] * 10,), name)
            guessed.append(guess_share(artist.session, states, bring(blown_up), artist.manifest.scale))
        found[name] = float(np.median(guessed))
        assert abs(np.log(found[name] / np.median(true))) < 0.35
    assert found["bicycle"] < 0.65 < found["clock"]


def test_the_shares_go_down_evenly():
    """From the whole to about a sixth."""
    assert SHARES[0] == 1
    assert SHARES[-1] == pytest.approx(0.168, abs=0.001)
    np.testing.assert_allclose(np.divide(SHARES[1:], SHARES[:-1]), 0.8)
