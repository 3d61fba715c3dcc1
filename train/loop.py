"""The training loop, whole: forward, backward, clip, step, validate, save - and go on bit for bit after a crash.

Nothing random is carried from step to step: the noise of step s depends on (seed, s) alone, as the batches do. So a
checkpoint holds weights, optimiser and counters, and a resumed training ends with the weights of a straight one
(on the same machine, with the same number of threads).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from sketch_edge.runtime.errors import CheckpointError, InputError, UnfinishedError
from sketch_edge.train import distributed
from sketch_edge.train.batches import Batch, TrainBatches, valid_batches
from sketch_edge.train.checkpoint import About, Checkpoint, load_weights, save_checkpoint
from sketch_edge.train.config import Config, TrainConfig
from sketch_edge.train.dataset import TRAIN, VALID, DataSet
from sketch_edge.train.losses import kl_divergence, kl_weight_at, offset_nll, pen_nll
from sketch_edge.train.model import Forward, SketchVAE, split_output


@dataclass(frozen=True)
class Losses:
    """The losses of a batch or a split, as plain numbers (Ha & Eck 2017, section 3.3)."""

    offset: float
    """L_s: negative log likelihood of the offsets, summed over a sketch, divided by Nmax, mean over sketches."""

    pen: float
    """L_p: cross-entropy of the pen states, summed, divided and averaged alike."""

    kl: float
    """KL of the posterior from N(0, I), mean over Nz and batch, before weight and floor."""

    total: float
    """What was minimised: L_s + L_p + w * max(KL, KL_min)."""

    @property
    def reconstruction(self) -> float:
        """L_R = L_s + L_p."""
        return self.offset + self.pen


class Observer(Protocol):
    """What wants to know how a training goes: progress bar, TensorBoard, plots, sheets."""

    def on_step(self, step: int, losses: Losses, points: int, rates: dict[str, float]) -> None:
        """One mini-batch is done; `points` rows were learnt from."""

    def on_valid(self, step: int, losses: Losses, best: bool) -> None:
        """The validation split was measured with the weights for export."""

    def on_sheet(self, step: int, model: SketchVAE) -> None:
        """Time to draw with the weights for export."""


@dataclass
class State:
    """All that changes during a training."""

    step: int = 0
    best: float = math.inf
    """Lowest validation total so far, at full KL weight."""

    best_step: int = 0
    bad_validations: int = 0
    """Validations since the last progress, for early stopping."""

    plateau: int = 0
    """Validations since the last progress or halving, for the plateau schedule."""

    rate_factor: float = 1.0
    """What the plateau schedule has brought the learning rate down to."""

    history: list[dict[str, float]] = field(default_factory=list)
    """One entry a validation: step, losses of training and of validation."""


class Trainer:
    """Trains one model and keeps its checkpoint.

    Args:
        data: the data set.
        config: all settings.
        out: where the checkpoint is kept.
        device: cpu or cuda.
        observers: told of every step.
    """

    def __init__(
        self, data: DataSet, config: Config, out: Path, device: torch.device, observers: tuple[Observer, ...] = ()
    ) -> None:
        self.data, self.config, self.out, self.device = data, config, out, device
        self.observers = observers
        self.settings = config.train
        _check_splits(data)
        self.about = describe(data)
        torch.manual_seed(self.settings.seed)
        self.model = SketchVAE(config.model, len(data.class_names)).to(device)
        self.running = copy.deepcopy(self.model).requires_grad_(False)  # the mean of the weights, for export
        self.best_weights = _copy_weights(self.running)
        self.optimizer = make_optimizer(self.model, self.settings, device)
        self.batches = TrainBatches(data, self.settings)
        self.autocast = wants_bf16(self.settings.precision, device)
        self.state = State()
        self.workers = distributed.Workers.join(device)

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """Train until the last step or the early stopping; returns whether that was reached.

        `should_stop` is asked after each step: when it says yes, the state is saved and False is returned.

        Raises:
            UnfinishedError: a loss or gradient was NaN or infinite; the checkpoint holds the last good state.
        """
        settings, state = self.settings, self.state
        while state.step < settings.steps and not self._out_of_patience():
            losses, points, rates = self._step(self.batches[state.step * self.workers.count + self.workers.rank])
            state.step += 1
            self._tell("on_step", state.step, losses, points * self.workers.count, rates)
            last = state.step == settings.steps
            if last or state.step % settings.valid_every == 0:
                self._validate(losses)
            if settings.sheet_every and (last or state.step % settings.sheet_every == 0):
                self._tell("on_sheet", state.step, self.running.eval())
            stopped = self.workers.any(should_stop())
            if last or stopped or state.step % settings.save_every == 0 or self._out_of_patience():
                self.save()
            if stopped:
                return False
        return True

    def _step(self, batch: Batch) -> tuple[Losses, int, dict[str, float]]:
        """One mini-batch: forward, backward, clip, update, running mean."""
        settings, step = self.settings, self.state.step
        rate = learning_rate_at(step, settings) * self.state.rate_factor
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = batch.to(self.device)
        self.model.train()
        torch.manual_seed(settings.seed * 1_000_003 + step * self.workers.count + self.workers.rank)
        weight = kl_weight_at(step, settings.kl_weight, settings.kl_start, settings.kl_rate)
        loss, losses = self._losses(self.model, batch, weight)
        if not math.isfinite(losses.total):
            self._stop_for(f"the loss is {losses.total}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.workers.average_gradients(self.model)
        norm = clip_gradients(self.model, settings)
        if not math.isfinite(norm):
            self._stop_for(f"the gradient is {norm}")
        self.optimizer.step()
        self._follow_weights()
        return losses, batch.points, {"learning_rate": rate, "kl_weight": weight, "gradient_norm": norm}

    def _losses(
        self, model: SketchVAE, batch: Batch, kl_weight: float, noise: Tensor | None = None
    ) -> tuple[Tensor, Losses]:
        """The loss to minimise, and its parts."""
        if noise is None:
            noise = torch.randn(len(batch.lengths), self.config.model.latent, device=self.device)
        counted = batch.counted
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            forward = model(batch.rows, batch.lengths, batch.class_ids, noise, counted)
        offset, pen = reconstruction(forward, batch, counted, self.about.max_points)
        kl = kl_divergence(forward.mu, forward.log_variance)
        total = offset + pen + kl_weight * torch.clamp(kl, min=self.settings.kl_min)
        return total, Losses(*(float(part.detach()) for part in (offset, pen, kl, total)))

    def _follow_weights(self) -> None:
        """Move the running mean of the weights on; it starts short, so that it forgets the random start."""
        step = self.state.step
        decay = min(self.settings.ema, (1 + step) / (10 + step)) if self.settings.ema else 0.0
        with torch.no_grad():
            torch._foreach_lerp_(list(self.running.parameters()), list(self.model.parameters()), 1.0 - decay)

    def _validate(self, train: Losses) -> None:
        """Measure the validation split with the running mean, and keep it when it is the best yet."""
        state, settings = self.state, self.settings
        found = self.evaluate(VALID)
        best = found.total < state.best
        state.bad_validations = 0 if best else state.bad_validations + 1
        state.plateau = 0 if best else state.plateau + 1
        if best:
            state.best, state.best_step = found.total, state.step
        if best or settings.keep == "last":
            self.best_weights = _copy_weights(self.running)
            self.about = replace(self.about, step=state.step, losses=asdict(found))
        if settings.schedule == "plateau" and state.plateau >= settings.plateau_patience:
            state.plateau, state.rate_factor = 0, state.rate_factor * 0.5
        entry = {"step": float(state.step)}
        entry |= {f"train_{name}": value for name, value in asdict(train).items()}
        entry |= {f"valid_{name}": value for name, value in asdict(found).items()}
        state.history.append(entry)
        self._tell("on_valid", state.step, found, best)

    def evaluate(self, split: int) -> Losses:
        """Losses of a split with the running mean of the weights, at full KL weight, z at its posterior mean."""
        self.running.eval()
        sums, sketches = [0.0, 0.0, 0.0, 0.0], 0
        with torch.no_grad():
            for batch in valid_batches(self.data, split, self.settings.batch):
                batch = batch.to(self.device)
                noise = torch.zeros(len(batch.lengths), self.config.model.latent, device=self.device)
                _, losses = self._losses(self.running, batch, self.settings.kl_weight, noise)
                sums = [s + v * len(batch.lengths) for s, v in zip(sums, asdict(losses).values(), strict=True)]
                sketches += len(batch.lengths)
        return Losses(*(total / max(sketches, 1) for total in sums))

    def save(self) -> None:
        """Write the checkpoint (the first process alone does)."""
        if self.workers.rank == 0:
            save_checkpoint(self.out, self.checkpoint())

    def checkpoint(self) -> Checkpoint:
        """Everything to export and to go on from, on the CPU."""
        resume = {
            "model": _copy_weights(self.model),
            "running": _copy_weights(self.running),
            "optimizer": _on_cpu(self.optimizer.state_dict()),
            "state": asdict(self.state),
            "threads": torch.get_num_threads(),
            "processes": self.workers.count,
        }
        return Checkpoint(self.config, self.about, self.best_weights, resume)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same data and settings (more `steps` are fine).

        Raises:
            CheckpointError: it was made from other data, or holds nothing to go on from.
        """
        if not checkpoint.resume:
            raise CheckpointError(f"{self.out}: holds weights only, nothing to resume; start without --resume")
        if checkpoint.about.data_sha256 != self.about.data_sha256:
            raise CheckpointError(f"{self.out}: was trained on other data; give the same data.npz, or another --out")
        try:
            load_weights(self.model, checkpoint.resume["model"])
            load_weights(self.running, checkpoint.resume["running"])
            self.optimizer.load_state_dict(checkpoint.resume["optimizer"])
            self.state = State(**checkpoint.resume["state"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{self.out}: its state does not fit the settings ({error}); train anew") from error
        self.best_weights = checkpoint.weights
        self.about = checkpoint.about

    def _out_of_patience(self) -> bool:
        return 0 < self.settings.patience <= self.state.bad_validations

    def _stop_for(self, reason: str) -> None:
        raise UnfinishedError(
            f"{self.out}: {reason} at step {self.state.step}; the checkpoint holds the last good state: "
            "go on from it with --resume and a lower --set learning_rate"
        )

    def _tell(self, event: str, *what: Any) -> None:
        if self.workers.rank == 0:
            for observer in self.observers:
                getattr(observer, event)(*what)


def reconstruction(forward: Forward, batch: Batch, counted: Tensor, max_points: int) -> tuple[Tensor, Tensor]:
    """L_s over the points, L_p over points and end row, each summed and divided by Nmax * sketches (eq. 9)."""
    mixture = split_output(forward.output)
    target = batch.rows[1:][counted]  # (N, 5)
    state = target[:, 2:].argmax(dim=1)
    is_point = state != 2  # the end row has no offset
    norm = max_points * len(batch.lengths)
    offset = (offset_nll(mixture, target[:, :2]) * is_point).sum() / norm
    return offset, pen_nll(mixture.pen, state).sum() / norm


def learning_rate_at(step: int, settings: TrainConfig) -> float:
    """The learning rate of a step, before what a plateau takes off it."""
    high, low = settings.learning_rate, settings.learning_rate_end
    warm = min(1.0, (step + 1) / max(settings.warmup, 1))
    if settings.schedule == "cosine":
        rate = low + (high - low) * 0.5 * (1 + math.cos(math.pi * min(step / settings.steps, 1.0)))
    elif settings.schedule == "exponential":
        rate = low + (high - low) * settings.learning_rate_decay**step
    else:
        rate = high
    return rate * warm


def make_optimizer(model: SketchVAE, settings: TrainConfig, device: torch.device) -> torch.optim.Optimizer:
    """Make the optimiser that the settings name."""
    parameters, rate = model.parameters(), settings.learning_rate
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, rate)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, rate, weight_decay=settings.weight_decay, fused=True)
    return torch.optim.Adam(parameters, rate, fused=True)


