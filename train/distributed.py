"""Training in several processes at once, as `torchrun` starts them: gradients are averaged, nothing else is shared."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import distributed

from sketch_edge.train.model import SketchVAE


@dataclass(frozen=True)
class Workers:
    """The processes that train together; one alone is the usual case."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: torch.device) -> Workers:
        """Join the other processes when `torchrun` started this one.

        WORLD_SIZE alone says nothing: batch systems set it for processes that know nothing of each other.
        """
        if not distributed.is_available() or not distributed.is_torchelastic_launched():
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    def leave(self) -> None:
        """Part from the other processes; nothing can be exchanged any more."""
        if self.count > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    def average_gradients(self, model: SketchVAE) -> None:
        """Replace each gradient by its mean over the processes, in one transfer."""
        if self.count == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def any(self, flag: bool) -> bool:
        """Whether any process says yes; all get the same answer."""
        if self.count == 1:
            return flag
        votes = torch.tensor([float(flag)])
        if distributed.get_backend() == "nccl":
            votes = votes.cuda()
        distributed.all_reduce(votes)
        return bool(votes.item() > 0)
