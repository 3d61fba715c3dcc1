"""Training in several processes at once, as `torchrun` starts them: together they compute what one process would.

Every process knows the whole mini-batch, takes its share of it, and goes backward from the loss of the whole:

- the parts of the loss are summed over the processes before anything that is not linear in them (the floor under the
  KL term), see `Workers.sum`;
- the gradients are summed, see `Workers.sum_gradients`, and every process then takes the same step.

Parameters never travel: they start equal, move equally, and `Workers.difference` holds them against each other. Both
sums depend on the number of processes and on the shapes alone, so a training that goes on from a checkpoint ends with
the bits of a straight one. torch's DistributedDataParallel does not promise that: it orders its transfers anew after
the first step of each start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from sketch_edge.runtime.errors import SketchError, UnfinishedError

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others; the first alone draws the sample sheets meanwhile."""

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """The processes that train together; one alone is the usual case."""

    rank: int = 0
    """Which of them this is, from 0; the first writes, shows and speaks."""

    count: int = 1

    @classmethod
    def join(cls, device: torch.device, timeout: timedelta = TIMEOUT) -> Workers:
        """Join the other processes when `torchrun` started this one: by gloo on CPUs, by nccl on GPUs.

        WORLD_SIZE alone says nothing: batch systems set it for processes that know nothing of each other.

        Raises:
            UnfinishedError: the others cannot be reached, or do not come within `timeout`.
        """
        if not started_by_torchrun():
            return cls()
        if not distributed.is_initialized():
            backend = "nccl" if device.type == "cuda" else "gloo"
            _exchange("a process", lambda: distributed.init_process_group(backend, timeout=timeout))
        return cls(distributed.get_rank(), distributed.get_world_size())

    def leave(self) -> None:
        """Part from the other processes; nothing can be exchanged any more."""
        if self.count > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    def __str__(self) -> str:
        """Name this process in a message."""
        return f"process {self.rank} of {self.count}"

    def mine(self, whole: Tensor, dim: int = 0) -> Tensor:
        """Take this process's share of what belongs to the whole mini-batch: of every `count` sketches one.

        Sketches of like length lie beside each other, so shares of this kind are equally long; their sizes differ by
        one at most.
        """
        if self.count == 1:
            return whole
        return whole.index_select(dim, torch.arange(self.rank, whole.shape[dim], self.count, device=whole.device))

    def sum(self, parts: Tensor) -> Tensor:
        """Sum over the processes; all get the same numbers. A loss may go on from them.

        The gradient passes unchanged to this process's own part. With L = f(s), s = s_1 + ... + s_n and s_r made by
        process r, dL/dw is the sum over r of f'(s) ds_r/dw: that is what `sum_gradients` makes of the gradients.
        """
        if self.count == 1:
            return parts
        total = self._reduced(parts.detach().clone(), distributed.ReduceOp.SUM)
        return total + (parts - parts.detach())  # exactly `total`, with the gradient of `parts`

    def add(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """Sum named numbers over the processes, in their order; all get the same. Some may have no number of a name."""
        if self.count == 1:
            return dict(numbers)
        summed: dict[str, float] = {}
        for theirs in self._gathered(dict(numbers)):
            for name, number in theirs.items():
                summed[name] = summed.get(name, 0.0) + number
        return summed

    def sum_gradients(self, model: nn.Module) -> None:
        """Replace each gradient by its sum over the processes, in one transfer."""
        if self.count == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = self._reduced(torch.cat([each.reshape(-1) for each in gradients]), distributed.ReduceOp.SUM)
        for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def largest(self, number: int) -> int:
        """The largest of the processes' numbers; all get the same."""
        if self.count == 1:
            return number
        return int(self._reduced(torch.tensor([number]), distributed.ReduceOp.MAX).item())

    def difference(self, facts: Mapping[str, object]) -> str:
        """Name the first of `facts` (values by what they are of) that is not the same in all processes, or nothing."""
        if self.count == 1:
            return ""
        first, *others = self._gathered({name: str(value) for name, value in facts.items()})
        for rank, theirs in enumerate(others, 1):
            for name, value in first.items():
                if theirs[name] != value:
                    return f"process {rank} of {self.count}: has {name} {theirs[name]} (process 0: {value})"
        return ""

    def agree(self, error: SketchError | None = None) -> None:
        """Go on only if no process failed at something that others left to it, such as writing the checkpoint.

        Raises:
            SketchError: `error`, where it is this process's own.
            UnfinishedError: another process failed.
        """
        if self.largest(error is not None):
            raise error or UnfinishedError(f"{self}: another process could not go on and says why; mend that first")

    def _gathered(self, value: T) -> list[T]:
        """The values of all processes, in their order."""
        found: list[Any] = [None] * self.count
        _exchange(str(self), lambda: distributed.all_gather_object(found, value))
        return found

    def _reduced(self, tensor: Tensor, how: Any) -> Tensor:
        """Reduce a tensor over the processes, in place where the device is the one that their backend wants."""
        if distributed.get_backend() == "nccl":
            tensor = tensor.cuda()
        _exchange(str(self), lambda: distributed.all_reduce(tensor, how))
        return tensor


def fingerprint(model: nn.Module) -> str:
    """Twelve hexadecimal digits that models of equal weights share, to the bit."""
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def started_by_torchrun() -> bool:
    """Whether `torchrun` started this process and looks after it."""
    return distributed.is_available() and distributed.is_torchelastic_launched()


def _exchange(who: str, transfer: Callable[[], object]) -> None:
    """Do a transfer; where another process died, hangs or left, say so.

    Raises:
        UnfinishedError: the transfer failed, or took longer than the timeout.
    """
    try:
        transfer()
    except RuntimeError as error:  # torch's DistBackendError and DistNetworkError are of this kind
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UnfinishedError(
            f"{who}: another process is gone or does not answer ({reason}); "
            "look for its own message, then go on from the last save with --resume"
        ) from error