def clip_gradients(model: SketchVAE, settings: TrainConfig) -> float:
    """Clip gradients as the settings say; returns their norm before."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = float(torch.nn.utils.get_total_norm(gradients))
    if settings.clip == "value":
        torch.nn.utils.clip_grad_value_(model.parameters(), settings.clip_at)
    elif settings.clip == "norm":
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_at)
    return norm


def wants_bf16(precision: str, device: torch.device) -> bool:
    """Whether matrix products run in bfloat16."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())


def describe(data: DataSet) -> About:
    """What a data set tells about the model that learns from it."""
    train = data.indices(TRAIN)
    counts = data.counts()
    return About(
        classes=data.class_names,
        scale=data.scale,
        max_points=int(data.lengths.max()),
        data_sha256=data.sha256,
        drawings=len(train),
        synthetic=int(data.synthetic[train].sum()),
        counts={name: int(counts[i, TRAIN]) for i, name in enumerate(data.class_names)},
    )


def _check_splits(data: DataSet) -> None:
    for split, name in ((TRAIN, "train"), (VALID, "valid")):
        if len(data.indices(split)) == 0:
            raise InputError(f"data: the {name} split is empty; run sketch-data prepare with another --split")


def _copy_weights(model: SketchVAE) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _on_cpu(value: Any) -> Any:
    """Copy an optimiser's state to the CPU, so that it loads where there is no GPU."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {key: _on_cpu(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_on_cpu(part) for part in value]
    return value
