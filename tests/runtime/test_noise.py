"""The random numbers of a sketch: the documented stream, nothing else."""

import math

import numpy as np
import pytest

from sketch_edge.runtime.noise import Noise

MASK = 2**64 - 1


def philox_words(seed: int, index: int, count: int) -> list[int]:
    """Philox-4x64-10 (Salmon et al. 2011, table 2) in plain Python; the counter of the first block is 1."""
    words: list[int] = []
    counter = 0
    while len(words) < count:
        counter += 1
        block, key = [counter, 0, 0, 0], [seed, index]
        for _ in range(10):
            left, right = block[0] * 0xD2E7470EE14C6C93, block[2] * 0xCA5A826395121157
            block = [(right >> 64) ^ block[1] ^ key[0], right & MASK, (left >> 64) ^ block[3] ^ key[1], left & MASK]
            key = [(key[0] + 0x9E3779B97F4A7C15) & MASK, (key[1] + 0xBB67AE8584CAA73B) & MASK]
        words += block
    return words[:count]


def uniform(word: int) -> float:
    """The uniform of a word, as documented."""
    return ((word >> 12) + 0.5) * 2.0**-52


def normals(first: float, second: float) -> tuple[float, float]:
    """The two normals of two uniforms, as documented."""
    radius, angle = math.sqrt(-2 * math.log(first)), 2 * math.pi * second
    return radius * math.cos(angle), radius * math.sin(angle)


@pytest.mark.parametrize(("seed", "index"), [(7, 0), (0, 0), (2**64 - 1, 2**64 - 1), (123456789, 41)])
def test_numbers_are_those_of_the_document(seed, index):
    """Philox words, uniforms, Box-Muller and Gumbels written out in plain Python give the same numbers."""
    latent, mixtures, steps = 5, 4, 3
    values = [uniform(word) for word in philox_words(seed, index, 6 + steps * (mixtures + 5))]
    noise = Noise(seed, index, latent, mixtures)
    pairs = [normals(*values[at : at + 2]) for at in (0, 2, 4)]
    np.testing.assert_allclose(noise.z, np.ravel(pairs)[:latent], rtol=2e-7)
    gumbels, offsets = noise.steps(steps)
    for step in range(steps):
        row = values[6 + step * (mixtures + 5) :][: mixtures + 5]
        np.testing.assert_allclose(gumbels[step], [-math.log(-math.log(u)) for u in row[:-2]], rtol=2e-7)
        np.testing.assert_allclose(offsets[step], normals(*row[-2:]), rtol=2e-7)


def test_golden_values():
    """Seed 7, sketch 0 has these numbers on every machine."""
    noise = Noise(7, 0, latent=4, mixtures=3)
    gumbels, offsets = noise.steps(2)
    np.testing.assert_allclose(noise.z, [-0.14712793, 0.50211215, -1.091101, 0.73758703], rtol=2e-7)
    np.testing.assert_allclose(
        gumbels,
        [
            [-0.9126087, 1.0175023, -0.19572176, 0.7399668, -1.449512, 1.4283657],
            [0.2029397, 1.77827, 0.7938936, 1.3368945, -1.0247688, 0.43941024],
        ],
        rtol=2e-7,
    )
    np.testing.assert_allclose(offsets, [[-0.58690906, -0.12387647], [-0.81259614, 0.31843314]], rtol=2e-7)


def test_shapes_and_types():
    """z is (Z,), Gumbels (count, M + 3), normals (count, 2), all float32."""
    noise = Noise(1, 2, latent=7, mixtures=20)
    gumbels, offsets = noise.steps(9)
    assert noise.z.shape == (7,)
    assert gumbels.shape == (9, 23)
    assert offsets.shape == (9, 2)
    assert {noise.z.dtype, gumbels.dtype, offsets.dtype} == {np.dtype(np.float32)}


def test_blocks_do_not_matter():
    """Steps taken in blocks of 1, 4 and 3 are those taken at once."""
    at_once, in_parts = Noise(3, 1, 4, 2), Noise(3, 1, 4, 2)
    parts = [in_parts.steps(count) for count in (1, 4, 3)]
    for whole, pieces in zip(at_once.steps(8), zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(whole, np.concatenate(pieces))


def test_an_odd_latent_size_takes_whole_pairs():
    """Z = 3 takes the words of Z = 4, so the steps that follow are the same."""
    odd, even = Noise(5, 0, 3, 2), Noise(5, 0, 4, 2)
    np.testing.assert_array_equal(odd.z, even.z[:3])
    np.testing.assert_array_equal(odd.steps(2)[0], even.steps(2)[0])


def test_neighbours_share_nothing():
    """The next index and the next seed have other numbers."""
    streams = [Noise(seed, index, 64, 1).z for seed, index in ((4, 0), (4, 1), (5, 0), (0, 4))]
    assert len(np.unique(np.concatenate(streams))) == 4 * 64


def test_distributions():
    """A long stream has the moments of standard normals and Gumbels."""
    noise = Noise(11, 0, latent=20_000, mixtures=1)
    gumbels, offsets = noise.steps(20_000)
    for sample in (noise.z, offsets[:, 0], offsets[:, 1]):
        assert abs(sample.mean()) < 0.03
        assert abs(sample.std() - 1) < 0.02
    assert abs((offsets[:, 0] * offsets[:, 1]).mean()) < 0.03
    assert abs(gumbels.mean() - np.euler_gamma) < 0.03
    assert abs(gumbels.std() - math.pi / math.sqrt(6)) < 0.03
