"""The random numbers of a sketch: which ones, in which order, made how (docs/FORMAT.md, "Noise").

Sketch `index` of seed `seed` has a stream of its own, ``numpy.random.Philox(key=[seed, index])``, so a sketch does not
depend on how many others are drawn beside it. Only the raw 64-bit words are taken from numpy: their stream is the
Philox-4x64-10 of Salmon et al. 2011 and never changes, while numpy's distributions may. Words become numbers here:

* uniform, in (0, 1):       ``u = ((word >> 12) + 0.5) * 2**-52``
* two standard normals from two uniforms (Box & Muller 1958):
  ``r = sqrt(-2 ln u1); n1 = r cos(2 pi u2); n2 = r sin(2 pi u2)``
* standard Gumbel:          ``g = -ln(-ln u)``

The order: first ``2 * ceil(latent / 2)`` words, pair by pair, for the latent vector z; then ``mixtures + 5`` words for
each step, in the order of the model's output y: a Gumbel for each pen state (down, up, end), a Gumbel for each
component of the mixture, one pair of normals for the offset. All maths is float64, every result is float32.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.manifest import PEN_STATES
from sketch_edge.runtime.philox import word_stream

Floats = npt.NDArray[np.float32]

WORDS_BESIDE_MIXTURE = PEN_STATES + 2
"""Words that a step takes beside one for each mixture component: three pen states and a pair of normals."""

KEY_LIMIT = 2**64
"""Seeds and indices run from 0 up to and without this."""


class Noise:
    """The numbers of one sketch: z first, then as many steps as are asked for.

    Args:
        seed: 0 .. 2**64 - 1.
        index: which sketch of that seed, 0 .. 2**64 - 1.
        latent: size of z, Z.
        mixtures: components of the mixture, M.
    """

    def __init__(self, seed: int, index: int, latent: int, mixtures: int) -> None:
        self._words = word_stream(seed, index)
        self._mixtures = mixtures
        pairs = (latent + 1) // 2
        self.z: Floats = _normals(self._uniforms((pairs, 2))).reshape(-1)[:latent]
        """Standard normals, shape (Z,)."""

    def steps(self, count: int) -> tuple[Floats, Floats]:
        """Take the numbers of the next `count` steps.

        However the steps are cut into blocks, the numbers are the same.

        Returns:
            Gumbels of shape (count, 3 + M), for pen down, up, end, then for the mixture components; and normals of
            shape (count, 2).
        """
        uniforms = self._uniforms((count, self._mixtures + WORDS_BESIDE_MIXTURE))
        return (-np.log(-np.log(uniforms[:, :-2]))).astype(np.float32), _normals(uniforms[:, -2:])

    def _uniforms(self, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
        """Turn the next words into uniforms; the half keeps them off 0 and 1, so that no logarithm is infinite."""
        words = self._words(shape[0] * shape[1]).reshape(shape)
        return ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def _normals(uniforms: npt.NDArray[np.float64]) -> Floats:
    """Box-Muller: uniforms of shape (n, 2) to normals of shape (n, 2)."""
    radius = np.sqrt(-2.0 * np.log(uniforms[:, 0]))
    angle = (2.0 * np.pi) * uniforms[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32)
