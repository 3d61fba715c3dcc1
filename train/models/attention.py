"""The preset `attention`: a label is read by an encoder, and a decoder that attends to it draws.

A label is a single symbol, over which a softmax has nothing to choose. So the encoder reads it at POSITIONS places, its
embedding plus a vector of each place; what comes out at the places are that many memories of the class, and at every
step the decoder asks for the mixture that it needs (Luong et al. 2015, arXiv:1508.04025, section 3.1, "general"; the
context goes into the next step, as in Bahdanau et al. 2015, arXiv:1409.0473).

Offsets are in boxes, of which the larger side of a drawing is 1, so coordinates about its middle are in [-0.5, 0.5].
All five columns are learnt by squared error, the pen as three columns of ones and zeros.

Shapes: B sketches, T rows, P positions, D memory (both directions), H decoder units of a layer, E class embedding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_edge.runtime.manifest import PEN_STATES
from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.batches import Batch
from sketch_edge.train.config import ModelConfig, TrainConfig
from sketch_edge.train.dataset import DataSet
from sketch_edge.train.models.base import State, Task, at_least_float32
from sketch_edge.train.models.layers import linear_shapes, lstm_gates, lstm_shapes, lstm_step
from sketch_edge.train.models.offsets import (
    BOX,
    OUTPUT,
    Costs,
    OffsetModel,
    drawn_pen_logits,
    pen_first,
    pen_logits,
    squared_costs,
)

LAYERS = 2
POSITIONS = 8


class AttentionSeq2Seq(OffsetModel):
    """The network.

    Args:
        config: class_embedding, encoder_hidden, decoder_hidden and dropout are used.
        classes: number of classes.
    """

    SETTINGS = frozenset({"class_embedding", "encoder_hidden", "decoder_hidden", "dropout"})

    box: Tensor
    """Larger side of a drawing in model units, (1,)."""

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__(config, classes)
        E, H, D = config.class_embedding, config.decoder_hidden, 2 * config.encoder_hidden
        self.embedding = nn.Embedding(classes, E)
        self.positions = nn.Parameter(torch.randn(POSITIONS, E) * 0.5)
        self.encoder = nn.LSTM(E, config.encoder_hidden, num_layers=LAYERS, bidirectional=True)
        self.opening = nn.Linear(D, 2 * LAYERS * H)
        self.query = nn.Linear(H, D, bias=False)
        self.decoder_0 = nn.LSTMCell(STROKE + D, H)
        self.decoder_1 = nn.LSTMCell(H, H)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(H, OUTPUT)
        self.register_buffer("box", torch.ones(1))

    @staticmethod
    def weight_shapes(config: ModelConfig, classes: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight, and of the box."""
        E, H, He = config.class_embedding, config.decoder_hidden, config.encoder_hidden
        shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (classes, E), "positions": (POSITIONS, E)}
        for layer, incoming in enumerate((E, 2 * He)):
            for direction in ("", "_reverse"):
                shapes |= lstm_shapes("encoder", incoming, He, f"_l{layer}{direction}")
        return shapes | {
            **linear_shapes("opening", 2 * He, 2 * LAYERS * H),
            "query.weight": (2 * He, H),
            **lstm_shapes("decoder_0", STROKE + 2 * He, H, ""),
            **lstm_shapes("decoder_1", H, H, ""),
            **linear_shapes("head", H, OUTPUT),
            "box": (1,),
        }

    def fit(self, data: DataSet, scale: float) -> None:
        """Note how large a drawing is in model units; `scale` is Quick, Draw! units per unit."""
        self.box.fill_(BOX / scale)

    def forward(self, rows: Tensor, class_ids: Tensor, taught: Tensor | None = None) -> Tensor:
        """Outputs in the network's own terms (pen columns, then dx, dy in boxes), (T, B, 5).

        Args:
            rows: stroke-5 from the start token on, in model units, (T, B, 5).
            class_ids: int64 (B,).
            taught: which rows are the right ones and not what the network just gave, bool (T or more, B); all, where
                not given. The first always is.
        """
        memory, outputs = self.remember(class_ids), list[Tensor]()
        state = self._first_of(memory)
        for t, right in enumerate(self._in_boxes(rows)):
            row = (
                right if taught is None or t == 0 else torch.where(taught[t].unsqueeze(1), right, own_row(outputs[-1]))
            )
            output, state = self._step(row, memory, state)
            outputs.append(output)
        return torch.stack(outputs)

    def costs(self, batch: Batch, task: Task) -> Costs:
        """Mean squared error over the five columns of all counted rows; end rows are zeros and the end.

        In training a row is the teacher's with a chance that falls from epoch to epoch; else the network's own.
        """
        share = teacher_share(task.settings, task.epoch) if task.training else 1.0
        taught = None
        if share < 1:
            taught = (task.uniforms(len(batch.rows), batch.rows.device) < share).t()
        with torch.autocast(batch.rows.device.type, torch.bfloat16, enabled=task.bf16):
            output = self(batch.rows[:-1], batch.class_ids, taught)
        return squared_costs(at_least_float32(output), pen_first(self._in_boxes(batch.rows[1:])), batch.counted)

    @property
    def state(self) -> int:
        """S: both layers side by side."""
        return LAYERS * self.hidden

    @property
    def constant(self) -> int:
        """K: the memories of the class."""
        return POSITIONS * 2 * self.config.encoder_hidden

    def remember(self, class_ids: Tensor) -> Tensor:
        """What the encoder makes of a label, (B, P, D)."""
        symbols = self.embedding(class_ids) + self.positions.unsqueeze(1)  # (P, B, E)
        memory: Tensor = self.encoder(symbols)[0]
        return memory.transpose(0, 1)

    def first_state(self, z: Tensor, class_ids: Tensor) -> State:
        """State before the first row, h and c of both layers side by side, each (B, 2H)."""
        return self._first_of(self.remember(class_ids))

    def advance(self, rows: Tensor, z: Tensor, class_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the network over rows (T, B, 5) from a state: y as a bundle has it, (T, B, 5), and the state after."""
        memory, outputs = self.remember(class_ids), list[Tensor]()
        for row in self._in_boxes(rows):
            output, state = self._step(row, memory, state)
            pen, offset = torch.split(output, [PEN_STATES, 2], dim=1)
            outputs.append(torch.cat([pen_logits(pen), offset * self.box], dim=1))
        return torch.stack(outputs), state

    def cut(self) -> tuple[nn.Module, nn.Module]:
        """Cut the network up for drawing."""
        return Start(self), Step(self)

    def matrices(self) -> dict[str, list[Tensor]]:
        """The matrices of the step; the start is a table."""
        row, context = torch.split(self.decoder_0.weight_ih.detach(), [STROKE, 2 * self.config.encoder_hidden], dim=1)
        others = (self.query.weight, self.decoder_0.weight_hh, self.decoder_1.weight_ih, self.decoder_1.weight_hh)
        step = [row, context, *(weight.detach() for weight in (*others, self.head.weight))]
        return {"start.onnx": [], "step.onnx": step}

    def _first_of(self, memory: Tensor) -> State:
        """State before the first row, each (B, 2H), from the mean of the memories (B, P, D)."""
        h, c = torch.tanh(self.opening(memory.mean(dim=1))).chunk(2, dim=1)
        return h, c

    def _step(self, row: Tensor, memory: Tensor, state: State) -> tuple[Tensor, State]:
        """One row (B, 5) in boxes: the output (B, 5) in the network's own terms, and the state after it."""
        (h_0, h_1), (c_0, c_1) = (part.chunk(LAYERS, dim=1) for part in state)
        context = attend(self.query(h_1), memory)
        h_0, c_0 = self.decoder_0(torch.cat([row, context], dim=1), (h_0, c_0))
        h_1, c_1 = self.decoder_1(self.dropout(h_0), (h_1, c_1))
        return self.head(self.dropout(h_1)), (torch.cat([h_0, h_1], dim=1), torch.cat([c_0, c_1], dim=1))

    def _in_boxes(self, rows: Tensor) -> Tensor:
        """stroke-5 rows (..., 5) in model units with their offsets in boxes."""
        return torch.cat([rows[..., :2] / self.box, rows[..., 2:]], dim=-1)


def attend(query: Tensor, memory: Tensor) -> Tensor:
    """Mixture (B, D) of the memories (B, P, D), weighted by the softmax of their products with the query (B, D)."""
    weights = torch.softmax((memory @ query.unsqueeze(2)).flatten(1), dim=1)
    return (weights.unsqueeze(1) @ memory).flatten(1)


def own_row(output: Tensor) -> Tensor:
    """The row (B, 5) that an output (B, 5) stands for: its offset, with its likeliest pen; no gradient goes back."""
    pen, offset = torch.split(output.detach().float(), [PEN_STATES, 2], dim=1)
    return torch.cat([offset, F.one_hot(pen.argmax(dim=1), PEN_STATES).to(offset.dtype)], dim=1)


def teacher_share(settings: TrainConfig, epoch: int) -> float:
    """Chance that a row is the teacher's, in an epoch counted from 0."""
    return settings.teacher_forcing * math.pow(settings.teacher_decay, epoch)


class Start(nn.Module):
    """A table: the encoder sees nothing but the class, so its memories are taken once, when a model is exported."""

    memory: Tensor
    first_h: Tensor
    first_c: Tensor

    def __init__(self, model: AttentionSeq2Seq) -> None:
        super().__init__()
        with torch.no_grad():
            every = torch.arange(model.classes)
            memory = model.remember(every)
            h, c = model.first_state(torch.zeros(model.classes, 0), every)
        self.register_buffer("memory", memory.flatten(1).contiguous())
        self.register_buffer("first_h", h.contiguous())
        self.register_buffer("first_c", c.contiguous())

    def forward(self, z: Tensor, class_id: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the memories (B, P D), h and c (B, 2H) from z (B, 0) and class_id, int64 (B,)."""
        tables = (self.memory, self.first_h, self.first_c)
        memory, h, c = (torch.index_select(table, 0, class_id) for table in tables)
        return memory, h, c


class Step(nn.Module):
    """One step: attend with the state as it was, then both layers; y is in model units."""

    row_scale: Tensor
    query_weight: Tensor
    row_weight: Tensor
    context_weight: Tensor
    hidden_weight: Tensor
    bias: Tensor
    second_weight: Tensor
    second_hidden_weight: Tensor
    second_bias: Tensor
    output_weight: Tensor
    output_bias: Tensor
    box: Tensor

    def __init__(self, model: AttentionSeq2Seq) -> None:
        super().__init__()
        first, second = model.decoder_0, model.decoder_1
        self.depth = 2 * model.config.encoder_hidden
        self.register_buffer("row_scale", torch.cat([1 / model.box, 1 / model.box, torch.ones(PEN_STATES)]))
        self.register_buffer("query_weight", model.query.weight.detach().t().contiguous())
        self.register_buffer("row_weight", lstm_gates(first.weight_ih[:, :STROKE]))
        self.register_buffer("context_weight", lstm_gates(first.weight_ih[:, STROKE:]))
        self.register_buffer("hidden_weight", lstm_gates(first.weight_hh))
        self.register_buffer("bias", lstm_gates(first.bias_ih + first.bias_hh))
        self.register_buffer("second_weight", lstm_gates(second.weight_ih))
        self.register_buffer("second_hidden_weight", lstm_gates(second.weight_hh))
        self.register_buffer("second_bias", lstm_gates(second.bias_ih + second.bias_hh))
        self.register_buffer("output_weight", model.head.weight.detach().t().contiguous())
        self.register_buffer("output_bias", model.head.bias.detach().clone())
        self.register_buffer("box", model.box.detach().clone())

    def forward(self, x: Tensor, gate: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give y (B, 5), h_next and c_next (B, 2H) from x (B, 5), the memories (B, P D), h and c (B, 2H)."""
        h_0, h_1 = h.chunk(LAYERS, dim=1)
        c_0, c_1 = c.chunk(LAYERS, dim=1)
        context = attend(h_1 @ self.query_weight, gate.reshape(-1, POSITIONS, self.depth))
        asked = context @ self.context_weight + (x * self.row_scale) @ self.row_weight
        h_0, c_0 = lstm_step(h_0 @ self.hidden_weight + asked + self.bias, c_0)
        h_1, c_1 = lstm_step(h_1 @ self.second_hidden_weight + h_0 @ self.second_weight + self.second_bias, c_1)
        chances, offset = torch.split(h_1 @ self.output_weight + self.output_bias, [PEN_STATES, 2], dim=1)
        y = torch.cat([drawn_pen_logits(chances), offset * self.box], dim=1)
        return y, torch.cat([h_0, h_1], dim=1), torch.cat([c_0, c_1], dim=1)
