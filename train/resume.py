"""What a training goes on from: the `resume` part of a checkpoint, each value checked before it is used.

============== ==================================================================================
key            meaning
============== ==================================================================================
model          weights as the optimiser left them
running        running mean of the weights
optimizer      state dict of the optimiser
state          the fields of `State`
threads        processor threads, and what else decides the last bits of a training: see `Machine`
============== ==================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NoReturn

import torch
from torch import Tensor

from sketch_edge.runtime.errors import CheckpointError
from sketch_edge.runtime.manifest import short
from sketch_edge.train.about import LARGEST, LOSSES
from sketch_edge.train.checkpoint import check_tensors, load_weights
from sketch_edge.train.models.base import SketchModel

HISTORY = ("step", *(f"{split}_{name}" for split in ("train", "valid") for name in LOSSES))
"""Keys of an entry of `State.history`."""

MOST_HISTORY = 100_000
"""Entries of the history; so many are read from a checkpoint in two seconds, and more than 136,000 are refused."""

MOMENTS = {"adam": ("exp_avg", "exp_avg_sq"), "adamw": ("exp_avg", "exp_avg_sq"), "rmsprop": ("square_avg",)}
"""What each optimiser keeps beside the number of its steps, each of the shape of a parameter."""


@dataclass
class State:
    """All numbers that change during a training."""

    step: int = 0
    """Mini-batches done."""

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
    """One entry a validation: the step, losses of training and of validation; see HISTORY and `note`."""

    def note(self, entry: dict[str, float]) -> None:
        """Add an entry to the history; where it grows too long, every second of its older half is dropped."""
        self.history.append(entry)
        if len(self.history) > MOST_HISTORY:
            del self.history[1 : MOST_HISTORY // 2 : 2]


@dataclass(frozen=True)
class Machine:
    """What decides the last bits of a training beside its settings: where it differs, weights will too."""

    threads: int
    processes: int
    device: str
    bf16: bool

    def differs_from(self, resume: Mapping[str, Any]) -> list[str]:
        """Name what was otherwise when `resume` was written; what it does not tell is taken as equal."""
        told = {name: (value, resume.get(name, value)) for name, value in asdict(self).items()}
        return [name for name, (now, then) in told.items() if type(then) is not type(now) or then != now]


def read_state(raw: object, where: str) -> State:
    """Read the numbers of a training.

    Raises:
        CheckpointError: one is missing, unknown, of another type or out of range.
    """
    if not isinstance(raw, dict) or raw.keys() != {each.name for each in fields(State)}:
        _refuse(where, "has other names than sketch-train writes")
    for name in ("step", "best_step", "bad_validations", "plateau"):
        if type(raw[name]) is not int or not 0 <= raw[name] <= LARGEST:
            _refuse(f"{where}.{name}", f"is {short(raw[name])} (expected a whole number)")
    if type(raw["best"]) is not float or math.isnan(raw["best"]):
        _refuse(f"{where}.best", f"is {short(raw['best'])} (expected a number)")
    if type(raw["rate_factor"]) is not float or not 0 <= raw["rate_factor"] <= 1:
        _refuse(f"{where}.rate_factor", f"is {short(raw['rate_factor'])} (expected a number from 0 to 1)")
    if not isinstance(raw["history"], list) or not all(map(_is_entry, raw["history"])):
        _refuse(f"{where}.history", f"is {short(raw['history'])} (expected a list of losses)")
    return State(**raw)


def load_optimizer(optimizer: torch.optim.Optimizer, kind: str, raw: object, where: str) -> None:
    """Give an optimiser the moments of its parameters; its own settings stay, they are not read from the checkpoint.

    Raises:
        CheckpointError: they are not those of such an optimiser over such parameters.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    found = raw.get("state") if isinstance(raw, dict) else None
    if not isinstance(found, dict) or set(found) != set(range(len(parameters))):
        _refuse(where, f"is not the state of an optimiser over {len(parameters)} weights")
    for i, parameter in enumerate(parameters):
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(MOMENTS[kind], tuple(parameter.shape))
        check_tensors(found[i], {**shapes, "step": ()}, f"{where}.state.{i}")
    optimizer.load_state_dict({"state": found, "param_groups": optimizer.state_dict()["param_groups"]})


def load_resume(
    resume: Mapping[str, Any],
    where: str,
    *,
    model: SketchModel,
    running: SketchModel,
    optimizer: torch.optim.Optimizer,
    kind: str,
) -> State:
    """Fill model, running mean and optimiser (of the kind that the settings name) and give the numbers.

    Raises:
        CheckpointError: a part is missing or not what it has to be.
    """
    for name in ("model", "running", "optimizer", "state"):
        if name not in resume:
            raise CheckpointError(f"{where}.{name}: is missing, so there is nothing to go on from; train anew")
    state = read_state(resume["state"], f"{where}.state")
    load_weights(model, resume["model"], f"{where}.model")
    load_weights(running, resume["running"], f"{where}.running")
    load_optimizer(optimizer, kind, resume["optimizer"], f"{where}.optimizer")
    return state


def on_cpu(value: Any) -> Any:
    """Copy an optimiser's state to the CPU, so that it loads where there is no GPU."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {key: on_cpu(part) for key, part in value.items()}
    if isinstance(value, list):
        return [on_cpu(part) for part in value]
    return value


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == set(HISTORY)
        and all(type(value) is float and not LARGEST < abs(value) < math.inf for value in entry.values())
    )


def _refuse(where: str, problem: str) -> NoReturn:
    raise CheckpointError(f"{where}: {problem}; train anew")
