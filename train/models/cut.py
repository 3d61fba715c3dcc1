"""The decoder of the VAE cut up for drawing: what runs once a sketch, and what runs once a step.

z and the class do not change while a sketch is drawn. Their share of the gates is computed once (`Start`), so a step
costs the same as that of an unconditional model. All hold their weights as plain, pre-transposed buffers: exported,
they are MatMul, Add, Sigmoid, Tanh and Mul, and LayerNormalization where the cell has it, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.models.base import weight_of
from sketch_edge.train.models.cells import EPSILON, GATES, HyperLSTM, LayerNormLSTM, Norm
from sketch_edge.train.models.layers import lstm_gates, lstm_step

if TYPE_CHECKING:
    from sketch_edge.train.models.vae import SketchVAE


class Start(nn.Module):
    """(z, class) -> gate constant and first state, of a model that has z or a class input, or both.

    The gates are in the order input, forget, output, candidate, so that one Sigmoid serves three of them.
    """

    embedding: Tensor | None
    state_weight: Tensor
    state_bias: Tensor
    gate_weight: Tensor
    gate_bias: Tensor | None

    def __init__(self, model: SketchVAE) -> None:
        super().__init__()
        decoder = model.decoder
        self.register_buffer("embedding", _kept(model.embedding.weight) if model.config.class_embedding else None)
        self.register_buffer("state_weight", _turned(model.decoder_start.weight))
        self.register_buffer("state_bias", _kept(model.decoder_start.bias))
        if isinstance(decoder, nn.LSTM):
            columns = weight_of(decoder, "weight_ih_l0")[:, STROKE:]  # those of z and the class
            self.register_buffer("gate_weight", lstm_gates(columns))
            self.register_buffer("gate_bias", _bias(decoder))
        else:
            assert decoder.condition_weight is not None
            self.register_buffer("gate_weight", _turned(decoder.condition_weight))
            self.register_buffer("gate_bias", None)

    def forward(self, z: Tensor, class_id: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give gate (B, K), h (B, S) and c (B, S) from z (B, Z) and class_id, int64 (B,)."""
        if self.embedding is not None:
            z = torch.cat([z, torch.index_select(self.embedding, 0, class_id)], dim=1)
        state = torch.tanh(z @ self.state_weight + self.state_bias)
        h, c = state.chunk(2, dim=1)
        gate = z @ self.gate_weight
        return gate if self.gate_bias is None else gate + self.gate_bias, h, c


