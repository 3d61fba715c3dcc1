"""What models share that give the next offset itself and no distribution over it: y, its parts, and pen states.

Their bundles have the head "offset": y = three pen logits (down, up, end), then dx, dy in model units. They learn by
squared error, whose minimiser is the conditional mean: where people draw to the left or to the right it draws neither.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import OFFSET, PEN_STATES
from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.batches import Batch
from sketch_edge.train.config import Config
from sketch_edge.train.dataset import TRAIN, DataSet
from sketch_edge.train.models.base import SketchModel, Task, weight_of
from sketch_edge.train.models.layers import lstm_gates

OUTPUT = PEN_STATES + 2
"""Columns of y."""

PEN_FLOOR = 0.01
"""Least chance of a pen state that was learnt by squared error: a straight line through ones and zeros is no surer than
that, and the logarithm of less would magnify the rounding of float32 beyond what an export allows."""

BOX = 255.0
"""The larger side of a drawing, in Quick, Draw! units (`runtime/strokes.py`)."""


class Costs(NamedTuple):
    """What each sketch of a batch costs: means over its counted rows, float32 (B,)."""

    offset: Tensor
    """For dx and dy, or x and y."""

    pen: Tensor
    """For the pen states."""

    hits: Tensor
    """Share of its rows whose likeliest pen state is the right one; nothing is learnt from it."""


class OffsetModel(SketchModel):
    """A model with the head "offset": no latent vector, no mixture, no KL term; a subclass says what an error costs."""

    HEAD = OFFSET

    @classmethod
    def check(cls, config: Config) -> None:
        """Refuse a model that would not know which class it is to draw, the only thing that it is told.

        Raises:
            InputError: class_embedding is 0.
        """
        if config.model.class_embedding == 0:
            raise InputError(
                f"--set class_embedding=0: preset {config.preset} has no other input than the class; choose 1 or more"
            )

    @abstractmethod
    def costs(self, batch: Batch, task: Task) -> Costs:
        """What each sketch of the batch costs, and how often its pen is right; the teacher gives the rows."""

    def parts(self, batch: Batch, task: Task) -> Tensor:
        """The costs of offsets and pen, and no KL, (3,); all sketches alike, long or short."""
        found = self.costs(batch, task)
        sums = torch.stack([found.offset.sum(), found.pen.sum(), torch.zeros_like(found.pen[0])])
        return sums / task.sketches

    def figures(self, batch: Batch, task: Task) -> dict[str, float]:
        """Share of right pen states, each sketch by itself and all alike."""
        return {"pen_accuracy": float(self.costs(batch, task).hits.mean())}


class LabelStart(nn.Module):
    """The start of a model whose label goes into the first layer's gates at every step; its state starts from zeros.

    Args:
        embedding: (classes, E).
        lstm: its first layer takes a stroke-5 row and the embedding.
        width: of the state.
    """

    embedding: Tensor
    gate_weight: Tensor
    gate_bias: Tensor
    zeros: Tensor

    def __init__(self, embedding: nn.Embedding, lstm: nn.LSTM, width: int) -> None:
        super().__init__()
        self.register_buffer("embedding", embedding.weight.detach().clone())
        self.register_buffer("gate_weight", lstm_gates(weight_of(lstm, "weight_ih_l0")[:, STROKE:]))
        self.register_buffer("gate_bias", lstm_gates(weight_of(lstm, "bias_ih_l0") + weight_of(lstm, "bias_hh_l0")))
        self.register_buffer("zeros", torch.zeros(1, 2 * width))

    def forward(self, z: Tensor, class_id: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give gate (B, 4H), h and c (B, S) from z (B, 0) and class_id, int64 (B,)."""
        gate = torch.index_select(self.embedding, 0, class_id) @ self.gate_weight + self.gate_bias
        everybody = class_id - class_id  # (B,) zeros: the only row of the table, once for each sketch
        h, c = torch.index_select(self.zeros, 0, everybody).chunk(2, dim=1)
        return gate, h, c


def pen_logits(chances: Tensor) -> Tensor:
    """Logits of pen states of which the conditional means of their one-hot columns are known, any shape.

    The squared error is least at the conditional mean, and that of a column of ones and zeros is its chance.
    """
    return torch.log(torch.clamp(chances, PEN_FLOOR, 1.0))


def drawn_pen_logits(chances: Tensor) -> Tensor:
    """As `pen_logits`, of (B, 3), for a graph: a sketch gets the same bits alone as beside others.

    onnxruntime takes logarithms of 16 numbers at once, and of what is left over in another way with other last bits; so
    16 copies are taken of every number.
    """
    logits, _ = torch.split(pen_logits(torch.cat([chances] * 16, dim=1)), [PEN_STATES, 15 * PEN_STATES], dim=1)
    return logits


def pen_hits(scores: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """Share of each sketch's counted rows whose largest score is that of the right pen state, (B,).

    Args:
        scores: (T, B, 3).
        target: one-hot, likewise.
        counted: bool (T, B).
    """
    return row_means((scores.argmax(dim=2) == target.argmax(dim=2)).float(), counted)


def squared_costs(output: Tensor, target: Tensor, counted: Tensor) -> Costs:
    """Mean squared error over all five columns of pen and place, told apart: offset + pen is that mean.

    Args:
        output: (T, B, 5), pen first.
        target: likewise, the pen one-hot.
        counted: bool (T, B).
    """
    pen, place = torch.split((output - target).square() / OUTPUT, [PEN_STATES, OUTPUT - PEN_STATES], dim=2)
    return Costs(
        row_means(place.sum(dim=2), counted),
        row_means(pen.sum(dim=2), counted),
        pen_hits(output[..., :PEN_STATES], target[..., :PEN_STATES], counted),
    )


def row_means(values: Tensor, counted: Tensor) -> Tensor:
    """Mean over the counted rows of each sketch, (B,); values and counted (T, B)."""
    return (values * counted).sum(dim=0) / counted.sum(dim=0)


def pen_first(rows: Tensor) -> Tensor:
    """Bring stroke-5 rows (..., 5) into the order of y: pen, then dx, dy."""
    return torch.cat([rows[..., 2:], rows[..., :2]], dim=-1)


def train_offsets(data: DataSet, scale: float) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of dx and dy over the training split alone, each (2,), in model units."""
    rows = [data.points[data.offsets[i] : data.offsets[i + 1], :2] for i in data.indices(TRAIN)]
    offsets = np.concatenate(rows).astype(np.float64) / scale
    std = np.maximum(offsets.std(axis=0), 1e-3)  # drawings of level lines alone have no height
    return torch.from_numpy(offsets.mean(axis=0)).float(), torch.from_numpy(std).float()
