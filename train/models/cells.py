"""Recurrent cells of our own, for the decoder of the VAE: an LSTM with layer normalisation, and one steered by another.

Both can do what nn.LSTM cannot: drop parts of the candidate g in training (Semeniuta et al. 2016, arXiv:1603.05118),
which leaves the memory itself whole. Their gates lie in the order i, f, o, g. Beside the row, a cell reads a constant
that does not change while a sketch is drawn (`gate`); what the rows give is computed for all rows at once, so that only
the products with the state are left to the loop over time.

Letters: B sketches, T rows, C width of z and class together, H units, Hh units of the steering cell, N its embedding.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.config import ModelConfig
from sketch_edge.train.models.base import State

GATES = 4
"""i, f, o, g: input, forget, output, candidate."""

FORGET = 1
"""Place of the forget gate."""

EPSILON = 1e-3
"""Added to the variance in a layer normalisation: a state that is near zero must not be blown up."""

HYPER_SCALE = 0.1
"""What the steering cell multiplies with before it has learnt anything (Ha et al. 2016, appendix A.2.3)."""


class Cell(nn.Module, ABC):
    """A cell of H units whose state is h and c, each of width `state`; the first H of h are its output."""

    hidden: int
    state: int
    constant: int
    """Width of what `gate` gives."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.dropped = config.recurrent_dropout

    @abstractmethod
    def gate(self, condition: Tensor) -> Tensor:
        """What z and class (B, C) tell every step, (B, K)."""

    @abstractmethod
    def forward(self, rows: Tensor, gate: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the cell over rows (T, B, 5) from a state (B, S): outputs (T, B, H) and the state after the last row."""

    @abstractmethod
    def matrices(self) -> tuple[list[Tensor], list[Tensor]]:
        """The matrices of start and step; see `SketchModel.matrices`."""

    def _constant_of(self, weight: Tensor | None, condition: Tensor) -> Tensor:
        """W times (B, C), (B, K); zeros where a model has neither z nor class, and so no W."""
        if weight is None:
            return condition.new_zeros(len(condition), self.constant)
        return F.linear(condition, weight)

    def _written(self, candidate: Tensor) -> Tensor:
        """The candidate g, in training with some of it dropped."""
        written = torch.tanh(candidate)
        return F.dropout(written, self.dropped, self.training) if self.dropped else written


class Norm(nn.Module):
    """The layer normalisations of an LSTM: of each gate's sum, and of the new memory on its way to the output.

    Ba et al. 2016, arXiv:1607.06450, eq. 4 and 20-22: (a - mean) / deviation * gain + bias over the units, with a gain
    and a bias for each unit. The bias of the forget gate starts at 1, so that the memory is kept at first.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units
        self.gain = nn.Parameter(torch.ones(GATES, units))
        self.bias = nn.Parameter(torch.zeros(GATES, units))
        self.memory_gain = nn.Parameter(torch.ones(units))
        self.memory_bias = nn.Parameter(torch.zeros(units))
        with torch.no_grad():
            self.bias[FORGET] = 1.0

    def gates(self, sums: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise the sums of the gates (B, 4, H): what opens, i, f and o, (B, 3, H), and the candidate (B, H)."""
        normed = torch.addcmul(self.bias, F.layer_norm(sums, (self.units,), eps=EPSILON), self.gain)
        return torch.sigmoid(normed[:, :3]), normed[:, 3]

    def memory(self, c: Tensor) -> Tensor:
        """Normalise the new memory (B, H)."""
        return F.layer_norm(c, (self.units,), self.memory_gain, self.memory_bias, EPSILON)


class LayerNormLSTM(Cell):
    """An LSTM whose gates and memory are normalised (Ba et al. 2016), on the sum of what row and state give."""

    def __init__(self, config: ModelConfig, condition: int) -> None:
        super().__init__(config)
        self.hidden = self.state = H = config.decoder_hidden
        self.constant = GATES * H
        self.row_weight = _xavier(GATES * H, STROKE)
        self.condition_weight = _xavier(GATES * H, condition) if condition else None
        self.hidden_weight = _orthogonal(H, H)
        self.norm = Norm(H)

    def gate(self, condition: Tensor) -> Tensor:
        """See `Cell`."""
        return self._constant_of(self.condition_weight, condition)

    def forward(self, rows: Tensor, gate: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Cell`."""
        given = (F.linear(rows, self.row_weight) + gate).view(*rows.shape[:2], GATES, self.hidden)  # (T, B, 4, H)
        (h, c), outputs = state, []
        for now in given.unbind(0):
            to_open, candidate = self.norm.gates(now + F.linear(h, self.hidden_weight).view_as(now))
            i, f, o = to_open.unbind(1)
            c = torch.addcmul(f * c, i, self._written(candidate))
            h = o * torch.tanh(self.norm.memory(c))
            outputs.append(h)
        return torch.stack(outputs), (h, c)

    def matrices(self) -> tuple[list[Tensor], list[Tensor]]:
        """See `Cell`."""
        start = [] if self.condition_weight is None else [self.condition_weight.detach()]
        return start, [self.row_weight.detach(), self.hidden_weight.detach()]

    @staticmethod
    def shapes(config: ModelConfig, condition: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights, by name."""
        H = config.decoder_hidden
        return {
            "row_weight": (GATES * H, STROKE),
            **({"condition_weight": (GATES * H, condition)} if condition else {}),
            "hidden_weight": (GATES * H, H),
            **_norm_shapes("norm", H),
        }


class HyperLSTM(Cell):
    """An LSTM whose weights another, smaller one steers while it draws (Ha, Dai & Le 2016, arXiv:1609.09106, A.2.2-3).

    The steering cell, an LSTM with layer normalisation, sees row, z, class and the state of both. Its state, through
    embeddings of N numbers, scales the rows of the main cell's matrices, and adds to its bias; h^ is its output, and
    the z in these lines is such an embedding (the paper's letter), not the latent vector:

        z = W h^ + b;  y = LN(d_h(z_h) * (W_h h) + d_x(z_x) * (W_x x) + b(z_b))     for each gate, d and b linear

    Its state of the same step is used. The state of both lies side by side: [main, steering].
    """

    def __init__(self, config: ModelConfig, condition: int) -> None:
        super().__init__(config)
        H, Hh, N = config.decoder_hidden, config.hyper_hidden, config.hyper_embedding
        self.hidden, self.steering, self.state = H, Hh, H + Hh
        self.constant = GATES * (H + Hh)
        self.row_weight = _xavier(GATES * (H + Hh), STROKE)  # rows of the main cell, then of the steering one
        self.condition_weight = _xavier(GATES * (H + Hh), condition) if condition else None
        self.hidden_weight = _orthogonal(H, H)
        self.norm = Norm(H)
        self.steering_weight = _orthogonal(Hh, H + Hh)
        self.steering_norm = Norm(Hh)
        # For d_h, d_x and b, each for i, f, o, g: embeddings that start at 1, 1 and 0, scales that start at 0.1.
        self.embed_weight = nn.Parameter(torch.zeros(3 * GATES * N, Hh))
        self.embed_bias = nn.Parameter(torch.ones(3 * GATES * N))
        self.scale_weight = nn.Parameter(torch.full((3 * GATES, H, N), HYPER_SCALE / N))
        self.base = nn.Parameter(torch.zeros(GATES, H))
        with torch.no_grad():
            self.embed_weight[2 * GATES * N :].normal_(std=0.01)
            self.embed_bias[2 * GATES * N :] = 0.0
            self.scale_weight[2 * GATES :] = 0.0

    def gate(self, condition: Tensor) -> Tensor:
        """See `Cell`."""
        return self._constant_of(self.condition_weight, condition)

    def forward(self, rows: Tensor, gate: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Cell`."""
        H, Hh = self.hidden, self.steering
        size = rows.shape[:2]
        given, steered = torch.split(F.linear(rows, self.row_weight) + gate, [GATES * H, GATES * Hh], dim=2)
        given, steered = given.reshape(*size, GATES, H), steered.reshape(*size, GATES, Hh)
        scales = self.scale_weight.transpose(1, 2)  # (12, N, H)
        carried, (c, c_steering) = state[0], torch.split(state[1], [H, Hh], dim=1)
        outputs = []
        for x, x_steering in zip(given.unbind(0), steered.unbind(0), strict=True):
            sums = x_steering + F.linear(carried, self.steering_weight).view_as(x_steering)
            h_steering, c_steering = self._step(self.steering_norm, sums, c_steering)
            z = F.linear(h_steering, self.embed_weight, self.embed_bias).view(size[1], 3 * GATES, -1)
            of_h, of_x, added = torch.bmm(z.transpose(0, 1), scales).transpose(0, 1).chunk(3, dim=1)  # (B, 4, H) each
            from_state = F.linear(carried[:, :H], self.hidden_weight).view_as(x)
            h, c = self._step(self.norm, of_h * from_state + of_x * x + added + self.base, c)
            carried = torch.cat([h, h_steering], dim=1)
            outputs.append(h)
        return torch.stack(outputs), (carried, torch.cat([c, c_steering], dim=1))

    def _step(self, norm: Norm, sums: Tensor, c: Tensor) -> State:
        """What main and steering cell do alike: from the sums of the gates (B, 4, H) to h and c, each (B, H)."""
        to_open, candidate = norm.gates(sums)
        i, f, o = to_open.unbind(1)
        c = torch.addcmul(f * c, i, self._written(candidate))
        return o * torch.tanh(norm.memory(c)), c

    def matrices(self) -> tuple[list[Tensor], list[Tensor]]:
        """See `Cell`."""
        start = [] if self.condition_weight is None else [self.condition_weight.detach()]
        step = [self.row_weight, self.hidden_weight, self.steering_weight, self.embed_weight, *self.scale_weight]
        return start, [matrix.detach() for matrix in step]

    @staticmethod
    def shapes(config: ModelConfig, condition: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights, by name."""
        H, Hh, N = config.decoder_hidden, config.hyper_hidden, config.hyper_embedding
        return {
            "row_weight": (GATES * (H + Hh), STROKE),
            **({"condition_weight": (GATES * (H + Hh), condition)} if condition else {}),
            "hidden_weight": (GATES * H, H),
            **_norm_shapes("norm", H),
            "steering_weight": (GATES * Hh, H + Hh),
            **_norm_shapes("steering_norm", Hh),
            "embed_weight": (3 * GATES * N, Hh),
            "embed_bias": (3 * GATES * N,),
            "scale_weight": (3 * GATES, H, N),
            "base": (GATES, H),
        }


def _norm_shapes(name: str, units: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"gain": (GATES, units), "bias": (GATES, units)}
    shapes |= {"memory_gain": (units,), "memory_bias": (units,)}
    return {f"{name}.{part}": shape for part, shape in shapes.items()}


def _xavier(outgoing: int, incoming: int) -> nn.Parameter:
    """Weights from the rows' side, each gate of its own variance as in `SketchVAE`."""
    bound = math.sqrt(6.0 / (outgoing + incoming))
    return nn.Parameter(torch.empty(outgoing, incoming).uniform_(-bound, bound))


def _orthogonal(units: int, incoming: int) -> nn.Parameter:
    """Recurrent weights, orthogonal in each gate: a state neither grows nor fades at first."""
    return nn.Parameter(torch.cat([nn.init.orthogonal_(torch.empty(units, incoming)) for _ in range(GATES)]))


CELLS: dict[str, type[LayerNormLSTM] | type[HyperLSTM]] = {"layernorm": LayerNormLSTM, "hyper": HyperLSTM}
"""What the setting `cell` names beside lstm, which is torch's own."""
