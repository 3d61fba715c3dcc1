"""The preset `lstm-xy`: a class label and an LSTM that sees where the pen is, and gives where it goes.

Places, not offsets, go in and come out, with three columns for the pen; all five are learnt by squared error. Places
count from the first point of a drawing, which is all that a data set keeps of them, in boxes: the larger side of a
drawing is 1. A bundle's rows are offsets, so the exported step carries the place in its state.

Shapes: B sketches, T rows, H units, E class embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sketch_edge.runtime.manifest import PEN_STATES
from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.batches import Batch
from sketch_edge.train.config import ModelConfig
from sketch_edge.train.dataset import DataSet
from sketch_edge.train.models.base import State, Task, at_least_float32, weight_of
from sketch_edge.train.models.layers import linear_shapes, lstm_gates, lstm_shapes, lstm_step, xavier
from sketch_edge.train.models.offsets import (
    BOX,
    OUTPUT,
    Costs,
    LabelStart,
    OffsetModel,
    drawn_pen_logits,
    pen_logits,
    squared_costs,
)

PLACE = 2
"""Columns of the state that hold x and y, after those of the LSTM."""


class PlaceLSTM(OffsetModel):
    """The network.

    Args:
        config: class_embedding, decoder_hidden and dropout are used.
        classes: number of classes.
    """

    SETTINGS = frozenset({"class_embedding", "decoder_hidden", "dropout"})

    box: Tensor
    """Larger side of a drawing in model units, (1,)."""

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__(config, classes)
        E, H = config.class_embedding, config.decoder_hidden
        self.embedding = nn.Embedding(classes, E)
        self.decoder = nn.LSTM(STROKE + E, H)
        self.dropout = nn.Dropout(config.dropout)  # of the outputs: nn.LSTM's own does nothing in one layer
        self.head = nn.Linear(H, OUTPUT)
        self.register_buffer("box", torch.ones(1))
        xavier(self.decoder)
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @staticmethod
    def weight_shapes(config: ModelConfig, classes: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight, and of the box."""
        E, H = config.class_embedding, config.decoder_hidden
        return {
            "embedding.weight": (classes, E),
            **lstm_shapes("decoder", STROKE + E, H),
            **linear_shapes("head", H, OUTPUT),
            "box": (1,),
        }

    def fit(self, data: DataSet, scale: float) -> None:
        """Note how large a drawing is in model units; `scale` is Quick, Draw! units per unit."""
        self.box.fill_(BOX / scale)

    def forward(self, rows: Tensor, class_ids: Tensor) -> Tensor:
        """Outputs in the network's own terms (pen columns, then x, y in boxes), (T, B, 5).

        Args:
            rows: stroke-5 from the start token on, in model units, (T, B, 5).
            class_ids: int64 (B,).
        """
        output, _ = self._run(rows[..., :2].cumsum(dim=0), rows, class_ids, None)
        return output

    def costs(self, batch: Batch, task: Task) -> Costs:
        """Mean squared error over the five columns of all counted rows; the end stands where the last point does."""
        with torch.autocast(batch.rows.device.type, torch.bfloat16, enabled=task.bf16):
            output = self(batch.rows[:-1], batch.class_ids)
        places = batch.rows[:, :, :2].cumsum(dim=0)[1:] / self.box
        target = torch.cat([batch.rows[1:, :, 2:], places], dim=2)
        return squared_costs(at_least_float32(output), target, batch.counted)

    @property
    def state(self) -> int:
        """S: the layer's, then x and y."""
        return self.hidden + PLACE

    def first_state(self, z: Tensor, class_ids: Tensor) -> State:
        """Zeros: those of the layer, and x = y = 0, where every drawing begins."""
        zeros = self.head.weight.new_zeros(len(class_ids), self.state)
        return zeros, zeros

    def advance(self, rows: Tensor, z: Tensor, class_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the network over rows (T, B, 5) from a state: y as a bundle has it, (T, B, 5), and the state after."""
        (h, place), (c, rest) = (torch.split(part, [self.hidden, PLACE], dim=1) for part in state)
        places = place + rows[..., :2].cumsum(dim=0)
        own = (h.unsqueeze(0).contiguous(), c.unsqueeze(0).contiguous())
        output, (h, c) = self._run(places, rows, class_ids, own)
        y = torch.cat([pen_logits(output[..., :PEN_STATES]), output[..., PEN_STATES:] * self.box - places], dim=2)
        return y, (torch.cat([h[0], places[-1]], dim=1), torch.cat([c[0], rest], dim=1))

    def cut(self) -> tuple[nn.Module, nn.Module]:
        """Cut the network up for drawing."""
        return LabelStart(self.embedding, self.decoder, self.state), Step(self)

    def matrices(self) -> dict[str, list[Tensor]]:
        """The matrices of both graphs; that of the layer's input is the row's and the label's."""
        row, label = torch.split(weight_of(self.decoder, "weight_ih_l0"), [STROKE, self.config.class_embedding], dim=1)
        step = [row, weight_of(self.decoder, "weight_hh_l0"), self.head.weight.detach()]
        return {"start.onnx": [label], "step.onnx": step}

    def _run(
        self, places: Tensor, rows: Tensor, class_ids: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Outputs as in `forward`, and the state of nn.LSTM after the last row; places (T, B, 2) in model units."""
        label = self.embedding(class_ids).expand(len(rows), -1, -1)
        hidden, state = self.decoder(torch.cat([places / self.box, rows[..., 2:], label], dim=2), state)
        return self.head(self.dropout(hidden)), state


class Step(nn.Module):
    """One step: the offset moves the place in the state, and y is the way from there to where the network points."""

    row_scale: Tensor
    row_weight: Tensor
    hidden_weight: Tensor
    output_weight: Tensor
    output_bias: Tensor
    box: Tensor

    def __init__(self, model: PlaceLSTM) -> None:
        super().__init__()
        decoder = model.decoder
        self.hidden = decoder.hidden_size
        self.register_buffer("row_scale", torch.cat([1 / model.box, 1 / model.box, torch.ones(PEN_STATES)]))
        self.register_buffer("row_weight", lstm_gates(weight_of(decoder, "weight_ih_l0")[:, :STROKE]))
        self.register_buffer("hidden_weight", lstm_gates(weight_of(decoder, "weight_hh_l0")))
        self.register_buffer("output_weight", model.head.weight.detach().t().contiguous())
        self.register_buffer("output_bias", model.head.bias.detach().clone())
        self.register_buffer("box", model.box.detach().clone())

    def forward(self, x: Tensor, gate: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give y (B, 5), h_next and c_next (B, H + 2) from x (B, 5), gate (B, 4H), h and c (B, H + 2)."""
        own, place = torch.split(h, [self.hidden, PLACE], dim=1)
        own_c, rest = torch.split(c, [self.hidden, PLACE], dim=1)
        offset, pen = torch.split(x, [PLACE, PEN_STATES], dim=1)
        place = place + offset
        row = torch.cat([place, pen], dim=1) * self.row_scale
        own, own_c = lstm_step(own @ self.hidden_weight + row @ self.row_weight + gate, own_c)
        chances, target = torch.split(own @ self.output_weight + self.output_bias, [PEN_STATES, PLACE], dim=1)
        y = torch.cat([drawn_pen_logits(chances), target * self.box - place], dim=1)
        return y, torch.cat([own, place], dim=1), torch.cat([own_c, rest], dim=1)