class ConstantStart(nn.Module):
    """The start of a model with neither z nor class input: the same for every sketch. Its only class is number 0."""

    gate_table: Tensor
    state_table: Tensor

    def __init__(self, model: SketchVAE) -> None:
        super().__init__()
        bias = _bias(model.decoder) if isinstance(model.decoder, nn.LSTM) else torch.zeros(model.constant)
        self.register_buffer("gate_table", bias.unsqueeze(0))
        self.register_buffer("state_table", torch.zeros(1, 2 * model.state))

    def forward(self, z: Tensor, class_id: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give gate (B, K), h (B, S) and c (B, S) from z (B, 0) and class_id, int64 (B,)."""
        h, c = torch.index_select(self.state_table, 0, class_id).chunk(2, dim=1)
        return torch.index_select(self.gate_table, 0, class_id), h, c


class Step(nn.Module):
    """One step of the decoder: a stroke-5 row and the state in, the raw output y and the next state out."""

    row_weight: Tensor
    hidden_weight: Tensor
    output_weight: Tensor
    output_bias: Tensor

    def __init__(self, model: SketchVAE) -> None:
        super().__init__()
        decoder = model.decoder
        assert isinstance(decoder, nn.LSTM)
        self.register_buffer("row_weight", lstm_gates(weight_of(decoder, "weight_ih_l0")[:, :STROKE]))
        self.register_buffer("hidden_weight", lstm_gates(weight_of(decoder, "weight_hh_l0")))
        self.register_buffer("output_weight", _turned(model.head.weight))
        self.register_buffer("output_bias", _kept(model.head.bias))

    def forward(self, x: Tensor, gate: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give y (B, 6M + 3), h_next and c_next (B, H) from x (B, 5), gate (B, 4H), h and c (B, H)."""
        gates = h @ self.hidden_weight + x @ self.row_weight + gate
        h_next, c_next = lstm_step(gates, c)
        return h_next @ self.output_weight + self.output_bias, h_next, c_next


class NormedStep(nn.Module):
    """One step of the decoder with the cell `LayerNormLSTM`."""

    row_weight: Tensor
    hidden_weight: Tensor
    output_weight: Tensor
    output_bias: Tensor

    def __init__(self, model: SketchVAE) -> None:
        super().__init__()
        cell = model.decoder
        assert isinstance(cell, LayerNormLSTM)
        self.register_buffer("row_weight", _turned(cell.row_weight))
        self.register_buffer("hidden_weight", _turned(cell.hidden_weight))
        self.register_buffer("output_weight", _turned(model.head.weight))
        self.register_buffer("output_bias", _kept(model.head.bias))
        self.norm = _CutNorm(cell.norm)

    def forward(self, x: Tensor, gate: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give y (B, 6M + 3), h_next and c_next (B, H) from x (B, 5), gate (B, 4H), h and c (B, H)."""
        gates = h @ self.hidden_weight + x @ self.row_weight + gate
        h_next, c_next = self.norm(gates.chunk(GATES, dim=1), c)
        return h_next @ self.output_weight + self.output_bias, h_next, c_next


class HyperStep(nn.Module):
    """One step of the decoder with the cell `HyperLSTM`; the states of main and steering cell lie side by side."""

    row_weight: Tensor
    hidden_weight: Tensor
    steering_weight: Tensor
    embed_weight: Tensor
    embed_bias: Tensor
    output_weight: Tensor
    output_bias: Tensor

    def __init__(self, model: SketchVAE) -> None:
        super().__init__()
        cell = model.decoder
        assert isinstance(cell, HyperLSTM)
        self.widths = [cell.hidden, cell.steering]
        for name in ("row_weight", "hidden_weight", "steering_weight", "embed_weight"):
            self.register_buffer(name, _turned(getattr(cell, name)))
        self.register_buffer("embed_bias", _kept(cell.embed_bias))
        # A matrix for each gate and use: products of three axes could not be stored in whole numbers by channel.
        for place, scale in enumerate(cell.scale_weight):
            self.register_buffer(f"scale_{place}", _turned(scale))
        for place, base in enumerate(cell.base):
            self.register_buffer(f"base_{place}", _kept(base))
        self.register_buffer("output_weight", _turned(model.head.weight))
        self.register_buffer("output_bias", _kept(model.head.bias))
        self.norm, self.steering_norm = _CutNorm(cell.norm), _CutNorm(cell.steering_norm)

    def forward(self, x: Tensor, gate: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give y (B, 6M + 3), h_next and c_next (B, S) from x (B, 5), gate (B, 4S), h and c (B, S)."""
        widths = [GATES * width for width in self.widths]
        given, steered = torch.split(x @ self.row_weight + gate, widths, dim=1)
        h_main, _ = torch.split(h, self.widths, dim=1)
        c_main, c_steering = torch.split(c, self.widths, dim=1)
        sums = h @ self.steering_weight + steered
        h_steering, c_steering = self.steering_norm(sums.chunk(GATES, dim=1), c_steering)
        z = (h_steering @ self.embed_weight + self.embed_bias).chunk(3 * GATES, dim=1)  # embeddings, not the latent z
        d = [part @ getattr(self, f"scale_{place}") for place, part in enumerate(z)]
        from_state, from_row = (h_main @ self.hidden_weight).chunk(GATES, dim=1), given.chunk(GATES, dim=1)
        gates = tuple(
            d[k] * from_state[k] + d[GATES + k] * from_row[k] + d[2 * GATES + k] + getattr(self, f"base_{k}")
            for k in range(GATES)
        )
        h_main, c_main = self.norm(gates, c_main)
        y = h_main @ self.output_weight + self.output_bias
        return y, torch.cat([h_main, h_steering], dim=1), torch.cat([c_main, c_steering], dim=1)


class _CutNorm(nn.Module):
    """The normalisations of a `Norm` and the rest of its cell: sums of the four gates, each (B, H), and c -> h, c."""

    memory_gain: Tensor
    memory_bias: Tensor

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        self.width = (norm.units,)
        for place in range(GATES):
            self.register_buffer(f"gain_{place}", _kept(norm.gain[place]))
            self.register_buffer(f"bias_{place}", _kept(norm.bias[place]))
        self.register_buffer("memory_gain", _kept(norm.memory_gain))
        self.register_buffer("memory_bias", _kept(norm.memory_bias))

    def forward(self, gates: tuple[Tensor, ...], c: Tensor) -> tuple[Tensor, Tensor]:
        """Give h and c, each (B, H)."""
        i, f, o, candidate = (
            F.layer_norm(sums, self.width, getattr(self, f"gain_{place}"), getattr(self, f"bias_{place}"), EPSILON)
            for place, sums in enumerate(gates)
        )
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(candidate)
        normed = F.layer_norm(c, self.width, self.memory_gain, self.memory_bias, EPSILON)
        return torch.sigmoid(o) * torch.tanh(normed), c


def _kept(weight: Tensor) -> Tensor:
    """Copy a parameter, so that training goes on without the cut-up parts noticing."""
    return weight.detach().clone()


def _turned(weight: Tensor) -> Tensor:
    """Transpose a matrix, for products from the left."""
    return weight.detach().t().contiguous()


def _bias(lstm: nn.LSTM) -> Tensor:
    """Both biases of an nn.LSTM, which torch keeps apart and which only ever occur as a sum, (4H,)."""
    return lstm_gates(weight_of(lstm, "bias_ih_l0") + weight_of(lstm, "bias_hh_l0"))
