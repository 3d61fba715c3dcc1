"""The preset `lstm`: a class label and an LSTM of two layers that gives the next offset and the logits of the pen.

The label's embedding goes in at every step. dx and dy are standardised, each by its own mean and deviation over the
training split; both travel with the weights. There is no latent vector: what differs between two drawings of a class
is decided by the pen alone, which is drawn at a temperature.

Shapes: B sketches, T rows, H units, E class embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_edge.runtime.manifest import PEN_STATES
from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.batches import Batch
from sketch_edge.train.config import ModelConfig
from sketch_edge.train.dataset import DataSet
from sketch_edge.train.models.base import State, Task, at_least_float32, weight_of
from sketch_edge.train.models.layers import linear_shapes, lstm_gates, lstm_shapes, lstm_step
from sketch_edge.train.models.offsets import (
    OUTPUT,
    Costs,
    LabelStart,
    OffsetModel,
    pen_hits,
    row_means,
    train_offsets,
)

LAYERS = 2


class ClassLSTM(OffsetModel):
    """The network.

    Args:
        config: class_embedding, decoder_hidden and dropout are used.
        classes: number of classes.
    """

    SETTINGS = frozenset({"class_embedding", "decoder_hidden", "dropout"})

    offset_mean: Tensor
    """Of dx and dy over the training split, in model units, (2,)."""
    offset_std: Tensor
    """Their standard deviations, likewise."""

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__(config, classes)
        E, H = config.class_embedding, config.decoder_hidden
        self.embedding = nn.Embedding(classes, E)
        self.decoder = nn.LSTM(STROKE + E, H, num_layers=LAYERS, dropout=config.dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(H, OUTPUT)
        self.register_buffer("offset_mean", torch.zeros(2))
        self.register_buffer("offset_std", torch.ones(2))

    @staticmethod
    def weight_shapes(config: ModelConfig, classes: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight, and of what the offsets are standardised with."""
        E, H = config.class_embedding, config.decoder_hidden
        return {
            "embedding.weight": (classes, E),
            **lstm_shapes("decoder", STROKE + E, H),
            **lstm_shapes("decoder", H, H, "_l1"),
            **linear_shapes("head", H, OUTPUT),
            "offset_mean": (2,),
            "offset_std": (2,),
        }

    def fit(self, data: DataSet, scale: float) -> None:
        """Take mean and deviation of dx and dy from the training split; `scale` is Quick, Draw! units per unit."""
        mean, std = train_offsets(data, scale)
        self.offset_mean.copy_(mean)
        self.offset_std.copy_(std)

    def forward(self, rows: Tensor, class_ids: Tensor) -> Tensor:
        """Outputs in the network's own terms (pen logits, then standardised dx, dy), (T, B, 5).

        Args:
            rows: stroke-5 from the start token on, in model units, (T, B, 5).
            class_ids: int64 (B,).
        """
        output, _ = self._run(rows, class_ids, None)
        return output

    def costs(self, batch: Batch, task: Task) -> Costs:
        """Squared error of the points and cross-entropy of the pen; the end row has a pen and no offset."""
        with torch.autocast(batch.rows.device.type, torch.bfloat16, enabled=task.bf16):
            output = self(batch.rows[:-1], batch.class_ids)
        pen, offset = torch.split(at_least_float32(output), [PEN_STATES, 2], dim=2)
        target, counted = batch.rows[1:], batch.counted
        squares = (offset - self._standardised(target[..., :2])).square().mean(dim=2)
        states = target[..., 2:].argmax(dim=2)
        nll = F.cross_entropy(pen.flatten(0, 1), states.flatten(), reduction="none").view_as(squares)
        is_point = counted & (states < 2)
        hits = pen_hits(pen, target[..., 2:], counted)
        return Costs(row_means(squares, is_point), row_means(nll, counted), hits)

    @property
    def state(self) -> int:
        """S: both layers side by side."""
        return LAYERS * self.hidden

    def first_state(self, z: Tensor, class_ids: Tensor) -> State:
        """Zeros."""
        zeros = self.head.weight.new_zeros(len(class_ids), self.state)
        return zeros, zeros

    def advance(self, rows: Tensor, z: Tensor, class_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the network over rows (T, B, 5) from a state: y as a bundle has it, (T, B, 5), and the state after."""
        output, (h, c) = self._run(rows, class_ids, (_unpacked(state[0]), _unpacked(state[1])))
        pen, offset = output[..., :PEN_STATES], output[..., PEN_STATES:]
        return torch.cat([pen, offset * self.offset_std + self.offset_mean], dim=2), (_packed(h), _packed(c))

    def cut(self) -> tuple[nn.Module, nn.Module]:
        """Cut the network up for drawing."""
        return LabelStart(self.embedding, self.decoder, self.state), Step(self)

    def matrices(self) -> dict[str, list[Tensor]]:
        """The matrices of both graphs; that of the first layer's input is the row's and the label's."""
        row, label = torch.split(weight_of(self.decoder, "weight_ih_l0"), [STROKE, self.config.class_embedding], dim=1)
        others = [weight_of(self.decoder, name) for name in ("weight_hh_l0", "weight_ih_l1", "weight_hh_l1")]
        return {"start.onnx": [label], "step.onnx": [row, *others, self.head.weight.detach()]}

    def _run(
        self, rows: Tensor, class_ids: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Outputs as in `forward`, and the state of nn.LSTM after the last row, h and c, each (2, B, H)."""
        label = self.embedding(class_ids).expand(len(rows), -1, -1)
        hidden, state = self.decoder(torch.cat([self._standardised(rows[..., :2]), rows[..., 2:], label], dim=2), state)
        return self.head(self.dropout(hidden)), state

    def _standardised(self, offsets: Tensor) -> Tensor:
        """z-scores of dx and dy (..., 2), which come in model units."""
        return (offsets - self.offset_mean) / self.offset_std


class Step(nn.Module):
    """One step of both layers: a stroke-5 row in model units in, pen logits and the offset in model units out."""

    row_scale: Tensor
    row_shift: Tensor
    row_weight: Tensor
    hidden_weight: Tensor
    second_weight: Tensor
    second_hidden_weight: Tensor
    second_bias: Tensor
    output_weight: Tensor
    output_bias: Tensor
    output_scale: Tensor
    output_shift: Tensor

    def __init__(self, model: ClassLSTM) -> None:
        super().__init__()
        decoder, mean, std = model.decoder, model.offset_mean, model.offset_std
        ones, zeros = torch.ones(PEN_STATES), torch.zeros(PEN_STATES)
        self.register_buffer("row_scale", torch.cat([1 / std, ones]))
        self.register_buffer("row_shift", torch.cat([-mean / std, zeros]))
        self.register_buffer("row_weight", lstm_gates(weight_of(decoder, "weight_ih_l0")[:, :STROKE]))
        self.register_buffer("hidden_weight", lstm_gates(weight_of(decoder, "weight_hh_l0")))
        self.register_buffer("second_weight", lstm_gates(weight_of(decoder, "weight_ih_l1")))
        self.register_buffer("second_hidden_weight", lstm_gates(weight_of(decoder, "weight_hh_l1")))
        self.register_buffer(
            "second_bias", lstm_gates(weight_of(decoder, "bias_ih_l1") + weight_of(decoder, "bias_hh_l1"))
        )
        self.register_buffer("output_weight", model.head.weight.detach().t().contiguous())
        self.register_buffer("output_bias", model.head.bias.detach().clone())
        self.register_buffer("output_scale", torch.cat([ones, std]))
        self.register_buffer("output_shift", torch.cat([zeros, mean]))

    def forward(self, x: Tensor, gate: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give y (B, 5), h_next and c_next (B, 2H) from x (B, 5), gate (B, 4H), h and c (B, 2H)."""
        h_0, h_1 = h.chunk(LAYERS, dim=1)
        c_0, c_1 = c.chunk(LAYERS, dim=1)
        row = x * self.row_scale + self.row_shift
        h_0, c_0 = lstm_step(h_0 @ self.hidden_weight + row @ self.row_weight + gate, c_0)
        h_1, c_1 = lstm_step(h_1 @ self.second_hidden_weight + h_0 @ self.second_weight + self.second_bias, c_1)
        y = (h_1 @ self.output_weight + self.output_bias) * self.output_scale + self.output_shift
        return y, torch.cat([h_0, h_1], dim=1), torch.cat([c_0, c_1], dim=1)


def _packed(state: Tensor) -> Tensor:
    """(2, B, H) -> (B, 2H), the layers side by side."""
    return state.transpose(0, 1).flatten(1)


def _unpacked(state: Tensor) -> Tensor:
    """(B, 2H) -> (2, B, H), as nn.LSTM has it."""
    return torch.stack(state.chunk(LAYERS, dim=1))
