"""Small models in Magenta's JSON form, and an independent reading of that form, straight from its description.

Nothing of the importer is used here: weights are taken out with struct, gates by their place in the order i, g, f, o.
"""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

H, M, HE, Z = 40, 4, 24, 11
GEN = [[H, 6 * M + 3], [6 * M + 3], [5, 4 * H], [H, 4 * H], [4 * H]]
VAE = [
    *(2 * [[5, 4 * HE], [HE, 4 * HE], [4 * HE]]),
    *([2 * HE, Z], [Z], [2 * HE, Z], [Z], [Z, 2 * H], [2 * H]),
    *([H, 6 * M + 3], [6 * M + 3], [5 + Z, 4 * H], [H, 4 * H], [4 * H]),
]


def info(mode: Any, **more: Any) -> dict[str, Any]:
    """What a file says of itself."""
    return {"name": "cat", "version": 6, "max_seq_len": 60, "scale_factor": 70.5, "mode": mode} | more


def make(dims: list[list[int]], mode: Any, seed: int = 1, listed: bool = False) -> list[Any]:
    """Make the content of a file with random weights that draw sketches of some twenty points."""
    generator = np.random.default_rng(seed)
    blobs: list[Any] = []
    for number, shape in enumerate(dims):
        size = 2.0 / shape[0] ** 0.5 if len(shape) == 2 else 0.3
        weights = generator.normal(size=shape) * size
        if shape == [6 * M + 3]:
            weights[:3] = (1.5, 0.0, -1.0)
            weights[3 + 3 * M : 3 + 5 * M] -= 1.5
        numbers = np.clip(np.rint(weights * 3276.7), -32767, 32767).astype("<i2")
        blobs.append(numbers.ravel().tolist() if listed else base64.b64encode(numbers.tobytes()).decode())
        assert number < 17
    return [info(mode), dims, blobs]


def write(path: Path, content: Any) -> Path:
    """Write a file as Magenta writes it."""
    path.write_text(json.dumps(content, separators=(",", ":")))
    return path


class PlainReading:
    """What a file computes, by the published formulas."""

    def __init__(self, path: Path, dtype: Any = np.float64) -> None:
        self.info, dims, blobs = json.loads(path.read_text())
        arrays = []
        for shape, blob in zip(dims, blobs, strict=True):
            raw = base64.b64decode(blob) if isinstance(blob, str) else struct.pack(f"<{len(blob)}h", *blob)
            numbers = struct.unpack(f"<{len(raw) // 2}h", raw)
            arrays.append(np.array([10.0 * number / 32767.0 for number in numbers], dtype).reshape(shape))
        self.encoder, self.decoder = arrays[:-5], arrays[-5:]

    @staticmethod
    def lstm(weights: list[Any], x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        """One step; the gates i, g, f, o lie side by side."""
        w, u, b = weights
        gates = x @ w + h @ u + b
        n = len(h)
        i, g, f, o = gates[:n], gates[n : 2 * n], gates[2 * n : 3 * n], gates[3 * n :]
        c = c / (1 + np.exp(-(f + 1.0))) + np.tanh(g) / (1 + np.exp(-i))
        return np.tanh(c) / (1 + np.exp(-o)), c

    def start(self, z: Any) -> tuple[Any, Any]:
        """The first h and c."""
        if not self.encoder:
            return (np.zeros(len(self.decoder[3]), self.decoder[3].dtype),) * 2
        t = np.tanh(z @ self.encoder[10] + self.encoder[11])
        return t[len(t) // 2 :], t[: len(t) // 2]

    def carry(self, rows: Any, z: Any) -> Any:
        """Every output y over rows (T, 5) in model units."""
        h, c = self.start(z)
        outputs = []
        for x in rows:
            h, c = self.lstm(self.decoder[2:], np.concatenate([x, z]), h, c)
            outputs.append(h @ self.decoder[0] + self.decoder[1])
        return np.array(outputs)

    def encode(self, rows: Any) -> tuple[Any, Any]:
        """Mu and sigma of rows (T, 5) in model units."""
        ends = []
        for weights, sequence in ((self.encoder[:3], rows), (self.encoder[3:6], rows[::-1])):
            h = c = np.zeros(len(weights[1]))
            for x in sequence:
                h, c = self.lstm(weights, x, h, c)
            ends.append(h)
        end = np.concatenate(ends)
        return end @ self.encoder[6] + self.encoder[7], np.exp((end @ self.encoder[8] + self.encoder[9]) / 2)
