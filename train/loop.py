"""The training loop, whole: forward, backward, clip, step, validate, save - and go on bit for bit after a crash.

Nothing random is carried from step to step: the noise of step s depends on (seed, s) alone, as the batches do. So a
checkpoint holds weights, optimiser and counters, and a resumed training ends with the weights of a straight one
(on the same machine, with the same number of threads).
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from sketch_edge.runtime.errors import CheckpointError, InputError, SketchError, UnfinishedError
from sketch_edge.train.about import About, check_exportable
from sketch_edge.train.batches import Batch, TrainBatches, valid_batches
from sketch_edge.train.checkpoint import MAX_BYTES, Checkpoint, load_weights, save_checkpoint
from sketch_edge.train.config import DROPOUTS, Config, TrainConfig, count_steps
from sketch_edge.train.dataset import TRAIN, VALID, DataSet
from sketch_edge.train.distributed import Workers, fingerprint
from sketch_edge.train.finetune import Source, take_units
from sketch_edge.train.losses import Losses, kl_weight_at
from sketch_edge.train.models import check_settings, kind_of, make_model, weight_shapes
from sketch_edge.train.models.base import SketchModel, Task
from sketch_edge.train.previous import forget_previous, keep_previous
from sketch_edge.train.resume import MOMENTS, Machine, State, load_resume, on_cpu

SEEDS = 2**63
"""torch takes seeds below this."""

PARTS = ("offset", "pen", "kl")
"""The losses that a total is made of."""

DROPOUT = 0x1E3779B97F4A7C15
"""How far the seeds of dropout are from those of the batch, and from process to process."""


class Observer(Protocol):
    """What wants to know how a training goes: progress bar, TensorBoard, plots, sheets."""

    def on_step(self, step: int, losses: Losses, points: int, rates: dict[str, float]) -> None:
        """One mini-batch is done; `points` rows were learnt from."""

    def on_valid(self, step: int, losses: Losses, best: bool) -> None:
        """The validation split was measured with the weights for export."""

    def on_figures(self, step: int, figures: dict[str, float]) -> None:
        """What else a validation found, where the kind of model has such figures; comes after `on_valid`."""

    def on_sheet(self, step: int, model: SketchModel) -> None:
        """Time to draw with the weights for export."""

    def close(self) -> None:
        """The training is over, for good or ill."""


class Trainer:
    """Trains one model and keeps its checkpoint.

    Args:
        data: the data set.
        config: all settings.
        out: where the checkpoint is kept.
        device: cpu or cuda.
        observers: told of every step.
        data_name: what to call the data set in an error.
        source: the model to start from; its sizes, or those of the parts that are taken, have to be those of `config`.
            All other weights are random.

    Raises:
        InputError: data that cannot be trained on or whose model no bundle could carry, or a model too large to save.
    """

    def __init__(
        self,
        data: DataSet,
        config: Config,
        out: Path,
        device: torch.device,
        observers: tuple[Observer, ...] = (),
        data_name: str = "data",
        source: Source | None = None,
    ) -> None:
        check_settings(config)
        given, data = len(data.class_names), kind_of(config).adapt(data, config)
        self.mixed = given if given > len(data.class_names) else 0
        """How many classes of the data are learnt as one, by a model that has no class input."""
        self.data, self.config, self.out, self.device = data, config, out, device
        self.observers = observers
        self.about = describe(data, data_name)
        self.settings = count_steps(config.train, self.about.drawings)
        _check_size(config, len(data.class_names))
        torch.manual_seed(self.settings.seed)
        self.model = make_model(config, len(data.class_names)).to(device)
        weights = None
        if source is not None:
            weights, self.about = source.start(self.about, self.settings.seed)
        if source is None or source.parts:
            self.model.fit(data, self.about.scale)
        if source is not None and weights is not None:
            kept = _copy_weights(self.model) if source.parts else {}
            load_weights(self.model, {**kept, **weights}, f"{source.name}:weights")
        self.running = copy.deepcopy(self.model).requires_grad_(False)  # the mean of the weights, for export
        self.best_weights = _copy_weights(self.running)
        self.optimizer = make_optimizer(self.model, self.settings)
        self.batches = TrainBatches(data, self.settings, self.about.scale)
        self.autocast = wants_bf16(self.settings.precision, device)
        self.state = State()
        self.validates = len(data.indices(VALID)) > 0
        """Without drawings to validate with, the newest weights are exported and nothing stops early."""
        self.figures: dict[str, float] = {}
        """What the last validation found beside the losses, where the kind of model has such figures."""
        self.saved = False
        self.stopped_by = 0
        """What `should_stop` said when it ended a run."""
        self.workers = Workers.join(device)
        if self.settings.batch < self.workers.count:
            raise InputError(
                f"--set batch={self.settings.batch}: is fewer than the {self.workers.count} processes that share it; "
                "make it larger, or start fewer"
            )

    def run(self, should_stop: Callable[[], int] = lambda: 0) -> bool:
        """Train until the last step or the early stopping; returns whether that was reached.

        `should_stop` is asked after each step: when it gives a number (of a signal, say) other than 0 before that, in
        any process, the state is saved, the number is in `stopped_by` and False is returned.

        Raises:
            InputError: processes that train together were not started alike.
            UnfinishedError: a loss, gradient or weight was NaN or infinite, or the checkpoint could not be written;
                the file holds the state of the last save.
        """
        settings, state = self.settings, self.state
        self._check_alike()
        while state.step < settings.steps and not self._out_of_patience():
            losses, points, rates = self._step(self.batches[state.step])
            state.step += 1
            if not self.validates:
                self.about = replace(self.about, step=state.step)
            self._tell("on_step", state.step, losses, points, rates)
            last = state.step == settings.steps
            due = self.validates and (last or state.step % settings.valid_every == 0)
            found = self._validate(losses) if due else None
            last = last or self._out_of_patience()
            self.stopped_by = self.workers.largest(should_stop())
            if last or self.stopped_by or state.step % settings.save_every == 0:
                self.save()
            # Pictures come after the save: a disk that they fill must not cost the training.
            if found is not None:
                self._tell("on_valid", state.step, found, state.best_step == state.step)
                if self.figures:
                    self._tell("on_figures", state.step, self.figures)
            if settings.sheet_every and (last or state.step % settings.sheet_every == 0):
                self._tell("on_sheet", state.step, self.running.eval())
            if self.stopped_by and not last:
                return False
        return True

    def _step(self, batch: Batch) -> tuple[Losses, int, dict[str, float]]:
        """One mini-batch: forward, backward, clip, update, running mean."""
        settings, step = self.settings, self.state.step
        rate = learning_rate_at(step, settings, self.state.rate_factor)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        mine = batch.share(self.workers).to(self.device)
        self.model.train()
        torch.manual_seed((self._seed + (1 + self.workers.rank) * DROPOUT) % SEEDS)
        weight = kl_weight_at(step, settings.kl_weight, settings.kl_start, settings.kl_rate)
        loss, losses = self.model.loss(mine, self._task(len(batch.lengths), weight))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.workers.sum_gradients(self.model)
        norm = clip_gradients(self.model, settings)
        # Looked at after the exchange, which spreads a NaN: all processes stop at the same step.
        if not math.isfinite(losses.total):
            self._stop_for(f"the loss is {losses.total}")
        if not math.isfinite(norm):
            self._stop_for(f"the gradient is {norm}")
        self.optimizer.step()
        self._follow_weights()
        return losses, batch.points, {"learning_rate": rate, "kl_weight": weight, "gradient_norm": norm}

    def _task(self, sketches: int, kl_weight: float, training: bool = True) -> Task:
        """What the loss of a batch depends on now."""
        step, settings = self.state.step, self.settings
        epoch = step * settings.batch // max(self.about.drawings, 1)
        task = Task(settings, self.about.max_points, kl_weight, step, epoch, self.autocast, training, sketches)
        if not training:
            return task
        return replace(task, workers=self.workers, random=torch.Generator(self.device).manual_seed(self._seed % SEEDS))

    @property
    def _seed(self) -> int:
        """Of everything random in the step to come."""
        return self.settings.seed * 1_000_003 + self.state.step

    def _follow_weights(self) -> None:
        """Move the running mean of the weights on; it starts short, so that it forgets the random start."""
        step = self.state.step
        decay = min(self.settings.ema, (1 + step) / (10 + step)) if self.settings.ema else 0.0
        with torch.no_grad():
            torch._foreach_lerp_(list(self.running.parameters()), list(self.model.parameters()), 1.0 - decay)

    def _validate(self, train: Losses) -> Losses:
        """Measure the validation split with the running mean, and keep it when it is the best yet."""
        state, settings = self.state, self.settings
        found = self.evaluate(VALID)
        if not math.isfinite(found.total):
            self._stop_for(f"the validation loss is {found.total}")
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
        state.note(entry)
        return found

    def evaluate(self, split: int) -> Losses:
        """Losses of a split with the running mean of the weights, at full KL weight, z at its posterior mean.

        Means over all sketches of the split: how it is cut into batches, and which process has them, does not matter.
        """
        self.running.eval()
        sums: dict[str, float] = {}
        batches = valid_batches(self.data, split, self.settings.batch, self.about.scale)
        with torch.no_grad():
            for batch in itertools.islice(batches, self.workers.rank, None, self.workers.count):
                batch = batch.to(self.device)
                task = self._task(len(batch.lengths), self.settings.kl_weight, training=False)
                _, losses = self.running.loss(batch, task)
                means = {name: getattr(losses, name) for name in PARTS} | self.running.figures(batch, task)
                for name, mean in {"sketches": 1.0, **means}.items():
                    sums[name] = sums.get(name, 0.0) + mean * len(batch.lengths)
        sums = self.workers.add(sums)
        sketches = sums.pop("sketches", 1.0)
        self.figures = {name: total / sketches for name, total in sums.items()}
        return self._at_full_weight(*(self.figures.pop(name, 0.0) for name in PARTS))

    def _at_full_weight(self, offset: float, pen: float, kl: float) -> Losses:
        """Losses of a split, with the total that validations are compared by."""
        parts = torch.tensor([offset, pen, kl], dtype=torch.float64)
        return Losses(offset, pen, kl, float(self.model.total(parts, self.settings, self.settings.kl_weight)))

    def save(self) -> None:
        """Write the checkpoint: the first process does, and the others know whether it could.

        Raises:
            UnfinishedError: a weight is not finite, or not the same in all processes, and nothing was written; or as
                `write_atomic`.
        """
        for model in (self.model, self.running):
            if not all(bool(torch.isfinite(weight).all()) for weight in model.parameters()):
                self._stop_for("a weight is not finite")
        if found := self.workers.difference({"weights": fingerprint(self.model)}):
            raise UnfinishedError(f"{self.out}: {found} at step {self.state.step}; use machines of one kind")
        failed: SketchError | None = None
        if self.workers.rank == 0:
            try:
                keep_previous(self.out) if self.saved else forget_previous(self.out)
                save_checkpoint(self.out, self.checkpoint())
            except SketchError as error:
                failed = error
        self.workers.agree(failed)
        self.saved = True

    def checkpoint(self) -> Checkpoint:
        """Everything to export and to go on from, on the CPU.

        Before the first validation what there is to export is the running mean as it stands.
        """
        weights, about = self.best_weights, self.about
        if not self.state.history:
            weights, about = _copy_weights(self.running), replace(about, step=self.state.step)
        resume = {
            "model": _copy_weights(self.model),
            "running": _copy_weights(self.running),
            "optimizer": on_cpu(self.optimizer.state_dict()),
            "state": asdict(self.state),
            **asdict(self._machine()),
        }
        return Checkpoint(self.config, about, weights, resume)

    def resume(self, checkpoint: Checkpoint) -> list[str]:
        """Go on from a checkpoint of the same data, sizes and optimiser; other settings may have changed.

        Returns:
            What is otherwise than when it was written: see `Machine`. If anything is, the weights will not be
            bit-identical to those of a straight training.

        Raises:
            InputError: a size or the optimiser was changed.
            CheckpointError: it was made from other data, or its state is missing or damaged.
        """
        if (checkpoint.about.data_sha256, checkpoint.about.classes) != (self.about.data_sha256, self.about.classes):
            raise CheckpointError(f"{self.out}: was trained on other data; give the same data.npz, or another --out")
        _check_changes(checkpoint.config, self.config)
        if checkpoint.about.source:
            self.about = take_units(self.about, checkpoint.about)
            self.batches = TrainBatches(self.data, self.settings, self.about.scale)
        self.state = load_resume(
            checkpoint.resume,
            f"{self.out}:resume",
            model=self.model,
            running=self.running,
            optimizer=self.optimizer,
            kind=self.settings.optimizer,
        )
        self.best_weights, self.saved = checkpoint.weights, True
        self.about = replace(self.about, step=checkpoint.about.step, losses=checkpoint.about.losses)
        self._rate_best_anew(checkpoint.config.train)
        return self._machine().differs_from(checkpoint.resume)

    def _rate_best_anew(self, before: TrainConfig) -> None:
        """Where the weight or the floor of the KL term was changed, old totals do not compare with new ones."""
        now = self.settings
        if self.about.losses and (before.kl_weight, before.kl_min) != (now.kl_weight, now.kl_min):
            offset, pen, kl = (self.about.losses[name] for name in ("offset", "pen", "kl"))
            losses = self._at_full_weight(offset, pen, kl)
            self.state.best, self.state.best_step = losses.total, self.about.step
            self.about = replace(self.about, losses=asdict(losses))

    def _machine(self) -> Machine:
        return Machine(torch.get_num_threads(), self.workers.count, self.device.type, self.autocast)

    def _check_alike(self) -> None:
        """Refuse to start where processes that train together would not do the same."""
        facts = {
            "data": self.about.data_sha256[:12],
            **self.config.to_dict(),
            "version of torch": torch.__version__,
            "bf16": self.autocast,
            "step": self.state.step,
            "weights": fingerprint(self.model),
        }
        if found := self.workers.difference(facts):
            raise InputError(f"{found}; start all processes with the same data, checkpoint, options and packages")

    def _out_of_patience(self) -> bool:
        return 0 < self.settings.patience <= self.state.bad_validations

    def _stop_for(self, reason: str) -> None:
        advice = (
            "the checkpoint holds the last good state: go on from it with --resume and a lower --set learning_rate"
            if self.saved
            else "nothing was saved yet: start anew with a lower --set learning_rate"
        )
        raise UnfinishedError(f"{self.out}: {reason} at step {self.state.step}; {advice}")

    def _tell(self, event: str, *what: Any) -> None:
        if self.workers.rank == 0:
            for observer in self.observers:
                getattr(observer, event)(*what)


def learning_rate_at(step: int, settings: TrainConfig, factor: float = 1.0) -> float:
    """The learning rate of a step; `factor` is what plateaus have left of it, down to `learning_rate_end`."""
    high, low = settings.learning_rate, settings.learning_rate_end
    warm = min(1.0, (step + 1) / max(settings.warmup, 1))
    if settings.schedule == "cosine":
        rate = low + (high - low) * 0.5 * (1 + math.cos(math.pi * min(step / settings.steps, 1.0)))
    elif settings.schedule == "exponential":
        rate = low + (high - low) * settings.learning_rate_decay**step
    elif settings.schedule == "plateau":
        rate = max(high * factor, min(high, low))
    else:
        rate = high
    return rate * warm


def make_optimizer(model: SketchModel, settings: TrainConfig) -> torch.optim.Optimizer:
    """Make the optimiser that the settings name."""
    parameters, rate = model.parameters(), settings.learning_rate
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, rate)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, rate, weight_decay=settings.weight_decay, fused=True)
    return torch.optim.Adam(parameters, rate, fused=True)


def clip_gradients(model: SketchModel, settings: TrainConfig) -> float:
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


def describe(data: DataSet, name: str = "data") -> About:
    """What a data set tells about the model that learns from it; `name` is what to call it in an error.

    Raises:
        InputError: a split or a class has no drawings to learn from, or no bundle could carry what it holds.
    """
    for split, title in ((TRAIN, "train"), (VALID, "valid")):
        # What models drew is never validated with; a data set that holds nothing else is to be learnt all the same.
        if len(data.indices(split)) == 0 and not (split == VALID and data.synthetic.all()):
            raise InputError(f"{name}: the {title} split is empty; run sketch-data prepare with another --split")
    train = data.indices(TRAIN)
    counts = {each: int(count) for each, count in zip(data.class_names, data.counts()[:, TRAIN], strict=True)}
    untaught = [each for each, count in counts.items() if count == 0]
    if untaught:
        raise InputError(
            f"{name}: class {untaught[0]!r} has no drawing in the train split ({len(untaught)} such classes); "
            "run sketch-data prepare without it, or with another --split"
        )
    about = About(
        classes=data.class_names,
        scale=data.scale,
        max_points=int(data.lengths.max()),
        data_sha256=data.sha256,
        drawings=len(train),
        synthetic=int(data.synthetic[train].sum()),
        counts=counts,
        credit=data.credit,
        licence=data.licence,
    )
    try:
        check_exportable(about)
    except InputError as error:
        raise InputError(f"{name}:{error}; run sketch-data prepare again") from error
    return about


def _check_size(config: Config, classes: int) -> None:
    """Refuse a model whose checkpoints would be larger than `load_checkpoint` reads."""
    weights = sum(math.prod(shape) for shape in weight_shapes(config, classes).values())
    copies = 3 + len(MOMENTS[config.train.optimizer])  # the best, the mean, the newest, and what the optimiser keeps
    most = (MAX_BYTES - 2**24) // (4 * copies)
    if weights > most:
        raise InputError(
            f"--set decoder_hidden={config.model.decoder_hidden}: the model has {weights} weights (at most {most}); "
            "make decoder_hidden, encoder_hidden, latent or class_embedding smaller"
        )


def _check_changes(before: Config, now: Config) -> None:
    """Refuse changes that a training under way cannot take."""
    old, new = before.to_dict(), now.to_dict()
    sizes = [each.name for each in fields(before.model) if each.name not in DROPOUTS]
    for name in (*sizes, "optimizer"):
        if old[name] != new[name]:
            raise InputError(
                f"--set {name}={new[name]}: cannot change in a training under way (it has {old[name]}); "
                "leave it out, or start anew with another --out"
            )


def _copy_weights(model: SketchModel) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
